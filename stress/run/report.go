//go:build linux

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
)

// version is the version of the JSON form of Report.
const version = 3

// A Report is the result of one run.
type Report struct {
	Version     int               `json:"version"`
	Verdict     spec.Verdict      `json:"verdict"`           // passed, violated, hang, or unfinished: interrupted before its rounds were made
	Procs       int               `json:"procs"`             // worker processes
	Ports       []string          `json:"ports,omitempty"`   // the port of each worker; none: package impl
	Rounds      int64             `json:"rounds"`            // rounds that all workers have returned from
	Calls       int64             `json:"calls"`             // calls that have returned, of all workers
	Violations  int64             `json:"violations"`        // early exits, one for each worker that had not begun
	Rate        float64           `json:"rounds_per_second"` // from the end of the first round to that of the last
	Latency     Latency           `json:"latency_us"`        // from the last worker's begin to each return
	Seed        uint64            `json:"seed"`              // of the pauses
	Interrupted bool              `json:"interrupted"`       // the context has ended
	Early       *oracle.Violation `json:"early,omitempty"`   // the first early exit, if violated
	Hang        *Hang             `json:"hang,omitempty"`    // the state of the run, if it hangs, or was interrupted and did not end
	Strays      []string          `json:"strays,omitempty"`  // processes that had left the group of their port or worker, and that the end of the run has killed
	Environment Environment       `json:"environment"`
}

// Latency has percentiles in microseconds; all are 0 if nothing was measured.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Environment describes the machine of the run.
type Environment struct {
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
}

func environment() Environment {
	e := Environment{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return e
}

// report ends the workers, collects their findings and sums them up.
func (r *run) report(hang *Hang, interrupted bool) Report {
	for _, p := range r.workers {
		p.write(conclude)
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	sum := newFindings()
	for i, p := range r.workers {
		if f := p.findings(ctx); f != nil {
			sum.add(f)
			if hang != nil {
				hang.Workers[i].Stderr = f.Stderr
			}
		} else {
			sum.Calls += r.ledger.Entry(i).Returned // what it has measured is lost
		}
		for _, s := range p.strays {
			sum.Strays = append(sum.Strays, fmt.Sprintf("%v of %v", s, p))
		}
	}
	rep := Report{
		Version: version, Procs: r.Procs, Ports: r.Ports, Seed: r.Seed, Environment: environment(), Interrupted: interrupted, Strays: sum.Strays,
		Rounds: r.ledger.Rounds(), Calls: sum.Calls, Violations: r.ledger.Violations(),
	}
	if rep.Rounds > 1 && sum.Elapsed > 0 {
		rep.Rate = float64(rep.Rounds-1) / sum.Elapsed.Seconds()
	}
	if sum.Latency.TotalCount() > 0 {
		micros := func(nanoseconds int64) float64 { return float64(nanoseconds) / 1e3 }
		rep.Latency = Latency{micros(sum.Latency.ValueAtQuantile(50)), micros(sum.Latency.ValueAtQuantile(99)), micros(sum.Latency.Max())}
	}
	rep.Hang = hang
	switch made := r.Rounds > 0 && rep.Rounds >= r.Rounds; {
	case rep.Violations > 0:
		rep.Verdict, rep.Early, rep.Hang = spec.Violated, sum.Early, nil
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

// JSON writes the report as one line.
func (r Report) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// Text writes the report as a table, followed by the early exit or the hang.
func (r Report) Text(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	verdict := string(r.Verdict)
	if r.Interrupted {
		verdict += " (interrupted)"
	}
	fmt.Fprintf(table, "verdict\t%s\nprocesses\t%d\n", verdict, r.Procs)
	if len(r.Ports) > 0 {
		var names []string
		for _, name := range r.Ports {
			names = append(names, short(name))
		}
		fmt.Fprintf(table, "ports\t%s\n", strings.Join(names, ", "))
	}
	fmt.Fprintf(table, "rounds\t%d\ncalls\t%d\nviolations\t%d\nrounds/s\t%.0f\n", r.Rounds, r.Calls, r.Violations, r.Rate)
	fmt.Fprintf(table, "latency\tp50 %.0f µs, p99 %.0f µs, max %.0f µs (last begin to return)\n", r.Latency.P50, r.Latency.P99, r.Latency.Max)
	e := r.Environment
	fmt.Fprintf(table, "seed\t%d\nenvironment\t%s %s %s, %d CPUs, %s\n", r.Seed, e.OS, e.Kernel, e.Arch, e.CPUs, e.Go)
	table.Flush()
	if r.Early != nil {
		fmt.Fprintf(&b, "\nEarly exit: %v.\n", *r.Early)
	}
	if r.Hang != nil {
		r.Hang.text(&b, r.Verdict)
	}
	if line := port.Ended(r.Strays); line != "" {
		fmt.Fprintf(&b, "\n%s", line)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// short returns the name of a port, or the beginning of a long command.
func short(name string) string {
	const most = 30
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return name
}
