//go:build linux

// Package worker is one process of a stress run: it calls the barrier round
// after round, pauses at random, lets the oracle judge each return, and
// measures.
//
// A worker is a program started by the supervisor with the assignment, in JSON,
// as its last argument, and the witness as descriptor 3. It says "ready" on its
// standard output when its barrier is open, and begins to call when it reads
// "begin": then all barriers are open (a port's opening may construct). At the
// end it says one line with its Findings. A line "report" on its standard input
// ends it early, wherever it is. When either of the two
// breaks, the supervisor is gone: then the worker ends, and removes what the
// supervisor would have removed.
package run

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// LedgerFD is the descriptor on which a worker finds the witness.
const LedgerFD = 3

// The lines that a worker and its supervisor exchange, beside the assignment
// and the Findings.
const (
	ready  = "ready\n"
	begin  = "begin\n"
	report = "report\n"
)

// An assignment tells a worker what to do.
type assignment struct {
	Segment  string `json:"segment"`   // name of the segment
	LockPath string `json:"lock_path"` // path of the lock file
	Dir      string `json:"dir"`       // folder of the run, removed with all that is in it when the supervisor is gone
	Worker   int    `json:"worker"`    // 0-based number of this worker
	Procs    int    `json:"procs"`     // number of workers, and the party count of every call
	Rounds   int64  `json:"rounds"`    // calls to make; 0: until asked to stop
	Seed     uint64 `json:"seed"`      // of the run
	Pauses   bool   `json:"pauses"`    // pause at random between calls and between steps
	Port     string `json:"port"`      // the port to drive (see package port); empty: call package impl
}

// Findings are what a worker has seen and measured.
type Findings struct {
	Calls   int64                  `json:"calls"`             // calls that returned
	Early   *oracle.Violation      `json:"early,omitempty"`   // the first early exit that it saw
	Elapsed time.Duration          `json:"elapsed"`           // from the first return to the last, in nanoseconds
	Latency *hdrhistogram.Snapshot `json:"latency"`           // from the last party's begin to this worker's return, in nanoseconds
	Failure string                 `json:"failure,omitempty"` // the error that ended it; empty: none
}

// A Barrier is what a worker waits at. *impl.Barrier is one.
type Barrier interface {
	Wait(ctx context.Context, parties int) error
	Close() error
}

// An Opener opens the barrier of a run for one worker. hook is to be called
// before each step; it is nil where nobody wants to know.
type Opener func(a assignment, hook func(spec.Step)) (Barrier, error)

// Open opens what the assignment asks for: the barrier of package impl, or a
// port.
func Open(a assignment, hook func(spec.Step)) (Barrier, error) {
	if a.Port != "" {
		return openPort(a)
	}
	return OpenReal(a, hook)
}

// OpenReal opens the shared-memory barrier of package impl.
func OpenReal(a assignment, hook func(spec.Step)) (Barrier, error) {
	b, err := impl.Attach(context.Background(), a.Segment, a.LockPath)
	if err != nil {
		return nil, err
	}
	b.SetHook(hook)
	return b, nil
}

// WorkerMain does the work of a worker process and returns its exit code: 0 whatever
// it found, spec.ExitUsage if it could not begin or its barrier failed.
func WorkerMain(open Opener, text string, stdin io.Reader, stdout io.Writer) int {
	// A broken pipe is to be an error of Write, and not the end of the process.
	signal.Ignore(unix.SIGPIPE)
	var a assignment
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		fmt.Fprintln(os.Stderr, "worker: this command is started by the stress test itself:", err)
		return spec.ExitUsage
	}
	witness, err := oracle.OpenLedger(os.NewFile(LedgerFD, "witness"), a.Procs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return spec.ExitUsage
	}
	w := &worker{assignment: a, witness: witness, stdout: stdout, begin: make(chan struct{}), latency: NewHistogram()}
	go w.obey(bufio.NewReader(stdin))
	return w.work(open)
}

// NewHistogram returns an empty histogram of latencies in nanoseconds, from 1 ns
// to an hour, with 3 significant digits.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Hour.Nanoseconds(), 3)
}

type worker struct {
	assignment
	witness *oracle.Ledger
	stdout  io.Writer
	begin   chan struct{} // closed when all barriers are open

	mu       sync.Mutex // guards what follows, between the calls and an early report
	findings Findings
	first    int64 // time of the first return
	latency  *hdrhistogram.Histogram
}

func (w *worker) work(open Opener) int {
	var hook func(spec.Step)
	pauses := newPauses(w.Seed, w.Worker)
	if w.Pauses {
		hook = func(s spec.Step) {
			w.witness.At(w.Worker, s)
			pauses.beforeStep()
		}
	}
	barrier, err := open(w.assignment, hook)
	if err != nil {
		return w.fail(err)
	}
	w.say(ready)
	<-w.begin

	for round := int64(1); ; round++ {
		if w.Pauses {
			pauses.beforeCall()
		}
		if w.Worker == 0 {
			w.witness.Decide(round, w.Rounds)
		}
		w.witness.Begin(w.Worker, round, now())
		if err := barrier.Wait(context.Background(), w.Procs); err != nil {
			return w.fail(err)
		}
		// First of all the oracle: a party that begins only now must not look as
		// if it had begun before.
		early := w.witness.Return(w.Worker, round)
		w.note(now(), w.witness.LastBegin(round), early)
		if w.witness.IsLast(round) {
			break
		}
	}
	if err := barrier.Close(); err != nil {
		return w.fail(err)
	}
	w.report()
	return spec.ExitOK
}

// note records one return at time now from a round in which the last party
// began at time lastBegin.
func (w *worker) note(now, lastBegin int64, early []oracle.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings.Calls++
	if w.first == 0 {
		w.first = now
	}
	w.findings.Elapsed = time.Duration(now - w.first)
	// A return before the last begin is an early exit, and no latency.
	if now >= lastBegin {
		w.latency.RecordValue(max(1, now-lastBegin))
	}
	if len(early) > 0 && w.findings.Early == nil {
		w.findings.Early = &early[0]
	}
}

// obey waits for the word to begin and the word to end early. It is the only
// reader of the input.
func (w *worker) obey(input *bufio.Reader) {
	for {
		switch line, _ := input.ReadString('\n'); line {
		case begin:
			close(w.begin)
		case report:
			w.report()
			os.Exit(spec.ExitOK)
		default:
			w.orphaned()
		}
	}
}

// say writes to the supervisor.
func (w *worker) say(line string) {
	if _, err := io.WriteString(w.stdout, line); err != nil {
		w.orphaned()
	}
}

// orphaned ends the worker when the supervisor is gone without a word. The
// other workers notice as well; removing twice does no harm.
func (w *worker) orphaned() {
	impl.Remove(w.Segment, w.LockPath)
	os.RemoveAll(w.Dir)
	if w.Port != "" && unix.Getpgrp() == os.Getpid() {
		unix.Kill(0, unix.SIGKILL) // the port, which may take no notice of the end of its input, and this process
	}
	os.Exit(spec.ExitInterrupted)
}

// report says the findings in one line. It keeps the lock: nothing may be
// found any more once the findings are out.
func (w *worker) report() {
	w.mu.Lock()
	w.findings.Latency = w.latency.Export()
	line, err := json.Marshal(w.findings)
	if err != nil {
		panic(err) // a programmer's mistake: all of Findings can be marshalled
	}
	w.say(string(line) + "\n")
}

func (w *worker) fail(err error) int {
	w.mu.Lock()
	w.findings.Failure = err.Error()
	w.mu.Unlock()
	w.report()
	return spec.ExitUsage
}

// now returns monotonic nanoseconds on the clock that all processes of the
// machine share.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has had this clock since 2.6
	}
	return t.Nano()
}
