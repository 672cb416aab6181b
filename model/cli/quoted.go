package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Quoted quotes a word for a POSIX shell if the word needs it. The result has
// printable characters only, and no backtick, but for line ends at the end of
// the word.
func Quoted(word string) string {
	plain := func(r rune) bool {
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("@=:./,_-", r)
	}
	odd := func(r rune) bool { return r == utf8.RuneError || r == '`' || !strconv.IsPrint(r) }
	body := strings.TrimRight(word, "\n") // $(…) cuts off what follows
	switch {
	case strings.ContainsFunc(body, odd) && !strings.Contains(word, "\x00"): // no argument has a NUL
		text := `"$(printf %b '` + octal(body, func(r rune) bool { return odd(r) || r == '\'' || r == '\\' }) + `')"`
		if body != word {
			text += "'" + word[len(body):] + "'"
		}
		return text
	case word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }):
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// octal returns the word with the characters that need it as printf %b has
// them.
func octal(word string, need func(rune) bool) string {
	var b strings.Builder
	for rest := word; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		if need(r) {
			for _, c := range []byte(rest[:size]) {
				fmt.Fprintf(&b, `\0%03o`, c)
			}
		} else {
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return b.String()
}
