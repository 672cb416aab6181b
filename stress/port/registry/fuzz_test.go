//go:build linux

package registry_test

import (
	"slices"
	"strings"
	"testing"

	"sharedbarrier/stress/port/registry"
)

// FuzzParse: what --port takes comes back from its text, as the reproducing
// command has it, and no count is out of range.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "go", "go=2", "go=0", "go=-1", "go=+3", "go=03", "go=1_0", "go=9223372036854775808", "go=٣", "=", "=2", "c@no-drain=1024", "exec:", "exec:=", "exec:A=b ./p",
		"exec:./x --n=2=1", "exec:a'b\"c$d`e`\\f\ng=2", "exec:\x00=1", "exec:\xff=2", "python@old=1025", "exec:= 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, count, err := registry.Parse(text)
		if err != nil {
			if name != "" || count != 0 {
				t.Errorf("Parse(%q): got %q, %d, %v", text, name, count, err)
			}
			return
		}
		if count < 1 || count > registry.MaxCount || !strings.HasPrefix(text, name) {
			t.Errorf("Parse(%q): got %q, %d", text, name, count)
		}
		names := slices.Repeat([]string{name}, count)
		again, err := registry.ParseAll(registry.Counted(names))
		if err != nil || !slices.Equal(again, names) {
			t.Errorf("%q is %d of %q, which is read again as %d of %q, %v", text, count, name, len(again), again[:min(1, len(again))], err)
		}
	})
}
