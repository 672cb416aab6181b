//go:build linux

package group

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/group"
	"sharedbarrier/spec"
)

// TestHazard_GroupFacts: of each fact that is compared, a real difference is
// found, and no other fact shows it.
func TestHazard_GroupFacts(t *testing.T) {
	t.Parallel()
	s := newSession(t, group.Config{Members: 2, Rounds: 1, Deaths: 1})
	s.until(t, 0, spec.Gather)
	wantFound(t, s, s.lockPath, "holder of the lock", func() func() {
		f, err := os.Open(s.lockPath)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		return func() { f.Close() }
	})
	s.until(t, 1, spec.CarryRaiseFlag) // the journal is open
	for _, tc := range []struct {
		path, what string
		offset     int64
	}{
		{shm + s.files.Segment, "words", int64(spec.Enter.Offset())},
		{shm + s.files.Segment, "words", int64(spec.Exit.Offset())},
		{shm + s.files.Segment, "words", int64(spec.Flag.Offset())},
		{s.groupPath(), "turn", offset(-1, "turn")},
		{s.groupPath(), "completed", offset(-1, "completed")},
		{s.groupPath(), "owed", offset(-1, "owed")},
		{s.groupPath(), "journal", offset(-1, "phase")},
		{s.groupPath(), "journal", offset(-1, "taken")},
		{s.groupPath(), "journal", offset(-1, "round")},
		{s.groupPath(), "journal", offset(-1, "enter")},
		{s.groupPath(), "journal", offset(-1, "exit")},
		{s.groupPath(), "journal", offset(-1, "flag")},
		{s.groupPath(), "note of a death", offset(-1, "brokenRound")},
		{s.groupPath(), "note of a death", offset(-1, "brokenRank")},
		{s.groupPath(), "note of a death", offset(-1, "brokenStep")},
		{s.groupPath(), "arrival of slot 0", offset(0, "arrival")},
		{s.groupPath(), "broken of slot 1", offset(1, "broken")},
		{s.groupPath(), "step of slot 1", offset(1, "step")},
	} {
		wantFound(t, s, tc.path, tc.what, func() func() { return s.spoil(t, tc.path, tc.offset, 1) })
	}
	const ownerDied = 1 << 30
	wantFound(t, s, s.groupPath(), "owner of slot 0", func() func() { return s.spoil(t, s.groupPath(), offset(0, "owner"), ownerDied) })
}

// wantFound wants one difference, with what, between spoiling and what undoes
// that.
func wantFound(t *testing.T, s *session, where, what string, spoil func() (undo func())) {
	t.Helper()
	undo := spoil()
	err := s.compare()
	undo()
	if err == nil || !strings.HasPrefix(err.Error(), what+": got ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s with another %s: got %v, want that difference", where, what, err)
	}
	if err := s.compare(); err != nil {
		t.Fatalf("%s as before: got %v, want no difference", where, err)
	}
}

// spoil changes bits of four bytes.
func (s *session) spoil(t *testing.T, path string, offset int64, bits uint32) (undo func()) {
	flip := func() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var b [4]byte
		if _, err := f.ReadAt(b[:], offset); err != nil {
			t.Fatal(err)
		}
		binary.NativeEndian.PutUint32(b[:], binary.NativeEndian.Uint32(b[:])^bits)
		if _, err := f.WriteAt(b[:], offset); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	return flip
}

// offset is that of a field of the rank's slot, or of the header if it is -1.
func offset(rank int, name string) int64 {
	base, fields := 0, spec.GroupHeader
	if rank >= 0 {
		base, fields = spec.GroupHeaderSize+rank*spec.GroupSlotSize, spec.GroupSlot
	}
	at, _ := place(base, fields, name)
	return int64(at)
}

// until has the calling thread of the member take steps until it is at one.
func (s *session) until(t *testing.T, rank int, step spec.MemberStep) {
	t.Helper()
	for s.snap.Threads[2*rank].At != step {
		s.step(t, 2*rank, group.NoEvent)
	}
}

func (s *session) step(t *testing.T, thread int, e group.Event) {
	t.Helper()
	for _, a := range s.steps.Actions(&s.state, nil) {
		if int(a.Thread) == thread && a.Event == e {
			if err := s.take(a); err != nil {
				t.Fatal(s.failure(err))
			}
			return
		}
	}
	t.Fatalf("thread %d has no such step in %v", thread, s.state)
}

// TestHazard_GroupResult: a call that ends with another error than it must is
// found.
func TestHazard_GroupResult(t *testing.T) {
	t.Parallel()
	s := newSession(t, group.Config{Members: 2, Rounds: 1, Deaths: 1})
	s.until(t, 0, spec.Gather)
	s.step(t, 2, group.Die)
	for s.snap.Threads[1].At != spec.Watch || !s.snap.Broken {
		s.step(t, 1, group.NoEvent)
	}
	s.until(t, 0, spec.Return)
	s.noted.rank = 0
	list := s.steps.Actions(&s.state, nil)
	err := s.take(list[slices.IndexFunc(list, func(a group.Action) bool { return a.Thread == 0 && a.Event == group.NoEvent })])
	if want := "next: got = broken: rank 1 died at Begin, want = broken: rank 0 died at Begin"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a call of which the machine has another error: got %v, want %s", err, want)
	}
}

// TestHazard_GroupMutants: real members differ from the machine with a mistake,
// where that shows first.
func TestHazard_GroupMutants(t *testing.T) {
	for name, first := range map[string]string{
		"no-ready":       "next: got Ready, want CarryResetEnter",
		"ready-at-open":  "journal: ",
		"takes-unmarked": "arrival of slot",
		"no-reopen":      "next: got Reopen, want UndoEnter",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(group.Mutants, func(m group.Mutant) bool { return m.Name == name })
			s := newSession(t, group.Config{Members: 2, Rounds: 2, Deaths: 1, Mutant: &group.Mutants[i]})
			err := s.walk(rand.New(rand.NewPCG(1, 0)), 5000)
			if err == nil || !strings.Contains(err.Error(), first) {
				t.Errorf("got %v, want %s", err, first)
			}
		})
	}
}
