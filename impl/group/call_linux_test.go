package group

import (
	"context"
	"errors"
	"maps"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
)

// TestUnit_RetractsTooLate: a call whose context ends while another member
// carries out the round returns nil, as that one does.
func TestUnit_RetractsTooLate(t *testing.T) {
	name, lockPath := newNames(t)
	a, b := join(t, name, lockPath, 2, 0), join(t, name, lockPath, 2, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	visits := 0
	a.SetHook(func(s spec.MemberStep) {
		switch s {
		case spec.Gather:
			cancel()
		case spec.Retract:
			if visits++; visits > 1 {
				return
			}
			if err := b.Wait(t.Context()); err != nil {
				t.Errorf("Wait beside a call that is about to withdraw: got %v, want nil", err)
			}
		}
	})
	if err := a.Wait(ctx); err != nil || visits != 1 {
		t.Fatalf("Wait that would withdraw from a round that is complete: got %v after %d attempts, want nil after 1", err, visits)
	}
	wantRounds(t, 3, a, b)
}

// TestUnit_TakesAllOrNone: a round is complete with all who have arrived, or
// takes none, however many withdraw meanwhile. Here they do so one after the
// other, towards the one who takes them: they meet once at most, and one of some
// hundred meetings shows a mistake.
func TestUnit_TakesAllOrNone(t *testing.T) {
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, MaxParties, 0)
	setWords(t, name, spec.Words{Exit: MaxParties, Flag: spec.Up})
	all := thread{Group: g, role: caller, round: 1}
	open, delay := 0, 1000
	const tries = 100
	for range tries {
		for i := range g.slots {
			g.slots[i].arrival.Store(1<<2 | arrived)
		}
		var withdrawn [MaxParties]bool
		begun, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			close(begun)
			for range delay { // until all are counted
				g.slots[0].arrival.Load()
			}
			for i := len(withdrawn) - 1; i >= 0; i-- {
				withdrawn[i] = g.slots[i].arrival.CompareAndSwap(1<<2|arrived, 1<<2|outside)
			}
		}()
		<-begun
		step := all.take(1)
		<-done
		if all.refusal != nil {
			t.Fatalf("take beside others that withdraw: got %v", all.refusal)
		}
		for i := range g.slots {
			if got := g.slots[i].arrival.Load() & 3; withdrawn[i] != (got == outside) || step == spec.Open && got != taken || step != spec.Open && got == taken {
				t.Fatalf("rank %d, which could withdraw (%v), is left with state %d, before %v", i, withdrawn[i], got, step)
			}
		}
		if step == spec.Open {
			open++
			delay -= delay / 16
		} else {
			delay = min(delay+delay/16, 1<<18)
		}
	}
	t.Logf("%d of %d rounds were complete", open, tries)
	setWords(t, name, spec.Initial)
}

// TestUnit_BusyAndClosed: a member has one call at a time, and none after Leave.
func TestUnit_BusyAndClosed(t *testing.T) {
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 1, 0)
	calls := func(want error) {
		t.Helper()
		wantError(t, "Wait", g.Wait(t.Context()), want)
		wantError(t, "Reset", g.Reset(), want)
		wantError(t, "Leave", g.Leave(), want)
	}
	g.SetHook(func(s spec.MemberStep) {
		if s == spec.Return {
			calls(ErrBusy)
			if _, err := g.Status(); err != nil {
				t.Errorf("Status during a call: got %v, want nil", err)
			}
		}
	})
	if err := errors.Join(g.Wait(t.Context()), g.Leave()); err != nil {
		t.Fatal(err)
	}
	calls(ErrClosed)
	_, err := g.Status()
	wantError(t, "Status", err, ErrClosed)
}

// TestUnit_Missing: the error of a call whose context has ended has every rank
// that has not come, and no other.
func TestUnit_Missing(t *testing.T) {
	name, lockPath := newNames(t)
	const n = 5 // ranks 0 and 4 arrive, 1 never joins, 2 leaves, and 3 does not call
	g, leaves, last := join(t, name, lockPath, n, 0), join(t, name, lockPath, n, 2), join(t, name, lockPath, n, 4)
	join(t, name, lockPath, n, 3)
	if err := leaves.Leave(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	still, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- last.Wait(still) }()
	awaitArrived(t, name, 1, 1)
	g.SetHook(func(s spec.MemberStep) {
		if s == spec.LockRound {
			cancel()
		}
	})
	err := g.Wait(ctx)
	end()
	<-done
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Round != 1 || missing.Name != name || !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait whose context ends: got %v, want a MissingError of round 1", err)
	}
	got := map[int]State{}
	for _, r := range missing.Missing {
		got[r.Rank] = r.State
	}
	want := map[int]State{1: NeverJoined, 2: Left, 3: Outside}
	if !maps.Equal(got, want) {
		t.Errorf("missing: got %v, want %v", got, want)
	}
	if s, err := g.Status(); err != nil || s.Ranks[0].Arrived || s.Ranks[0].State != Outside {
		t.Errorf("after a call whose context has ended: got %+v, %v, want rank 0 outside", s, err)
	}
}

// TestUnit_TakesNobody: a round takes nobody while a party is missing or the last
// round drains. If more than n parties have come, or foreign ones wait that
// nobody has lowered the flag for, it fails.
func TestUnit_TakesNobody(t *testing.T) {
	name, lockPath := newNames(t)
	const n = 3
	a, b := join(t, name, lockPath, n, 0), join(t, name, lockPath, n, 1)
	for _, w := range []spec.Words{{Enter: 2, Exit: n, Flag: spec.Down}, {Enter: 1, Exit: n, Flag: spec.Up}} {
		setWords(t, name, w)
		b.own.arrival.Store(1<<2 | arrived)
		var corrupt *impl.CorruptError
		if err := a.Wait(t.Context()); !errors.As(err, &corrupt) || corrupt.Words != w {
			t.Errorf("Wait of two members with words %v: got %v, want a CorruptError", w, err)
		}
		if a, b := a.own.arrival.Load(), b.own.arrival.Load(); a&3 != outside || b&3 != arrived {
			t.Errorf("arrivals with words %v: got %d and %d, want that none is taken", w, a, b)
		}
	}
	one := thread{Group: a, role: caller, round: 1}
	for _, w := range []spec.Words{{Exit: n, Flag: spec.Up}, {Enter: 1, Exit: n - 1, Flag: spec.Down}} {
		setWords(t, name, w)
		a.own.arrival.Store(1<<2 | arrived)
		step := one.take(1)
		if a, b := a.own.arrival.Load(), b.own.arrival.Load(); one.refusal != nil || step != spec.UnlockRound || a&3 != arrived || b&3 != arrived {
			t.Errorf("take of two members with words %v: got %v, %v, arrivals %d and %d, want that none is taken", w, step, one.refusal, a, b)
		}
	}
	a.own.arrival.Store(0)
	b.own.arrival.Store(0)
	setWords(t, name, spec.Initial)
}
