package procgroup

import (
	"fmt"
	"strings"
	"testing"
)

// FuzzStat: whatever the name of a process is, its numbers are those that
// follow the name.
func FuzzStat(f *testing.F) {
	for _, name := range []string{"sh", "", ")", "a) S 9 9 9 9 9 9 (", "\n", "(((", ") ", "\xff\x00", " 1 2 3 4 5 6 7"} {
		f.Add(name, "S", 1, 2, 3, 4194560, "0")
		f.Add(name, "", -1, 1<<31-1, 0, -5, "")
	}
	f.Fuzz(func(t *testing.T, name, state string, parent, group, session, flags int, rest string) {
		parseStat([]byte(name + state + rest)) // does not panic
		if strings.Contains(state+rest, ")") || len(strings.Fields(state)) != 1 {
			return
		}
		text := fmt.Sprintf("7 (%s) %s %d %d %d 0 -1 %d %s\n", name, state, parent, group, session, flags, rest)
		want := stat{strings.Fields(state)[0], parent, group, session, flags}
		if got, err := parseStat([]byte(text)); got != want || err != nil {
			t.Errorf("parseStat(%q): got %+v, %v, want %+v", text, got, err, want)
		}
	})
}
