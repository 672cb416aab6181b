//go:build linux

package run

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/trace"
)

// Traced is what a run says of its trace.
type Traced struct {
	File    string `json:"file"`              // its path
	Events  int64  `json:"events"`            // that it has
	Failure string `json:"failure,omitempty"` // why it has not all events, or was not written; empty: it is whole
}

// Checks returns the commands that check the trace of so many processes. None
// checks those of more than model.MaxProcs.
func (t *Traced) Checks(procs int) []string {
	if procs > model.MaxProcs {
		return nil
	}
	file := cli.Quoted(t.File)
	return []string{"go run ./model/validate " + file, "go run ./tla/validate " + file}
}

// numberAsTrace gives each step that the report shows its number in the trace.
func (r *Report) numberAsTrace() {
	if r.Recording != nil {
		r.Recording.NumberAsTrace()
	}
	for i := range r.Slowest {
		r.Slowest[i].Recording.NumberAsTrace()
	}
}

// text says how long the trace is, and how it is checked.
func (t *Traced) text(procs int) string {
	checks := t.Checks(procs)
	if len(checks) == 0 {
		return fmt.Sprintf("%d events; nothing checks those of more than %d processes", t.Events, model.MaxProcs)
	}
	return fmt.Sprintf("%d events; to check them: %s", t.Events, strings.Join(checks, ", "))
}

// whitePorts are the ports of this project that can be traced.
const whitePorts = "go, c, rust, python"

// checkTrace refuses faults that no trace of spec/TRACES.md can have.
func (c Config) checkTrace() error {
	for _, f := range c.Faults {
		if f.Kind == fault.Construct || f.Kind == fault.Relink {
			return fmt.Errorf("%w %s: no trace can have it (spec/TRACES.md, section 3); leave out --trace, or this fault", fault.ErrFault, f)
		}
	}
	return nil
}

// openJournals makes the files in which the workers keep their records, beside
// the file of the trace.
func (r *run) openJournals() error {
	if r.Trace == "" {
		return nil
	}
	dir := filepath.Dir(r.Trace)
	if info, err := os.Stat(r.Trace); err == nil && !info.Mode().IsRegular() {
		dir = os.TempDir()
	}
	for range r.Procs {
		journal, err := trace.NewJournal(dir)
		if err != nil {
			r.closeJournals()
			return err
		}
		r.journals = append(r.journals, journal)
	}
	return nil
}

func (r *run) closeJournals() {
	for _, journal := range r.journals {
		journal.Close()
	}
}

// died reports, by worker, whether its process has died in the run, by a fault
// or not. The end of the run kills others, too.
func (r *run) died() (list []bool) {
	for i, p := range r.workers {
		list = append(list, r.ledger.Entry(i).Dead || p.isGone() && !p.cmd.ProcessState.Success() && p.found == nil)
	}
	return list
}

// writeTrace writes the trace of the workers, all of which are gone, up to the
// step under the lock with the number last: what they did until the run was
// over. Where the end of the run has killed a worker within a later step, the
// record of that may be missing. In the trace those die that died in the run.
func (r *run) writeTrace(last int64, died []bool) *Traced {
	if r.journals == nil {
		return nil
	}
	t := &Traced{File: r.Trace}
	var sources []trace.Source
	for i, journal := range r.journals {
		source := trace.Source{Journal: journal, Port: r.Ports != nil && r.Ports[i] != ""}
		if i < len(died) && died[i] {
			source.Died = r.workers[i].goneAt
		}
		sources = append(sources, source)
	}
	progress := func(done int64) {
		if r.Writing != nil {
			r.Writing(done, last)
		}
	}
	head := trace.Head{Procs: r.Procs, Recorder: "stress", Ports: r.Ports, Seed: r.Seed, Command: r.Command}
	err := cli.WriteFile(r.Trace, func(out io.Writer) (err error) {
		t.Events, err = r.recorder.Write(out, head, sources, last, progress)
		return err
	})
	switch lost := r.recorder.Lost(); {
	case err != nil:
		t.Events, t.Failure = 0, fmt.Sprintf("%v; make room there, or name a file elsewhere", err)
	case lost != nil:
		t.Failure = fmt.Sprintf("it ends early, since its directory takes no more records: %v; make room there, or name another one", lost)
	}
	return t
}
