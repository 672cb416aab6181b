//go:build linux

package registry

import (
	"fmt"
	"strings"
)

// Counted returns names, of which equal ones that follow each other are one with
// their count, as Parse reads them.
func Counted(names []string) (list []string) {
	for i := 0; i < len(names); {
		n := i
		for n < len(names) && names[n] == names[i] {
			n++
		}
		list = append(list, fmt.Sprintf("%s=%d", names[i], n-i))
		i = n
	}
	return list
}

// Flags returns the flags --port that ask for ports with the names, for a shell.
func Flags(names []string) string {
	var flags []string
	for _, counted := range Counted(names) {
		flags = append(flags, "--port "+Quoted(counted))
	}
	return strings.Join(flags, " ")
}

// Quoted quotes a word for a shell, if it needs that.
func Quoted(word string) string {
	plain := func(r rune) bool {
		return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("@=:./,_-", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !plain(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
