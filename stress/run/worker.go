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

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// workerCommand is the argument that makes a program a worker.
const workerCommand = "stress-worker"

// ServeWorker makes this process a worker and never returns, if Run has started
// it as one; otherwise it returns at once. Every program that calls Run must
// call it first.
func ServeWorker() {
	if len(os.Args) == 3 && os.Args[1] == workerCommand {
		os.Exit(work(open))
	}
}

// work makes this process, whose last argument is an assignment, a worker at
// the barrier that open opens. It returns the exit code: 0 whatever the worker
// has found, spec.ExitUsage if it could not begin or its barrier has failed.
func work(open opener) int {
	signal.Ignore(unix.SIGPIPE) // writing to a broken pipe is an error, and does not end the process
	var a assignment
	if err := json.Unmarshal([]byte(os.Args[len(os.Args)-1]), &a); err != nil {
		fmt.Fprintln(os.Stderr, "worker: this command is started by the stress test itself:", err)
		return spec.ExitUsage
	}
	ledger, err := oracle.OpenLedger(os.NewFile(ledgerFD, "ledger"), a.Procs)
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return spec.ExitUsage
	}
	w := &worker{assignment: a, ledger: ledger, begun: make(chan struct{}), found: newFindings()}
	go w.obey()
	err = w.call(open)
	w.report(err)
	if err != nil {
		return spec.ExitUsage
	}
	return spec.ExitOK
}

type worker struct {
	assignment
	ledger *oracle.Ledger
	begun  chan struct{} // closed when the worker may call

	mu    sync.Mutex // guards the rest, between the calls and obey
	found findings
	first int64 // time of the first return
}

// call opens the barrier and makes all calls of the worker.
func (w *worker) call(open opener) error {
	var hook func(spec.Step)
	pauses := newPauses(w.Seed, w.Worker)
	if w.Pauses {
		hook = func(s spec.Step) {
			w.ledger.SetStep(w.Worker, s)
			pauses.beforeStep()
		}
	}
	b, err := open(w.assignment, hook)
	if err != nil {
		return err
	}
	w.print(ready)
	<-w.begun
	for round := int64(1); ; round++ {
		if w.Pauses {
			pauses.beforeCall()
		}
		w.ledger.Begin(w.Worker, round, now())
		if err := b.Wait(context.Background(), w.Procs); err != nil {
			return err
		}
		// The oracle comes first: a worker that begins only now must count as
		// one that had not begun.
		early := w.ledger.Return(w.Worker, round)
		w.record(now(), w.ledger.LastBegin(round), early)
		if w.ledger.IsLast(round) {
			return b.Close()
		}
	}
}

// record records one return, at time now, from a round that the last worker
// began at time lastBegin.
func (w *worker) record(now, lastBegin int64, early []oracle.Violation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found.Calls++
	if w.first == 0 {
		w.first = now
	}
	w.found.Elapsed = time.Duration(now - w.first)
	if now >= lastBegin { // a return before the last begin is an early exit, not a latency
		w.found.Latency.RecordValue(max(1, now-lastBegin))
	}
	if len(early) > 0 && w.found.Early == nil {
		w.found.Early = &early[0]
	}
}

// obey reads what Run writes. Nothing else reads the input.
func (w *worker) obey() {
	for input := bufio.NewReader(os.Stdin); ; {
		switch line, _ := input.ReadString('\n'); line {
		case begin:
			close(w.begun)
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
	if failure != nil {
		w.found.Failure = failure.Error()
	}
	line, err := json.Marshal(w.found)
	if err != nil {
		panic(err) // a programmer's mistake: all findings can be marshalled
	}
	w.print(string(line) + "\n")
}

func (w *worker) print(line string) {
	if _, err := io.WriteString(os.Stdout, line); err != nil {
		w.abandon()
	}
}

// abandon ends a worker whose parent is gone. Every worker removes what the
// parent would have removed; removing it twice does no harm.
func (w *worker) abandon() {
	impl.Remove(w.Segment, w.LockPath)
	os.RemoveAll(w.Dir)
	if w.Port != "" && unix.Getpgrp() == os.Getpid() {
		unix.Kill(0, unix.SIGKILL) // this process and its port, which may ignore the end of its input
	}
	os.Exit(spec.ExitInterrupted)
}

// A barrier is what a worker waits at: an *impl.Barrier or a *port.Port.
type barrier interface {
	Wait(ctx context.Context, parties int) error
	Close() error
}

// An opener opens the barrier of an assignment. The barrier calls hook, unless
// it is nil, before each step.
type opener func(a assignment, hook func(spec.Step)) (barrier, error)

// open is the opener of every run outside the tests. A port calls no hook.
func open(a assignment, hook func(spec.Step)) (barrier, error) {
	if a.Port != "" {
		return openPort(a)
	}
	b, err := impl.Attach(context.Background(), a.Segment, a.LockPath)
	if err != nil {
		return nil, err
	}
	b.SetHook(hook)
	return b, nil
}

// openPort starts the port of the assignment, in black-box mode, as a child of
// this process and in its group, so that killing the group ends both. The
// worker writes the ledger before it asks the port to call and reads it after
// the answer: the port has no part in the verdict.
func openPort(a assignment) (barrier, error) {
	cmd, err := registry.Command(context.Background(), a.Port)
	if err != nil {
		return nil, err
	}
	p, err := port.StartInGroup(context.Background(), a.Port, cmd, port.Limit)
	if err != nil {
		return nil, err
	}
	if err := p.Open(a.Segment, a.LockPath); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
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
