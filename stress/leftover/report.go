//go:build linux

package leftover

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sharedbarrier/spec"
)

// version is the version of the JSON form of Report; report.schema.json
// describes it.
const version = 1

// A Report is what Clean has found and done.
type Report struct {
	Version     int        `json:"version"`
	Removes     bool       `json:"removes"`               // Options.Remove
	Interrupted bool       `json:"interrupted,omitempty"` // not all were looked at
	Leftovers   []Leftover `json:"leftovers"`
	Limits      []string   `json:"limits"` // what could not be seen, and what to do
}

// ExitCode returns spec.ExitUnfinished if one may be dead and is left, else
// spec.ExitOK. What Options name is not left if it is removed, or if it is dead
// and Clean does not remove.
func (r *Report) ExitCode(named bool) int {
	if r.Interrupted {
		return spec.ExitInterrupted
	}
	for _, l := range r.Leftovers {
		if l.Verdict == Unproven || named && (l.Verdict == Foreign || l.Verdict == Live) {
			return spec.ExitUnfinished
		}
	}
	return spec.ExitOK
}

// JSON writes the report as one line.
func (r *Report) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// Text writes the report for people: a line for each leftover, with its paths
// below, and what to do.
func (r *Report) Text(out io.Writer) error {
	var b strings.Builder
	if len(r.Leftovers) > 0 {
		r.table(&b, time.Now())
		b.WriteByte('\n')
	}
	dead, removed := r.count(Dead), r.count(Removed)
	switch {
	case len(r.Leftovers) == 0:
		b.WriteString("Nothing is left.\n")
	case removed > 0:
		fmt.Fprintf(&b, "Removed %d of %d.\n", removed, len(r.Leftovers))
	case dead > 0:
		fmt.Fprintf(&b, "%d of %d can be removed: repeat the command with --yes.\n", dead, len(r.Leftovers))
	default:
		b.WriteString("None can be removed.\n")
	}
	for _, limit := range r.Limits {
		fmt.Fprintf(&b, "Not seen: %s.\n", limit)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *Report) count(v Verdict) (n int) {
	for _, l := range r.Leftovers {
		if l.Verdict == v {
			n++
		}
	}
	return n
}

// table writes the leftovers. The paths are no cells: they are longer than the
// rest of a line.
func (r *Report) table(out io.Writer, now time.Time) {
	var rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tof\tage\tbytes\tverdict\twhy")
	for _, l := range r.Leftovers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", l.Kind, l.Of, age(l.Changed, now), l.Bytes, l.Verdict, l.Why)
	}
	table.Flush()
	lines := strings.SplitAfter(rows.String(), "\n")
	io.WriteString(out, lines[0])
	for i, l := range r.Leftovers {
		io.WriteString(out, lines[i+1])
		for _, path := range l.Paths {
			fmt.Fprintf(out, "    %s\n", path)
		}
		if l.Words != nil {
			fmt.Fprintf(out, "    %v\n", *l.Words)
		}
	}
}

// age is how long ago something changed, in the largest unit that counts 1.
func age(changed, now time.Time) string {
	d := now.Sub(changed)
	switch {
	case changed.IsZero():
		return "-"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", max(0, d/time.Second))
}
