//go:build linux

// Package report is what a stress run has to say when it is over, for people
// and for machines.
package run

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// Version is the version of the JSON form of Report.
const Version = 1

// A Report is the outcome of one stress run. Its JSON form is one line.
type Report struct {
	Version     int               `json:"version"`
	Verdict     spec.Verdict      `json:"verdict"`           // passed, violated or hang; unfinished: interrupted before the workers began
	Procs       int               `json:"procs"`             // worker processes
	Ports       []string          `json:"ports,omitempty"`   // the port of each worker; none: package impl
	Rounds      int64             `json:"rounds"`            // rounds that all workers completed
	Calls       int64             `json:"calls"`             // calls that returned, in all workers
	Violations  int64             `json:"violations"`        // early exits, one for each party that had not begun
	Rate        float64           `json:"rounds_per_second"` // between the first round's end and the last's
	Latency     Latency           `json:"latency_us"`        // from the last party's begin to each return
	Seed        uint64            `json:"seed"`              // of the pauses
	Interrupted bool              `json:"interrupted"`       // ended by a signal before its time
	Early       *oracle.Violation `json:"early,omitempty"`   // violated: the first early exit
	Stuck       *Stuck            `json:"stuck,omitempty"`   // hang: who was where
	Environment Environment       `json:"environment"`
}

// Latency has percentiles in microseconds; all are 0 where nothing was measured.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Stuck is the state in which a run was found to hang.
type Stuck struct {
	Why       string      `json:"why"`
	Words     *spec.Words `json:"words"`                     // nil: they cannot be read
	Holder    int         `json:"lock_holder"`               // worker that holds the lock, or whose descendant does; -1: none of them
	HolderPID int         `json:"lock_holder_pid,omitempty"` // process that holds the lock; 0: nobody, -1: that cannot be told
	Unseen    string      `json:"unseen,omitempty"`          // why the words cannot be read, or the holder cannot be told
	Workers   []Worker    `json:"workers"`
}

// A Worker is where one worker was when the run was found to hang.
type Worker struct {
	Worker   int        `json:"worker"`
	PID      int        `json:"pid"`
	Port     string     `json:"port,omitempty"` // the port that it drives
	Step     *spec.Step `json:"step,omitempty"` // the step it was to do next; a port says nothing of its steps
	Begun    int64      `json:"begun"`          // calls
	Returned int64      `json:"returned"`       // calls
	State    string     `json:"state"`          // running, stopped, or how it died
}

// Environment is where the run took place.
type Environment struct {
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
}

// Here returns the environment of this process.
func Here() Environment {
	e := Environment{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	return e
}

// ExitCode returns the exit code of a command that ends with the report: that of
// an interrupted run unless it has found something.
func (r Report) ExitCode() int {
	if r.Interrupted && (r.Verdict == spec.Passed || r.Verdict == spec.Unfinished) {
		return spec.ExitInterrupted
	}
	return spec.ExitCode(r.Verdict, spec.NoEarlyExit)
}

// JSON writes the report as one line.
func (r Report) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(r) }

// Text writes the report as a short table, and under it what went wrong.
func (r Report) Text(out io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	verdict := string(r.Verdict)
	if r.Interrupted {
		verdict += " (interrupted)"
	}
	row("verdict", "%s", verdict)
	row("processes", "%d", r.Procs)
	if len(r.Ports) > 0 {
		var names []string
		for _, name := range r.Ports {
			names = append(names, short(name))
		}
		row("ports", "%s", strings.Join(names, ", "))
	}
	row("rounds", "%d", r.Rounds)
	row("calls", "%d", r.Calls)
	row("violations", "%d", r.Violations)
	row("rounds/s", "%.0f", r.Rate)
	row("latency", "p50 %.0f µs, p99 %.0f µs, max %.0f µs (last begin to return)", r.Latency.P50, r.Latency.P99, r.Latency.Max)
	row("seed", "%d", r.Seed)
	e := r.Environment
	row("environment", "%s %s %s, %d CPUs, %s", e.OS, e.Kernel, e.Arch, e.CPUs, e.Go)
	table.Flush()
	if r.Early != nil {
		fmt.Fprintf(&b, "\nEarly exit: %v.\n", *r.Early)
	}
	if r.Stuck != nil {
		r.Stuck.text(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// next says what the worker was to do next, as far as it is known. A port says one
// line when it starts, one when its handle is open, and one for each call.
func (w Worker) next() string {
	switch {
	case w.Step != nil:
		return w.Step.String()
	case w.Port != "" && w.Begun > w.Returned:
		return fmt.Sprintf("port %s: its line %d (returned) has not come", short(w.Port), w.Begun+2)
	case w.Port != "":
		return fmt.Sprintf("port %s: outside", short(w.Port))
	default:
		return "unknown"
	}
}

// short is the name of a port, or the beginning of a long command.
func short(name string) string {
	const most = 30
	if runes := []rune(name); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return name
}

// lock says who holds the lock.
func (s Stuck) lock() string {
	switch {
	case s.Holder >= 0:
		return fmt.Sprintf("held by worker %d", s.Holder)
	case s.HolderPID > 0:
		return fmt.Sprintf("held by process %d, which is no worker's", s.HolderPID)
	case s.HolderPID < 0:
		return "unknown"
	default:
		return "held by no worker"
	}
}

func (s Stuck) text(b *strings.Builder) {
	words := "unreadable"
	if s.Words != nil {
		words = s.Words.String()
	}
	fmt.Fprintf(b, "\nHang: %s.\nWords: %s. Lock: %s.\n", s.Why, words, s.lock())
	if s.Unseen != "" {
		fmt.Fprintf(b, "Unseen: %s.\n", s.Unseen)
	}
	b.WriteByte('\n')
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "worker\tpid\tbegun\treturned\tnext step\tstate")
	for _, w := range s.Workers {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%s\t%s\n", w.Worker, w.PID, w.Begun, w.Returned, w.next(), w.State)
	}
	table.Flush()
}
