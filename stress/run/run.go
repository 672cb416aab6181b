//go:build linux

// Package run runs a stress test: worker processes call one barrier round after
// round, at full speed, and the oracle judges each return.
//
// Run is the parent of the workers. It makes the barrier and the ledger, starts
// the workers, watches them, and ends them. A run ends when all workers have
// made their calls, when the time is up, when the context ends, when a worker
// has seen an early exit, or as a hang.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/stress/oracle"
)

// A Config describes a run.
type Config struct {
	Procs  int           // worker processes, at least 1
	Ports  []string      // the port of each worker (see package registry); nil: all workers use package impl
	Rounds int64         // rounds to run; 0: unbounded
	For    time.Duration // time to run; 0: unlimited
	Stall  time.Duration // a longer time without a completed round is a hang; must be positive
	Seed   uint64        // of the pauses
	Pauses bool          // workers pause at random between calls and, without a port, between steps

	// Progress, unless nil, is called several times a second with the number of
	// completed rounds.
	Progress func(rounds int64)
}

// Run runs the test that c describes. It blocks until the run has ended and
// every worker is gone. The program must call ServeWorker first in main.
//
// When c.For has passed or ctx ends, the round under way is the last one, and
// the report has what was measured. After the end of ctx the report says
// Interrupted; its verdict is unfinished if no worker had begun.
//
// These are hangs: a worker that is not ready within a minute, or within
// c.Stall if that is longer; one that dies; c.Stall without a completed round.
// Faults of the barrier are verdicts, not errors. An error means that the run
// did not take place: /dev/shm has no memory left, or a worker did not start or
// could not open the barrier.
//
// Run removes the segment, the lock file and their directory, on error too.
func Run(ctx context.Context, c Config) (Report, error) { return c.run(ctx, defaults) }

// A setting is what the tests of this package vary and all other runs have in
// common.
type setting struct {
	worker   func() *exec.Cmd // returns the command of a worker process
	parent   string           // directory in which the run makes its own; empty: os.TempDir
	started  func(pids []int) // unless nil, called when all workers are ready, before their first call
	startUp  time.Duration    // the workers must be ready after max(startUp, Stall); longer than a port's limit
	lastCall time.Duration    // after the end of ctx, the last round must end after min(lastCall, Stall)
}

var defaults = setting{
	worker:   func() *exec.Cmd { return exec.Command("/proc/self/exe", workerCommand) },
	startUp:  time.Minute,
	lastCall: 10 * time.Second,
}

const (
	look  = 50 * time.Millisecond // time between two looks at the ledger
	grace = 2 * time.Second       // time to report for a worker that is asked to; one that is not stopped needs much less
)

// run is a run under way.
type run struct {
	Config
	setting
	barrier  *impl.Barrier
	lockPath string
	ledger   *oracle.Ledger
	workers  []*process
	exits    chan *process // receives each worker once, when it is gone
	begun    bool          // the workers may call
}

func (c Config) run(ctx context.Context, s setting) (_ Report, err error) {
	dir, err := os.MkdirTemp(s.parent, fmt.Sprintf("sharedbarrier-%d-", os.Getpid()))
	if err != nil {
		return Report{}, fmt.Errorf("make a directory for the lock file: %w", err)
	}
	defer os.RemoveAll(dir)
	// The name of the directory is new, so the same name is new for a segment.
	a := assignment{Segment: filepath.Base(dir), LockPath: filepath.Join(dir, "lock"), Dir: dir, Procs: c.Procs, Seed: c.Seed, Pauses: c.Pauses}
	barrier, err := impl.Create(a.Segment, a.LockPath)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, barrier.Close(), impl.Remove(a.Segment, a.LockPath)) }()
	ledger, err := oracle.NewLedger(c.Procs, c.Rounds)
	if err != nil {
		return Report{}, err
	}
	defer ledger.Close()

	r := &run{Config: c, setting: s, barrier: barrier, lockPath: a.LockPath, ledger: ledger, exits: make(chan *process, c.Procs)}
	defer r.kill()
	var hang *Hang
	if err = r.start(ctx, a); err == nil {
		hang, err = r.awaitReady(ctx)
	}
	if err != nil && ctx.Err() == nil {
		return Report{}, err
	}
	if r.begun {
		hang = r.watch(ctx)
	}
	return r.report(hang, ctx.Err() != nil), nil
}

// start starts all workers.
func (r *run) start(ctx context.Context, a assignment) error {
	for i := range r.Procs {
		a.Worker = i
		if r.Ports != nil {
			a.Port = r.Ports[i]
		}
		p, err := startProcess(ctx, r.worker(), a, r.ledger.File(), r.exits)
		if err != nil {
			return fmt.Errorf("start worker %d: %w", i, err)
		}
		r.workers = append(r.workers, p)
	}
	return nil
}

// awaitReady waits until every worker is ready, and lets all begin. It returns
// the state of the run if that takes too long. It fails with the error of ctx,
// and if a worker ends.
func (r *run) awaitReady(ctx context.Context) (*Hang, error) {
	limit := max(r.Stall, r.startUp)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var pids []int
	for _, p := range r.workers {
		select {
		case ok := <-p.ready:
			if !ok {
				<-p.gone
				return nil, fmt.Errorf("%v did not begin: %w", p, p.failure())
			}
			pids = append(pids, p.pid())
		case <-timer.C:
			why := fmt.Sprintf("%v was not ready after %v", p, limit)
			if p.port != "" {
				why += fmt.Sprintf(": its port %s has not said hello and opened the barrier", p.port)
			}
			return r.hang(why), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if r.started != nil {
		r.started(pids)
	}
	r.begun = true
	for _, p := range r.workers {
		p.write(begin)
	}
	return nil, nil
}

// watch waits until the run is over. It returns its state if it hangs.
func (r *run) watch(ctx context.Context) *Hang {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var timeUp <-chan time.Time
	if r.For > 0 {
		timer := time.NewTimer(r.For)
		defer timer.Stop()
		timeUp = timer.C
	}
	interrupt := ctx.Done()
	rounds, since := int64(0), time.Now()
	stall, when := r.Stall, ""
	for left := r.Procs; left > 0; {
		select {
		case <-timeUp:
			r.ledger.RequestStop()
		case <-interrupt:
			interrupt = nil
			r.ledger.RequestStop()
			stall, when, since = min(stall, r.lastCall), " after the interrupt", time.Now()
		case p := <-r.exits:
			switch {
			case p.cmd.ProcessState.Success():
				left--
			case r.ledger.Violations() > 0:
				return nil // the verdict stands, and may be why the worker failed
			default:
				return r.hang(fmt.Sprintf("%v died: %v", p, p.failure()))
			}
		case <-ticker.C:
			if r.ledger.Violations() > 0 {
				return nil
			}
			if now := r.ledger.Rounds(); now > rounds {
				rounds, since = now, time.Now()
			}
			if r.Progress != nil {
				r.Progress(rounds)
			}
			if why := r.overdue(time.Since(since), stall); why != "" {
				return r.hang(why + when)
			}
		}
	}
	return nil
}

// overdue says what takes too long, given the time since the last completed
// round; empty: nothing. After the last round the workers have only to end,
// and stall does not apply.
func (r *run) overdue(elapsed, stall time.Duration) string {
	limit, why := stall, "no round was completed"
	if r.ledger.Over() {
		limit, why = max(stall, r.startUp), "all calls have returned, and not all workers have ended"
	}
	if elapsed <= limit {
		return ""
	}
	return fmt.Sprintf("%s for %v", why, limit)
}

// kill ends every worker that is still there and waits until it is gone.
func (r *run) kill() {
	for _, p := range r.workers {
		p.kill()
	}
}
