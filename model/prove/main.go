// Command prove proves the barrier safe for every number of processes and every
// number of rounds: it gives the verification conditions of package proof to Z3
// and prints what it says.
//
//	go run ./model/prove                   # the proof
//	go run ./model/prove --mutant no-drain # a wrong protocol, and the counterexamples
//	go run ./model/prove --smt DIR         # one SMT-LIB file for each condition, for any solver
//
// NoHang is not part of it: the explorer and TLC decide that for fixed numbers of
// processes.
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
		Short: "Prove the barrier safe for every number of processes and rounds",
		Long: `Prove the barrier safe for every number of processes and every number of rounds.

An inductive invariant over counters (model/proof/PROOF.md tells the argument) is
checked by Z3. The z3 binary is taken from $` + z3.PathVariable + `, PATH or the user's
cache folder, into which it is otherwise installed with python3 and pip.

A line or a JSON object is printed for each condition; each that is not valid comes
with a counterexample to induction. Exit codes: 0 all are valid, 12 one is not, 75 the
solver gave up on one, 2 usage or no solver, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.scenario, "scenario", spec.Withdraw.String(), "withdraw, reuse or single; the first includes the others")
	f.StringVar(&o.mutant, "mutant", "", "prove a wrong protocol instead, by its `name` in PROOF.md")
	f.StringVar(&o.smt, "smt", "", "write the conditions as SMT-LIB 2.6 into `DIR`, one file each, and run no solver")
	f.BoolVar(&o.json, "json", false, "print one JSON object for each condition")
	f.DurationVar(&o.limit, "timeout", 30*time.Second, "give up on a condition after this long")
	return cmd
}

func (o options) run(ctx context.Context, out io.Writer) error {
	table, err := o.table()
	if err != nil {
		return err
	}
	conditions := proof.Conditions(table)
	if o.smt != "" {
		return write(conditions, o.smt, out)
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
	r := report{options: o, out: out, table: table, solver: solver, total: len(conditions), began: time.Now()}
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

// write writes one file for each condition. It refuses a folder with conditions of
// another protocol in it: a solver would be asked those as well.
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
		if err := os.WriteFile(filepath.Join(dir, c.Name+extension), []byte(c.SMT()), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d conditions written to %s: a solver must answer unsat to each.\n", len(conditions), dir)
	return nil
}

// A report prints results as they come, and the whole at the end.
type report struct {
	options
	out    io.Writer
	table  proof.Table
	solver z3.Solver
	total  int
	began  time.Time
	count  map[spec.Verdict]int
}

const layout = `{{counters .}} conditions {{bar .}} {{percent .}} {{rtime . "%s left" "" "? left"}}`

func (r *report) prove(ctx context.Context, conditions []proof.Condition) error {
	r.count = make(map[spec.Verdict]int)
	if !r.json {
		fmt.Fprintf(r.out, "Z3 %s, %s\n\n", r.solver.Version, r.solver.Path)
	}
	bar := cli.Bar(layout, int64(r.total))
	lines := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	err := r.solver.Prove(ctx, conditions, r.limit, func(result proof.Result) {
		bar.Increment()
		r.count[result.Verdict]++
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
	switch {
	case r.count[spec.Verified] == r.total:
		fmt.Fprintf(r.out, "proved for every n ≥ 1 and every number of rounds: %s\n", strings.Join(safety(), ", "))
	case r.count[spec.Violated] > 0:
		r.really()
		fmt.Fprintf(r.out, "not proved; repeat with: go run ./model/prove --scenario %s%s\n", r.scenario, r.again())
	}
}

// mostProcs is how many processes a protocol that is not proved is run with.
const mostProcs = 4

// really says whether the protocol is wrong, as far as running it can tell: a
// counterexample to induction need not be reachable.
func (r *report) really() {
	found := proof.SearchUpTo(r.table, mostProcs)
	if found.Property == "" {
		fmt.Fprintf(r.out, "\nRunning it with up to %d processes breaks no property: the invariant may be too weak for it.\n\n", mostProcs)
		return
	}
	schedule, last := found.Schedule(), found.States[len(found.States)-1]
	fmt.Fprintf(r.out, "\nRunning it with %d processes breaks %s after %d moves:\n", last.N, found.Property, len(schedule))
	for _, move := range schedule {
		fmt.Fprintf(r.out, "  %s\n", move)
	}
	fmt.Fprintf(r.out, "  %v\n\n", last)
}

func (r *report) again() string {
	if r.mutant == "" {
		return ""
	}
	return " --mutant " + r.mutant
}

func safety() (names []string) {
	for _, p := range spec.AllProperties {
		if p.Kind() == spec.Safety {
			names = append(names, p.String())
		}
	}
	return names
}
