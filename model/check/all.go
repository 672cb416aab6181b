package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

// runAll asks every question of the table of scenarios. It ends with the exit
// code of the first answer that is not as expected.
func runAll(cmd *cobra.Command, f flags) error {
	for _, name := range []string{"procs", "rounds", "control", "weak-reads", "mutant", "property", "symmetry", "liveness", "coverage", "dot", "graph-json", "go-test", "html", "timeline"} {
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
	if !f.json {
		fmt.Fprintln(table, "scenario\tprocs\trounds\tchecked\texpected\tfound\tdistinct\tdepth\tseconds")
		defer table.Flush()
	}
	var end error
	for _, q := range model.Questions() {
		opt.Check, opt.Liveness, opt.Symmetry = q.Check, q.Liveness, q.Symmetry
		r := exploreWithMeter(cmd, q.Config, opt)
		if err := vacuous(r); err != nil {
			return err
		}
		expected := q.Expected(r.Result)
		if f.json {
			l := newLine(q.Config, opt, r)
			l.Expected, l.AsExpected = q.Expect, &expected
			printJSON(out, l)
		} else {
			distinct := fmt.Sprint(r.Distinct)
			if q.Symmetry {
				distinct += " orbits"
			}
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d\t%.2f\n", q.Config.Name(), r.Procs, rounds(r.Rounds),
				strings.Join(names(q.Check), " "), q.Expect, r.Verdict, distinct, r.Depth, r.Seconds)
		}
		if !expected {
			// That something holds which was to fail is as bad as the failure.
			end = cmp.Or(end, exit(r), error(cli.Exit(spec.ExitSafety)))
			fmt.Fprintf(cmd.ErrOrStderr(), "\n%s is not as expected\n", q.Config.Name())
			cli.Reproduce(cmd, reproduce(q.Config, opt))
		}
		if r.Interrupted {
			break
		}
	}
	return end
}
