package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// An answer is the JSON form of one question and what was found.
type answer struct {
	model.Result
	Control  bool             `json:"control"`
	Symmetry bool             `json:"symmetry,omitempty"` // Distinct counts orbits
	Checked  []string         `json:"checked"`            // names of spec.Property
	Expected spec.Expectation `json:"expected"`           // of each of them
	AsIs     bool             `json:"as_expected"`
}

// runAll asks every question of the table of scenarios. It ends with the exit
// code of the first answer that is not as expected.
func runAll(cmd *cobra.Command, f flags) error {
	for _, name := range []string{"procs", "rounds", "control", "weak-reads", "mutant", "property", "symmetry", "liveness", "coverage", "dot", "graph-json", "go-test"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--scenario all asks its own questions: leave --%s out", name)
		}
	}
	opt, err := f.options(cmd, model.Config{})
	if err != nil {
		return err
	}
	defer keepMemory(opt.MaxMemory)()
	out := cmd.OutOrStdout()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "scenario\tprocs\trounds\tchecked\texpected\tfound\tdistinct\tdepth\tseconds")
	var surprises []string
	var end error
	for _, q := range model.Questions() {
		opt.Check, opt.Liveness, opt.Symmetry = q.Check, q.Liveness, q.Symmetry
		r := runExplore(cmd, q.Config, opt)
		if err := vacuous(r); err != nil {
			return err
		}
		a := newAnswer(q, r)
		if f.json {
			printJSON(out, a)
		} else {
			distinct := fmt.Sprint(r.Distinct)
			if q.Symmetry {
				distinct += " orbits"
			}
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%.2f\n", title(q.Config), r.Procs, rounds(r.Rounds),
				strings.Join(a.Checked, " "), q.Expect, r.Verdict, distinct, r.Depth, r.Seconds)
		}
		if !a.AsIs {
			surprises = append(surprises, reproduce(q.Config, opt))
			end = cmp.Or(end, surprise(r))
		}
		if r.Interrupted {
			break
		}
	}
	if !f.json {
		table.Flush()
		for _, line := range surprises {
			fmt.Fprintf(out, "\nnot as expected: %s\n", line)
		}
	}
	return end
}

func newAnswer(q model.Question, r explore.Report) answer {
	return answer{Result: r.Result, Control: q.Config.Control, Symmetry: q.Symmetry, Checked: names(q.Check), Expected: q.Expect, AsIs: q.Expected(r.Result)}
}

// surprise is how the command ends after an answer that was not expected. That
// something holds which was to fail is as bad as the failure.
func surprise(r explore.Report) error {
	return cmp.Or(exit(r), error(cli.Exit(spec.ExitSafety)))
}
