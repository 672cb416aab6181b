//go:build linux

// Package report has what a command of stress leaves behind: the document that
// --json prints, and its text.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

// Version is the version of the JSON form of Document, which
// report.schema.json describes. It changes when a field goes or changes its
// meaning.
const Version = 4

// A Document is the result of a command: of one run, or of several, one for
// each scenario and each control.
type Document struct {
	Version     int          `json:"version"`
	Command     string       `json:"command"`     // repeats the runs, from the root of the repository
	Started     time.Time    `json:"started"`     // of the command
	Seed        uint64       `json:"seed"`        // of all runs
	Verdict     spec.Verdict `json:"verdict"`     // of all runs
	Interrupted bool         `json:"interrupted"` // a signal has ended a run
	Environment Environment  `json:"environment"`
	Runs        []run.Report `json:"runs"`
	Scenarios   []Scenario   `json:"scenarios,omitempty"` // what came of each, and of each control
	Outcomes    []Outcome    `json:"outcomes,omitempty"`  // of scenarios
}

// A Scenario is what came of all trials of a scenario, or of its control.
type Scenario struct {
	Scenario string       `json:"scenario"`
	Control  bool         `json:"control"`
	Procs    int          `json:"procs"`
	Trials   int          `json:"trials"`
	Rounds   int64        `json:"rounds"`            // begun, in all trials
	Met      []string     `json:"met,omitempty"`     // situations that the trials have met
	NotMet   []string     `json:"not_met,omitempty"` // situations that the model reaches, and no trial has met
	Verdict  spec.Verdict `json:"verdict"`
	Cause    string       `json:"cause,omitempty"` // not passed: why
}

// An Outcome is one row of the table of a scenario: what may come of it, and
// whether it came.
type Outcome struct {
	Scenario string  `json:"scenario"`
	Control  bool    `json:"control"`
	Outcome  string  `json:"outcome"`         // a property that was refuted, such as NoEarlyExit; refusal, hang, death, ...
	Grade    string  `json:"grade"`           // expected, allowed, forbidden or undecided; of one that was not seen, too
	Seen     int64   `json:"seen"`            // times
	Rounds   int64   `json:"rounds"`          // in so many rounds
	Bound    float64 `json:"bound,omitempty"` // if not seen: with 95 % confidence its rate in a round is lower: 1 - 0.05^(1/rounds)
	Passed   bool    `json:"passed"`          // the runs show what the grade wants
}

// Environment describes the machine of the runs.
type Environment struct {
	OS     string  `json:"os"`
	Kernel string  `json:"kernel"`
	Arch   string  `json:"arch"`
	CPU    string  `json:"cpu,omitempty"` // model; empty: /proc does not tell
	CPUs   int     `json:"cpus"`          // that this process may use
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // processes that ran or wanted to, in the minute before
}

// Here describes this machine as it was when Here was first called.
func Here() Environment { return here() }

var here = sync.OnceValue(func() Environment {
	e := Environment{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return e
	}
	if load, err := proc.LoadAvg(); err == nil {
		e.Load = load.Load1
	}
	if list, err := proc.CPUInfo(); err == nil && len(list) > 0 {
		e.CPU = list[0].ModelName
	}
	return e
})

// began is when this program started.
var began = time.Now()

// Of returns the document of one run, which the command repeats. A run in which
// a fault never happened that it was asked for has not passed.
func Of(rep run.Report, command string) Document {
	if rep.Verdict == spec.Passed && missed(rep) != "" {
		rep.Verdict = spec.Unfinished
	}
	rep = Explain(rep, command)
	return Document{
		Version: Version, Command: command, Started: began.UTC().Truncate(time.Second), Seed: rep.Seed, Verdict: rep.Verdict, Interrupted: rep.Interrupted,
		Environment: here(), Runs: []run.Report{rep},
	}
}

// Begun returns the document of a command that is under way: what a kill
// leaves. rep is that of run.Config.Begun.
func Begun(rep run.Report, command string) Document {
	rep.End = underWay
	return Of(rep, command)
}

// fail makes the document that of a command which came to no result.
func (d Document) fail(err error) Document {
	rep := d.Runs[0]
	rep.End, rep.Cause = notRun, err.Error()
	d.Runs = []run.Report{Explain(rep, d.Command)}
	return d
}

// ExitCode returns the exit code of a command that ends with the document.
func (d Document) ExitCode() int {
	return run.Report{Verdict: d.Verdict, Interrupted: d.Interrupted}.ExitCode()
}

// JSON writes the document as one line.
func (d Document) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(d) }

// Text writes the document of one run for people.
func (d Document) Text(out io.Writer) error {
	e := d.Environment
	return d.Runs[0].Text(out, fmt.Sprintf("environment\t%s %s %s, %d CPUs, %s", e.OS, e.Kernel, e.Arch, e.CPUs, e.Go))
}

// recordings writes the last steps of the workers of each run that has them.
func (d Document) recordings(out io.Writer) error {
	var b bytes.Buffer
	for i, rep := range d.Runs {
		if rep.Recording == nil {
			continue
		}
		if name := nameOf(d, i); name != "" {
			fmt.Fprintf(&b, "%s\n\n", name)
		}
		if err := rep.Recording.Text(&b); err != nil {
			return err
		}
	}
	_, err := b.WriteTo(out)
	return err
}
