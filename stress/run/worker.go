//go:build linux

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

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/trace"
)

// workerCommand is the argument that makes a program a worker.
const workerCommand = "stress-worker"

// ServeWorker makes this process a worker and never returns, if Run has started
// it as one; otherwise it returns at once. Every program that calls Run must
// call it first.
func ServeWorker() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == workerCommand:
		os.Exit(work(open))
	case len(os.Args) == 3 && os.Args[1] == busyCommand:
		compute(os.Args[2])
	}
	served = true
}

// served: the program has called ServeWorker. Without that its workers would do
// what the program does, and start workers in turn, without end.
var served bool

// work makes this process, whose last argument is an assignment, a worker at
// the barrier that open opens. It returns the exit code: 0 whatever the worker
// has found, spec.ExitUsage if it could not begin or its barrier has failed.
func work(open opener) int {
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // writing to a broken pipe is an error, and does not end the process
	var a assignment
	if err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &a); err != nil {
		fmt.Fprintln(os.Stderr, "worker: this command is started by the stress test itself:", err)
		return spec.ExitUsage
	}
	err := a.makePlan()
	if err == nil {
		err = pin(a.plan.Amount(fault.CPUs))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return spec.ExitUsage
	}
	ledger, err := oracle.OpenLedger(os.NewFile(ledgerFD, "ledger"), a.Procs, trace.Size(a.Procs))
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return spec.ExitUsage
	}
	w := newWorker(a, ledger)
	var returned context.CancelFunc
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.returned, returned = context.WithCancel(context.Background())
	go w.obey()
	err = w.call(open)
	returned()
	if w.ctx.Err() != nil || w.inject.isDying() {
		select {} // abandon or die ends the process
	}
	w.report(err)
	if err != nil {
		return spec.ExitUsage
	}
	return spec.ExitOK
}

type worker struct {
	assignment
	ledger   *oracle.Ledger
	opening  chan struct{} // closed when the worker may open its barrier
	begun    chan struct{} // closed when the worker may call
	ctx      context.Context
	cancel   context.CancelFunc // ends ctx, and with it a port
	returned context.Context    // ends when call has returned

	pauses   pauses
	inject   *injector
	guide    *guided // nil: there is none
	observer *oracle.Observer
	words    *trace.Words    // nil: it is not open
	recorder *trace.Recorder // of all workers
	track    *trace.Track    // of this one; nil: it records nothing

	stopping  sync.Mutex    // one stop at a time
	continued chan struct{} // receives when Run has continued the worker or its port

	mu          sync.Mutex // guards the rest, between the calls and obey
	barrier     barrier    // nil: it is not open
	found       findings
	firstReturn int64 // time of the first return
}

func newWorker(a assignment, ledger *oracle.Ledger) *worker {
	w := &worker{
		assignment: a, ledger: ledger, found: newFindings(), pauses: newPauses(a.Seed, a.Worker),
		opening: make(chan struct{}), begun: make(chan struct{}), continued: make(chan struct{}, 1),
		observer: ledger.Observer(a.Worker, nil), recorder: trace.NewRecorder(ledger.Beside(), a.Procs),
	}
	if !a.Bare {
		w.track = w.recorder.Track(a.Worker, a.Pauses)
	}
	if a.Trace {
		unix.CloseOnExec(journalFD)
		w.track.Keep(os.NewFile(journalFD, "journal"))
	}
	w.guide = newGuided(a.Guide, a.Worker, ledger)
	w.inject = &injector{worker: w, usual: time.Millisecond}
	return w
}

// await says that the worker is ready, and waits until Run has allowed what
// comes next.
func (w *worker) await(allowed chan struct{}) error {
	if _, err := io.WriteString(os.Stdout, ready); err != nil {
		return err
	}
	select {
	case <-allowed:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// obey reads what Run writes. Nothing else reads the input.
func (w *worker) obey() {
	for input := bufio.NewReader(os.Stdin); ; {
		switch line, _ := input.ReadString('\n'); line {
		case opening:
			close(w.opening)
		case begin:
			close(w.begun)
		case goOn:
			w.continued <- struct{}{}
		case conclude:
			w.report(nil)
			os.Exit(spec.ExitOK)
		default:
			w.abandon()
		}
	}
}

// report prints the findings, with the error that ends the worker, if any. It
// keeps mu, since nothing may change once they are out.
func (w *worker) report(failure error) {
	w.mu.Lock()
	switch {
	case failure != nil:
		w.found.Failure = failure.Error()
	default:
		if p := w.inject.port(); p != nil {
			w.found.Stderr = p.Stderr()
		}
	}
	w.found.Strays = port.Strays()
	line, err := json.Marshal(w.found)
	if err != nil {
		panic(err) // a programmer's mistake: all findings can be marshalled
	}
	if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
		w.abandon()
	}
}

// abandon ends a worker whose parent is gone. Every worker removes what the
// parent would have removed; removing it twice does no harm. A port is killed
// first, since it might make a new segment. The worker kills its group last,
// which has what the port has started.
func (w *worker) abandon() {
	if w.Port != "" {
		select {
		case <-w.opening: // there may be a port
			w.cancel()
			<-w.returned.Done()
		default:
		}
	}
	w.Names.Remove()
	if w.Port != "" && unix.Getpgrp() == os.Getpid() {
		unix.Kill(0, unix.SIGKILL)
	}
	os.Exit(spec.ExitInterrupted)
}

// now returns nanoseconds on the monotonic clock that all processes of the
// machine share.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has this clock since 2.6
	}
	return t.Nano()
}
