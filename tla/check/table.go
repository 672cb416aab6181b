package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// writeTable prints a line for each question, then what was not as expected,
// and the counterexamples if all of them are wanted. Without answers it prints
// nothing.
func writeTable(w io.Writer, rows []row, traces bool) error {
	if len(rows) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "question\tscenario\tprocs\trounds\texpected\tfound\tdistinct\tdepth\tseconds\t")
	for _, r := range rows {
		mark := ""
		if r.differs != "" {
			mark = "DIFFERS"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%.1f\t%s\n",
			r.config.Name, scenario(r), r.config.Procs, bound(r.config.Rounds),
			answer(r.expected.Verdict, r.expected.Property), answer(r.result.Verdict, r.result.Property),
			r.result.Distinct, r.result.Depth, r.result.Seconds, mark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		if r.note != "" {
			fmt.Fprintf(w, "\n%s: %s\n", r.config.Name, r.note)
		}
		if r.differs != "" {
			fmt.Fprintf(w, "\n%s: %s\n  again: %s\n", r.config.Name, r.differs, r.again)
			if r.log != "" {
				fmt.Fprintf(w, "  TLC's output: %s\n", r.log)
			}
		}
		if len(r.result.Trace) > 0 && (traces || r.differs != "") {
			fmt.Fprintf(w, "\n%s: %s\n", r.config.Name, answer(r.result.Verdict, r.result.Property))
			if err := writeTrace(w, r.result); err != nil {
				return err
			}
		}
	}
	return nil
}

func scenario(r row) string {
	if r.config.Kept && r.config.Scenario > spec.Withdraw {
		return r.config.Scenario.String() + " (kept)"
	}
	return r.config.Scenario.String()
}

func bound(rounds int) string {
	if rounds == 0 {
		return "all"
	}
	return fmt.Sprint(rounds)
}

func answer(verdict spec.Verdict, property string) string {
	return strings.TrimSpace(string(verdict) + " " + property)
}

// writeTrace prints a counterexample: who, what, and the words after it.
func writeTrace(w io.Writer, result model.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  \twho\tstep\tenter\texit\tflag\t")
	for i, entry := range result.Trace {
		who, label, back := fmt.Sprintf("p%d", entry.Proc), entry.Label, ""
		if entry.Proc < 0 {
			who = "-"
		}
		if entry.Parties > 0 {
			label = fmt.Sprintf("%s(%d)", label, entry.Parties)
		}
		if result.Loop == i+1 {
			back = "<- and from here again, for ever"
		}
		fmt.Fprintf(table, "  %d\t%s\t%s\t%d\t%d\t%d\t%s\n", i+1, who, label, entry.Words.Enter, entry.Words.Exit, entry.Words.Flag, back)
	}
	return table.Flush()
}
