package group

import (
	"context"
	"runtime"
	"testing"

	"sharedbarrier/spec"
)

// TestUnit_NapLetsOthersRun: a call that naps on the last processor of the Go
// runtime lets the other goroutines run before. Here that is one which ends the
// context: the call notices it after the first nap. Otherwise the goroutine
// runs in the second one.
func TestUnit_NapLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 2, 0)
	start(t, name, lockPath, 2, 1) // it does not call
	visits := 0
	g.SetHook(func(s spec.MemberStep) {
		if s == spec.Gather {
			visits++
		}
	})
	const calls = 20
	for range calls {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		wantError(t, "Wait", g.Wait(ctx), context.Canceled)
	}
	// The runtime may run the call first, in one of 61 switches.
	if limit := 2*calls + calls/2; visits > limit {
		t.Errorf("visits of Gather in %d calls: got %d, want at most %d", calls, visits, limit)
	}
}

// TestUnit_Worth: a call that looks for a foreign party tries the lock if and
// only if a section has something to do or to refuse, whatever the words are,
// whether members are owed, and whether the call has arrived.
func TestUnit_Worth(t *testing.T) {
	type state struct {
		words     spec.Words
		owed      uint32
		turn      uint64
		completed uint64
	}
	for parties := int32(2); parties <= 3; parties++ {
		name, lockPath := newNames(t)
		g := join(t, name, lockPath, int(parties), 0)
		caller := thread{Group: g, role: caller, round: 5}
		read := func() state {
			return state{g.barrier.Snapshot(), g.head.owed.Load(), g.head.turn.Load(), g.head.completed.Load()}
		}
		write := func(s state, arrival uint64) {
			g.barrier.Store(spec.Enter, s.words.Enter)
			g.barrier.Store(spec.Exit, s.words.Exit)
			g.barrier.Store(spec.Flag, s.words.Flag)
			g.head.owed.Store(s.owed)
			g.head.turn.Store(s.turn)
			g.head.completed.Store(s.completed)
			g.own.arrival.Store(5<<2 | arrival)
		}
		n, idle := 0, 0
		for enter := int32(-1); enter <= parties+1; enter++ {
			for exit := int32(-2); exit <= parties+1; exit++ {
				for flag := int32(0); flag <= 1; flag++ {
					for owed := range uint32(parties) {
						for in := range int32(2) {
							before := state{spec.Words{Enter: enter, Exit: exit, Flag: flag}, owed, 5 << 1, 4}
							write(before, uint64(in)*arrived)
							p := pause{thread: &caller}
							worth := p.worth(in)
							_, err := caller.lockRound()
							if busy := err != nil || read() != before; busy != worth {
								t.Errorf("n=%d, %+v, arrived %d: worth is %v; a section leaves %+v, error %v", parties, before, in, worth, read(), err)
							}
							if n++; !worth {
								idle++
							}
							caller.refusal = nil
						}
					}
				}
			}
		}
		if idle < n/10 || idle > n-n/10 {
			t.Errorf("n=%d: %d of %d states have nothing to do; want some of both kinds", parties, idle, n)
		}
		write(state{spec.Words{Exit: spec.NotSet, Flag: spec.Up}, 0, 5 << 1, 4}, outside)
	}
}
