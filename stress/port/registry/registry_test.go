//go:build linux

package registry_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec/intercept"
	"sharedbarrier/stress/port/porttest"
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

// Each shell, and Parse, make of the flags what they were made of. No flag has
// a character that a terminal could obey.
func TestUnit_Flags(t *testing.T) {
	for _, names := range [][]string{
		{"go"}, {"go", "go", "python", "go"}, {"exec:./it's mine --n=2", "exec:./it's mine --n=2"}, {"exec:a | b >$c"},
		{"exec:printf '\\n' \x1b[31m; a\n\tb \xff\u202e `c` 100%"}, {"exec:é \"$(x)\" \\"},
	} {
		flags := registry.Flags(names)
		if cli.Printable(flags) != flags || strings.ContainsAny(flags, "`\n\t") {
			t.Errorf("Flags(%q) = %q, want printable characters only", names, flags)
		}
		for _, shell := range []string{"sh", "dash", "bash"} {
			out, err := exec.Command(shell, "-c", `printf '%s\0' `+flags).Output()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for word := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
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
				t.Errorf("Flags(%q) = %s: %s and Parse make %q of it", names, flags, shell, got)
			}
		}
	}
}

// TestProc_LockFileOfAnotherUser: a port opens a lock file that exists without
// O_CREAT, which the kernel refuses in a sticky directory if the file belongs
// to another user (fs.protected_regular). It makes one that is missing.
func TestProc_LockFileOfAnotherUser(t *testing.T) {
	for _, name := range []string{"c", "rust"} {
		t.Run(name, func(t *testing.T) {
			porttest.Need(t, name)
			_, segment, lockPath := porttest.NewBarrier(t)
			refuse := func(c intercept.Call) unix.Errno {
				if c.Args[2]&unix.O_CREAT != 0 {
					return unix.EACCES
				}
				return 0
			}
			allow := func(intercept.Call) unix.Errno { return 0 }
			for i, answer := range []func(intercept.Call) unix.Errno{refuse, allow} {
				if i == 1 {
					if err := os.Remove(lockPath); err != nil {
						t.Fatal(err)
					}
				}
				intercept.Run(t, intercept.All(unix.SYS_OPENAT), answer, func() {
					p, err := registry.Start(t.Context(), name)
					if err == nil {
						err = p.Open(segment, lockPath)
					}
					if err == nil {
						err = p.Wait(t.Context(), 1)
					}
					if err == nil {
						err = p.Close()
					}
					if err != nil {
						t.Errorf("a call of one party, lock file missing: %v: got %v, want nil", i == 1, err)
					}
				})
			}
		})
	}
}
