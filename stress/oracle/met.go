//go:build linux

package oracle

import (
	"fmt"

	"sharedbarrier/spec"
)

// A Met is a situation in which the protocol has to show itself. What is met in
// a run, it has coped with or not; what is not met, the run says nothing about.
// Package scenario finds out which ones the model can reach.
//
// A worker is at its own step when it looks. Another one is at the step that it
// has announced, or has just taken it. So a situation is met only if it is one
// in both cases.
type Met uint8

// The situations.
const (
	TwoFirst      Met = iota // two callers have found enter = 0
	Overlap                  // a process is in a call, and another in a later one
	OldFlag                  // a waiter has not seen the flag up, and another process is in a later round
	AwaitsDrain              // a first one waits until the others have left the last round
	AwaitsLock               // a process waits for the lock
	Withdraws                // a call withdraws, and was counted
	TooLate                  // a call withdraws too late: the flag is up
	Constructs               // a process constructs, and another is in a call
	TwoCounts                // two processes are in calls with different party counts
	MoreThanCount            // more processes are in calls than the party count of one of them
	CountsNobody             // enter counts a process that does not wait any more
	DeathWithLock            // a process dies between an acquire and its release
	numMet
)

var mets = [numMet]struct{ name, doc string }{
	TwoFirst:      {"two-first", "two callers have found enter = 0"},
	Overlap:       {"overlap", "a process is in a call, and another in a later one"},
	OldFlag:       {"old-flag", "a waiter at AwaitFlag, and another process in a later round"},
	AwaitsDrain:   {"awaits-drain", "a first one waits until the others have left the last round"},
	AwaitsLock:    {"awaits-lock", "a process waits for the lock"},
	Withdraws:     {"withdraws", "a call withdraws that was counted"},
	TooLate:       {"too-late", "a call withdraws too late: the flag is up"},
	Constructs:    {"constructs", "a process constructs while another is in a call"},
	TwoCounts:     {"two-counts", "two processes are in calls with different party counts"},
	MoreThanCount: {"more-than-count", "more processes are in calls than one of them passes as count"},
	CountsNobody:  {"counts-nobody", "enter counts a process that does not wait any more"},
	DeathWithLock: {"death-with-lock", "a process dies between an acquire and its release"},
}

// AllMet lists every situation.
var AllMet = func() (list []Met) {
	for m := range numMet {
		list = append(list, m)
	}
	return list
}()

// String returns the name of the situation.
func (m Met) String() string {
	if m >= numMet {
		return fmt.Sprintf("Met(%d)", uint8(m))
	}
	return mets[m].name
}

// Doc says in one line what the situation is.
func (m Met) Doc() string { return mets[m].doc }

// Met returns what the workers have met, a bit for each situation.
func (l *Ledger) Met() (set uint64) {
	for i := range l.entries {
		set |= l.entries[i].met.Load()
	}
	return set
}

func (o *Observer) meetIf(m Met, is bool) {
	if is && o.me().met.Load()>>m&1 == 0 {
		o.me().met.Or(1 << m)
	}
}

// Sets of steps, as bits.
var (
	first        = stepsThat(func(s spec.Step) bool { return s == spec.UnlockFirst || s == spec.AwaitDrain || s == spec.LockFirst })
	between      = stepsThat(func(s spec.Step) bool { return s != spec.Call && s <= spec.UnlockWithdraw }) // in a call
	leaving      = stepsThat(func(s spec.Step) bool { return s == spec.UnlockExit || s == spec.UnlockWithdraw })
	constructing = stepsThat(func(s spec.Step) bool { return s >= spec.MakeEnter })
	acquiring    = stepsThat(func(s spec.Step) bool { return s.Lock() == spec.Acquire })
	// counted has the steps at which enter may count a process, and those before
	// and after them.
	counted = stepsThat(func(s spec.Step) bool {
		return s >= spec.CountEnter && s <= spec.CountExit || s >= spec.LockWithdraw && s <= spec.UnlockWithdraw
	})
)

func stepsThat(is func(spec.Step) bool) (set uint64) {
	for _, s := range spec.AllSteps {
		if is(s) {
			set |= 1 << s
		}
	}
	return set
}

// meet records what the worker meets at the step.
func (o *Observer) meet(s spec.Step, w spec.Words) {
	me := o.me()
	o.meetIf(Withdraws, s == spec.UncountEnter)
	o.meetIf(TooLate, s == spec.TestFlag && w.Flag != spec.Down)
	o.meetIf(AwaitsDrain, s == spec.AwaitDrain && int64(w.Exit) != me.parties.Load())
	in := between>>s&1 != 0
	callers, waiters := int64(0), int32(0)
	var calls [64]int64 // of each worker, the one that it is in
	for i := range o.ledger.entries {
		e := &o.ledger.entries[i]
		if e == me {
			continue
		}
		started := e.started.Load()
		begun, parties := e.begun.Load(), e.parties.Load()
		at := uint64(1) << e.step.Load()
		dead := e.dead.Load() != 0
		if silent := at == 1<<spec.Call && e.ended.Load() < started; !dead && (counted&at != 0 || silent) {
			waiters++ // one that announces no step may wait
		}
		if dead {
			continue
		}
		o.meetIf(AwaitsLock, s.Holds() && acquiring&at != 0)
		o.meetIf(TwoFirst, first&at != 0 && first>>s&1 != 0)
		o.meetIf(Constructs, in && constructing&at != 0 && at != 1<<spec.MakeFlag)
		if inside := between&at&^leaving != 0 && e.ended.Load() < started; inside {
			o.meetIf(Constructs, constructing>>s&1 != 0)
			if !in {
				continue
			}
			callers++
			if i < len(calls) {
				calls[i] = started
			}
			o.meetIf(Overlap, begun > o.begun)
			o.meetIf(OldFlag, begun > o.begun && s == spec.AwaitFlag)
			o.meetIf(TwoCounts, parties != me.parties.Load())
		}
	}
	o.meetIf(MoreThanCount, in && callers >= me.parties.Load() && o.callers(calls) == callers)
	o.meetIf(CountsNobody, s.Holds() && w.Enter > waiters+bit(counted>>s&1 != 0))
}

// callers returns how many of the workers that were in the calls are in them
// still: all at once, when it begins.
func (o *Observer) callers(calls [64]int64) (n int64) {
	for i := range min(len(calls), len(o.ledger.entries)) {
		if calls[i] > 0 && o.ledger.entries[i].ended.Load() < calls[i] {
			n++
		}
	}
	return n
}

func bit(is bool) int32 {
	if is {
		return 1
	}
	return 0
}
