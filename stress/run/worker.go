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
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // writing to a broken pipe is an error, and does not end the process
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
	w := &worker{assignment: a, ledger: ledger, opening: make(chan struct{}), begun: make(chan struct{}), found: newFindings()}
	var returned context.CancelFunc
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.returned, returned = context.WithCancel(context.Background())
	go w.obey()
	err = w.call(open)
	returned()
	if w.ctx.Err() != nil {
		select {} // abandon ends the process
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

	mu    sync.Mutex // guards the rest, between the calls and obey
	port  *port.Port // nil: none, or it is not open
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
	if err := w.await(w.opening); err != nil {
		return err
	}
	b, err := open(w.ctx, w.assignment, hook)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.port, _ = b.(*port.Port)
	w.mu.Unlock()
	if err := w.await(w.begun); err != nil {
		return err
	}
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
		case opening:
			close(w.opening)
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
	switch {
	case failure != nil:
		w.found.Failure = failure.Error()
	case w.port != nil:
		w.found.Stderr = w.port.Stderr()
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

// A barrier is what a worker waits at: an *impl.Barrier or a *port.Port.
type barrier interface {
	Wait(ctx context.Context, parties int) error
	Close() error
}

// An opener opens the barrier of an assignment. The barrier calls hook, unless
// it is nil, before each step. The end of ctx kills a port.
type opener func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error)

// open is the opener of every run outside the tests. A port calls no hook.
func open(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
	if a.Port != "" {
		return openPort(ctx, a)
	}
	b, err := impl.Attach(ctx, a.Segment, a.LockPath)
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
func openPort(ctx context.Context, a assignment) (barrier, error) {
	cmd, err := registry.Command(ctx, a.Port)
	if err != nil {
		return nil, err
	}
	if a.Echo {
		cmd.Stderr = &echo{worker: a.Worker, out: os.Stderr}
	}
	p, err := port.StartInGroup(ctx, a.Port, cmd, port.Limit)
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
