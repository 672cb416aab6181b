//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/mutants"
)

// mutantsFlags are what stress --mutants asks for.
type mutantsFlags struct {
	mutants.Options
	wanted bool
	json   bool
	list   []*model.Mutant
}

// addMutants adds --mutants to the command stress. Its arguments are the names
// of mutants then.
func addMutants(cmd *cobra.Command) {
	var q mutantsFlags
	f := cmd.Flags()
	f.BoolVar(&q.wanted, "mutants", false, "check stress itself: look for each mistake of the model in the C port, or for those that the arguments name, for --for each (1m). The harmless ones must not be found")
	f.IntVar(&q.Seeds, "seeds", 3, "with --mutants: how often each mistake is looked for, from --seed (1) on")
	other, run := cmd.Args, cmd.RunE
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case q.wanted:
			return q.resolve(f, args)
		case f.Changed("seeds"):
			return errors.New("--seeds goes with --mutants")
		}
		return other(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if q.wanted {
			return q.run(cmd)
		}
		return run(cmd, args)
	}
}

// resolve takes the names of mutants, and the flags that --mutants shares with
// other runs.
func (q *mutantsFlags) resolve(f *pflag.FlagSet, names []string) (err error) {
	f.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "mutants", "seeds", "seed", "for", "json":
		default:
			err = fmt.Errorf("--mutants chooses the runs itself; leave out --%s", flag.Name)
		}
	})
	q.list, q.For, q.Seed, q.Command = nil, time.Minute, 1, commandLine
	if f.Changed("for") {
		q.For, _ = f.GetDuration("for")
	}
	if f.Changed("seed") {
		q.Seed, _ = f.GetUint64("seed")
	}
	q.json, _ = f.GetBool("json")
	for _, name := range names {
		m := model.MutantNamed(name)
		if m == nil {
			return fmt.Errorf("there is no mutant %q; model/README.md has the list", name)
		}
		q.list = append(q.list, m)
	}
	if len(names) == 0 {
		q.list = mutants.All()
	}
	switch {
	case err != nil:
		return err
	case q.For <= 0:
		return fmt.Errorf("--for is %v; give more than 0", q.For)
	case q.Seed == 0:
		return errors.New("--seed is 0; give 1 or more")
	}
	return cli.Between("seeds", q.Seeds, 1, 1000)
}

// run looks for the mistakes and prints the scores, those before an
// interruption too.
func (q *mutantsFlags) run(cmd *cobra.Command) error {
	bar := cli.Bar(`{{string . "mutant"}}, {{counters . }} searches {{bar . }} {{etime . }}`, int64(len(q.list)*q.Seeds))
	q.Progress = func(mutant string, over int) { bar.Set("mutant", mutant).SetCurrent(int64(over)) }
	scores, err := mutants.Scores(cmd.Context(), q.Options, q.list)
	bar.Set(pb.CleanOnFinish, true).Finish()
	rows, passed := [][]string{{"mutant", "found", "after", "rounds", "how", "command"}}, true
	for _, s := range scores {
		passed = passed && s.Passed()
		rows = append(rows, []string{s.Mutant, s.FoundText(), s.After(), fmt.Sprint(s.Rounds), s.How, s.Command})
	}
	if printing := printed(cmd.OutOrStdout(), q.json, scores, rows); printing != nil {
		return printing
	}
	switch {
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case err != nil:
		return err
	case !passed:
		cli.Reproduce(cmd, q.command(scores))
		return cli.Exit(spec.ExitSafety)
	}
	return nil
}

// command is the command that looks again for the mistakes that did not pass.
func (q *mutantsFlags) command(scores []mutants.Score) string {
	var names []string
	for _, s := range scores {
		if !s.Passed() {
			names = append(names, s.Mutant)
		}
	}
	return fmt.Sprintf("go run ./stress --mutants --seeds %d --seed %d --for %v %s", q.Seeds, q.Seed, q.For, strings.Join(names, " "))
}
