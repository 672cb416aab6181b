package impl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

var names atomic.Int64

// newNames returns the two names of a new barrier. It removes their files after
// the test.
func newNames(t testing.TB) (name, lockPath string) {
	name = fmt.Sprintf("sharedbarrier-test-%d-%d", os.Getpid(), names.Add(1))
	lockPath = filepath.Join(t.TempDir(), "lock")
	t.Cleanup(func() {
		if err := Remove(name, lockPath); err != nil {
			t.Errorf("Remove(%q): got %v, want nil", name, err)
		}
	})
	return name, lockPath
}

// create returns a new barrier, closed after the test.
func create(t testing.TB) (b *Barrier, name, lockPath string) {
	name, lockPath = newNames(t)
	b, err := Create(name, lockPath)
	if err != nil {
		t.Fatalf("Create(%q): got %v, want nil", name, err)
	}
	t.Cleanup(func() { b.Close() })
	return b, name, lockPath
}

func attach(t testing.TB, name, lockPath string) *Barrier {
	b, err := Attach(t.Context(), name, lockPath)
	if err != nil {
		t.Fatalf("Attach(%q): got %v, want nil", name, err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func wantWords(t testing.TB, b *Barrier, want spec.Words) {
	t.Helper()
	if got, err := b.Words(); err != nil || got != want {
		t.Errorf("Words(): got %v, %v, want %v", got, err, want)
	}
}

func wantError(t testing.TB, call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", call, got, want)
	}
}

// TestUnit_RoundsOfManyParties: no call returns early, whether its parties keep
// the lock between their sections or, as they have a hook, do not.
func TestUnit_RoundsOfManyParties(t *testing.T) {
	for hooked := range 3 {
		testRounds(t, 2, hooked, 500)
		testRounds(t, 5, 2*hooked, 100)
	}
}

func testRounds(t *testing.T, parties, hooked int, rounds int64) {
	t.Helper()
	_, name, lockPath := create(t)
	begun := make([]atomic.Int64, parties)
	var group sync.WaitGroup
	for p := range parties {
		b := attach(t, name, lockPath)
		if p < hooked {
			b.SetHook(func(spec.Step) {})
		}
		group.Go(func() {
			for r := int64(1); r <= rounds; r++ {
				begun[p].Store(r)
				if err := b.Wait(t.Context(), parties); err != nil {
					t.Errorf("p%d: Wait %d: got %v, want nil", p, r, err)
					return
				}
				for q := range begun {
					if got := begun[q].Load(); got < r {
						t.Errorf("p%d returned from call %d when p%d had begun %d", p, r, q, got)
					}
				}
			}
		})
	}
	group.Wait()
	b := attach(t, name, lockPath)
	wantWords(t, b, spec.Initial)
}

func TestUnit_CreateIsReadyAndExclusive(t *testing.T) {
	b, name, lockPath := create(t)
	wantWords(t, b, spec.Initial)
	info, err := os.Lstat(shm.Dir + name)
	if err != nil || info.Mode() != 0o600 || info.Size() != spec.Size {
		t.Errorf("Lstat(%q): got mode %v, size %d, %v, want -rw-------, %d, nil", name, info.Mode(), info.Size(), err, spec.Size)
	}
	_, err = Create(name, lockPath)
	wantError(t, "second Create", err, fs.ErrExist)
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait after a failed Create: got %v, want nil", err)
	}
}

// TestUnit_Construction: Construct and Reset write the initial words, and Reset
// takes the steps of construction in their order.
func TestUnit_Construction(t *testing.T) {
	b, name, lockPath := create(t)
	before := spec.Words{Enter: 3, Exit: 2, Flag: spec.Down}
	setWords(b, before)
	c, err := Construct(name, lockPath)
	if err != nil {
		t.Fatalf("Construct: got %v, want nil", err)
	}
	defer c.Close()
	wantWords(t, b, spec.Initial)
	setWords(b, before)
	var steps []spec.Step
	b.SetHook(func(s spec.Step) { steps = append(steps, s) })
	if err := b.Reset(); err != nil || !slices.Equal(steps, spec.ConstructionSteps) {
		t.Errorf("Reset: got %v and steps %v, want nil and %v", err, steps, spec.ConstructionSteps)
	}
	wantWords(t, b, spec.Initial)
}

// TestUnit_ResetAfterWithdrawal: a withdrawal leaves exit and flag changed, and
// the next round can have the same party count, or another one after a Reset.
func TestUnit_ResetAfterWithdrawal(t *testing.T) {
	b, _, _ := create(t)
	withdraw := func(parties int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		b.SetHook(func(s spec.Step) {
			if s == spec.AwaitFlag {
				cancel()
			}
		})
		defer b.SetHook(nil)
		wantError(t, "Wait that withdraws", b.Wait(ctx, parties), context.Canceled)
		wantWords(t, b, spec.Words{Exit: int32(parties), Flag: spec.Down})
	}
	withdraw(2)
	withdraw(2)
	wantError(t, "Wait with a smaller count", b.Wait(t.Context(), 1), ErrCorrupt)
	if err := b.Reset(); err != nil {
		t.Errorf("Reset: got %v, want nil", err)
	}
	wantWords(t, b, spec.Initial)
	withdraw(3)
	if err := b.Reset(); err != nil {
		t.Errorf("Reset: got %v, want nil", err)
	}
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait with another count after Reset: got %v, want nil", err)
	}
}

// TestUnit_Remove: Remove unlinks both files, and each if the other is missing.
func TestUnit_Remove(t *testing.T) {
	for _, missing := range []string{"neither", "segment", "lock file"} {
		_, name, lockPath := create(t)
		paths := map[string]string{"segment": shm.Dir + name, "lock file": lockPath}
		if path, is := paths[missing]; is {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		if err := Remove(name, lockPath); err != nil {
			t.Errorf("Remove, %s missing: got %v, want nil", missing, err)
		}
		for what, path := range paths {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Remove, %s missing, leaves the %s: Lstat: %v", missing, what, err)
			}
		}
	}
	name, lockPath := newNames(t)
	if err := os.Mkdir(shm.Dir+name, 0o700); err != nil {
		t.Fatal(err)
	}
	if Remove(name, lockPath) == nil {
		t.Error("Remove of a directory in the segment's place: got nil, want an error")
	}
	if err := errors.Join(os.Remove(shm.Dir+name), os.Mkdir(lockPath, 0o700)); err != nil {
		t.Fatal(err)
	}
	if Remove(name, lockPath) == nil {
		t.Error("Remove of a directory in the lock file's place: got nil, want an error")
	}
	os.Remove(lockPath)
}

// TestUnit_CloseOnExec: no descriptor of a handle is inherited.
func TestUnit_CloseOnExec(t *testing.T) {
	for _, use := range uses {
		name, lockPath := namesFor(t, use.exists)
		b, err := use.open(name, lockPath)
		if err != nil {
			t.Fatal(err)
		}
		for what, fd := range map[string]int{"segment": b.segment.FD, "lock file": b.lock.FD} {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("descriptor of the %s after %s: got flags %#x, %v, want close-on-exec", what, use.call, flags, err)
			}
		}
		b.Close()
	}
}

func TestUnit_BadNames(t *testing.T) {
	lockPath := filepath.Join(t.TempDir(), "lock")
	for _, name := range []string{"", ".", "..", "a/b", "/a", "a\x00b", strings.Repeat("x", 256)} {
		_, err := Create(name, lockPath)
		wantError(t, fmt.Sprintf("Create(%.20q)", name), err, ErrName)
		_, err = Attach(t.Context(), name, lockPath)
		wantError(t, fmt.Sprintf("Attach(%.20q)", name), err, ErrName)
		wantError(t, fmt.Sprintf("Remove(%.20q)", name), Remove(name, lockPath), ErrName)
	}
	wantError(t, "checkName of 255 bytes", shm.CheckName(strings.Repeat("x", 255)), nil)
	if _, err := os.Lstat(lockPath); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a bad name left the lock file behind: Lstat: %v", err)
	}
}

func TestUnit_BadParties(t *testing.T) {
	b, _, _ := create(t)
	bad := []int{math.MinInt, -1, 0}
	if more := int64(math.MaxInt32) + 1; int64(int(more)) == more { // an int is longer than the words
		bad = append(bad, int(more))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, parties := range bad {
		wantError(t, fmt.Sprintf("Wait(%d)", parties), b.Wait(ended, parties), ErrParties)
	}
	for _, parties := range []int{1, math.MaxInt32} {
		wantError(t, fmt.Sprintf("Wait(%d)", parties), b.Wait(ended, parties), context.Canceled)
	}
	wantWords(t, b, spec.Initial)
}

func TestUnit_EndedContextDoesNothing(t *testing.T) {
	b, _, _ := create(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b.SetHook(func(s spec.Step) { t.Errorf("Wait with an ended context took %v", s) })
	wantError(t, "Wait", b.Wait(ctx, 1), context.Canceled)
	wantWords(t, b, spec.Initial)
}

func TestUnit_ClosedHandle(t *testing.T) {
	b, _, _ := create(t)
	if err := b.Close(); err != nil {
		t.Fatalf("Close: got %v, want nil", err)
	}
	wantError(t, "second Close", b.Close(), ErrClosed)
	wantError(t, "Wait", b.Wait(t.Context(), 1), ErrClosed)
	wantError(t, "Reset", b.Reset(), ErrClosed)
	_, err := b.Words()
	wantError(t, "Words", err, ErrClosed)
}

// TestUnit_CloseFails: Close says what it could not close, and closes the rest.
func TestUnit_CloseFails(t *testing.T) {
	b, _, _ := create(t)
	if err := unix.Close(b.segment.FD); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Close of a handle whose segment is closed", b.Close(), unix.EBADF)
	if b.lock.FD >= 0 {
		t.Errorf("Close leaves the lock file open as %d", b.lock.FD)
	}
}

func TestUnit_BusyHandle(t *testing.T) {
	b, _, _ := create(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	polling, done := make(chan struct{}), make(chan error)
	b.SetHook(func(s spec.Step) {
		if s == spec.AwaitFlag {
			once.Do(func() { close(polling) })
		}
	})
	go func() { done <- b.Wait(ctx, 2) }()
	<-polling
	wantError(t, "second Wait", b.Wait(t.Context(), 2), ErrBusy)
	wantError(t, "Close during Wait", b.Close(), ErrBusy)
	wantWords(t, b, spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
	cancel()
	wantError(t, "cancelled Wait", <-done, context.Canceled)
	wantWords(t, b, spec.Words{Enter: 0, Exit: 2, Flag: spec.Down})
}

func TestUnit_HookSeesEachStep(t *testing.T) {
	b, _, _ := create(t)
	var steps []spec.Step
	b.SetHook(func(s spec.Step) { steps = append(steps, s) })
	if err := b.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	b.SetHook(nil)
	// The only call of a round is the first and the last: it takes every step.
	if want := spec.CallSteps; !slices.Equal(steps, want) {
		t.Errorf("steps of Wait(1): got %v, want %v", steps, want)
	}
}

// TestUnit_NothingIsLeftOpen: Close and each failure to open leave no
// descriptor and no mapping.
func TestUnit_NothingIsLeftOpen(t *testing.T) {
	use := func() {
		b, name, lockPath := create(t)
		if err := b.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		attach(t, name, lockPath).Close()
		_, err := Create(name, lockPath)
		wantError(t, "Create of what exists", err, fs.ErrExist)
		setWords(b, spec.Words{Flag: 2})
		_, err = Attach(t.Context(), name, lockPath)
		wantError(t, "Attach to corrupt words", err, ErrCorrupt)
		if err := os.Truncate(shm.Dir+name, 0); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = Attach(ended, name, lockPath)
		wantError(t, "Attach to an empty segment", err, context.Canceled)
		if err := b.Close(); err != nil {
			t.Errorf("Close: got %v, want nil", err)
		}
	}
	use() // the runtime has opened what it needs
	before := countOpen(t)
	for range 3 {
		use()
	}
	if after := countOpen(t); after != before {
		t.Errorf("descriptors and mappings of segments: got %d, want %d as before", after, before)
	}
}

// countOpen counts the descriptors of this process and its mappings of
// segments. It reads a file first: with the first one the runtime opens
// descriptors of its own, and a test may be the only one that runs.
func countOpen(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds) + strings.Count(string(maps), shm.Dir)
}

// TestUnit_CorruptWords: Attach refuses words of no barrier, and Wait refuses
// words of none for 2 parties. Neither changes the words or keeps the lock.
func TestUnit_CorruptWords(t *testing.T) {
	for _, tc := range []struct {
		words        spec.Words
		attach, wait bool // it refuses them
	}{
		{spec.Words{Enter: 0, Exit: 2, Flag: 1}, false, false},
		{spec.Words{Enter: 1, Exit: 2, Flag: 1}, false, false},
		{spec.Words{Enter: 0, Exit: 3, Flag: 1}, false, true},
		{spec.Words{Enter: 0, Exit: -2, Flag: 1}, true, true},
		{spec.Words{Enter: 3, Exit: 2, Flag: 1}, false, true},
		{spec.Words{Enter: -1, Exit: 2, Flag: 1}, true, true},
		{spec.Words{Enter: 3, Exit: -1, Flag: 1}, false, true},
		{spec.Words{Enter: -1, Exit: -1, Flag: 1}, true, true},
		{spec.Words{Enter: 0, Exit: -1, Flag: 2}, true, true},
		{spec.Words{Enter: 1, Exit: 2, Flag: -5}, true, true},
	} {
		b, name, lockPath := create(t)
		setWords(b, tc.words)
		check := func(call string, err error, refused bool, parties int) {
			t.Helper()
			c := new(CorruptError)
			if errors.Is(err, ErrCorrupt) != refused || refused && (!errors.As(err, &c) || c.Words != tc.words || c.Parties != parties) {
				t.Errorf("%s with %v: got %#v, want refused: %v", call, tc.words, err, refused)
			}
		}
		c, err := Attach(t.Context(), name, lockPath)
		check("Attach", err, tc.attach, 0)
		if err == nil {
			c.Close()
		}
		wantWords(t, b, tc.words)
		ctx, cancel := context.WithCancel(t.Context())
		b.SetHook(func(s spec.Step) {
			if s == spec.CountEnter {
				cancel()
			}
		})
		check("Wait", b.Wait(ctx, 2), tc.wait, 2)
		if tc.wait {
			wantWords(t, b, tc.words)
		}
		if held, err := b.lock.Try(); !held {
			t.Errorf("Wait with %v left the lock held: try: %v", tc.words, err)
		}
		b.lock.Release()
	}
}

// TestUnit_CorruptWordsBetweenTheSections: a call finds words that go out of
// range after InitExit at TestFirst, before it counts itself.
func TestUnit_CorruptWordsBetweenTheSections(t *testing.T) {
	b, _, _ := create(t)
	bad := spec.Words{Enter: 3, Exit: 2, Flag: 1}
	b.SetHook(func(s spec.Step) {
		if s == spec.LockEnter {
			setWords(b, bad)
		}
	})
	wantError(t, "Wait", b.Wait(t.Context(), 2), ErrCorrupt)
	wantWords(t, b, bad)
}

func setWords(b *Barrier, w spec.Words) {
	b.segment.Store(spec.Enter, w.Enter)
	b.segment.Store(spec.Exit, w.Exit)
	b.segment.Store(spec.Flag, w.Flag)
}
