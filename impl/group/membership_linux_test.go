package group

import (
	"errors"
	"os"
	"slices"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// TestUnit_GuardsTheNext: a guardian watches the next rank that has an owner, of
// those whose death it has not handled.
func TestUnit_GuardsTheNext(t *testing.T) {
	name, lockPath := newNames(t)
	const n = 4 // rank 2 is vacant
	g, next, last := join(t, name, lockPath, n, 0), join(t, name, lockPath, n, 1), join(t, name, lockPath, n, 3)
	awaitGuardians(t, g, next, last)
	want := func(what string, of *Group, handled uint64, rank int, dead bool) {
		t.Helper()
		if got, owner, died := of.next(handled); got != rank || died != dead || owner != of.slots[rank].owner.Load() {
			t.Errorf("rank %d, %s: got rank %d, %v, want %d, %v", of.cfg.Rank, what, got, died, rank, dead)
		}
	}
	want("all alive", g, 1, 1, false)
	want("all alive", next, 1, 3, false)
	want("all alive", last, 1, 0, false)
	o := &g.slots[1]
	owner := o.owner.Load()
	defer func() {
		o.broken.Store(0)
		o.owner.Store(owner)
	}()
	o.owner.Store(owner | futexOwnerDied) // nobody wakes the guardian
	want("a death that has broken no round", g, 1, 1, true)
	o.broken.Store(5)
	want("a death that has broken a later round", g, 4, 1, true)
	want("a death that has broken this round", g, 5, 1, true)
	want("a death that it has handled", g, 6, 3, false)
	want("with rank 1 dead", last, 6, 0, false)
}

// TestUnit_JoinStartsOver: one that joins while the last one leaves, or while
// the barrier is removed, is in the group that has the name in the end.
func TestUnit_JoinStartsOver(t *testing.T) {
	for _, of := range []string{"group", "barrier"} {
		name, lockPath := newNames(t)
		last := join(t, name, lockPath, 2, 0)
		attempts := 0
		cfg := Config{Name: name, LockPath: lockPath, Parties: 2, Rank: 1, Hook: func(guardian bool, s spec.MemberStep) {
			if guardian || s != spec.LockRound {
				return
			}
			if attempts++; attempts > 1 {
				return
			}
			err := last.Leave()
			if of == "barrier" {
				err = errors.Join(err, impl.Remove(name, lockPath))
			}
			if err != nil {
				t.Error(err)
			}
		}}
		g, err := Join(t.Context(), cfg)
		if err != nil {
			t.Fatalf("Join while the %s is removed: got %v, want nil", of, err)
		}
		if s, err := Inspect(name); err != nil || s.Ranks[1].State != Outside {
			t.Fatalf("Join while the %s is removed: the group that has the name: got %+v, %v, want the new member in it", of, s, err)
		}
		again := join(t, name, lockPath, 2, 0)
		wantRounds(t, 3, g, again)
		if err := errors.Join(again.Leave(), g.Leave()); err != nil {
			t.Error(err)
		}
	}
}

// TestUnit_LeaveKeeps: the group's segment stays while somebody is alive, and
// while members are owed. One that leaves waits for foreign parties.
func TestUnit_LeaveKeeps(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{true, false} {
		name, lockPath := newNames(t)
		a, b := join(t, name, lockPath, 4, 0), join(t, name, lockPath, 4, 1)
		if err := b.Leave(); err != nil {
			t.Fatal(err)
		}
		exists := func(what string, want bool) {
			t.Helper()
			if _, err := os.Lstat(shm.Dir + name + spec.GroupSuffix); (err == nil) != want {
				t.Fatalf("the segment, when %s: Lstat: got %v, want that it exists: %v", what, err, want)
			}
		}
		exists("one of two has left", true)
		returned, counts, leave := make(chan error), make(chan bool), make(chan bool)
		for range 3 { // they are in the round, and do not count themselves out of it
			f, err := impl.Attach(t.Context(), name, lockPath)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			waits := false
			f.SetHook(func(s spec.Step) {
				if s == spec.LockExit && !waits { // not at further attempts
					waits = true
					counts <- true
					<-leave
				}
			})
			go func() { returned <- f.Wait(t.Context(), 4) }()
		}
		if err := a.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			<-counts
		}
		sections := 0
		a.SetHook(func(s spec.MemberStep) {
			if s != spec.LockRound {
				return
			}
			if sections++; patient && sections == 2 { // after a section of Leave in which one is owed
				close(leave)
				for range 3 {
					if err := <-returned; err != nil {
						t.Errorf("foreign party: Wait: got %v, want nil", err)
					}
				}
			}
		})
		if err := a.Leave(); err != nil {
			t.Fatal(err)
		}
		exists("the last one has left", !patient)
		if sections < 2 {
			t.Errorf("Leave while a member is owed: got %d sections, want more", sections)
		}
		if patient {
			continue
		}
		close(leave)
		joined := make(chan *Group)
		go func() { joined <- join(t, name, lockPath, 4, 0) }() // it settles what the one that left was owed
		for range 3 {
			if err := <-returned; err != nil {
				t.Errorf("foreign party: Wait: got %v, want nil", err)
			}
		}
		if err := (<-joined).Leave(); err != nil {
			t.Error(err)
		}
		wantWords(t, name, spec.Initial)
		exists("members have settled and left", false)
	}
}

// TestUnit_FirstDeathIsNoted: of two deaths in one round the error has the
// first rank.
func TestUnit_FirstDeathIsNoted(t *testing.T) {
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 3, 0)
	awaitGuardians(t, g)
	one := thread{Group: g, role: guarding}
	for _, rank := range []int{2, 1} { // the second death is noted in a section of its own
		g.slots[rank].owner.Store(1 | futexOwnerDied)
		g.slots[rank].pid.Store(int32(100 + rank))
		next := []spec.MemberStep{one.broken(7)}
		one.mark(7)
		if next = append(next, one.broken(7), one.broken(8)); !slices.Equal(next, []spec.MemberStep{spec.Mark, spec.TurnBroken, spec.Judge}) {
			t.Errorf("after Break, before and after Mark, and in the next round: got %v", next)
		}
		if got := g.head.brokenRank.Load(); got != 2 || g.slots[rank].broken.Load() != 7 {
			t.Errorf("after the death of rank %d: noted %d, broken round %d, want 2 and 7", rank, got, g.slots[rank].broken.Load())
		}
	}
	one.mark(8)
	for _, rank := range []int{2, 1} {
		if got := g.slots[rank].broken.Load(); got != 7 {
			t.Errorf("rank %d, marked again: got round %d, want 7", rank, got)
		}
	}
	var broken *BrokenError
	if err := g.brokenError(7); !errors.As(err, &broken) || broken.Rank != 2 || broken.Pid != 102 || broken.Round != 7 {
		t.Errorf("brokenError(7): got %v, want rank 2 with pid 102", err)
	}
	g.slots[1].broken.Store(0) // another one, with its rank, has died
	one.mark(9)
	if got := g.head.brokenRank.Load(); got != 1 {
		t.Errorf("after a death in a later round: noted %d, want 1", got)
	}
	for _, rank := range []int{2, 1} {
		g.slots[rank].owner.Store(vacant)
	}
}
