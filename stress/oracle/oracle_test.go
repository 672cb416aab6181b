//go:build linux

package oracle

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// newLedger returns a ledger as its maker and as a worker have mapped it.
func newLedger(t *testing.T, workers int, rounds int64) (maker, worker *Ledger) {
	t.Helper()
	maker, err := NewLedger(workers, rounds)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(maker.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if worker, err = OpenLedger(os.NewFile(uintptr(fd), "ledger"), workers); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Ledger{maker, worker} {
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return maker, worker
}

func TestHazard_EarlyExitNamesTheMissingWorker(t *testing.T) {
	maker, l := newLedger(t, 3, 0)
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
	l.Begin(1, 2, 40) // a worker that is ahead is no violation
	if got := l.Return(2, 1); got != nil {
		t.Errorf("Return(2, 1) with one ahead = %v, want none", got)
	}
	if got := maker.Violations(); got != 1 {
		t.Errorf("Violations() = %d, want 1", got)
	}
}

func TestUnit_LastBeginIsOfTheRound(t *testing.T) {
	_, l := newLedger(t, 2, 0)
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
	maker, l := newLedger(t, 5, 0)
	for worker := range 5 {
		l.Begin(worker, 1, 1)
		l.SetStep(worker, spec.Step(worker))
		if got, want := maker.Entry(worker), (Entry{Begun: 1, Step: spec.Step(worker)}); got != want {
			t.Errorf("Entry(%d) = %+v, want %+v", worker, got, want)
		}
	}
	for worker := range 5 {
		if got := maker.Rounds(); got != 0 {
			t.Errorf("Rounds() = %d while worker %d is in its first call, want 0", got, worker)
		}
		l.Return(worker, 1)
	}
	if got := maker.Rounds(); got != 1 {
		t.Errorf("Rounds() = %d, want 1", got)
	}
}

func TestUnit_LastRoundByCountAndByRequest(t *testing.T) {
	_, l := newLedger(t, 2, 2)
	check := func(when string, round int64, want bool) {
		t.Helper()
		if got := l.IsLast(round); got != want {
			t.Errorf("%s: IsLast(%d) = %v, want %v", when, round, got, want)
		}
	}
	l.Begin(0, 1, 0)
	check("the first of 2 rounds", 1, false)
	l.Begin(1, 2, 0)
	check("before worker 0 begins it", 2, false)
	l.Begin(0, 2, 0)
	check("the second of 2 rounds", 2, true)

	var maker *Ledger
	maker, l = newLedger(t, 2, 0)
	l.Begin(0, 7, 0)
	maker.RequestStop()
	check("begun before the request", 7, false)
	l.Begin(0, 8, 0)
	check("begun after the request", 8, true)
}
