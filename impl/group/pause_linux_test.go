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
// whether members are owed or the journal is open, and whether the call has
// arrived.
func TestUnit_Worth(t *testing.T) {
	for parties := int32(2); parties <= 3; parties++ {
		name, lockPath := newNames(t)
		g := join(t, name, lockPath, int(parties), 0)
		busy, idle := 0, 0
		try := func(before shared, arrivals int32) {
			before.put(g)
			g.own.arrival.Store(before.turn>>1<<2 | uint64(arrivals)*arrived)
			call := thread{Group: g, role: caller, round: before.turn >> 1}
			worth := (&pause{thread: &call}).worth(arrivals)
			_, err := call.lockRound()
			after := g.shared(g.barrier.Snapshot(), 0)
			if worth != (err != nil || after != before) {
				t.Errorf("n=%d, %+v, %d arrived: worth is %v; a section leaves %+v, error %v", parties, before, arrivals, worth, after, err)
			}
			if worth {
				busy++
			} else {
				idle++
			}
		}
		for i := range (parties + 3) * (parties + 4) * 2 * parties * 2 * 2 {
			digit := func(base int32) (d int32) {
				d, i = i%base, i/base
				return d
			}
			words := spec.Words{Enter: digit(parties+3) - 1, Exit: digit(parties+4) - 2, Flag: digit(2)}
			try(shared{words: words, owed: uint32(digit(parties)), phase: uint32(digit(2)), turn: 5 << 1, completed: 4}, digit(2))
		}
		if min(busy, idle) < 20 {
			t.Errorf("n=%d: something to do in %d states, nothing in %d; want many of both", parties, busy, idle)
		}
		shared{words: spec.Initial, turn: 5 << 1, completed: 4}.put(g) // for Leave
		g.own.arrival.Store(5<<2 | outside)
	}
}

// put makes what the steps of a section change that of x, but for broken.
func (x shared) put(g *Group) {
	storeWords(g.barrier, x.words)
	g.head.phase.Store(x.phase)
	g.head.owed.Store(x.owed)
	g.head.turn.Store(x.turn)
	g.head.completed.Store(x.completed)
}
