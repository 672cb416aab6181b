//go:build linux

package run

import (
	"fmt"
	"io"
)

// shownSteps is how many of the recorded steps the text of a report has.
const shownSteps = 12

// lastSteps writes the end of the recording, with the last steps of the workers
// that matter: of a hang those that are missing, dead or stopped, of an early
// exit both.
func (r Report) lastSteps(out io.Writer) {
	if r.Recording == nil {
		return
	}
	var matter []int
	if e := r.Early; e != nil {
		matter = []int{e.Worker, e.Party}
	}
	if r.Hang != nil {
		var most int64
		for _, w := range r.Hang.Workers {
			most = max(most, w.Begun)
		}
		for _, w := range r.Hang.Workers {
			if w.Begun < most || w.State != "running" && w.State != "unknown" {
				matter = append(matter, w.Worker)
			}
		}
	}
	tail := r.Recording.Tail(shownSteps, matter)
	fmt.Fprintf(out, "\nLast steps: %d of %d; --json and --out have all.\n", len(tail.Records), len(r.Recording.Records))
	tail.Text(out)
}
