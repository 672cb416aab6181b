package cli

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUnit_Printable(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"p0 is at µ—日本 🙂\tnext\n", "p0 is at µ—日本 🙂\tnext\n"},
		{"\x1b]0;title\a\x7f\r\x00", `\u001b]0;title\u0007\u007f\u000d\u0000`},
		{"\u009b2J\u202etxt\ufeff", `\u009b2J\u202etxt\ufeff`},
		{"\x9b2J\xe2\x82", `\x9b2J\xe2\x82`},
		{"\U000e0001", `\udb40\udc01`},
	} {
		if got := Printable(c.text); got != c.want {
			t.Errorf("Printable(%q): got %s, want %s", c.text, got, c.want)
		}
	}
}

// FuzzPrintable: nothing is left that a terminal obeys, text that it may show
// stays as it is, and a text that is written in two parts comes out as one.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"", "ok\n", "\x1b[2J", "a\x9bb", "€\u009b", "\xf0\x9f\x99\x82\xf0\x9f", "\u2028\u202e", "\U000e0001\ufffd\\u001b"} {
		f.Add(text, uint(3))
	}
	f.Fuzz(func(t *testing.T, text string, at uint) {
		got := Printable(text)
		for _, r := range got {
			if r != '\n' && r != '\t' && !strconv.IsPrint(r) {
				t.Fatalf("Printable(%q): got %q", text, got)
			}
		}
		if again := Printable(got); again != got || !utf8.ValidString(got) {
			t.Fatalf("Printable(%q): got %q, and of that %q", text, got, again)
		}
		if !utf8.ValidString(text) { // the end may be the beginning of a character
			return
		}
		var parts strings.Builder
		p := &printer{Writer: &parts}
		cut := int(at % uint(len(text)+1))
		for _, part := range []string{text[:cut], "", text[cut:]} {
			if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("Write(%q): got %d, %v", part, n, err)
			}
		}
		if parts.String() != got {
			t.Errorf("%q, written in two parts at %d: got %q, want %q", text, cut, parts.String(), got)
		}
	})
}
