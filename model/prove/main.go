// Command prove proves the barrier safe and live for every number of processes
// and an unbounded number of rounds. It checks a certificate for each
// verification condition of package proof. It can ask two solvers too.
//
//	go run ./model/prove                   # the proof
//	go run ./model/prove --solver both     # Z3 and cvc5 must agree with it
//	go run ./model/prove --mutant no-drain # a wrong protocol, and the counterexamples
//	go run ./model/prove --smt DIR         # one SMT-LIB file for each condition, for any solver
//	go run ./model/prove --rocq            # theorems about named processes, by Rocq
package main

import (
	"context"
	"encoding/json"
	"errors"
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
	"sharedbarrier/model/proof/rocq"
	"sharedbarrier/model/proof/simplex"
	"sharedbarrier/model/proof/solver"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

type options struct {
	scenario string
	mutant   string
	solver   string
	smt      string
	rocq     bool
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

An invariant over counters is inductive, some step is possible in every state that it
allows, and each step lowers a rank until the round ends. model/proof/PROOF.md has the
argument. Each condition of it has a certificate, which ships with the command. A short
program, model/proof/certificate, checks it. That needs no solver and no network.

For a condition without a certificate, which a mutant has, the command searches: for a
certificate, which it checks, or for a counterexample to induction, which it evaluates.

With --solver it asks Z3, cvc5 or both too, about each condition. All must agree. It
takes the z3 binary from $` + solver.Z3.Variable + ` or PATH, and a Python that has the
package cvc5 from $` + solver.CVC5.Variable + `. If there is none, it installs the
solver with python3 and pip in the user's cache folder.

With --rocq it checks no certificates. Rocq proves theorems about named processes, and
coqchk checks all proofs again, which takes a minute. It takes coqc from $` + rocq.Variable + `
or PATH (Debian: apt-get install coq). A mutant is proved without coqchk. A proof that
fails refutes nothing: the exit code is 75.

It prints a line or a JSON object for each condition, or theorem. Exit codes: 0 all are valid, 12
one of safety is not, 13 those of safety are valid and one of liveness is not, 75
neither a search nor a solver has decided one, 2 usage, no solver, checks that disagree,
or a certificate that is missing or wrong, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.scenario, "scenario", spec.Withdraw.String(), "withdraw, reuse or single; the first includes the others")
	f.StringVar(&o.mutant, "mutant", "", "prove the mutant with this `name` in PROOF.md instead of the protocol")
	f.StringVar(&o.solver, "solver", "", "ask a solver too: z3, cvc5 or both")
	f.StringVar(&o.smt, "smt", "", "write the conditions as SMT-LIB 2.6 into `DIR`, one file each, and run no solver")
	f.BoolVar(&o.rocq, "rocq", false, "have Rocq prove the theorems of model/proof/rocq instead")
	f.BoolVar(&o.json, "json", false, "print one JSON object for each condition or theorem")
	f.DurationVar(&o.limit, "timeout", 30*time.Second, "let a search or a solver give up on a condition after this long")
	return cmd
}

func (o options) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	table, err := o.table()
	if err != nil {
		return err
	}
	if o.rocq {
		return o.theorems(cmd, table)
	}
	conditions := proof.Conditions(table)
	if o.smt != "" {
		return write(conditions, o.smt, cmd.OutOrStdout())
	}
	if o.limit <= 0 {
		return fmt.Errorf("--timeout %v: must be more than 0", o.limit)
	}
	solvers, err := o.solvers(ctx)
	switch {
	case ctx.Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case err != nil:
		return err
	}
	r := report{options: o, cmd: cmd, out: cmd.OutOrStdout(), table: table, began: time.Now()}
	return r.prove(ctx, conditions, solvers)
}

// solvers returns the solvers that the flag names.
func (o options) solvers(ctx context.Context) (list []solver.Solver, err error) {
	kinds := map[string][]*solver.Kind{"": nil, "z3": {solver.Z3}, "cvc5": {solver.CVC5}, "both": solver.Kinds}
	named, ok := kinds[o.solver]
	if !ok {
		return nil, fmt.Errorf("--solver %s: give z3, cvc5 or both", o.solver)
	}
	for _, k := range named {
		s, err := k.Find(ctx, func(line string) { fmt.Fprintln(os.Stderr, line) })
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
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

// mutantFlag is the flag that names the mutant, after a space, if there is one.
func (o options) mutantFlag() string {
	if o.mutant == "" {
		return ""
	}
	return " --mutant " + o.mutant
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

// A report prints the results, and a summary.
type report struct {
	options
	cmd     *cobra.Command
	out     io.Writer
	table   proof.Table
	began   time.Time
	results []proof.Result
	kinds   []spec.Kind // of the conditions
	made    int         // certificates found by search
}

func (r *report) prove(ctx context.Context, conditions []proof.Condition, solvers []solver.Solver) error {
	for _, c := range conditions {
		r.kinds = append(r.kinds, c.Kind)
	}
	err := r.check(ctx, conditions)
	if err == nil {
		err = r.ask(ctx, conditions, solvers)
	}
	if interrupted := ctx.Err() != nil; !interrupted && err != nil {
		return err
	}
	r.print(solvers)
	count := r.count()
	if !r.json {
		r.sum(count, ctx.Err() != nil)
	}
	switch {
	case ctx.Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case count[spec.Violated] > 0:
		cli.Reproduce(r.cmd, "go run ./model/prove --scenario "+r.scenario+r.mutantFlag())
		if r.verified(spec.Safety) {
			return cli.Exit(spec.ExitLiveness)
		}
		return cli.Exit(spec.ExitSafety)
	case count[spec.Unfinished] > 0:
		return cli.Exit(spec.ExitUnfinished)
	case r.made > 0 && r.mutant == "":
		return fmt.Errorf("%d certificates that ship are missing or wrong, though their conditions are valid: run %s", r.made, proof.Rewrite)
	}
	return nil
}

// check checks the certificates, and searches where there is none.
func (r *report) check(ctx context.Context, conditions []proof.Condition) error {
	for _, c := range conditions {
		result := proof.Result{Version: proof.ResultVersion, Scenario: r.scenario, Mutant: r.mutant, Condition: c.Name}
		by, verdict := "certificate", spec.Verified
		if err := c.Verify(); err != nil {
			by = "search"
			if verdict, result.Counterexample, err = r.decide(ctx, c); err != nil {
				return err
			}
		}
		result.Verdict = verdict
		result.Decided = []proof.Decision{{By: by, Verdict: verdict}}
		r.results = append(r.results, result)
	}
	return nil
}

// decide decides a condition without a certificate.
func (r *report) decide(ctx context.Context, c proof.Condition) (spec.Verdict, *proof.Counterexample, error) {
	patience, stop := context.WithTimeout(ctx, r.limit)
	defer stop()
	_, example, err := c.Decide(patience)
	switch {
	case ctx.Err() != nil:
		return "", nil, ctx.Err()
	case errors.Is(err, simplex.ErrUndecided) || patience.Err() != nil:
		return spec.Unfinished, nil, nil
	case err != nil:
		return "", nil, err
	case example != nil:
		return spec.Violated, example, nil
	}
	r.made++
	return spec.Verified, nil, nil
}

const layout = `{{string . "solver"}} {{counters .}} conditions {{bar .}} {{percent .}} {{rtime . "%s left" "" "? left"}}`

// ask adds the verdicts of the solvers to the results.
func (r *report) ask(ctx context.Context, conditions []proof.Condition, solvers []solver.Solver) error {
	for _, s := range solvers {
		bar := cli.Bar(layout, int64(len(conditions))).Set("solver", s.Name)
		verdicts, err := s.Decide(ctx, conditions, r.limit, func(k int) { bar.Add(k) })
		bar.Set(pb.CleanOnFinish, true).Finish()
		if ctx.Err() != nil {
			verdicts = slices.Repeat([]spec.Verdict{spec.Unfinished}, len(conditions))
		} else if err != nil {
			return err
		}
		for i, v := range verdicts {
			if err := r.results[i].Add(proof.Decision{By: s.String(), Verdict: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *report) count() map[spec.Verdict]int {
	count := make(map[spec.Verdict]int)
	for _, result := range r.results {
		count[result.Verdict]++
	}
	return count
}

// verified reports whether all conditions of the kind are verified.
func (r *report) verified(kind spec.Kind) bool {
	for i, k := range r.kinds {
		if k == kind && (i >= len(r.results) || r.results[i].Verdict != spec.Verified) {
			return false
		}
	}
	return true
}

func (r *report) print(solvers []solver.Solver) {
	if r.json {
		encoder := json.NewEncoder(r.out)
		for _, result := range r.results {
			encoder.Encode(result)
		}
		return
	}
	for _, s := range solvers {
		fmt.Fprintf(r.out, "%v, %s\n", s, s.Path)
	}
	lines := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, result := range r.results {
		var by []string
		for _, d := range result.Decided {
			name, _, _ := strings.Cut(d.By, " ")
			if d.Verdict != result.Verdict {
				name += " " + string(d.Verdict)
			}
			by = append(by, name)
		}
		fmt.Fprintf(lines, "%s\t%s\t%s\n", result.Condition, result.Verdict, strings.Join(by, ", "))
		if result.Counterexample != nil {
			fmt.Fprint(lines, result.Counterexample)
		}
	}
	lines.Flush()
}

func (r *report) sum(count map[spec.Verdict]int, interrupted bool) {
	checked := r.made
	for _, result := range r.results {
		if result.Decided[0].By == "certificate" {
			checked++
		}
	}
	fmt.Fprintf(r.out, "\n%d conditions, %d certificates checked", len(r.kinds), checked)
	if r.made > 0 {
		fmt.Fprintf(r.out, " (%d of them made in this run)", r.made)
	}
	for _, v := range []spec.Verdict{spec.Violated, spec.Unfinished} {
		if count[v] > 0 {
			fmt.Fprintf(r.out, ", %d %s", count[v], v)
		}
	}
	if interrupted {
		fmt.Fprintf(r.out, ", %d not begun (interrupted)", len(r.kinds)-len(r.results))
	}
	fmt.Fprintf(r.out, ", in %.1f s\n", time.Since(r.began).Seconds())
	r.claim(r.proved())
	switch {
	case count[spec.Verified] == len(r.kinds):
		r.bounds()
	case count[spec.Violated] > 0:
		r.search()
	}
}

// claim prints the names of the properties that are proved.
func (r *report) claim(names []string) {
	if len(names) > 0 {
		fmt.Fprintf(r.out, "proved for every n ≥ 1 and an unbounded number of rounds: %s\n", strings.Join(names, ", "))
	}
}

// proved returns the names of the properties whose conditions are all verified.
func (r *report) proved() (names []string) {
	for _, p := range spec.AllProperties {
		if r.verified(spec.Safety) && r.verified(p.Kind()) {
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
