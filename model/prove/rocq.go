package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/rocq"
	"sharedbarrier/spec"
)

// theoremVersion is the version of the JSON form of a theorem.
const theoremVersion = 1

// A theorem is what Rocq has answered about one theorem: a JSON object a line.
type theorem struct {
	Version   int          `json:"version"`   // theoremVersion
	Scenario  string       `json:"scenario"`  // name of the spec.Scenario
	Mutant    string       `json:"mutant"`    // name of the proof.Mutant; empty: the protocol itself
	Theorem   string       `json:"theorem"`   // its name in model/proof/rocq
	Statement string       `json:"statement"` // as Rocq prints it; empty: not proved
	Verdict   spec.Verdict `json:"verdict"`   // verified or unfinished
	Failure   string       `json:"failure"`   // where the proof fails; empty: verified
	By        string       `json:"by"`        // Rocq and its version
}

// A rocqReport prints the theorems, and a summary.
type rocqReport struct {
	report
	by    rocq.Rocq
	proof rocq.Proof
}

// theorems has Rocq prove the theorems about the table.
func (o options) theorems(cmd *cobra.Command, table proof.Table) error {
	ctx := cmd.Context()
	if o.solver != "" || o.smt != "" {
		return errors.New("--rocq asks no solver and writes no conditions: leave out --solver and --smt")
	}
	if o.scenario != spec.Withdraw.String() {
		return fmt.Errorf("--rocq --scenario %s: the theorems are about %v, which includes it", o.scenario, spec.Withdraw)
	}
	r := rocqReport{report: report{options: o, cmd: cmd, out: cmd.OutOrStdout(), began: time.Now()}}
	by, err := rocq.Find(ctx)
	if err == nil {
		r.by = by
		prove := by.ProveTwice
		if o.mutant != "" {
			prove = by.Prove
		}
		bar := cli.Bar(`Rocq {{counters .}} stages {{bar .}} {{percent .}} {{etime .}}`, int64(rocq.Stages))
		r.proof, err = prove(ctx, table, func() { bar.Increment() })
		bar.Set(pb.CleanOnFinish, true).Finish()
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no theorem is proved yet: %w", err)
	case err != nil:
		return err
	}
	r.print()
	if r.proof.Failure != nil {
		cli.Reproduce(cmd, "go run ./model/prove --rocq"+o.mutantFlag())
		return cli.Exit(spec.ExitUnfinished)
	}
	return nil
}

// all lists all theorems, with what is proved of each.
func (r *rocqReport) all() (list []theorem) {
	for _, t := range rocq.Theorems {
		result := theorem{Version: theoremVersion, Scenario: r.scenario, Mutant: r.mutant, Theorem: t.Name, By: r.by.String()}
		i := slices.IndexFunc(r.proof.Proved, func(p rocq.Proved) bool { return p.Name == t.Name })
		if i >= 0 {
			result.Statement, result.Verdict = r.proof.Proved[i].Statement, spec.Verified
		} else {
			result.Failure, result.Verdict = r.proof.Failure.String(), spec.Unfinished
		}
		list = append(list, result)
	}
	return list
}

func (r *rocqReport) print() {
	if r.json {
		encoder := json.NewEncoder(r.out)
		encoder.SetEscapeHTML(false)
		for _, t := range r.all() {
			encoder.Encode(t)
		}
		return
	}
	fmt.Fprintf(r.out, "%v, %s\n", r.by, r.by.Path)
	lines := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	for _, t := range r.all() {
		fmt.Fprintf(lines, "%s\t%s", t.Theorem, t.Verdict)
		if t.Statement != "" {
			fmt.Fprintf(lines, "\t%s", t.Statement)
		}
		fmt.Fprintln(lines)
	}
	lines.Flush()
	r.sum()
}

func (r *rocqReport) sum() {
	fmt.Fprintf(r.out, "\n%d of %d theorems proved without axioms", len(r.proof.Proved), len(rocq.Theorems))
	if r.proof.Failure == nil && r.mutant == "" {
		fmt.Fprint(r.out, ", and all proofs checked again by coqchk")
	}
	fmt.Fprintf(r.out, ", in %.1f s\n", time.Since(r.began).Seconds())
	var claims []string
	for _, p := range r.proof.Proved {
		if _, err := spec.ParseProperty(p.Claim); err == nil {
			claims = append(claims, p.Claim)
		}
	}
	r.claim(claims)
	if r.proof.Failure == nil {
		r.bounds()
		return
	}
	fmt.Fprintf(r.out, "\nno proof: %v\nThis refutes nothing. go run ./model/prove%s looks for a schedule that does.\n", r.proof.Failure, r.mutantFlag())
}
