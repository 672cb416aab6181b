//go:build linux

package registry_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/stress/port/registry"
)

func TestUnit_NoSuchPort(t *testing.T) {
	for _, name := range []string{"", "cobol", "exec:"} {
		if _, err := registry.Start(t.Context(), name); err == nil || !strings.Contains(err.Error(), "there are") {
			t.Errorf("Start(%q) = %v, want an error that lists the ports", name, err)
		}
	}
}

func TestUnit_Parse(t *testing.T) {
	for _, c := range []struct {
		text  string
		name  string
		count int
	}{
		{"go", "go", 1}, {"go=2", "go", 2}, {"exec:./p", "exec:./p", 1}, {"exec:A=b ./p", "exec:A=b ./p", 1},
		{"exec:A=b ./p=3", "exec:A=b ./p", 3}, {"exec:./x --n=2", "exec:./x --n", 2}, {"exec:./x --n=2=1", "exec:./x --n=2", 1}, {"go=0", "", 0}, {"go=x", "", 0}, {"go=", "", 0},
	} {
		name, count, err := registry.Parse(c.text)
		if name != c.name || count != c.count || (err != nil) != (c.count == 0) {
			t.Errorf("Parse(%q) = %q, %d, %v; want %q, %d", c.text, name, count, err, c.name, c.count)
		}
	}
}

// TestFlags: a shell and Parse make of them what they were made of.
func TestUnit_Flags(t *testing.T) {
	for _, names := range [][]string{
		{"go"}, {"go", "go", "python", "go"}, {"exec:./it's mine --n=2", "exec:./it's mine --n=2"}, {"exec:a | b >$c"},
	} {
		out, err := exec.Command("/bin/sh", "-c", `printf '%s\n' `+registry.Flags(names)).Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, word := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if word == "--port" {
				continue
			}
			name, count, err := registry.Parse(word)
			if err != nil {
				t.Error(err)
			}
			got = append(got, slices.Repeat([]string{name}, count)...)
		}
		if !slices.Equal(got, names) {
			t.Errorf("Flags(%q) = %s: a shell and Parse make %q of it", names, registry.Flags(names), got)
		}
	}
}
