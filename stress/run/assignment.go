//go:build linux

package run

import (
	"encoding/json"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/scratch"
	"sharedbarrier/stress/trace"
)

// A worker process gets its assignment, in JSON, as its last argument and the
// ledger as descriptor ledgerFD. It maps the ledger, closes the descriptor and
// prints ready. It opens its barrier after it has read open, prints ready
// again, and calls after it has read begin: all barriers are open then, and the
// opening of a port may construct. It ends after the last round, or when it
// reads conclude, wherever it is; in both cases it prints its findings, in
// JSON, in one line.
//
// So no process has a descriptor of the ledger when the first port starts.
//
// A pipe that breaks means that Run is gone. The worker then ends, and removes
// what Run would have removed.
const (
	ledgerFD  = 3
	journalFD = 4 // of a worker whose steps are traced
	ready     = "ready\n"
	opening   = "open\n"
	begin     = "begin\n"
	conclude  = "conclude\n"

	announcing = "announcing\n" // of a worker whose port announces its steps, before it is ready
	goOn       = "continue\n"
)

// An assignment is what a worker is to do.
type assignment struct {
	scratch.Names
	LockPath string // path of the lock file
	Worker   int    // number of this worker, from 0
	Procs    int    // number of workers, and the parties of every call
	Seed     uint64 // of the run
	Pauses   bool   // as Config.Pauses
	Bare     bool   // without a flight recorder
	Echo     bool   // write what the port writes on its standard error (PortSays)
	Port     string // the port to drive (see package registry); empty: use package impl
	White    bool   // the port announces its steps, if it can
	Rounds   int64  // as Config.Rounds
	Faults   []fault.Fault
	Guide    *Guide // as Config.Guide
	Reopen   bool   // as Config.Reopen
	Slowest  bool   // as Config.Slowest
	Trace    bool   // keep all records in journalFD

	plan        *fault.Plan // see makePlan
	first, last int64       // the rounds of which the worker is a party; last 0: without end
	late        bool        // it constructs when the others have begun
}

// makePlan makes the plan of the run from the assignment.
func (a *assignment) makePlan() (err error) {
	if a.plan, err = fault.New(a.Faults, a.Seed, a.Procs, a.Rounds); err != nil {
		return err
	}
	a.first, a.last = a.plan.Member(a.Worker)
	a.late = a.plan.IsLate(a.Worker)
	return nil
}

// findings are what one worker has seen and measured, or all of them.
type findings struct {
	Calls   int64               // calls that have returned
	Early   *oracle.Violation   // the first early exit it saw; nil: none
	Record  *trace.Recording    // the last steps of all workers when it saw that, or Refuted
	Elapsed time.Duration       // from its first return to its last
	Latency histogram           // from the last worker's begin to each of its returns, in nanoseconds
	Slices  sliced              // the same by time
	Slowest []SlowRound         // of the rounds from which it was the last one to return
	Failure string              // the error that ended it; empty: none
	Stderr  string              // the end of the standard error of its port, when a call is under way
	Strays  []string            // that the end of its port has killed
	Refuted []oracle.Refutation // the properties that it saw to fail, each the first time
}

func newFindings() findings {
	return findings{Latency: histogram{hdrhistogram.New(1, time.Hour.Nanoseconds(), 3)}, Slices: newSliced()}
}

// parseFindings reads a line that a worker has printed. It returns nil if the
// line has no findings.
func parseFindings(line []byte) *findings {
	var f findings
	if json.Unmarshal(line, &f) != nil || f.Latency.Histogram == nil || f.Slices.Length <= 0 {
		return nil
	}
	return &f
}

// add adds the findings of one worker to those of several.
func (f *findings) add(one *findings) {
	f.Calls += one.Calls
	f.Elapsed = max(f.Elapsed, one.Elapsed)
	if f.Record == nil {
		f.Record = one.Record
	}
	if f.Early == nil && one.Early != nil {
		f.Early, f.Record = one.Early, one.Record
	}
	f.Latency.Merge(one.Latency.Histogram)
	f.Slices.add(one.Slices)
	f.addSlow(one.Slowest...)
	f.Strays = append(f.Strays, one.Strays...)
	f.Refuted = append(f.Refuted, one.Refuted...)
}

// histogram is a histogram that JSON holds in the standard form of the
// HdrHistogram libraries.
type histogram struct{ *hdrhistogram.Histogram }

func (h histogram) MarshalText() ([]byte, error) {
	return h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

func (h *histogram) UnmarshalText(text []byte) (err error) {
	h.Histogram, err = hdrhistogram.Decode(text)
	return err
}
