//go:build linux

package lockstep

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"sharedbarrier/spec"
)

// longest is how many moves a table shows: the last ones.
const longest = 60

// table returns the moves that were made, who made them, and what was there
// after each.
func (s *session) table() string {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "#\tparty\tmove\tenter\texit\tflag\tholder\tanswer\t")
	first := max(0, len(s.record)-longest)
	before := spec.Initial
	if first > 0 {
		before = s.record[first-1].words
		fmt.Fprintf(t, "…\t\t\t%d\t%d\t%d\t\t\t\n", before.Enter, before.Exit, before.Flag)
	}
	for i, e := range s.record[first:] {
		who, holder := fmt.Sprintf("p%d", e.move.Proc), ""
		if e.move.Proc < 0 {
			who = "-"
		}
		if e.holder >= 0 {
			holder = fmt.Sprintf("p%d", e.holder)
		}
		if e.move.Parties > 0 {
			e.label += fmt.Sprintf("(%d)", e.move.Parties)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", first+i+1, who, e.label, change(before.Enter, e.words.Enter),
			change(before.Exit, e.words.Exit), change(before.Flag, e.words.Flag), holder, e.answer, e.note)
		before = e.words
	}
	t.Flush()
	return text.String()
}

func change(before, after int32) string {
	if before == after {
		return fmt.Sprint(after)
	}
	return fmt.Sprintf("%d → %d", before, after)
}
