//go:build linux

package registry_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strconv"
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
		if got := unquoted(registry.Quoted(text)); got != text {
			t.Errorf("Quoted(%q): got %s, which a shell reads as %q", text, registry.Quoted(text), got)
		}
	})
}

// unquoted reads a word as a shell does that is plain, or in single quotes with
// '\” for each of them, or printed by printf.
func unquoted(word string) string {
	if printed, is := strings.CutPrefix(word, `"$(printf %b '`); is {
		printed, ends, _ := strings.Cut(printed, `')"`)
		octal := func(code string) string {
			c, err := strconv.ParseUint(code[1:], 8, 8)
			if err != nil {
				return ""
			}
			return string([]byte{byte(c)})
		}
		return octals.ReplaceAllStringFunc(printed, octal) + strings.Trim(ends, "'")
	}
	if quoted, is := strings.CutPrefix(word, "'"); is {
		return strings.ReplaceAll(strings.TrimSuffix(quoted, "'"), `'\''`, "'")
	}
	if strings.ContainsAny(word, " \t\n'\"\\$`!*?[]{}()<>|&;#~^\x00") {
		return ""
	}
	return word
}

var octals = regexp.MustCompile(`\\0[0-7]{3}`)

// TestUnit_QuotedForAShell: a real shell reads a quoted word as it was.
func TestUnit_QuotedForAShell(t *testing.T) {
	for _, word := range []string{"go=2", "", "exec:a'b\"c$d`e`\\f\ng", "~", "-n", "日本 \u009b", "\xff", "#", "!!", "a=~", "a\n", "\x1b\n\n", "\n"} {
		out, err := exec.Command("/bin/sh", "-c", `printf %s `+registry.Quoted(word)).Output()
		if err != nil || string(out) != word {
			if word != "-n" { // printf takes it for an option in some shells
				t.Errorf("a shell reads Quoted(%q) as %q, %v", word, out, err)
			}
		}
	}
}
