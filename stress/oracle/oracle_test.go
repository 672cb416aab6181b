//go:build linux

package oracle

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

func newLedger(t *testing.T, workers int) *Ledger {
	t.Helper()
	w, err := NewLedger(workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestReturn_NamesWhoHadNotBegun(t *testing.T) {
	w := newLedger(t, 3)
	w.Begin(0, 1, 10)
	w.Begin(1, 1, 20)
	want := []Violation{{Worker: 0, Round: 1, Party: 2, Begun: 0}}
	if got := w.Return(0, 1); !slices.Equal(got, want) {
		t.Errorf("Return(0, 1) = %v, want %v", got, want)
	}
	w.Begin(2, 1, 30)
	if got := w.Return(1, 1); got != nil {
		t.Errorf("Return(1, 1) with all begun = %v, want none", got)
	}
	w.Begin(1, 2, 40) // a party that is ahead is no violation
	if got := w.Return(2, 1); got != nil {
		t.Errorf("Return(2, 1) with one ahead = %v, want none", got)
	}
	if got := w.Violations(); got != 1 {
		t.Errorf("Violations() = %d, want 1", got)
	}
}

func TestLastBegin_IsOfTheRound(t *testing.T) {
	w := newLedger(t, 2)
	w.Begin(0, 1, 10)
	w.Begin(1, 1, 20)
	w.Begin(0, 2, 30)
	if got := w.LastBegin(1); got != 20 {
		t.Errorf("LastBegin(1) = %d, want 20", got)
	}
	w.Begin(1, 2, 25)
	if got := w.LastBegin(2); got != 30 {
		t.Errorf("LastBegin(2) = %d, want 30", got)
	}
}

func TestProgress_AndRounds(t *testing.T) {
	w := newLedger(t, 2)
	w.Begin(0, 1, 1)
	w.Begin(1, 1, 1)
	w.Return(0, 1)
	w.At(1, spec.AwaitFlag)
	if got, want := w.Progress(1), (Progress{Begun: 1, Step: spec.AwaitFlag}); got != want {
		t.Errorf("Progress(1) = %+v, want %+v", got, want)
	}
	if got := w.Rounds(); got != 0 {
		t.Errorf("Rounds() = %d while worker 1 is in its first call, want 0", got)
	}
	w.Return(1, 1)
	if got := w.Rounds(); got != 1 {
		t.Errorf("Rounds() = %d, want 1", got)
	}
}

func TestLastRound_ByCountAndByRequest(t *testing.T) {
	w := newLedger(t, 2)
	w.Decide(1, 2)
	if w.IsLast(1) {
		t.Error("IsLast(1) of 2 rounds")
	}
	w.Decide(2, 2)
	if !w.IsLast(2) {
		t.Error("not IsLast(2) of 2 rounds")
	}

	w = newLedger(t, 2)
	w.Decide(7, 0)
	w.RequestStop()
	if w.IsLast(7) {
		t.Error("IsLast(7), which had begun before the request")
	}
	w.Decide(8, 0)
	if !w.IsLast(8) {
		t.Error("not IsLast(8), which began after the request")
	}
}

// TestOpenWitness_SharesMemory maps one witness twice, as two processes do.
func TestOpenWitness_SharesMemory(t *testing.T) {
	ours := newLedger(t, 5)
	fd, err := unix.Dup(int(ours.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := OpenLedger(os.NewFile(uintptr(fd), "witness"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	for worker := range 5 {
		theirs.Begin(worker, int64(worker)+1, 0)
	}
	for worker := range 5 {
		if got := ours.Progress(worker).Begun; got != int64(worker)+1 {
			t.Errorf("worker %d has begun %d, want %d", worker, got, worker+1)
		}
	}
}
