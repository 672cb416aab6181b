//go:build linux

package lockstep

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
)

// Text writes the reports as one table, and under it the schedule of what went
// wrong, or of the only run.
func Text(out io.Writer, reports []Report) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "run\tscenario\tprocs\tports\tverdict\tseen\tedges\tsteps\tblocked\tsteps/s\tseconds")
	for _, r := range reports {
		edges := "-"
		if r.Edges > 0 {
			edges = fmt.Sprintf("%d of %d", r.Covered, r.Edges)
		}
		seen := strings.Join(r.Seen, ", ")
		if seen == "" {
			seen = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%d\t%.0f\t%.2f\n", r.Mode, r.Scenario, r.Procs,
			strings.Join(registry.Counted(r.Ports), " "), r.Verdict, seen, edges, r.Steps, r.Blocked, r.Rate, r.Seconds)
	}
	t.Flush()
	for _, r := range reports {
		if r.Verdict == spec.Unfinished {
			fmt.Fprintf(&b, "\n%s, %s with %d processes: %s\n", r.Mode, r.Scenario, r.Procs, r.Why)
		}
	}
	if hint := elsewhere(reports); hint != "" {
		fmt.Fprintf(&b, "\n%s\n", hint)
	}
	last := reports[len(reports)-1]
	switch {
	case last.Verdict == spec.Violated:
		fmt.Fprintf(&b, "\nDifference: %s\n", last.Why)
	case len(reports) == 1 && last.table != "":
		fmt.Fprintf(&b, "\nSeen: %s\n", last.Why)
	default:
		last.table = ""
	}
	if last.table != "" {
		fmt.Fprintf(&b, "\n%s", last.table)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// LeaveOut makes the report one of a run that is left out of several, for lack of a
// capability.
func (r *Report) LeaveOut(u *Unable) {
	r.Verdict, r.Why, r.leftOut = spec.Unfinished, "left out: "+u.Why, true
}

// elsewhere says which ports show what was refused or left out in several runs.
func elsewhere(reports []Report) string {
	refused, left := 0, 0
	for _, r := range reports {
		switch {
		case slices.Contains(r.Seen, Refused):
			refused++
		case r.leftOut:
			left++
		}
	}
	if len(reports) == 1 {
		return ""
	}
	var hints []string
	if refused > 0 {
		hints = append(hints, fmt.Sprintf("Refused: %d; --port python, which checks nothing, shows what happens then.", refused))
	}
	if left > 0 {
		hints = append(hints, fmt.Sprintf("Left out: %d; --port c has every capability.", left))
	}
	return strings.Join(hints, " ")
}

// Again returns the command that replays the run's schedule. Where there is none,
// the parties differ as soon as they open, whatever comes then.
func (r Report) Again() string {
	args := []string{"go run ./stress lockstep", "--scenario", r.Scenario, "--procs", fmt.Sprint(r.Procs)}
	if r.Rounds > 0 {
		args = append(args, "--rounds", fmt.Sprint(r.Rounds))
	}
	args = append(args, registry.Flags(r.Ports))
	if r.Schedule == "" {
		args = append(args, "--random", "--steps", "1")
	} else {
		args = append(args, "--moves", "'"+r.Schedule+"'")
	}
	return strings.Join(args, " ")
}
