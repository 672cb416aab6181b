//go:build linux

package run

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/trace"
)

// A Report is the result of one run. Package report has its JSON form, which is
// a part of a Document.
type Report struct {
	Scenario    string              `json:"scenario,omitempty"`  // of spec/HAZARDS.md; empty: the run is for none
	Control     bool                `json:"control,omitempty"`   // the run is the control of its scenario
	Verdict     spec.Verdict        `json:"verdict"`             // passed, violated, hang, or unfinished: interrupted before its rounds were made
	End         string              `json:"end"`                 // how the run ended, and why; package report fills the three in
	Cause       string              `json:"cause,omitempty"`     // empty: passed
	Next        string              `json:"next,omitempty"`      // what to do now; empty: passed
	Asked       Asked               `json:"asked"`               // what the run was asked for
	Procs       int                 `json:"procs"`               // worker processes
	Ports       []string            `json:"ports,omitempty"`     // the port of each worker; none: package impl
	Faults      []Injected          `json:"faults,omitempty"`    // that the run was asked for
	Rounds      int64               `json:"rounds"`              // rounds that all workers have returned from
	Calls       int64               `json:"calls"`               // calls that have returned, of all workers
	Ends        Ends                `json:"other_ends"`          // calls that have ended in another way
	Violations  int64               `json:"violations"`          // early exits, one for each worker that had not begun
	Rate        float64             `json:"rounds_per_second"`   // from the end of the first round to that of the last
	Latency     Latency             `json:"latency_us"`          // from the last worker's begin to each return
	Histogram   *Histogram          `json:"histogram,omitempty"` // of the latency; nil: it was not measured
	Samples     *Samples            `json:"samples,omitempty"`   // the two by time; nil: it was too short
	Slowest     []SlowRound         `json:"slowest,omitempty"`   // the slowest first; none: they were not asked for, or no round had an end
	Seconds     float64             `json:"seconds"`             // that the run took, with its start and its end
	Seed        uint64              `json:"seed"`                // of the pauses and the faults
	Interrupted bool                `json:"interrupted"`         // the context has ended
	Early       *oracle.Violation   `json:"early,omitempty"`     // the first early exit, if violated
	Refuted     []oracle.Refutation `json:"refuted,omitempty"`   // the other safety properties that have failed, each as a worker has seen it first
	Begun       int64               `json:"begun"`               // rounds that some worker has begun
	Deaths      int                 `json:"deaths,omitempty"`    // workers that died before their last call had returned
	Met         []string            `json:"met,omitempty"`       // the situations that the workers have met, by name
	Hang        *Hang               `json:"hang,omitempty"`      // the state of the run, if it hangs, or was interrupted and did not end
	Recording   *trace.Recording    `json:"recording,omitempty"` // the last steps of the workers, if violated or with Hang
	Trace       *Traced             `json:"trace,omitempty"`     // all steps of the workers; nil: the run was not traced
	Strays      []string            `json:"strays,omitempty"`    // processes that had left the group of their port or worker, and that the end of the run has killed
}

// Asked is what a run was asked for.
type Asked struct {
	Rounds int64   `json:"rounds"`        // 0: unbounded
	For    float64 `json:"for_seconds"`   // 0: unlimited
	Stall  float64 `json:"stall_seconds"` // longest time without progress
	Pauses bool    `json:"pauses"`        // at random
}

func (c Config) asked() Asked { return Asked{c.Rounds, c.For.Seconds(), c.Stall.Seconds(), c.Pauses} }

// Begun returns the report of a run that is under way, or did not take place.
func (c Config) Begun() Report {
	return Report{Verdict: spec.Unfinished, Procs: c.Procs, Ports: c.Ports, Asked: c.asked(), Seed: c.Seed}
}

// Injected is a fault that a run was asked for.
type Injected struct {
	Fault    string   `json:"fault"`          // as --fault has it
	Planned  int64    `json:"planned"`        // times
	Happened int64    `json:"happened"`       // times
	Plan     []string `json:"plan,omitempty"` // what the seed has planned: in words, and the first times
}

// Ends counts the calls that ended otherwise than by a return.
type Ends struct {
	Withdrawn int64            `json:"withdrawn"`         // given up, and undone
	Abandoned int64            `json:"abandoned"`         // given up, and not undone
	Died      int64            `json:"died"`              // with their process
	Refused   map[string]int64 `json:"refused,omitempty"` // by the text of the error
}

// String lists the calls behind the number of those that have returned; empty:
// there are no others.
func (e Ends) String() string {
	text := ""
	add := func(count int64, how string) {
		if count > 0 {
			text += fmt.Sprintf(", %d %s", count, how)
		}
	}
	add(e.Withdrawn, "withdrawn")
	add(e.Abandoned, "abandoned")
	for _, why := range slices.Sorted(maps.Keys(e.Refused)) {
		add(e.Refused[why], "refused: "+why)
	}
	add(e.Died, "died")
	if text == "" {
		return ""
	}
	return " returned" + text
}

// Latency has percentiles in microseconds; all are 0 if nothing was measured.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// report ends the workers, collects their findings and sums them up.
func (r *run) report(hang *Hang, interrupted bool) Report {
	deaths := r.countDeaths()
	var recording *trace.Recording
	if hang != nil {
		recording = new(r.recorder.Read())
	}
	for _, p := range r.workers {
		p.write(conclude)
	}
	sum, reported, waited := newFindings(), 0, time.Duration(0)
	for i, p := range r.workers {
		if f := p.findings(&waited); f != nil {
			sum.add(f)
			reported++
			if hang != nil {
				hang.Workers[i].Stderr = f.Stderr
			}
		} else {
			first, _ := r.plan.Member(i)
			sum.Calls += r.ledger.Entry(i).Returned - (first - 1) // what it has measured is lost
		}
		for _, s := range p.strays {
			sum.Strays = append(sum.Strays, fmt.Sprintf("%v of %v", s, p))
		}
	}
	rep := Report{
		Procs: r.Procs, Ports: r.Ports, Asked: r.Config.asked(), Seed: r.Seed, Interrupted: interrupted, Strays: sum.Strays,
		Rounds: r.ledger.Rounds(), Calls: sum.Calls, Violations: r.ledger.Violations(), Faults: r.injected(), Ends: r.ends(),
		Refuted: firstOfEach(append(sum.Refuted, r.unreported()...)), Met: r.met(), Begun: r.mostBegun(), Deaths: deaths,
	}
	if rep.Rounds > 1 && sum.Elapsed > 0 {
		rep.Rate = float64(rep.Rounds-1) / sum.Elapsed.Seconds()
	}
	if sum.Latency.TotalCount() > 0 {
		rep.Latency = Latency{micros(sum.Latency.ValueAtPercentile(50)), micros(sum.Latency.ValueAtPercentile(99)), micros(sum.Latency.Max())}
		rep.Histogram = sum.Latency.report()
	}
	rep.Samples, rep.Slowest = sum.Slices.samples(reported), sum.Slowest
	rep.Hang, rep.Recording = hang, recording
	switch made := r.Rounds > 0 && rep.Rounds >= r.Rounds; {
	case rep.Violations > 0 || len(rep.Refuted) > 0:
		rep.Verdict, rep.Early, rep.Recording = spec.Violated, sum.Early, sum.Record
		if !r.KeepGoing {
			rep.Hang = nil
		}
	case hang != nil && !r.interrupted && hang.heldUp():
		rep.Verdict = spec.Unfinished
	case hang != nil && !r.interrupted:
		rep.Verdict = spec.Hang
	case interrupted && !made:
		rep.Verdict = spec.Unfinished
	default:
		rep.Verdict = spec.Passed
	}
	return rep
}

// ExitCode returns the exit code of a command that ends with the report. An
// interrupted run has spec.ExitInterrupted unless it is violated or hangs.
func (r Report) ExitCode() int {
	if r.Interrupted && (r.Verdict == spec.Passed || r.Verdict == spec.Unfinished) {
		return spec.ExitInterrupted
	}
	return spec.ExitCode(r.Verdict, spec.NoEarlyExit)
}

// Text writes the report as a table, followed by the early exit or the hang.
// The table ends with the given rows, which have a tab between their cells.
func (r Report) Text(out io.Writer, rows ...string) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	verdict := string(r.Verdict)
	if r.Interrupted {
		verdict += " (interrupted)"
	}
	fmt.Fprintf(table, "verdict\t%s\n", verdict)
	if r.Cause != "" {
		fmt.Fprintf(table, "cause\t%s\nnext\t%s\n", oneLine(r.Cause), oneLine(r.Next))
	}
	fmt.Fprintf(table, "processes\t%d\n", r.Procs)
	if len(r.Ports) > 0 {
		var names []string
		for _, name := range r.Ports {
			names = append(names, short(name))
		}
		fmt.Fprintf(table, "ports\t%s\n", strings.Join(names, ", "))
	}
	for i, f := range r.Faults {
		label := "faults"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(table, "%s\t%s: %d of %d\n", label, f.Fault, f.Happened, f.Planned)
	}
	fmt.Fprintf(table, "rounds\t%d\ncalls\t%d%v\nearly exits\t%d\nrounds/s\t%.0f\n", r.Rounds, r.Calls, r.Ends, r.Violations, r.Rate)
	fmt.Fprintf(table, "latency\tp50 %.0f µs, p99 %.0f µs, max %.0f µs (last begin to return)\n", r.Latency.P50, r.Latency.P99, r.Latency.Max)
	fmt.Fprintf(table, "seed\t%d\n", r.Seed)
	if r.Trace != nil && r.Trace.Failure == "" {
		fmt.Fprintf(table, "trace\t%s\n", r.Trace.text(r.Procs))
	}
	for _, row := range rows {
		fmt.Fprintln(table, row)
	}
	table.Flush()
	if r.Early != nil {
		fmt.Fprintf(&b, "\nEarly exit: %v.\n", *r.Early)
	}
	for _, f := range r.Refuted {
		fmt.Fprintf(&b, "\n%v.\n", f)
	}
	if r.Hang != nil {
		r.Hang.text(&b, r.Verdict)
	}
	r.lastSteps(&b)
	if line := port.Ended(r.Strays); line != "" {
		fmt.Fprintf(&b, "\n%s", line)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// oneLine returns text for a cell of a table.
func oneLine(text string) string { return strings.NewReplacer("\n", " ", "\t", " ").Replace(text) }

// short returns the name of a port, or the beginning of a long command.
func short(name string) string {
	const most = 30
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return name
}
