//go:build linux

package run

import (
	"context"
	"flag"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/trace"
)

// lost is how many ports TestProc_PortLostWithLock kills. More of them, by hand:
//
//	go test ./stress/run -run PortLostWithLock -v -timeout 0 -lost 200
var lost = flag.Int("lost", 2, "ports that are killed while they have the lock")

// TestProc_PortLostWithLock: a port is killed from outside while it has the lock.
// Its worker, which is stopped meanwhile, records what the port has announced
// when another worker has had the lock. The two are no two holders, and the trace
// is a behaviour of the model.
func TestProc_PortLostWithLock(t *testing.T) {
	t.Parallel()
	late := 0
	for seed := 0; seed < *lost || late == 0 && seed < 50; seed++ {
		s := quick()
		s.parent = t.TempDir()
		var pids []int
		s.started = func(p []int) { pids = p }
		killed := false
		rep := mustTrace(t, s, Config{Procs: 3, Ports: []string{"go", "", "go"}, Pauses: true, Seed: uint64(seed), Enough: func(ledger *oracle.Ledger) bool {
			if ledger.Rounds() > 0 && !killed {
				killed = loseWithLock(t, pids[0], filepath.Join(directory(t, s.parent), "lock"), trace.NewRecorder(ledger.Beside(), 3))
			}
			return false
		}})
		events, _ := validate(t, rep)
		if rep.Verdict != spec.Hang || len(rep.Refuted) > 0 || len(events[accept.Failed]) != 1 {
			t.Errorf("seed %d: %v, refuted %v, failures %v; want a hang, none, one", seed, rep.Verdict, rep.Refuted, events[accept.Failed])
		}
		if recordedLate(events) {
			late++
		}
	}
	if t.Logf("%d ports were lost before their last step was recorded", late); late == 0 {
		t.Error("want one")
	}
}

func init() {
	barriers["another-lock"] = func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		if a.Port == "" {
			a.LockPath += "-another"
		}
		return open(ctx, a, hook)
	}
}

// TestHazard_PortLostWithoutExclusion: worker 1 takes another lock than the ports,
// one of which is killed when two have been seen in a section at once. The death
// excuses nothing: LockExclusive fails, and the trace is no behaviour of the model.
func TestHazard_PortLostWithoutExclusion(t *testing.T) {
	t.Parallel()
	s := at("another-lock")
	var pids []int
	s.started = func(p []int) { pids = p }
	c := Config{Procs: 3, Ports: []string{"go", "", "go"}, Pauses: true, KeepGoing: true, Trace: filepath.Join(t.TempDir(), "trace")}
	c.Enough = func(ledger *oracle.Ledger) bool {
		if ledger.Refuted(spec.LockExclusive) > 0 {
			for _, pid := range procgroup.Family(pids[0])[1:] {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return slices.ContainsFunc(trace.NewRecorder(ledger.Beside(), c.Procs).Read().Of(0), func(r trace.Record) bool { return r.Label == accept.Failed })
	}
	rep := mustRun(t, s, c)
	if rep.Verdict != spec.Violated || !slices.ContainsFunc(rep.Refuted, func(r oracle.Refutation) bool { return r.Property == spec.LockExclusive.String() }) {
		t.Errorf("%v, refuted %v; want LockExclusive violated", rep.Verdict, rep.Refuted)
	}
	events, no := validate(t, rep)
	if no == nil || len(events[accept.Failed]) == 0 {
		t.Errorf("rejection %+v, failures %v; want both", no, events[accept.Failed])
	}
}

// loseWithLock stops the worker, kills its port if that has the lock and another
// worker waits for it, and lets the worker go on when others have come to steps
// under the lock. It reports whether it did.
func loseWithLock(t *testing.T, worker int, lock string, recorder *trace.Recorder) bool {
	for range 200 {
		syscall.Kill(worker, syscall.SIGSTOP)
		stopped := procgroup.AwaitStopped([]int{worker})
		holder, err := lockprobe.Holder(lock)
		if err != nil {
			t.Error(err)
		}
		waits := recorder.Step(1).Lock() == spec.Acquire || recorder.Step(2).Lock() == spec.Acquire
		if stopped && waits && holder != worker && slices.Contains(procgroup.Family(worker), holder) {
			syscall.Kill(holder, syscall.SIGKILL)
			awaitSection(recorder)
			syscall.Kill(worker, syscall.SIGCONT)
			return true
		}
		syscall.Kill(worker, syscall.SIGCONT)
	}
	return false
}

// awaitSection returns when workers 1 and 2 have taken a few steps under the lock,
// or wait for others without it.
func awaitSection(recorder *trace.Recorder) {
	polls := func(worker int) bool {
		s := recorder.Step(worker)
		return s == spec.AwaitDrain || s == spec.AwaitFlag
	}
	for from := recorder.Count(); recorder.Count() < from+3 && !(polls(1) && polls(2)); {
		runtime.Gosched()
	}
}

// recordedLate reports whether another process has taken a step under the lock
// between the last two records of the one that failed.
func recordedLate(events map[string][]accept.Event) bool {
	var known, last int64
	for _, list := range events {
		for _, e := range list {
			if e.Lost {
				known = e.Number
			}
		}
	}
	for _, e := range events[accept.Failed] {
		last = e.Number
	}
	return known > 0 && last > known+1
}
