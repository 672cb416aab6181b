package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
)

// printJSON prints v as one line of JSON.
func printJSON(w io.Writer, v any) {
	json.NewEncoder(w).Encode(v)
}

func printReport(w io.Writer, cfg model.Config, opt explore.Options, r explore.Report, coverage bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tprocs\trounds\tverdict\tproperty\tgenerated\tdistinct\tdepth\tseconds")
	fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%.2f\n", cfg.Name(), r.Procs, rounds(r.Rounds), r.Verdict,
		cmp.Or(r.Property, "-"), r.Generated, r.Distinct, r.Depth, r.Seconds)
	t.Flush()
	if r.Verdict == spec.Verified && !opt.Liveness {
		fmt.Fprintln(w, "\nNoHang was checked for deadlock only; --liveness looks for fair loops too")
	}
	if coverage {
		printCoverage(w, r.Reached)
	}
	if r.Why != "" {
		fmt.Fprintf(w, "\nnot finished: %s\n", r.Why)
	}
	if len(r.Trace) > 0 {
		p, _ := spec.ParseProperty(r.Property)
		fmt.Fprintf(w, "\n%s fails: %s.\nA shortest counterexample:\n\n", r.Property, p.Doc())
		fmt.Fprint(w, timeline.Of(cfg, r.Result).Text())
	}
}

// A line is a result with what else was asked, for --json.
type line struct {
	model.Result
	Control    bool             `json:"control,omitempty"`
	WeakReads  bool             `json:"weak_reads,omitempty"`
	Mutant     string           `json:"mutant,omitempty"`
	Symmetry   bool             `json:"symmetry,omitempty"`    // Distinct counts orbits
	Checked    []string         `json:"checked,omitempty"`     // names of spec.Property; empty: all
	Expected   spec.Expectation `json:"expected,omitempty"`    // with --scenario all: of each property
	AsExpected *bool            `json:"as_expected,omitempty"` // with --scenario all
	Reached    []outcome        `json:"reached,omitempty"`     // with --coverage
}

func newLine(cfg model.Config, opt explore.Options, r explore.Report) line {
	l := line{Result: r.Result, Control: cfg.Control, WeakReads: cfg.WeakReads, Symmetry: opt.Symmetry, Checked: names(opt.Check)}
	if cfg.Mutant != nil {
		l.Mutant = cfg.Mutant.Name
	}
	return l
}

func names(properties []spec.Property) (list []string) {
	for _, p := range properties {
		list = append(list, p.String())
	}
	return list
}

type outcome struct {
	At    spec.Step `json:"at"`
	Event string    `json:"event,omitempty"` // empty: the step itself
	Next  spec.Step `json:"next"`
	Times int64     `json:"times"`
}

func outcomes(reached []explore.Reached) []outcome {
	list := []outcome{}
	for _, o := range reached {
		list = append(list, outcome{o.Step, o.Event.String(), o.Next, o.Count})
	}
	return list
}

// printCoverage prints what happened, and which steps never were taken.
func printCoverage(w io.Writer, reached []explore.Reached) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nat\twhat\tnext\ttimes")
	taken := map[spec.Step]bool{}
	for _, o := range reached {
		what := "step"
		if o.Event != spec.NoEvent {
			what = o.Event.String()
		} else {
			taken[o.Step] = true
		}
		fmt.Fprintf(t, "%v\t%s\t%v\t%d\n", o.Step, what, o.Next, o.Count)
	}
	t.Flush()
	var never []string
	for _, s := range spec.AllSteps {
		if !taken[s] {
			never = append(never, s.String())
		}
	}
	if len(never) > 0 {
		fmt.Fprintf(w, "never taken: %s\n", strings.Join(never, ", "))
	}
}

// reproduce returns the command that finds the same again.
func reproduce(cfg model.Config, opt explore.Options) string {
	line := fmt.Sprintf("go run ./model/check --scenario %v --procs %d --rounds %d", cfg.Scenario, cfg.Procs, cfg.Rounds)
	if cfg.Control {
		line += " --control"
	}
	if cfg.WeakReads {
		line += " --weak-reads"
	}
	if cfg.Mutant != nil {
		line += " --mutant " + cfg.Mutant.Name
	}
	if opt.Symmetry {
		line += " --symmetry"
	}
	if opt.Liveness && cfg.Procs > 4 {
		line += " --liveness"
	}
	return line + limits(opt)
}

// limits returns the flags of what is checked and of what ends it.
func limits(opt explore.Options) (line string) {
	for _, p := range opt.Check {
		line += " --property " + p.String()
	}
	if opt.MaxStates > 0 {
		line += fmt.Sprintf(" --max-states %d", opt.MaxStates)
	}
	if opt.MaxMemory > 0 {
		line += fmt.Sprintf(" --max-memory %dKB", opt.MaxMemory>>10)
	}
	return line
}

func rounds(n int) string {
	if n == 0 {
		return "unbounded"
	}
	return fmt.Sprint(n)
}
