package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns text with escapes in place of all that a terminal could
// obey instead of show: \u001b for an escape character, \xff for a byte that is
// not UTF-8. Line ends and tabs stay. The form of the escapes of characters is
// that of JSON.
func Printable(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case r == '\n' || r == '\t' || strconv.IsPrint(r):
			b.WriteString(rest[:size])
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
		rest = rest[size:]
	}
	return b.String()
}

// printer writes what Printable makes of all that is written to it.
type printer struct {
	io.Writer
	cut []byte // the first bytes of a character whose others have not come
}

// Write writes text, up to a character that is not complete yet.
func (p *printer) Write(text []byte) (int, error) {
	all, cut := append(p.cut, text...), 0
	for n := 1; n < utf8.UTFMax && n <= len(all); n++ {
		if utf8.RuneStart(all[len(all)-n]) {
			if !utf8.FullRune(all[len(all)-n:]) {
				cut = n
			}
			break
		}
	}
	whole := all[:len(all)-cut]
	p.cut = append([]byte(nil), all[len(whole):]...)
	if _, err := io.WriteString(p.Writer, Printable(string(whole))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Sentence returns text as one: its first letter is a capital, and a period
// ends it.
func Sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:] + "."
}
