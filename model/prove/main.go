// Command prove proves the barrier safe and live for every number of processes
// and an unbounded number of rounds. It gives the verification conditions of package
// proof to Z3 and prints the answers.
//
//	go run ./model/prove                   # the proof
//	go run ./model/prove --mutant no-drain # a wrong protocol, and the counterexamples
//	go run ./model/prove --smt DIR         # one SMT-LIB file for each condition, for any solver
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/z3"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

type options struct {
	scenario string
	mutant   string
	smt      string
	json     bool
	limit    time.Duration
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove the barrier safe and live for every number of processes and rounds",
		Long: `Prove the barrier safe and live for every number of processes and an unbounded number
of rounds.

Z3 checks that an invariant over counters is inductive, that some step is possible in
every state that it allows, and that each step lowers a rank until the round ends.
model/proof/PROOF.md has the argument.

The command takes the z3 binary from $` + z3.PathVariable + `, PATH or the user's cache
folder. If there is none, it installs one there with python3 and pip.

It prints a line or a JSON object for each condition, with a counterexample to
induction if the condition is not valid. Exit codes: 0 all are valid, 12 one of safety
is not, 13 those of safety are valid and one of liveness is not, 75 the solver gave up
on one, 2 usage or no solver, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.scenario, "scenario", spec.Withdraw.String(), "withdraw, reuse or single; the first includes the others")
	f.StringVar(&o.mutant, "mutant", "", "prove the mutant with this `name` in PROOF.md instead of the protocol")
	f.StringVar(&o.smt, "smt", "", "write the conditions as SMT-LIB 2.6 into `DIR`, one file each, and run no solver")
	f.BoolVar(&o.json, "json", false, "print one JSON object for each condition")
	f.DurationVar(&o.limit, "timeout", 30*time.Second, "give up on a condition after this long")
	return cmd
}

func (o options) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	table, err := o.table()
	if err != nil {
		return err
	}
	conditions := proof.Conditions(table)
	if o.smt != "" {
		return write(conditions, o.smt, cmd.OutOrStdout())
	}
	if o.limit <= 0 {
		return fmt.Errorf("--timeout %v: must be more than 0", o.limit)
	}
	solver, err := z3.Find(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
	switch {
	case ctx.Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case err != nil:
		return err
	}
	r := report{options: o, cmd: cmd, out: cmd.OutOrStdout(), table: table, solver: solver, total: len(conditions), began: time.Now()}
	return r.prove(ctx, conditions)
}

// table returns the protocol that is to be proved.
func (o options) table() (proof.Table, error) {
	scenario, err := spec.ParseScenario(o.scenario)
	if err != nil {
		return nil, fmt.Errorf("--scenario: %w", err)
	}
	if o.mutant == "" {
		return proof.Scenario(scenario)
	}
	if scenario != spec.Withdraw {
		return nil, fmt.Errorf("--mutant %s: mutants are of scenario %v alone", o.mutant, spec.Withdraw)
	}
	m, err := proof.FindMutant(o.mutant)
	if err != nil {
		return nil, fmt.Errorf("--mutant: %w", err)
	}
	return m.Table(), nil
}

const extension = ".smt2"

// write writes one file for each condition. It refuses a folder with conditions
// of another protocol in it, since a solver would be asked these too.
func write(conditions []proof.Condition, dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range old {
		name, smt := strings.CutSuffix(file.Name(), extension)
		if smt && !slices.ContainsFunc(conditions, func(c proof.Condition) bool { return c.Name == name }) {
			return fmt.Errorf("--smt: %s in %s is no condition of this protocol; give an empty folder", file.Name(), dir)
		}
	}
	for _, c := range conditions {
		err := cli.WriteFile(filepath.Join(dir, c.Name+extension), func(w io.Writer) error {
			_, err := io.WriteString(w, c.SMT())
			return err
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d conditions written to %s: a solver must answer unsat to each.\n", len(conditions), dir)
	return nil
}

// A report prints each result, and a summary at the end.
type report struct {
	options
	cmd    *cobra.Command
	out    io.Writer
	table  proof.Table
	solver z3.Solver
	total  int
	began  time.Time
	count  map[spec.Verdict]int
	open   map[spec.Kind]int // conditions that are not verified
}

const layout = `{{counters .}} conditions {{bar .}} {{percent .}} {{rtime . "%s left" "" "? left"}}`

func (r *report) prove(ctx context.Context, conditions []proof.Condition) error {
	r.count, r.open = make(map[spec.Verdict]int), make(map[spec.Kind]int)
	kinds := make(map[string]spec.Kind)
	for _, c := range conditions {
		kinds[c.Name] = c.Kind
		r.open[c.Kind]++
	}
	if !r.json {
		fmt.Fprintf(r.out, "Z3 %s, %s\n\n", r.solver.Version, r.solver.Path)
	}
	bar := cli.Bar(layout, int64(r.total))
	lines := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	err := r.solver.Prove(ctx, conditions, r.limit, func(result proof.Result) {
		bar.Increment()
		r.count[result.Verdict]++
		if result.Verdict == spec.Verified {
			r.open[kinds[result.Condition]]--
		}
		result.Scenario, result.Mutant = r.scenario, r.mutant
		r.print(lines, result)
	})
	bar.Set(pb.CleanOnFinish, true).Finish()
	lines.Flush()
	interrupted := ctx.Err() != nil
	if err != nil && !interrupted {
		return err
	}
	if !r.json {
		r.sum(interrupted)
	}
	switch {
	case interrupted:
		return cli.Exit(spec.ExitInterrupted)
	case r.count[spec.Violated] > 0:
		mutant := ""
		if r.mutant != "" {
			mutant = " --mutant " + r.mutant
		}
		cli.Reproduce(r.cmd, "go run ./model/prove --scenario "+r.scenario+mutant)
		if r.open[spec.Safety] == 0 {
			return cli.Exit(spec.ExitLiveness)
		}
		return cli.Exit(spec.ExitSafety)
	case r.count[spec.Unfinished] > 0:
		return cli.Exit(spec.ExitUnfinished)
	}
	return nil
}

func (r *report) print(lines io.Writer, result proof.Result) {
	if r.json {
		line, err := json.Marshal(result)
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		fmt.Fprintf(r.out, "%s\n", line)
		return
	}
	fmt.Fprintf(lines, "%s\t%s\t%.2f s\n", result.Condition, result.Verdict, result.Seconds)
	if result.Counterexample != nil {
		fmt.Fprint(lines, result.Counterexample)
	}
}

func (r *report) sum(interrupted bool) {
	decided := r.count[spec.Verified] + r.count[spec.Violated] + r.count[spec.Unfinished]
	fmt.Fprintf(r.out, "\n%d of %d conditions verified, %d violated, %d unfinished", r.count[spec.Verified], r.total,
		r.count[spec.Violated], r.count[spec.Unfinished])
	if interrupted {
		fmt.Fprintf(r.out, ", %d not decided (interrupted)", r.total-decided)
	}
	fmt.Fprintf(r.out, ", in %.1f s\n", time.Since(r.began).Seconds())
	if names := r.proved(); len(names) > 0 {
		fmt.Fprintf(r.out, "proved for every n ≥ 1 and an unbounded number of rounds: %s\n", strings.Join(names, ", "))
	}
	switch {
	case r.count[spec.Verified] == r.total:
		r.bounds()
	case r.count[spec.Violated] > 0:
		r.search()
	}
}

// proved returns the names of the properties whose conditions are all verified.
func (r *report) proved() (names []string) {
	for _, p := range spec.AllProperties {
		if r.open[spec.Safety] == 0 && r.open[p.Kind()] == 0 {
			names = append(names, p.String())
		}
	}
	return names
}

// bounds prints how many steps a round takes.
func (r *report) bounds() {
	rank := proof.TheRank()
	if r.scenario != spec.Withdraw.String() {
		fmt.Fprintf(r.out, "a round takes at most %v steps\n", rank.StepsOfRound())
		return
	}
	fmt.Fprintf(r.out, "a round takes at most %v steps, and %d more for each call that gives up in it\n", rank.StepsOfRound(), rank.GiveUp)
	fmt.Fprintf(r.out, "once no call gives up any more, it ends within %v steps\n", rank.StepsToEnd())
}

// mostProcs is the number of processes up to which search runs the protocol.
const mostProcs = 4

// search runs a protocol that is not proved and prints the schedule that breaks
// a property, if there is one. A counterexample to induction need not be
// reachable.
func (r *report) search() {
	found := proof.SearchUpTo(r.table, mostProcs)
	if found.Property == "" {
		fmt.Fprintf(r.out, "\nRunning it with n up to %d breaks no property: the invariant may be too weak for it, or the rank too coarse.\n", mostProcs)
		return
	}
	schedule, last := found.Schedule(), found.States[len(found.States)-1]
	fmt.Fprintf(r.out, "\nRunning it with n = %d breaks %s after %d moves:\n", last.N, found.Property, len(schedule))
	for _, move := range schedule {
		fmt.Fprintf(r.out, "  %s\n", move)
	}
	fmt.Fprintf(r.out, "  %v\n", last)
	if found.Property == spec.NoHang.String() {
		fmt.Fprintln(r.out, "From there no schedule of steps ends the round.")
	}
}
