//go:build linux

package lockstep

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sharedbarrier/spec"
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
			strings.Join(counted(r.Ports), " "), r.Verdict, seen, edges, r.Steps, r.Blocked, r.Rate, r.Seconds)
	}
	t.Flush()
	for _, r := range reports {
		if r.Verdict == spec.Unfinished {
			fmt.Fprintf(&b, "\n%s, %s with %d processes: %s\n", r.Mode, r.Scenario, r.Procs, r.Why)
		}
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

// counted returns the names as --port takes them, one after the other.
func counted(names []string) (list []string) {
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

// Again returns the command that replays the run's schedule. Where there is none,
// the parties differ as soon as they open, whatever comes then.
func (r Report) Again() string {
	args := []string{"go run ./stress lockstep", "--scenario", r.Scenario, "--procs", fmt.Sprint(r.Procs)}
	if r.Rounds > 0 {
		args = append(args, "--rounds", fmt.Sprint(r.Rounds))
	}
	for _, p := range counted(r.Ports) {
		args = append(args, "--port", "'"+strings.ReplaceAll(p, "'", `'\''`)+"'")
	}
	if r.Schedule == "" {
		args = append(args, "--random", "--steps", "1")
	} else {
		args = append(args, "--moves", "'"+r.Schedule+"'")
	}
	return strings.Join(args, " ")
}
