//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/port/registry"
)

// A kitQuestion is what the flags of stress kit ask for.
type kitQuestion struct {
	trial   conformance.Trial
	mutants bool
	json    bool
}

func kitCommand() *cobra.Command {
	var q kitQuestion
	cmd := &cobra.Command{
		Use:   "kit",
		Short: "Check a port: everything that a port has to pass, one line each",
		Long: `Checks a port (stress/PORTING.md): how it talks and attaches, each edge of the state graph
for 2 and 3 processes in lockstep with the model, a lock file made anew, and
stress, alone and mixed with others. It ends with the first check that fails.
The score takes some minutes: a mistake that silences a port is found by the
half minute that the kit waits for it.

  go run ./stress kit --port 'exec:./my-port'
  go run ./stress kit --mutants               # the kit's own score: which mistakes does it find?

Exit codes: 0 passed, 2 usage or environment, 12 not passed, 75 every
check was left out, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&q.trial.Port, "port", "", "NAME of the port (ports: "+registry.Names+")")
	f.DurationVar(&q.trial.For, "for", 2*time.Second, "how long each stress run takes")
	f.DurationVar(&q.trial.Stall, "stall", 10*time.Second, "longest time without a completed round before a stress run counts as a hang")
	f.Uint64Var(&q.trial.Seed, "seed", 0, "seed of the pauses (0: draw one)")
	f.StringArrayVar(&q.trial.Without, "without", nil, "CHECK to leave out, repeatable")
	f.BoolVar(&q.mutants, "mutants", false, "check the C port with each of its mistakes, all of which the kit must find")
	f.BoolVar(&q.json, "json", false, "print one JSON object for each check, one a line")
	cmd.MarkFlagsMutuallyExclusive("port", "mutants")
	cmd.MarkFlagsOneRequired("port", "mutants")
	return cmd
}

func (q kitQuestion) run(cmd *cobra.Command) error {
	switch {
	case q.trial.For <= 0:
		return fmt.Errorf("--for is %v; give more than 0", q.trial.For)
	case q.trial.Stall <= 0:
		return fmt.Errorf("--stall is %v; give more than 0", q.trial.Stall)
	}
	for _, name := range q.trial.Without {
		if !slices.ContainsFunc(conformance.Checks, func(c conformance.Check) bool { return c.Name == name }) {
			return fmt.Errorf("--without %q: no check is called so", name)
		}
	}
	for q.trial.Seed == 0 {
		q.trial.Seed = rand.Uint64()
	}
	var err error
	if q.mutants {
		err = q.score(cmd)
	} else {
		err = q.check(cmd)
	}
	if cmd.Context().Err() != nil {
		return cli.Exit(spec.ExitInterrupted)
	}
	return err
}

// check makes the checks of one port.
func (q kitQuestion) check(cmd *cobra.Command) error {
	bar := cli.Bar(`{{string . "check"}}, {{counters . }} checks {{bar . }} {{etime . }}`, int64(len(conformance.Checks)))
	done := int64(-1)
	q.trial.Progress = func(check string) { done++; bar.Set("check", check).SetCurrent(done) }
	results, err := conformance.Run(cmd.Context(), q.trial)
	bar.Set(pb.CleanOnFinish, true).Finish()
	// What was found before an interruption is kept.
	if failed := errors.Join(err, q.print(cmd.OutOrStdout(), results)); failed != nil {
		return failed
	}
	if !conformance.Passed(results) {
		return q.again(cmd, "--port "+registry.Quoted(q.trial.Port))
	}
	if !asked(results) {
		return cli.Exit(spec.ExitUnfinished)
	}
	return nil
}

// asked reports whether one check was made at least.
func asked(results []conformance.Result) bool {
	return slices.ContainsFunc(results, func(r conformance.Result) bool { return r.Verdict != spec.Unfinished })
}

// again prints the command that repeats a failure of who.
func (q kitQuestion) again(cmd *cobra.Command, who string) error {
	var without strings.Builder
	for _, check := range q.trial.Without {
		without.WriteString(" --without " + registry.Quoted(check))
	}
	cli.Reproduce(cmd, fmt.Sprintf("go run ./stress kit %s --for %v --stall %v --seed %d%s",
		who, q.trial.For, q.trial.Stall, q.trial.Seed, &without))
	return cli.Exit(spec.ExitSafety)
}

// encode prints one JSON object a line.
func encode[T any](out io.Writer, objects []T) error {
	for _, o := range objects {
		if err := json.NewEncoder(out).Encode(o); err != nil {
			return err
		}
	}
	return nil
}

func (q kitQuestion) print(out io.Writer, results []conformance.Result) error {
	if q.json {
		return encode(out, results)
	}
	if len(results) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "check\tverdict\tfound")
	for _, r := range results {
		verdict := string(r.Verdict)
		if r.Verdict == spec.Unfinished {
			verdict = "not asked"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Check, verdict, r.Found)
	}
	return table.Flush()
}

// score makes the checks of each mutant of the C port.
func (q kitQuestion) score(cmd *cobra.Command) error {
	mutants := registry.CMutants()
	bar := cli.Bar(`{{counters . }} mutants {{bar . }} {{rtime . "%s left"}}`, int64(len(mutants)))
	var scores []conformance.Score
	var err error
	some := false
	for _, mutant := range mutants {
		q.trial.Port = "c@" + mutant
		var results []conformance.Result
		if results, err = conformance.Run(cmd.Context(), q.trial); err != nil {
			break
		}
		some = some || asked(results)
		scores = append(scores, conformance.ScoreOf(mutant, results))
		bar.Increment()
	}
	bar.Set(pb.CleanOnFinish, true).Finish()
	found, failed := q.printScores(cmd.OutOrStdout(), scores)
	switch err = errors.Join(err, failed); {
	case err != nil:
		return err
	case !some:
		return cli.Exit(spec.ExitUnfinished)
	case found < len(scores):
		return q.again(cmd, "--mutants")
	}
	return nil
}

// printScores returns how many mutants were found.
func (q kitQuestion) printScores(out io.Writer, scores []conformance.Score) (found int, err error) {
	for _, s := range scores {
		if s.By != "" {
			found++
		}
	}
	switch {
	case q.json:
		return found, encode(out, scores)
	case len(scores) == 0:
		return 0, nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "mutant\tfound by\tfound")
	for _, s := range scores {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Mutant, s.By, s.Found)
	}
	fmt.Fprintf(table, "\nscore  %d of %d: %d %%\n", found, len(scores), 100*found/len(scores))
	return found, table.Flush()
}
