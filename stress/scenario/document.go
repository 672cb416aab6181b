//go:build linux

package scenario

import (
	"fmt"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// Command returns the command that tries the same again: what o asks for of the
// scenario with the name, or of all.
func (o Options) Command(name string) string {
	parts := []string{"go run ./stress --scenario " + name}
	if o.Controls {
		parts = append(parts, "--control")
	}
	switch {
	case len(o.Ports) > 0:
		var ports []string
		for _, p := range o.Ports {
			ports = append(ports, report.AtRoot(p))
		}
		parts = append(parts, registry.Flags(ports))
	case o.Procs > 0:
		parts = append(parts, fmt.Sprintf("--procs %d", o.Procs))
	}
	parts = append(parts, fmt.Sprintf("--rounds %d --for %v --stall %v --seed %d", o.Rounds, o.For, o.Stall, o.Seed))
	return strings.Join(parts, " ")
}

// Document returns the document of the results. The command repeats all.
func (o Options) Document(results []Result, command string, interrupted bool) report.Document {
	doc := report.Begun(run.Report{Seed: o.Seed}, command)
	doc.Verdict, doc.Interrupted = spec.Passed, interrupted
	if len(results) > 0 {
		doc.Runs = nil
	}
	for _, r := range results {
		doc.Verdict = worst(doc.Verdict, r.Verdict)
		doc.Scenarios = append(doc.Scenarios, report.Scenario{
			Scenario: r.Scenario.String(), Control: r.Control, Procs: r.Procs, Trials: r.Trials, Rounds: r.Rounds,
			Met: r.Met, NotMet: r.NotMet, Verdict: r.Verdict, Cause: r.Why,
		})
		for _, row := range r.Outcomes {
			doc.Outcomes = append(doc.Outcomes, r.outcome(row))
		}
		doc.Runs = append(doc.Runs, report.Explain(r.Last, command))
	}
	if len(results) == 0 || interrupted && doc.Verdict == spec.Passed {
		doc.Verdict = spec.Unfinished
	}
	return doc
}

// outcome returns the row as a document has it.
func (r Result) outcome(row Row) report.Outcome {
	o := report.Outcome{
		Scenario: r.Scenario.String(), Control: r.Control, Outcome: row.Name, Grade: string(row.Grade), Seen: row.Seen, Rounds: r.Rounds,
		Passed: row.Grade == Allowed || row.Grade == Undecided || (row.Grade == Expected) == (row.Seen > 0),
	}
	if row.Seen == 0 {
		o.Bound = Bound(r.Rounds)
	}
	return o
}

// worst returns the worse of two verdicts.
func worst(a, b spec.Verdict) spec.Verdict {
	for _, v := range []spec.Verdict{spec.Violated, spec.Hang, spec.Unfinished} {
		if a == v || b == v {
			return v
		}
	}
	return spec.Passed
}
