package cli

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// words are arguments that are hard to quote.
var words = []string{"go=2", "", "exec:a'b\"c$d`e`\\f\ng", "~", "-n", "日本 \u009b", "\xff", "#", "!!", "a=~", "a\n", "\x1b\n\n", "\n"}

// FuzzQuoted: what reads a quoted word as a shell does reads the word.
func FuzzQuoted(f *testing.F) {
	for _, word := range words {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if got := unquoted(Quoted(word)); got != word {
			t.Errorf("Quoted(%q): got %s, which a shell reads as %q", word, Quoted(word), got)
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
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh: ", err)
	}
	for _, word := range words {
		out, err := exec.Command(shell, "-c", `printf %s `+Quoted(word)).Output()
		if err != nil || string(out) != word {
			if word != "-n" { // printf takes it for an option in some shells
				t.Errorf("a shell reads Quoted(%q) as %q, %v", word, out, err)
			}
		}
	}
}
