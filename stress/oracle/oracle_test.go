//go:build linux

package oracle

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

func newLedger(t *testing.T, workers int, rounds int64) *Ledger {
	t.Helper()
	l, err := NewLedger(workers, rounds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestHazard_EarlyExitNamesTheMissingWorker(t *testing.T) {
	l := newLedger(t, 3, 0)
	l.Begin(0, 1, 10)
	l.Begin(1, 1, 20)
	want := []Violation{{Worker: 0, Round: 1, Party: 2, Begun: 0}}
	if got := l.Return(0, 1); !slices.Equal(got, want) {
		t.Errorf("Return(0, 1) = %v, want %v", got, want)
	}
	l.Begin(2, 1, 30)
	if got := l.Return(1, 1); got != nil {
		t.Errorf("Return(1, 1) with all begun = %v, want none", got)
	}
	l.Begin(1, 2, 40) // a party that is ahead is no violation
	if got := l.Return(2, 1); got != nil {
		t.Errorf("Return(2, 1) with one ahead = %v, want none", got)
	}
	if got := l.Violations(); got != 1 {
		t.Errorf("Violations() = %d, want 1", got)
	}
}

func TestUnit_LastBeginIsOfTheRound(t *testing.T) {
	l := newLedger(t, 2, 0)
	l.Begin(0, 1, 10)
	l.Begin(1, 1, 20)
	l.Begin(0, 2, 30)
	if got := l.LastBegin(1); got != 20 {
		t.Errorf("LastBegin(1) = %d, want 20", got)
	}
	l.Begin(1, 2, 25)
	if got := l.LastBegin(2); got != 30 {
		t.Errorf("LastBegin(2) = %d, want 30", got)
	}
}

func TestUnit_EntriesAndRounds(t *testing.T) {
	l := newLedger(t, 2, 0)
	l.Begin(0, 1, 1)
	l.Begin(1, 1, 1)
	l.Return(0, 1)
	l.SetStep(1, spec.AwaitFlag)
	if got, want := l.Entry(1), (Entry{Begun: 1, Step: spec.AwaitFlag}); got != want {
		t.Errorf("Entry(1) = %+v, want %+v", got, want)
	}
	if got := l.Rounds(); got != 0 {
		t.Errorf("Rounds() = %d while worker 1 is in its first call, want 0", got)
	}
	l.Return(1, 1)
	if got := l.Rounds(); got != 1 {
		t.Errorf("Rounds() = %d, want 1", got)
	}
}

func TestUnit_LastRoundByCountAndByRequest(t *testing.T) {
	l := newLedger(t, 2, 2)
	l.Begin(0, 1, 0)
	if l.IsLast(1) {
		t.Error("IsLast(1) of 2 rounds = true, want false")
	}
	l.Begin(1, 2, 0)
	if l.IsLast(2) {
		t.Error("IsLast(2) of 2 rounds = true before worker 0 begins it, want false")
	}
	l.Begin(0, 2, 0)
	if !l.IsLast(2) {
		t.Error("IsLast(2) of 2 rounds = false, want true")
	}

	l = newLedger(t, 2, 0)
	l.Begin(0, 7, 0)
	l.RequestStop()
	if l.IsLast(7) {
		t.Error("IsLast(7) = true, want false: it had begun before the request")
	}
	l.Begin(0, 8, 0)
	if !l.IsLast(8) {
		t.Error("IsLast(8) = false, want true: it began after the request")
	}
}

// The test maps one ledger twice, as two processes do.
func TestUnit_OpenLedgerSharesMemory(t *testing.T) {
	ours := newLedger(t, 5, 0)
	fd, err := unix.Dup(int(ours.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := OpenLedger(os.NewFile(uintptr(fd), "ledger"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	for worker := range 5 {
		theirs.Begin(worker, int64(worker)+1, 0)
	}
	for worker := range 5 {
		if got := ours.Entry(worker).Begun; got != int64(worker)+1 {
			t.Errorf("worker %d has begun %d, want %d", worker, got, worker+1)
		}
	}
}
