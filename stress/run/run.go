//go:build linux

// Package supervisor runs a stress test: it makes a barrier and a witness,
// starts the workers, watches them, ends the run, and leaves nothing behind.
//
// A run ends when all workers have made their calls; when the time is up or
// the context ends (after the round under way, so that what was measured is
// kept); when an early exit was seen; or as a hang, when a worker was never
// ready, no round was completed within the stall limit, or a worker has died.
package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/oracle"
)

// A Config says what to run.
type Config struct {
	Procs  int           // worker processes, at least 1
	Ports  []string      // the port of each worker (see package port); nil: all call package impl
	Rounds int64         // rounds to run; 0: no bound
	For    time.Duration // how long to run; 0: no bound
	Stall  time.Duration // the longest time without a completed round, once all workers are ready; must be positive
	Seed   uint64        // of the pauses
	Pauses bool          // workers pause at random and announce their steps

	// Command returns a command that runs Main. Its standard input and
	// output and its extra files are the supervisor's to set.
	Command func() *exec.Cmd

	// Progress, unless nil, is called now and then with the rounds that were
	// completed so far.
	Progress func(rounds int64)

	// Started, unless nil, is called with the process numbers of the workers
	// once all are ready.
	Started func(pids []int)
}

// How often the supervisor looks at the witness.
const look = 50 * time.Millisecond

// Limits beside Stall: how long the workers may take to be ready (longer than a
// port may take for its hello, and never less than Stall), and how long the round
// under way may take when the run was interrupted (never more than Stall).
var (
	startUp  = time.Minute
	lastCall = 10 * time.Second
)

// grace is how long a worker may take to report when it is asked to, before it
// is killed: much longer than a worker needs that is not stopped.
const grace = 2 * time.Second

// Run runs the stress test that c describes. It blocks until the run has ended
// and every worker is gone. When the context ends, the run ends after
// the round under way and the report says Interrupted; its verdict is unfinished
// if the workers had not begun. An error means that the
// run could not take place (no memory in /dev/shm, a worker that cannot start);
// the barrier's faults are no errors but verdicts. Segment, lock file and
// workers are gone when Run returns, whatever it returns.
func Run(ctx context.Context, c Config) (_ Report, err error) {
	dir, err := os.MkdirTemp("", fmt.Sprintf("sharedbarrier-%d-", os.Getpid()))
	if err != nil {
		return Report{}, fmt.Errorf("make a folder for the lock file: %w", err)
	}
	defer os.RemoveAll(dir)
	// The folder's name is new, so the segment's is as well. Both tell whose they are.
	a := assignment{
		Segment: filepath.Base(dir), LockPath: filepath.Join(dir, "lock"), Dir: dir,
		Procs: c.Procs, Rounds: c.Rounds, Seed: c.Seed, Pauses: c.Pauses,
	}
	barrier, err := impl.Create(a.Segment, a.LockPath)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, barrier.Close(), impl.Remove(a.Segment, a.LockPath)) }()

	witness, err := oracle.NewLedger(c.Procs)
	if err != nil {
		return Report{}, err
	}
	defer witness.Close()

	r := &run{Config: c, barrier: barrier, witness: witness, lockPath: a.LockPath}
	defer r.killAll()
	stuck, err := r.take(ctx, a)
	if err != nil && ctx.Err() == nil {
		return Report{}, err
	}
	return r.finish(stuck, ctx.Err() != nil), nil
}

type run struct {
	Config
	begun    bool // the workers were told to begin
	barrier  *impl.Barrier
	witness  *oracle.Ledger
	lockPath string
	workers  []*process
	exits    chan *process // each worker once, when it is gone
}

// take takes the run to its end, and says in what state it was stuck if it was.
func (r *run) take(ctx context.Context, a assignment) (*Stuck, error) {
	if err := r.start(ctx, a); err != nil {
		return nil, err
	}
	if stuck, err := r.muster(ctx); !r.begun {
		return stuck, err
	}
	return r.watch(ctx), nil
}

// start starts all workers.
func (r *run) start(ctx context.Context, a assignment) error {
	r.exits = make(chan *process, r.Procs)
	for i := range r.Procs {
		a.Worker = i
		if r.Ports != nil {
			a.Port = r.Ports[i]
		}
		p, err := startProcess(ctx, r.Command(), a, r.witness.File(), r.exits)
		if err != nil {
			return fmt.Errorf("start worker %d: %w", i, err)
		}
		r.workers = append(r.workers, p)
	}
	return nil
}

// muster has the workers begin when every one is ready; it returns without if
// the context ends before. That one is not ready in time is a hang like any other.
func (r *run) muster(ctx context.Context) (*Stuck, error) {
	patience := max(r.Stall, startUp)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var pids []int
	for _, p := range r.workers {
		select {
		case <-p.mustered:
			if !p.ready {
				<-p.gone
				return nil, fmt.Errorf("%v did not begin: %w", p, p.failure())
			}
			pids = append(pids, p.pid())
		case <-limit.C:
			return r.stuck(fmt.Sprintf("%v was not ready after %v%s", p, patience, p.notReady())), nil
		case <-ctx.Done():
			return nil, nil
		}
	}
	if r.Started != nil {
		r.Started(pids)
	}
	r.begun = true
	for _, p := range r.workers {
		p.begin()
	}
	return nil, nil
}

// watch returns when the run is over, and says in what state it was stuck if
// it was.
func (r *run) watch(ctx context.Context) *Stuck {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var timeUp <-chan time.Time
	if r.For > 0 {
		timer := time.NewTimer(r.For)
		defer timer.Stop()
		timeUp = timer.C
	}
	interrupted := ctx.Done()
	rounds, since := int64(0), time.Now()
	stall, when := r.Stall, ""
	for left := r.Procs; left > 0; {
		select {
		case <-timeUp:
			r.witness.RequestStop()
		case <-interrupted:
			interrupted = nil
			r.witness.RequestStop()
			stall, when, since = min(stall, lastCall), " after the interrupt", time.Now()
		case p := <-r.exits:
			if p.died() {
				if r.witness.Violations() > 0 {
					return nil // the verdict is out; the death may follow from it
				}
				return r.stuck(fmt.Sprintf("%v died: %v", p, p.failure()))
			}
			left--
		case <-ticker.C:
			if r.witness.Violations() > 0 {
				return nil
			}
			if now := r.witness.Rounds(); now > rounds {
				rounds, since = now, time.Now()
			}
			if r.Progress != nil {
				r.Progress(rounds)
			}
			if what := overdue(r.witness, time.Since(since), stall); what != "" {
				return r.stuck(what + when)
			}
		}
	}
	return nil
}

// overdue says what has taken too long, if so much time has gone since the last
// round was completed. After the last round the workers have only to end: stall is
// not about that.
func overdue(w *oracle.Ledger, gone, stall time.Duration) string {
	limit, what := stall, "no round was completed"
	if w.Over() {
		limit, what = max(stall, startUp), "all calls have returned, and not all workers have ended"
	}
	if gone <= limit {
		return ""
	}
	return fmt.Sprintf("%s for %v", what, limit)
}

// stuck describes where everybody is, at one moment if there is one: while somebody
// moves, what was read first is no longer so, and it is read again.
func (r *run) stuck(why string) (s *Stuck) {
	for range 100 {
		before := r.progress()
		s = r.survey(why, before)
		if slices.Equal(before, r.progress()) {
			break
		}
	}
	return s
}

// progress returns how far each worker has come.
func (r *run) progress() (list []oracle.Progress) {
	for i := range r.workers {
		list = append(list, r.witness.Progress(i))
	}
	return list
}

// survey describes the workers, who have come so far. What a port has done to the
// segment or the lock file may keep them from being looked at, which is said.
func (r *run) survey(why string, come []oracle.Progress) *Stuck {
	s := &Stuck{Why: why, Holder: -1}
	words, unreadable := r.barrier.Words()
	if unreadable == nil {
		s.Words = &words
	}
	holder, unknown := lockprobe.Holder(r.lockPath)
	if s.HolderPID = max(0, holder); unknown != nil {
		s.HolderPID = -1
	}
	if err := errors.Join(unreadable, unknown); err != nil {
		s.Unseen = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	for i, p := range r.workers {
		progress := come[i]
		if has, err := procgroup.Has(p.pid(), holder); err == nil && has {
			s.Holder = i
		}
		w := Worker{
			Worker: i, PID: p.pid(), Port: p.port,
			Begun: progress.Begun, Returned: progress.Returned, State: p.describe(),
		}
		if p.port == "" && r.Pauses {
			w.Step = &progress.Step
		}
		s.Workers = append(s.Workers, w)
	}
	return s
}

// finish ends the workers, collects what they found, and sums up.
func (r *run) finish(stuck *Stuck, interrupted bool) Report {
	for _, p := range r.workers {
		p.askForReport()
	}
	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	s := newSummary()
	for i, p := range r.workers {
		if f := p.findings(patience); f != nil {
			s.add(*f)
		} else {
			s.calls += r.witness.Progress(i).Returned // what it had measured is lost
		}
	}
	rep := Report{
		Version: Version, Procs: r.Procs, Ports: r.Ports, Seed: r.Seed, Environment: Here(), Interrupted: interrupted,
		Rounds: r.witness.Rounds(), Calls: s.calls, Violations: r.witness.Violations(),
		Rate: s.rate(r.witness.Rounds()), Latency: s.percentiles(),
	}
	switch {
	case rep.Violations > 0:
		rep.Verdict, rep.Early = spec.Violated, s.early
	case stuck != nil:
		rep.Verdict, rep.Stuck = spec.Hang, stuck
	case !r.begun:
		rep.Verdict = spec.Unfinished
	default:
		rep.Verdict = spec.Passed
	}
	return rep
}

// killAll ends every worker that is still there and waits until it is gone.
func (r *run) killAll() {
	for _, p := range r.workers {
		p.kill()
	}
}
