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
	"slices"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/scratch"
	"sharedbarrier/stress/trace"
)

// A Config describes a run.
type Config struct {
	Procs  int           // worker processes, at least 1
	Ports  []string      // the port of each worker (see package registry); nil: all workers use package impl
	Rounds int64         // rounds to run; 0: unbounded
	For    time.Duration // time to run; 0: unlimited
	Stall  time.Duration // a longer time without progress is a hang; must be positive
	Seed   uint64        // of the pauses and the faults
	Pauses bool          // workers pause at random between calls and, if they announce their steps, between these
	White  bool          // ports that can announce their steps do: by the seed, all, half of them, or none; where a fault names a step, all that it may hit
	Faults []fault.Fault // what goes wrong on purpose; at most fault.Most

	// KeepGoing has the workers make all Rounds, even after a violation. A
	// refused call ends the run.
	KeepGoing bool
	// Reopen has workers that use package impl close their handle before each
	// call and attach again, as a process does that has just come. A handle that
	// is open keeps to the lock file that it has open while that is locked.
	Reopen bool
	// Guide has the workers begin with one schedule; nil: they do as they like.
	Guide *Guide
	// Enough, unless nil, ends the run when it returns true for what the workers
	// have met. It is called several times a second.
	Enough func(*oracle.Ledger) bool
	// Trace, unless empty, is the path of the file that gets each step of each
	// worker (spec/TRACES.md). Every port must be able to announce its steps, and
	// does. The file is written when the workers have ended, as by cli.WriteFile;
	// until then the records are in files without a name, in the same directory.
	Trace string
	// Command is what the head of the trace has as the command that repeats the
	// run.
	Command string

	// Between is the time between two looks from outside at a run that seems to
	// hang; 0: one second.
	Between time.Duration

	// Slowest keeps what the workers did in the slowest rounds.
	Slowest bool

	// Lenient is for a run that judges a port: of the time in which a process of
	// a worker is stopped, a tenth counts, since a port may stop itself for good.
	// Without it a stopped process holds the run up after Stall.
	Lenient bool

	// Stderr, unless nil, is the standard error of the workers, in place of that
	// of this process. The workers then also write there what their ports write
	// (PortSays).
	Stderr *os.File

	// Progress, unless nil, is called several times a second with the number of
	// completed rounds.
	Progress func(rounds int64)

	// Writing, unless nil, is called now and then while the trace is written, with
	// the number of its last step and of the one that was reached.
	Writing func(done, all int64)

	// Suspect, unless nil, is called when no round was completed for half of
	// Stall, with what is seen in one line. It is called again only after
	// another round.
	Suspect func(state string)
}

// Run runs the test that c describes. It blocks until the run has ended and
// every worker is gone. The program must call ServeWorker first in main.
//
// When c.For has passed or ctx ends, the round under way is the last one, and
// the report has what was measured. After the end of ctx the report says
// Interrupted, and its verdict is unfinished, unless c.Rounds were asked for
// and made, or the barrier has failed.
//
// These are hangs: a worker that is not ready within a minute, or within
// c.Stall if that is longer; one that dies, and no fault has killed it; c.Stall
// in which no worker makes
// progress although calls are left. Progress is a call that begins or returns;
// or, for ten times c.Stall, another step of a call. A worker that is stopped
// is no hang, and neither is a machine that gives the workers no time: the
// verdict is then unfinished, and the report has the state of the run. After
// the end of ctx none of them is a hang, since the signal may have hit a worker
// too. The report then has the state of the run, and 10 s without progress are
// enough.
//
// Faults of the barrier are verdicts, not errors. An error means that the run
// did not take place: /dev/shm has no memory left, or a worker did not start or
// could not open the barrier.
//
// Run removes all files that it makes (package scratch), on error too.
func Run(ctx context.Context, c Config) (Report, error) {
	if !served {
		panic("run: the program must call ServeWorker first in main")
	}
	began := time.Now()
	rep, err := c.run(ctx, defaults)
	rep.Seconds = time.Since(began).Seconds()
	return rep, err
}

// A setting is what the tests of this package vary and all other runs have in
// common.
type setting struct {
	worker   func() *exec.Cmd // returns the command of a worker process
	compute  func() *exec.Cmd // returns the command of a busy process
	parent   string           // directory in which the run makes its own; empty: os.TempDir
	started  func(pids []int) // unless nil, called when all workers are ready, before their first call
	startUp  time.Duration    // the workers must be ready after max(startUp, Stall); longer than a port's limit
	ending   time.Duration    // after the last call has returned, the workers are killed that did not end; longer than a port's limit
	spread   time.Duration    // a signal for the whole run ends a worker and ctx within this time
	between  time.Duration    // between two looks from outside at a run that seems to hang
	bare     bool             // without a flight recorder
	lastCall time.Duration    // after the end of ctx, longest time without progress, unless Stall is shorter
}

var defaults = setting{
	worker:   func() *exec.Cmd { return exec.Command("/proc/self/exe", workerCommand) },
	compute:  func() *exec.Cmd { return exec.Command("/proc/self/exe", busyCommand) },
	startUp:  time.Minute,
	ending:   time.Minute,
	spread:   time.Second,
	lastCall: 10 * time.Second,
	between:  time.Second,
}

const (
	look      = 50 * time.Millisecond // time between two looks at the ledger
	grace     = 2 * time.Second       // time to report for the workers, of which one that is stopped then never does
	reporting = time.Minute           // the same for those that run; they need much less on every machine
)

// run is a run under way.
type run struct {
	Config
	setting
	barrier  *impl.Barrier
	target   inspect.Target
	lockPath string
	ledger   *oracle.Ledger
	recorder *trace.Recorder
	journals []*os.File // by worker: for the trace; nil: there is none
	workers  []*process
	exits    chan *process // receives each worker once, when it is gone
	exited   int           // the workers of which watch has seen the end
	begun    bool          // the workers may call
	moved    move          // the last one
	plan     *fault.Plan
	disturb  *disturber
	deaths   []string // of the workers that a fault has killed

	interrupted bool // the context ended while watch watched
}

func (c Config) run(ctx context.Context, s setting) (_ Report, err error) {
	plan, err := c.Plan()
	if err != nil {
		return Report{}, err
	}
	if c.Between > 0 {
		s.between = c.Between
	}
	files, err := scratch.Make(s.parent, "stress")
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	a := assignment{Names: files.Names, LockPath: filepath.Join(files.Dir, "lock"), Procs: c.Procs, Seed: c.Seed, Pauses: c.Pauses, Bare: s.bare, Rounds: c.Rounds, Faults: c.Faults, Echo: c.Stderr != nil, Guide: c.Guide, Reopen: c.Reopen, Slowest: c.Slowest && !s.bare, Trace: c.Trace != ""}
	barrier, err := impl.Create(a.Segment, a.LockPath)
	if err != nil {
		return Report{}, err
	}
	defer barrier.Close()
	ledger, err := oracle.NewLedger(c.Procs, c.Rounds, trace.Size(c.Procs))
	if err != nil {
		return Report{}, err
	}
	defer ledger.Close()
	for worker := range c.Procs {
		if first, last := plan.Member(worker); first > 1 || last > 0 {
			ledger.SetMember(worker, first, last)
		}
	}

	r := &run{Config: c, plan: plan, setting: s, barrier: barrier, target: inspect.Target{Segment: a.Segment, LockPath: a.LockPath}, lockPath: a.LockPath, ledger: ledger, recorder: trace.NewRecorder(ledger.Beside(), c.Procs), exits: make(chan *process, c.Procs)}
	if err := r.openJournals(); err != nil {
		return Report{}, err
	}
	defer r.closeJournals()
	r.disturb = newDisturber(ctx, r)
	defer r.disturb.end()
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
	r.disturb.end()
	last, died := r.recorder.Count(), r.died()
	rep := r.report(hang, ctx.Err() != nil)
	if rep.Trace = r.writeTrace(last, died); rep.Trace != nil && rep.Trace.Failure == "" {
		rep.numberAsTrace()
	}
	if rep.Verdict == spec.Hang {
		if lacks := scratch.Check(s.parent); lacks != nil {
			return Report{}, fmt.Errorf("%w, so this is no hang: %s", lacks, hang.Why)
		}
	}
	return rep, nil
}

// Plan returns the plan of c.Faults. It fails with fault.ErrFault if c cannot
// have them.
func (c Config) Plan() (*fault.Plan, error) {
	plan, err := fault.New(c.Faults, c.Seed, c.Procs, c.Rounds)
	if err != nil {
		return nil, err
	}
	if err := checkCPUs(plan.Amount(fault.CPUs)); err != nil {
		return nil, err
	}
	if c.Trace != "" {
		if err := c.checkTrace(); err != nil {
			return nil, err
		}
	}
	return plan, c.checkPorts(plan)
}

// checkPorts refuses faults that a port, by its name, cannot have.
func (c Config) checkPorts(plan *fault.Plan) error {
	for worker, name := range c.Ports {
		base, variant, _ := strings.Cut(name, "@")
		if plan.IsLate(worker) && (base == "go" && variant != "construct" || base == "c" || base == "rust") {
			return fmt.Errorf("%w construct:late hits worker %d, whose port %s attaches and never constructs: name a worker that does (port python or go@construct), as in construct:late:0", fault.ErrFault, worker, name)
		}
	}
	return nil
}

// start starts all workers, and closes the file of the ledger, so that no port
// finds it in a process of the run.
func (r *run) start(ctx context.Context, a assignment) error {
	defer r.ledger.Seal()
	for i := range r.Procs {
		a.Worker = i
		if r.Ports != nil {
			a.Port = r.Ports[i]
		}
		a.White = r.isWhite(i)
		p, err := r.startProcess(ctx, a)
		if err != nil {
			return fmt.Errorf("start worker %d: %w", i, err)
		}
		r.workers = append(r.workers, p)
	}
	return nil
}

// isWhite reports whether the port of the worker announces its steps, if it
// can.
func (r *run) isWhite(worker int) bool {
	if r.Guide != nil || r.Trace != "" || slices.ContainsFunc(r.plan.Hitting(worker), fault.Fault.Steps) {
		return true
	}
	half := (uint64(worker)+r.Seed/3)%2 == 0
	return r.White && (r.Seed%3 == 0 || r.Seed%3 == 1 && half)
}

// awaitReady has every worker open the barrier when all have mapped the ledger,
// and lets all begin when all are ready. It returns the state of the run if
// that takes too long. It fails with the error of ctx, and if a worker ends.
func (r *run) awaitReady(ctx context.Context) (*Hang, error) {
	idle := idleness{entries: r.entries(), looked: time.Now()} // no worker calls yet
	for _, next := range []string{opening, begin} {
		for _, p := range r.workers {
			if h, err := r.await(ctx, p, &idle); h != nil || err != nil {
				return h, err
			}
		}
		if next == begin {
			if err := r.disturb.begin(); err != nil {
				return nil, err
			}
			if r.started != nil {
				r.started(r.pids())
			}
			r.begun = true
		}
		for _, p := range r.workers {
			p.write(next)
		}
	}
	return nil, nil
}

// await waits until the worker is ready. It returns the state of the run if idle
// says that the start takes too long.
func (r *run) await(ctx context.Context, p *process, idle *idleness) (*Hang, error) {
	limit := max(r.Stall, r.startUp)
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case ok := <-p.ready:
			if ok {
				return nil, nil
			}
			if <-p.gone; r.isInterrupt(ctx, p) {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%v did not begin: %w", p, p.failure())
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
			if r.look(idle); idle.steps <= limit {
				break
			}
			why := fmt.Sprintf("%v was not ready after %v", p, limit)
			if p.port != "" {
				why += fmt.Sprintf(": its port %s has not said hello and opened the barrier", p.port)
			}
			return r.hang(ctx, why), nil
		}
	}
}

func (r *run) pids() (pids []int) {
	for _, p := range r.workers {
		pids = append(pids, p.pid())
	}
	return pids
}

// kill ends every worker that is still there and waits until it is gone.
func (r *run) kill() {
	for _, p := range r.workers {
		p.kill()
	}
}
