//go:build linux

package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/model/cli"
)

// CountHelp says in help texts how Parse reads a COMMAND that ends like a
// count.
const CountHelp = "A number after the last = is always the COUNT, so exec:'./x --n=2' is 2 of './x --n', and exec:'./x --n=2=1' is one of './x --n=2'"

// MaxCount is the largest number of processes that a command starts. A machine
// with an ordinary amount of memory can have so many workers and small ports.
const MaxCount = 1024

// ParseAll returns the names of ports in a list of NAME or NAME=COUNT, each as
// often as COUNT says. It fails as Parse does, and if there are more than
// MaxCount.
func ParseAll(list []string) (names []string, err error) {
	total := 0
	for _, text := range list {
		name, count, err := Parse(text)
		if err != nil {
			return nil, err
		}
		total += count
		if total <= MaxCount {
			names = append(names, slices.Repeat([]string{name}, count)...)
		}
	}
	if total > MaxCount {
		return nil, fmt.Errorf("there are %d of --port; give %d at most", total, MaxCount)
	}
	return names, nil
}

// Parse splits NAME or NAME=COUNT. COUNT is 1 to MaxCount, and 1 if it is
// missing. A COMMAND may contain = itself: only a number at its end is a count
// (CountHelp).
func Parse(text string) (name string, count int, err error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return text, 1, nil
	}
	count, err = strconv.Atoi(text[i+1:])
	switch {
	case err != nil && strings.HasPrefix(text, "exec:"):
		return text, 1, nil
	case err != nil:
		return "", 0, fmt.Errorf("port %q: %q is no count", text, text[i+1:])
	case count < 1 || count > MaxCount:
		return "", 0, fmt.Errorf("port %q: the count is %d; give 1 to %d", text, count, MaxCount)
	}
	return text[:i], count, nil
}

// Counted is the inverse of Parse. It joins equal names that follow each other.
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

// Flags returns the --port flags that ask for ports with the names, for a
// shell.
func Flags(names []string) string {
	var flags []string
	for _, counted := range Counted(names) {
		flags = append(flags, "--port "+cli.Quoted(counted))
	}
	return strings.Join(flags, " ")
}
