//go:build linux

package oracle

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/intercept"
)

// newLedger returns a ledger as its maker and as a worker have mapped it.
func newLedger(t *testing.T, workers int, rounds int64) (maker, worker *Ledger) {
	t.Helper()
	maker, err := NewLedger(workers, rounds, 100)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(maker.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if worker, err = OpenLedger(os.NewFile(uintptr(fd), "ledger"), workers, 100); err != nil {
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

// Return looks at every worker: in each round, each set of workers is missing
// once. All workers return, so that each has seen the violations.
func TestHazard_EarlyExitNamesAllMissingWorkers(t *testing.T) {
	const workers = 3
	maker, l := newLedger(t, workers, 0)
	violations := int64(0)
	for missing := range 1 << workers {
		round := int64(10 * (missing + 1)) // no worker has begun the rounds between
		var want []Violation
		for party := range workers {
			if missing>>party&1 == 0 {
				l.Begin(party, round, 0)
			} else {
				want = append(want, Violation{Round: round, Party: party, Begun: round - 10})
			}
		}
		for worker := range workers {
			for i := range want {
				want[i].Worker = worker
			}
			if got := l.Return(worker, round); !slices.Equal(got, want) {
				t.Errorf("Return(%d, %d) while %03b are missing = %v, want %v", worker, round, missing, got, want)
			}
			violations += int64(len(want))
			if got := l.Entry(worker).Returned; got != round {
				t.Errorf("Entry(%d).Returned = %d after the return from %d", worker, got, round)
			}
		}
		if got := maker.Violations(); got != violations {
			t.Errorf("Violations() = %d after round %d, want %d", got, round, violations)
		}
		for party := range workers {
			l.Begin(party, round, 0)
		}
	}
}

// A run is over when its last round is known and every worker has returned from
// it.
func TestUnit_OverAfterTheLastReturn(t *testing.T) {
	maker, l := newLedger(t, 2, 9)
	for _, c := range []struct {
		what string
		do   func()
		want bool
	}{
		{"nothing", func() {}, false},
		{"the first round", func() { l.Begin(0, 1, 0); l.Begin(1, 1, 0); l.Return(0, 1); l.Return(1, 1) }, false},
		{"the begin of the last one", func() { maker.RequestStop(); l.Begin(0, 2, 0); l.Begin(1, 2, 0) }, false},
		{"the return of worker 1", func() { l.Return(1, 2) }, false},
		{"the return of all", func() { l.Return(0, 2) }, true},
	} {
		if c.do(); maker.Over() != c.want {
			t.Errorf("after %s: Over() = %v, want %v", c.what, maker.Over(), c.want)
		}
	}
}

// TestUnit_LedgerFails: each system call that fails is an error that names the
// call, and leaves no descriptor.
func TestUnit_LedgerFails(t *testing.T) {
	open := func() (*Ledger, error) {
		file, err := os.CreateTemp(t.TempDir(), "ledger")
		if err != nil {
			return nil, err
		}
		return OpenLedger(file, 1, 100)
	}
	for _, c := range []struct {
		fails intercept.Filter
		make  func() (*Ledger, error)
		want  string
	}{
		{intercept.Filter{Number: unix.SYS_MEMFD_CREATE}, func() (*Ledger, error) { return NewLedger(1, 0, 100) }, "memfd_create"},
		{intercept.Filter{Number: unix.SYS_FALLOCATE}, func() (*Ledger, error) { return NewLedger(1, 0, 100) }, "reserve 4196 bytes"},
		{intercept.Mmap, func() (*Ledger, error) { return NewLedger(1, 0, 100) }, "map the ledger"},
		{intercept.Mmap, open, "map the ledger"},
	} {
		var before, after int
		var err error
		intercept.Run(t, []intercept.Filter{c.fails}, func(intercept.Call) unix.Errno { return unix.EIO }, func() {
			before = descriptors(t)
			_, err = c.make()
			after = descriptors(t)
		})
		if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), c.want) || before != after {
			t.Errorf("system call %d fails: got %v and %d descriptors, want its error with %q and %d", c.fails.Number, err, after, c.want, before)
		}
	}
}

// descriptors counts those of this process. With the first file that it opens,
// the runtime opens some of its own.
func descriptors(t *testing.T) int {
	t.Helper()
	if _, err := os.ReadFile("/proc/self/maps"); err != nil {
		t.Error(err)
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Error(err)
	}
	return len(list)
}

// TestUnit_ClosedTwice: a ledger that is closed says so.
func TestUnit_ClosedTwice(t *testing.T) {
	l, err := NewLedger(1, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Seal(); err != nil {
		t.Error(err)
	}
	if err := l.Seal(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Seal: got %v, want %v", err, os.ErrClosed)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if l.header != nil || l.entries != nil {
		t.Error("Close leaves pointers into memory that is unmapped")
	}
	if err := l.Close(); err == nil {
		t.Error("second Close: got nil, want the error of munmap")
	}
}

// After Seal and Close no process has a descriptor or a mapping of the ledger,
// and no child inherits one before.
func TestUnit_LedgerLeavesNoWayIn(t *testing.T) {
	maker, err := NewLedger(1, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(maker.File().Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags of the descriptor: %#x, %v; want close-on-exec", flags, err)
	}
	fd, err := unix.Dup(int(maker.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	worker, err := OpenLedger(os.NewFile(uintptr(fd), "ledger"), 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, descriptors, mappings int) {
		t.Helper()
		links, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, link := range links {
			if to, _ := os.Readlink(link); strings.HasPrefix(to, "/memfd:ledger") {
				open++
			}
		}
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		if mapped := strings.Count(string(maps), "/memfd:ledger"); open != descriptors || mapped != mappings {
			t.Errorf("%s: %d descriptors and %d mappings of the ledger, want %d and %d", when, open, mapped, descriptors, mappings)
		}
	}
	check("when a worker has mapped it", 1, 2)
	if err := maker.Seal(); err != nil {
		t.Error(err)
	}
	check("after Seal", 0, 2)
	if err := errors.Join(worker.Close(), maker.Close()); err != nil {
		t.Error(err)
	}
	check("after Close", 0, 0)
	unsealed, err := NewLedger(1, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	unsealed.Close()
	check("after Close without Seal", 0, 0)
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
	check("known from the start", 2, true)
	l.Begin(0, 2, 0)
	check("the second of 2 rounds", 2, true)

	var maker *Ledger
	maker, l = newLedger(t, 2, 0)
	l.Begin(0, 7, 0)
	maker.RequestStop()
	check("begun before the request", 7, false)
	l.Begin(0, 8, 0)
	check("begun after the request", 8, true)
	check("the round before the last", 7, false)
}

// TestHazard_WithdrawnCallIsNotBegun: a call that was left counts as not begun.
// So a worker that returns from its round before the call is made again has
// exited early. The control begins again first.
func TestHazard_WithdrawnCallIsNotBegun(t *testing.T) {
	for _, again := range []bool{false, true} {
		maker, l := newLedger(t, 2, 0)
		l.Begin(0, 1, 10)
		l.Begin(1, 1, 20)
		l.Leave(1, 1, Withdrawn)
		var want []Violation
		if again {
			l.Begin(1, 1, 30)
		} else {
			want = []Violation{{Worker: 0, Round: 1, Party: 1, Begun: 0}}
		}
		if got := l.Return(0, 1); !slices.Equal(got, want) {
			t.Errorf("Return after the other has withdrawn, and begun again %v = %v, want %v", again, got, want)
		}
		if got := maker.Entry(1); got.Withdrawn != 1 || got.Abandoned != 0 {
			t.Errorf("Entry(1) = %+v, want 1 withdrawn call", got)
		}
		l.Leave(0, 2, Abandoned)
		if got := maker.Entry(0); got.Abandoned != 1 {
			t.Errorf("Entry(0) = %+v, want 1 abandoned call", got)
		}
	}
}

// TestUnit_MembersOfSomeRounds: a worker is missing only in the rounds of which
// it is a party, and only these count.
func TestUnit_MembersOfSomeRounds(t *testing.T) {
	maker, l := newLedger(t, 3, 0)
	maker.SetMember(1, 1, 2) // leaves after round 2
	maker.SetMember(2, 3, 0) // joins in round 3
	maker.RequestStop()
	check := func(worker int, round int64, want []Violation) {
		t.Helper()
		l.Begin(worker, round, 0)
		if got := l.Return(worker, round); !slices.Equal(got, want) {
			t.Errorf("Return(%d, %d) = %v, want %v", worker, round, got, want)
		}
	}
	check(0, 1, []Violation{{0, 1, 1, 0}})
	check(1, 1, nil)
	if l.IsLast(1) {
		t.Error("round 1 is the last, before worker 2 has joined")
	}
	check(0, 2, []Violation{{0, 2, 1, 1}})
	check(1, 2, nil)
	if got := maker.Rounds(); got != 2 {
		t.Errorf("Rounds() = %d, want 2", got)
	}
	check(0, 3, []Violation{{0, 3, 2, 2}})
	check(2, 3, nil)
	if got := maker.Rounds(); got != 3 || !l.IsLast(3) || !maker.Over() {
		t.Errorf("Rounds() = %d, round 3 is the last %v, over %v; want 3, true, true", got, l.IsLast(3), maker.Over())
	}
}

// TestUnit_KnownLastRound: a worker that is let through early by a violation
// ends after the last round all the same.
func TestUnit_KnownLastRound(t *testing.T) {
	_, l := newLedger(t, 2, 2)
	l.Begin(1, 2, 0)
	l.Return(1, 2)
	if !l.IsLast(2) || l.IsLast(1) {
		t.Errorf("IsLast(1), IsLast(2) = %v, %v before worker 0 has begun, want false, true", l.IsLast(1), l.IsLast(2))
	}
}

// TestUnit_HappenedSurvives: what a worker has recorded of a fault, its parent
// reads.
func TestUnit_HappenedSurvives(t *testing.T) {
	maker, l := newLedger(t, 2, 0)
	for fault := range MostFaults {
		for range fault {
			l.AddHappened(1, fault)
		}
		if got := maker.Happened(1, fault); got != int64(fault) || maker.Happened(0, fault) != 0 {
			t.Errorf("Happened(1, %d) = %d, want %d, and 0 of worker 0", fault, got, fault)
		}
	}
}
