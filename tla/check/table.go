package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
)

// writeTable prints a line for each question, then what differs from the
// expected answers, with its counterexample, and with traces all others.
// Without answers it prints nothing.
func writeTable(w io.Writer, rows []row, traces bool) error {
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "question\tscenario\tprocs\trounds\texpected\tfound\tdistinct\tdepth\tseconds\t")
	for i, r := range rows {
		mark := ""
		if r.differs != "" {
			mark = "DIFFERS"
		}
		seconds := fmt.Sprintf("%.1f", r.result.Seconds)
		if slices.ContainsFunc(rows[:i], func(other row) bool { return slices.Contains(r.together, other.Name()) }) {
			seconds = "same run"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n",
			r.Name(), scenario(r), r.result.Procs, bound(r.Rounds),
			answer(r.Verdict, r.Property), answer(r.result.Verdict, r.result.Property),
			r.result.Distinct, r.result.Depth, seconds, mark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.note != "" {
			fmt.Fprintf(w, "\n%s: %s\n", r.Name(), r.note)
		}
		if r.differs != "" {
			fmt.Fprintf(w, "\n%s: %s\n", r.Name(), r.differs)
			if r.log != "" {
				fmt.Fprintf(w, "  TLC's output: %s\n", r.log)
			}
		}
		if len(r.result.Trace) > 0 && (traces || r.differs != "") {
			fmt.Fprintf(w, "\n%s: %s\n%s", r.Name(), answer(r.result.Verdict, r.result.Property), r.timeline().Text())
		}
	}
	return nil
}

// timeline returns the timeline of the counterexample.
func (r row) timeline() timeline.Timeline {
	cfg := r.ModelConfig()
	cfg.Procs = r.result.Procs // of --simulate
	return timeline.Of(cfg, r.result)
}

// writeTimeline writes the page that --timeline asks for: all counterexamples.
func (o options) writeTimeline(stderr io.Writer, rows []row) error {
	if o.timeline == "" {
		return nil
	}
	var list []timeline.Timeline
	for _, r := range rows {
		if len(r.result.Trace) > 0 {
			t := r.timeline()
			t.Title, t.Command = r.Name()+", "+t.Title, o.reproduce(r.Question)
			list = append(list, t)
		}
	}
	return timeline.WriteFile(o.timeline, stderr, "Counterexamples of TLC", list...)
}

func scenario(r row) string {
	if r.Control {
		return r.Scenario + " (control)"
	}
	return r.Scenario
}

func bound(rounds int) string {
	if rounds == 0 {
		return "unbounded"
	}
	return fmt.Sprint(rounds)
}

func answer(verdict spec.Verdict, property string) string {
	return strings.TrimSpace(string(verdict) + " " + property)
}
