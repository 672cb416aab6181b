package impl

import (
	"context"
	"errors"
	"slices"
	"testing"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// Package stress/lockstep compares the barrier with the model step by step.
// These tests show what is not visible from outside this package.

// TestConform_Unconstructed: in the model, the words look unconstructed only in
// a critical section, at RaiseFlag.
func TestConform_Unconstructed(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, s := range explore.NewGraph(model.NewMachine(model.Config{Scenario: spec.Withdraw, Procs: n})).States {
			if shm.Unconstructed(s.Words()) && (s.Holder() < 0 || s.Step(s.Holder()) != spec.RaiseFlag) {
				t.Fatalf("unconstructed(%v): got true in %v, want true at RaiseFlag only", s.Words(), s)
			}
		}
	}
}

// TestConform_KeptLock is the reason why a call may keep the lock: in each state
// of the model in which a call is at a release over which it keeps the lock, its
// steps up to the next acquisition can be taken one after the other, and change
// no word. From every other release the call waits first, or ends.
func TestConform_KeptLock(t *testing.T) {
	for n := 1; n <= 3; n++ {
		kept := map[spec.Step]int{}
		g := explore.NewGraph(model.NewMachine(model.Config{Scenario: spec.Withdraw, Procs: n}))
		// after returns the state after the step of p; -1: p cannot take it, or
		// stays at it.
		after := func(i, p int) int {
			for _, e := range g.Edges[i] {
				if e.Action.Proc == p && e.Action.Event == spec.NoEvent && g.States[e.To].Step(p) != g.States[i].Step(p) {
					return e.To
				}
			}
			return -1
		}
		for i, s := range g.States {
			p := s.Holder()
			if p < 0 || s.Step(p).Lock() != spec.Release {
				continue
			}
			to, last := after(i, p), s.Step(p)
			for to >= 0 && last.Lock() != spec.Acquire && g.States[to].Step(p) != spec.Call {
				to, last = after(to, p), g.States[to].Step(p)
			}
			follows := to >= 0 && last.Lock() == spec.Acquire
			if got := goesOn(s.Step(p), s.Words(), int32(n)); got != follows {
				t.Fatalf("goesOn of p%d in %v: got %v, want %v", p, s, got, follows)
			}
			if follows {
				kept[s.Step(p)]++
				if held := g.States[to]; held.Words() != s.Words() || held.Holder() != p {
					t.Fatalf("p%d goes on from %v to %v: want the same words, and p%d to hold the lock", p, s, held, p)
				}
			}
		}
		for _, at := range []spec.Step{spec.UnlockInit, spec.UnlockFirst, spec.UnlockEnter} {
			if kept[at] == 0 {
				t.Errorf("%d parties: the lock is kept over %v in no state", n, at)
			}
		}
	}
}

// TestUnit_ContextEndsAtAnyStep ends the context of a call before each of its
// steps. The call ends at the first step from there on that section 5 of
// PROTOCOL.md lists.
func TestUnit_ContextEndsAtAnyStep(t *testing.T) {
	minds := map[spec.Step]bool{
		spec.LockInit: true, spec.LockEnter: true, spec.AwaitDrain: true, spec.LockFirst: true, spec.AwaitFlag: true,
	}
	for _, at := range spec.CallSteps {
		b, _, _ := create(t)
		ctx, cancel := context.WithCancel(t.Context())
		var steps []spec.Step
		ended, minded := false, spec.Call // Call: nowhere
		b.SetHook(func(s spec.Step) {
			if s == at {
				cancel()
				ended = true
			}
			if ended && minded == spec.Call && minds[s] {
				minded = s
			}
			steps = append(steps, s)
		})
		err := b.Wait(ctx, 1)
		last := steps[len(steps)-1]
		switch {
		case minded == spec.Call && (err != nil || last != spec.UnlockExit):
			t.Errorf("Wait whose context ends at %v: got %v after %v, want nil after UnlockExit", at, err, last)
		case minded == spec.AwaitFlag && (err != nil || !slices.Contains(steps, spec.TestFlag)):
			// Alone, it has completed the round already.
			t.Errorf("Wait whose context ends at %v: got %v after %v, want nil by way of TestFlag", at, err, steps)
		case minded != spec.Call && minded != spec.AwaitFlag && (!errors.Is(err, context.Canceled) || last != minded):
			t.Errorf("Wait whose context ends at %v: got %v after %v, want %v at %v", at, err, last, context.Canceled, minded)
		}
		cancel()
	}
}
