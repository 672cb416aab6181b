package group

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// TestUnit_StatusDuringLeave: Status fails with ErrClosed alone, at whatever
// moment of a Leave it comes.
func TestUnit_StatusDuringLeave(t *testing.T) {
	t.Parallel()
	for range 10 {
		name, lockPath := newNames(t)
		g := join(t, name, lockPath, 1, 0)
		left := make(chan error, 1)
		go func() { left <- g.Leave() }()
		var err error
		for err == nil {
			_, err = g.Status()
		}
		wantError(t, "Status during Leave", err, ErrClosed)
		if err := <-left; err != nil {
			t.Errorf("Leave: got %v, want nil", err)
		}
	}
}

// TestUnit_LeaveFails: a member that cannot leave is dead for the others, since
// no thread stands for it any more. They go on when they have its rank back.
func TestUnit_LeaveFails(t *testing.T) {
	t.Parallel()
	name, lockPath := newNames(t)
	dir := filepath.Join(filepath.Dir(lockPath), "job")
	lockPath = filepath.Join(dir, "lock")
	mkdir := func() {
		t.Helper()
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mkdir()
	g, leaves := join(t, name, lockPath, 2, 0), join(t, name, lockPath, 2, 1)
	wantRounds(t, 3, g, leaves)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Leave without a directory of the lock file", leaves.Leave(), os.ErrNotExist)
	mkdir()
	err := g.Wait(t.Context())
	var broken *BrokenError
	if !errors.As(err, &broken) || broken.Rank != 1 {
		t.Errorf("Wait beside a member that failed to leave: got %v, want a BrokenError of rank 1", err)
	}
	wantRounds(t, 3, g, join(t, name, lockPath, 2, 1))
}

// TestUnit_StatusOutside: the round, the step and the time of a member that is
// not in a call are those of its last call, if it had one.
func TestUnit_StatusOutside(t *testing.T) {
	t.Parallel()
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 1, 0)
	check := func(when string, round uint64) {
		t.Helper()
		s, err := g.Status()
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Ranks[0]; r.State != Outside || r.Round != round || r.Step != spec.Begin.String() {
			t.Errorf("%s: got %v, want it outside, with round %d, at Begin", when, r, round)
		}
	}
	check("before a call", 0)
	wantRounds(t, 2, g)
	check("after two", 2)
	before, _ := g.Status()
	g.barrier.Store(spec.Enter, 2)
	if err := g.Wait(t.Context()); err == nil {
		t.Error("Wait with words out of range: got nil, want an error")
	}
	g.barrier.Store(spec.Enter, 0)
	check("after one that failed", 3)
	if after, _ := g.Status(); !after.Ranks[0].Since.After(before.Ranks[0].Since) {
		t.Errorf("since when it is outside, after a call that failed: got %v as before", after.Ranks[0].Since)
	}
}

// TestUnit_TruncatedGroup: a peer has truncated the segment of the group, also
// so that a member's own slot is still there, and the one that its guardian
// watches is not. Each call says so, and Leave closes the member.
func TestUnit_TruncatedGroup(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ parties, size int }{{2, 0}, {40, os.Getpagesize()}} {
		name, lockPath := newNames(t)
		g, last := join(t, name, lockPath, tc.parties, 0), join(t, name, lockPath, tc.parties, tc.parties-1)
		if err := os.Truncate(shm.Dir+name+spec.GroupSuffix, int64(tc.size)); err != nil {
			t.Fatal(err)
		}
		for _, g := range []*Group{g, last} {
			wantError(t, "Wait", g.Wait(t.Context()), impl.ErrSize)
			_, err := g.Status()
			wantError(t, "Status", err, impl.ErrSize)
			wantError(t, "Reset", g.Reset(), impl.ErrSize)
			wantError(t, "Leave", g.Leave(), impl.ErrSize)
			wantError(t, "Leave", g.Leave(), ErrClosed)
		}
	}
}
