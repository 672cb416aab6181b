//go:build linux

package main

import (
	"context"
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
	"sharedbarrier/stress/conformance/matrix"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// conformanceFlags are what the flags of stress conformance ask for.
type conformanceFlags struct {
	conformance.Options
	ports   []string
	mutants bool
	json    bool
	dir     string
}

func conformanceCommand() *cobra.Command {
	var q conformanceFlags
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check a port: everything that a port must pass, one line each",
		Long: `Checks a port (stress/PORTING.md): how it talks and attaches, each edge of the
state graph for 2 and 3 processes in lockstep with the model, calls and give-ups
in black-box mode against peers that the runner plays, the lock file, party
counts, long waits, what it leaks, and stress, alone and mixed with others. It
ends with the first check that fails, and says which clause the port breaks.

A right port takes about half a minute, and a few minutes with --thorough. Time
in which the runner or the port was stopped does not count. A machine on which
even the go port fails is no fault of the port: the exit code is 2.

With --out DIR it also writes a page for a browser, with a row for each port and
a column for each check, and badges that shields.io can show.

With --mutants it checks the checks: the C port can be compiled with mistakes,
and each must be found. A mistake that silences the port is found after --limit.

  go run ./stress conformance --port 'exec:./my-port'
  go run ./stress conformance --port go --port c --port python --out DIR
  go run ./stress conformance --mutants

Exit codes: 0 passed, 2 usage or environment, 12 not passed, 75 every
check was left out, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&q.ports, "port", nil, "NAME of the port, repeatable (ports: "+registry.Names+")")
	f.DurationVar(&q.For, "for", 2*time.Second, "how long each stress run takes")
	f.DurationVar(&q.Stall, "stall", 10*time.Second, "longest time without progress before a stress run counts as a hang")
	f.DurationVar(&q.Limit, "limit", port.Limit, "longest time for an answer of the port, outside of the tours and the stress runs")
	f.Uint64Var(&q.Seed, "seed", 0, "seed of the pauses (0: draw one)")
	f.StringArrayVar(&q.Without, "without", nil, "CHECK to leave out, repeatable")
	f.BoolVar(&q.Thorough, "thorough", false, "try more: all schedules of three parties, waits of over a minute, a million calls")
	f.BoolVar(&q.mutants, "mutants", false, "check the C port with each of its mistakes, all of which must be found")
	f.BoolVar(&q.json, "json", false, "print one JSON object for each check, one a line")
	f.StringVar(&q.dir, "out", "", "`DIR`, new or empty, that gets matrix.html, report.json (what the page shows), badge.json and, of several ports, a badge for each")
	cmd.MarkFlagsMutuallyExclusive("port", "mutants")
	cmd.MarkFlagsMutuallyExclusive("out", "mutants")
	cmd.MarkFlagsOneRequired("port", "mutants")
	return cmd
}

func (q conformanceFlags) run(cmd *cobra.Command) error {
	for _, flag := range []string{"for", "stall", "limit"} {
		if d, err := cmd.Flags().GetDuration(flag); err != nil || d <= 0 {
			return fmt.Errorf("--%s is %v; give more than 0", flag, d)
		}
	}
	for _, name := range q.Without {
		if !slices.ContainsFunc(conformance.Checks, func(c conformance.Check) bool { return c.Name == name }) {
			return fmt.Errorf("--without %q: there is no such check", name)
		}
	}
	for i, name := range q.ports {
		if slices.Contains(q.ports[:i], name) {
			return fmt.Errorf("--port %s is given twice", cli.Quoted(name))
		}
	}
	for q.Seed == 0 {
		q.Seed = rand.Uint64()
	}
	check := q.check
	if q.mutants {
		check = q.score
	}
	failed, asked, err := check(cmd)
	fmt.Fprint(cmd.ErrOrStderr(), port.Ended(port.Strays()))
	switch {
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case err != nil:
		return err
	case !asked:
		return cli.Exit(spec.ExitUnfinished)
	case len(failed) > 0:
		for _, o := range failed {
			cli.Reproduce(cmd, o.Command())
		}
		return cli.Exit(spec.ExitSafety)
	}
	return nil
}

// check makes the checks of each port and prints the results, those before an
// interruption too. It returns which ports have failed, and how they were asked.
func (q conformanceFlags) check(cmd *cobra.Command) (failed []conformance.Options, asked bool, err error) {
	keep, err := matrix.Open(q.dir, q.command())
	if err != nil {
		return nil, false, fmt.Errorf("--out: %w", err)
	}
	for _, name := range q.ports {
		o := q.Options
		if o.Port = name; err != nil {
			keep.Add(o, nil)
			continue
		}
		results, ended := q.checkPort(cmd.Context(), o)
		err = errors.Join(ended, printed(cmd.OutOrStdout(), q.json, results, q.table(results)))
		keep.Add(o, results)
		for _, r := range results {
			asked = asked || r.Verdict != spec.Unfinished
		}
		if !conformance.Passed(results) {
			failed = append(failed, o)
		}
	}
	if kept := keep.Close(); kept != nil {
		err = errors.Join(err, fmt.Errorf("--out: %w", kept))
	}
	return failed, asked, err
}

// checkPort makes the checks of a port, behind a progress bar.
func (q conformanceFlags) checkPort(ctx context.Context, o conformance.Options) ([]conformance.Result, error) {
	bar := cli.Bar(`{{string . "check"}}, {{counters . }} checks {{bar . }} {{etime . }}`, int64(len(conformance.Checks)))
	defer bar.Set(pb.CleanOnFinish, true).Finish()
	done := int64(-1)
	o.Progress = func(check string) {
		if len(q.ports) > 1 {
			check = o.Port + ", " + check
		}
		done++
		bar.Set("check", check).SetCurrent(done)
	}
	return conformance.Run(ctx, o)
}

// table returns the results of a port as a table. With several ports each row
// names it.
func (q conformanceFlags) table(results []conformance.Result) [][]string {
	rows := [][]string{{"check", "verdict", "found"}}
	for _, r := range results {
		verdict := string(r.Verdict)
		if r.Verdict == spec.Unfinished {
			verdict = string(r.NotAsked)
		}
		rows = append(rows, []string{r.Check, verdict, r.Found})
	}
	if len(q.ports) > 1 {
		rows[0] = append([]string{"port"}, rows[0]...)
		for i, r := range results {
			rows[i+1] = append([]string{r.Port}, rows[i+1]...)
		}
	}
	return rows
}

// command is the command that checks all ports again.
func (q conformanceFlags) command() string {
	flags := make([]string, len(q.ports))
	for i, name := range q.ports {
		flags[i] = "--port " + cli.Quoted(name)
	}
	return strings.Replace(q.Options.Command(), "--mutants", strings.Join(flags, " "), 1)
}

// score makes the checks of each mutant of the C port and prints the scores.
func (q conformanceFlags) score(cmd *cobra.Command) (failed []conformance.Options, asked bool, err error) {
	mutants := registry.CMutants()
	bar := cli.Bar(`{{counters . }} mutants {{bar . }} {{rtime . "%s left"}}`, int64(len(mutants)))
	scores, err := conformance.Scores(cmd.Context(), q.Options, mutants, func() { bar.Increment() })
	bar.Set(pb.CleanOnFinish, true).Finish()
	rows, found := [][]string{{"mutant", "found by", "found"}}, 0
	for _, s := range scores {
		asked = asked || s.Asked
		if s.By != "" {
			found++
		}
		rows = append(rows, []string{s.Mutant, s.By, s.Found})
	}
	err = errors.Join(err, printed(cmd.OutOrStdout(), q.json, scores, rows))
	if !q.json && len(scores) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "\nscore  %d of %d: %d %%\n", found, len(scores), 100*found/len(scores))
	}
	if found < len(mutants) {
		failed = append(failed, q.Options)
	}
	return failed, asked, err
}

// printed prints objects as JSON, one a line, or else rows as a table.
func printed[T any](out io.Writer, asJSON bool, objects []T, rows [][]string) error {
	if asJSON {
		for _, o := range objects {
			if err := json.NewEncoder(out).Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	if len(objects) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	return table.Flush()
}
