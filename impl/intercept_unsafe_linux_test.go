package impl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
	"sharedbarrier/spec/intercept"
)

// openings are the calls with which Create, Attach and Construct can fail.
var openings = append(
	intercept.All(unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_FSTATFS, unix.SYS_FALLOCATE, unix.SYS_LINKAT, unix.SYS_FLOCK), intercept.Mmap)

// TestUnit_OlderSystems: where files without a name, a mode of fallocate,
// fallocate or /proc are missing, a barrier is made and used all the same, and
// the segment has one name.
func TestUnit_OlderSystems(t *testing.T) {
	missing := func(number, arg int, bits uint64, errno unix.Errno) func(intercept.Call) unix.Errno {
		return func(c intercept.Call) unix.Errno {
			if c.Number == number && c.Args[arg]&bits == bits {
				return errno
			}
			return 0
		}
	}
	const tmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY
	for _, tc := range []struct {
		what   string
		answer func(intercept.Call) unix.Errno
	}{
		{"nothing", func(c intercept.Call) unix.Errno {
			if c.Number == unix.SYS_OPENAT && c.Args[2]&(unix.O_CREAT|unix.O_RDWR) == unix.O_CREAT|unix.O_RDWR {
				t.Error("Create makes a file with a name")
			}
			return 0
		}},
		{"O_TMPFILE", missing(unix.SYS_OPENAT, 2, tmpfile, unix.EOPNOTSUPP)},
		{"O_TMPFILE, unknown", missing(unix.SYS_OPENAT, 2, tmpfile, unix.EISDIR)},
		{"O_TMPFILE, invalid", missing(unix.SYS_OPENAT, 2, tmpfile, unix.EINVAL)},
		{"/proc", missing(unix.SYS_FACCESSAT, 0, 0, unix.ENOENT)},
		{"the mode of fallocate", missing(unix.SYS_FALLOCATE, 1, unix.FALLOC_FL_KEEP_SIZE, unix.EOPNOTSUPP)},
		{"fallocate", missing(unix.SYS_FALLOCATE, 1, 0, unix.EOPNOTSUPP)},
		{"the call fallocate", missing(unix.SYS_FALLOCATE, 1, 0, unix.ENOSYS)},
	} {
		name, lockPath := newNames(t)
		before := countOpen(t)
		intercept.Run(t, intercept.All(unix.SYS_OPENAT, unix.SYS_FALLOCATE, unix.SYS_FACCESSAT), tc.answer, func() {
			made, err := Create(name, lockPath)
			if err != nil {
				t.Errorf("Create without %s: got %v, want nil", tc.what, err)
				return
			}
			defer made.Close()
			wantWords(t, made, spec.Initial)
			attached, err := Attach(t.Context(), name, lockPath)
			if err != nil {
				t.Errorf("Attach without %s: got %v, want nil", tc.what, err)
				return
			}
			defer attached.Close()
			if err := attached.Wait(t.Context(), 1); err != nil {
				t.Errorf("Wait without %s: got %v, want nil", tc.what, err)
			}
			var st unix.Stat_t
			if err := unix.Fstat(made.segment.FD, &st); err != nil || st.Nlink != 1 || st.Size != spec.Size {
				t.Errorf("segment made without %s: got %d names, size %d, %v, want 1, %d, nil", tc.what, st.Nlink, st.Size, err, spec.Size)
			}
			_, err = Create(name, lockPath)
			wantError(t, "second Create without "+tc.what, err, fs.ErrExist)
			for _, size := range []int64{0, spec.Size} { // as a peer leaves it that has just made it
				if err := errors.Join(os.Truncate(shm.Dir+name, 0), os.Truncate(shm.Dir+name, size)); err != nil {
					t.Error(err)
				}
				c, err := Construct(name, lockPath)
				if err != nil {
					t.Errorf("Construct of %d bytes without %s: got %v, want nil", size, tc.what, err)
					return
				}
				wantWords(t, c, spec.Initial)
				c.Close()
			}
		})
		if after := countOpen(t); after != before {
			t.Errorf("descriptors and mappings left without %s: got %d, want %d as before", tc.what, after, before)
		}
	}
}

// TestUnit_FullWithoutFallocate: where /dev/shm is full and fallocate and
// O_TMPFILE are missing, Create leaves nothing.
func TestUnit_FullWithoutFallocate(t *testing.T) {
	name, lockPath := newNames(t)
	var own string
	intercept.Run(t, intercept.All(unix.SYS_OPENAT, unix.SYS_FALLOCATE, unix.SYS_PWRITE64), func(c intercept.Call) unix.Errno {
		switch {
		case c.Number == unix.SYS_FALLOCATE, c.Number == unix.SYS_OPENAT && c.Args[2]&unix.O_TMPFILE == unix.O_TMPFILE:
			return unix.EOPNOTSUPP
		case c.Number == unix.SYS_PWRITE64:
			own, _ = os.Readlink(fmt.Sprint("/proc/self/fd/", c.Args[0]))
			return unix.ENOSPC
		}
		return 0
	}, func() {
		_, err := Create(name, lockPath)
		wantError(t, "Create", err, ErrNoSpace)
	})
	if filepath.Dir(own) != filepath.Clean(shm.Dir) {
		t.Errorf("Create wrote to %q, want a file in %s", own, shm.Dir)
	}
	for _, path := range []string{own, shm.Dir + name} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Create leaves %s: Lstat: %v", path, err)
		}
	}
}

// uses are the ways to open a barrier: one that is missing or, except for
// create, exists.
var uses = []struct {
	call   string
	exists bool
	open   func(name, lockPath string) (*Barrier, error)
}{
	{"Create", false, func(name, lockPath string) (*Barrier, error) { return Create(name, lockPath) }},
	{"Attach", true, func(name, lockPath string) (*Barrier, error) { return Attach(context.Background(), name, lockPath) }},
	{"Construct of a new segment", false, func(name, lockPath string) (*Barrier, error) { return Construct(name, lockPath) }},
	{"Construct", true, func(name, lockPath string) (*Barrier, error) { return Construct(name, lockPath) }},
}

// namesFor returns new names, of a barrier that exists or not.
func namesFor(t *testing.T, exists bool) (name, lockPath string) {
	t.Helper()
	name, lockPath = newNames(t)
	if exists {
		b, err := Create(name, lockPath)
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
	}
	return name, lockPath
}

// TestUnit_EachCallFails makes each system call of an opening fail in turn. The
// opening fails with that error and leaves no descriptor, mapping or segment.
func TestUnit_EachCallFails(t *testing.T) {
	for _, use := range uses {
		for at, more := 0, true; more; at++ {
			name, lockPath := namesFor(t, use.exists)
			calls, failed := 0, 0
			var opening atomic.Bool
			var err error
			before, after := 0, 0
			intercept.Run(t, openings, func(c intercept.Call) unix.Errno {
				if !opening.Load() {
					return 0
				}
				if calls++; calls-1 == at {
					failed = c.Number
					return unix.EIO
				}
				return 0
			}, func() {
				before = countOpen(t)
				opening.Store(true)
				var b *Barrier
				b, err = use.open(name, lockPath)
				opening.Store(false)
				if err == nil {
					b.Close()
				}
				after = countOpen(t)
			})
			more = calls > at
			if more && !errors.Is(err, unix.EIO) || !more && err != nil {
				t.Errorf("%s whose system call %d (number %d) fails: got %v, want the call's error", use.call, at, failed, err)
			}
			if after != before {
				t.Errorf("%s whose system call %d (number %d) fails: descriptors and mappings: got %d, want %d as before", use.call, at, failed, after, before)
			}
			if _, err := os.Lstat(shm.Dir + name); more && !use.exists && err == nil {
				t.Errorf("%s whose system call %d (number %d) fails leaves a segment", use.call, at, failed)
			}
		}
	}
}

// TestUnit_TruncatedInConstruct: a segment that a peer truncates before its
// words are written is an error, and nothing is left open.
func TestUnit_TruncatedInConstruct(t *testing.T) {
	name, lockPath := newNames(t)
	before := countOpen(t)
	intercept.Run(t, []intercept.Filter{intercept.Mmap}, func(intercept.Call) unix.Errno {
		if err := os.Truncate(shm.Dir+name, 0); err != nil {
			t.Error(err)
		}
		return 0
	}, func() {
		if err := os.WriteFile(shm.Dir+name, nil, 0o600); err != nil {
			t.Error(err)
		}
		_, err := Construct(name, lockPath)
		wantError(t, "Construct of a segment that is truncated", err, ErrSize)
	})
	if after := countOpen(t); after != before {
		t.Errorf("descriptors and mappings: got %d, want %d as before", after, before)
	}
}

// TestUnit_Interrupted: a signal that interrupts any system call has no effect.
func TestUnit_Interrupted(t *testing.T) {
	for _, use := range uses {
		name, lockPath := namesFor(t, use.exists)
		interrupted := false
		intercept.Run(t, intercept.All(unix.SYS_OPENAT, unix.SYS_FALLOCATE, unix.SYS_PWRITE64, unix.SYS_FLOCK), func(c intercept.Call) unix.Errno {
			if interrupted = !interrupted; interrupted {
				return unix.EINTR
			}
			if c.Number == unix.SYS_FALLOCATE && use.call == "Construct" {
				return unix.EOPNOTSUPP // hence pwrite
			}
			return 0
		}, func() {
			b, err := use.open(name, lockPath)
			if err != nil {
				t.Errorf("%s, interrupted: got %v, want nil", use.call, err)
				return
			}
			if err := b.Wait(context.Background(), 1); err != nil {
				t.Errorf("Wait, interrupted: got %v, want nil", err)
			}
			b.Close()
		})
	}
}

// TestUnit_NoFlock: openings fail where a file system has no flock. EBADF is
// the answer of one that emulates it with record locks: such locks can be
// released, but not taken.
func TestUnit_NoFlock(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOLCK, unix.ENOSYS, unix.EBADF} {
		name, lockPath := newNames(t)
		intercept.Run(t, intercept.All(unix.SYS_FLOCK), func(c intercept.Call) unix.Errno {
			if c.Args[1] == unix.LOCK_UN {
				return 0
			}
			return errno
		}, func() {
			_, err := Create(name, lockPath)
			wantError(t, "Create", err, ErrNoFlock)
		})
		if _, err := os.Lstat(shm.Dir + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Lstat after a failed Create: got %v, want no segment", err)
		}
	}
}

// memory reads a value of this process at an address that a system call has.
func memory(t *testing.T, address uint64, value any) {
	t.Helper()
	file, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text := make([]byte, binary.Size(value))
	if _, err := file.ReadAt(text, int64(address)); err != nil {
		t.Error(err)
	}
	if _, err := binary.Decode(text, binary.NativeEndian, value); err != nil {
		t.Error(err)
	}
}

// addressOf returns the address of a word, as a system call has it.
func addressOf(b *Barrier, word spec.Word) uint64 {
	return uint64(uintptr(unsafe.Pointer(&b.segment.Words[word])))
}

// TestUnit_WaitersSleep: after a few attempts a waiter sleeps between any two,
// for a tick, on its word and while that holds what the waiter has seen. A
// waiter for the lock naps longer each time, up to a bound. A waiter notices at
// the next attempt that a peer has changed the size of the segment.
func TestUnit_WaitersSleep(t *testing.T) {
	const sleeps = 150
	for _, tc := range []struct {
		step  spec.Step
		words spec.Words
		word  spec.Word
		size  int64 // after that many sleeps; spec.Size: the call's context ends
		want  error
	}{
		{spec.AwaitFlag, spec.Words{Exit: 2}, spec.Flag, spec.Size, context.Canceled},
		{spec.AwaitDrain, spec.Words{Exit: 1, Flag: 1}, spec.Exit, spec.Size, context.Canceled},
		{spec.LockInit, spec.Initial, spec.Enter, spec.Size, context.Canceled},
		{spec.AwaitFlag, spec.Words{Exit: 2}, spec.Flag, 7, ErrSize},
		{spec.AwaitDrain, spec.Words{Exit: 1, Flag: 1}, spec.Exit, 13, ErrSize},
		{spec.LockInit, spec.Initial, spec.Enter, 1, ErrSize},
	} {
		b, name, lockPath := create(t)
		setWords(b, tc.words)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		spins := 0
		if tc.step == spec.LockInit {
			holder := attach(t, name, lockPath)
			if held, err := holder.lock.Try(); !held {
				t.Fatal(err)
			}
			spins = lockSpins
		}
		attempts := 0
		var slept atomic.Int64
		b.SetHook(func(s spec.Step) {
			if s != tc.step {
				return
			}
			if attempts++; attempts == 2*(spins+yields+sleeps) {
				t.Errorf("%d attempts at %v with %d sleeps", attempts, s, slept.Load())
				cancel()
			}
		})
		intercept.Run(t, append(intercept.All(unix.SYS_NANOSLEEP), intercept.Futex), func(c intercept.Call) unix.Errno {
			var length unix.Timespec
			switch {
			case tc.step == spec.LockInit && c.Number == unix.SYS_NANOSLEEP:
				memory(t, c.Args[0], &length)
				if k := slept.Add(1); length.Nano() != min(k*50e3, 5e6) {
					t.Errorf("nap %d at the lock: got %d ns, want %d", k, length.Nano(), min(k*50e3, 5e6))
				}
			case tc.step != spec.LockInit && c.Number == unix.SYS_FUTEX && c.Args[0] == addressOf(b, tc.word) && c.Args[1] == 0:
				slept.Add(1)
				memory(t, c.Args[3], &length)
				w := tc.words
				if seen := map[spec.Word]int32{spec.Exit: w.Exit, spec.Flag: w.Flag}[tc.word]; length.Nano() != int64(spec.Tick) || int32(c.Args[2]) != seen {
					t.Errorf("sleep on %v: got %d ns while it holds %d, want %d, %d", tc.word, length.Nano(), int32(c.Args[2]), spec.Tick, seen)
				}
			default:
				return 0 // the Go runtime's
			}
			if slept.Load() == sleeps {
				if tc.size == spec.Size {
					cancel()
				} else if err := os.Truncate(shm.Dir+name, tc.size); err != nil {
					t.Error(err)
				}
			}
			return unix.ETIMEDOUT
		}, func() {
			wantError(t, fmt.Sprintf("Wait at %v", tc.step), b.Wait(ctx, 2), tc.want)
		})
		want := spins + yields + sleeps
		if tc.want != ErrSize && tc.step != spec.LockInit || tc.step == spec.LockInit && tc.want == context.Canceled {
			want++ // the attempt that finds the context ended
		}
		if attempts != want || slept.Load() != sleeps {
			t.Errorf("attempts and sleeps at %v: got %d, %d, want %d, %d", tc.step, attempts, slept.Load(), want, sleeps)
		}
	}
}

// TestUnit_KeptLock: a call locks and unlocks the file once for all steps between
// which it does not wait, and with a hook at each step that says so. A call whose
// context ends while it keeps the lock releases it.
func TestUnit_KeptLock(t *testing.T) {
	for _, tc := range []struct {
		words   spec.Words
		parties int
		end     int // the context ends 1: at the first acquisition, 2: when the call sleeps; 0: never
		locks   int
		hooked  int // the same with a hook
		after   spec.Words
		want    error
	}{
		{spec.Initial, 1, 0, 1, 4, spec.Initial, nil},
		{spec.Words{Enter: 1, Exit: 2, Flag: 0}, 2, 0, 1, 3, spec.Words{Enter: 0, Exit: 1, Flag: 1}, nil},
		{spec.Initial, 2, 1, 1, 1, spec.Words{Enter: 0, Exit: 2, Flag: 1}, context.Canceled},
		{spec.Words{Enter: 0, Exit: 1, Flag: 1}, 2, 2, 1, 2, spec.Words{Enter: 0, Exit: 1, Flag: 1}, context.Canceled},
		{spec.Words{Enter: 1, Exit: 3, Flag: 0}, 3, 2, 2, 3, spec.Words{Enter: 1, Exit: 3, Flag: 0}, context.Canceled},
	} {
		for _, hook := range []func(spec.Step){nil, func(spec.Step) {}} {
			b, _, _ := create(t)
			setWords(b, tc.words)
			b.SetHook(hook)
			want := tc.locks
			if hook != nil {
				want = tc.hooked
			}
			ctx, cancel := context.WithCancel(t.Context())
			locks, unlocks := 0, 0
			intercept.Run(t, append(intercept.All(unix.SYS_FLOCK), intercept.Futex), func(c intercept.Call) unix.Errno {
				switch {
				case c.Number == unix.SYS_FUTEX: // it sleeps
					if c.Args[1] == 0 && tc.end == 2 {
						cancel()
					}
				case c.Args[1] == unix.LOCK_UN:
					unlocks++
				default:
					if locks++; locks == tc.end && tc.end == 1 {
						cancel()
					}
				}
				return 0
			}, func() {
				wantError(t, fmt.Sprintf("Wait with %v", tc.words), b.Wait(ctx, tc.parties), tc.want)
			})
			cancel()
			if locks != want || unlocks != want || b.lock.Held {
				t.Errorf("Wait(%d) with %v, hook %v: locks, unlocks, held: got %d, %d, %v, want %d, %d, false", tc.parties, tc.words, hook != nil, locks, unlocks, b.lock.Held, want, want)
			}
			wantWords(t, b, tc.after)
		}
	}
}

// TestUnit_StoreBeforeWake: a writer wakes the sleepers on a word after it has
// written the word.
func TestUnit_StoreBeforeWake(t *testing.T) {
	b, _, _ := create(t)
	var woken []spec.Word
	intercept.Run(t, []intercept.Filter{intercept.Futex}, func(c intercept.Call) unix.Errno {
		for _, word := range spec.AllWords {
			if c.Args[0] == addressOf(b, word) {
				woken = append(woken, word)
				if want := map[spec.Word]int32{spec.Exit: 1, spec.Flag: spec.Up}[word]; b.segment.Load(word) != want || c.Args[1] != 1 {
					t.Errorf("futex operation %d on %v = %d, want a wake (1) when it is %d", c.Args[1], word, b.segment.Load(word), want)
				}
			}
		}
		return 0
	}, func() {
		if err := b.Wait(context.Background(), 1); err != nil {
			t.Error(err)
		}
	})
	if fmt.Sprint(woken) != fmt.Sprint([]spec.Word{spec.Exit, spec.Flag}) {
		t.Errorf("words with a wake: got %v, want [exit flag]", woken)
	}
}

// TestUnit_FaultSetting: each access to the words leaves the goroutine's
// setting for faults as it was.
func TestUnit_FaultSetting(t *testing.T) {
	b, name, lockPath := create(t)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(false))
	for _, setting := range []bool{false, true} {
		for call, use := range map[string]func() error{
			"Wait":   func() error { return b.Wait(t.Context(), 1) },
			"Reset":  b.Reset,
			"Words":  func() error { _, err := b.Words(); return err },
			"Attach": func() error { return attach(t, name, lockPath).Close() },
		} {
			debug.SetPanicOnFault(setting)
			if err := use(); err != nil {
				t.Errorf("%s: got %v, want nil", call, err)
			}
			if got := debug.SetPanicOnFault(setting); got != setting {
				t.Errorf("panic on fault after %s: got %v, want %v as before", call, got, setting)
			}
		}
	}
}

// TestUnit_FaultInTheHook: a fault in the hook is the hook's, and no changed
// size of the segment.
func TestUnit_FaultInTheHook(t *testing.T) {
	b, _, _ := create(t)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	b.SetHook(func(s spec.Step) {
		if s == spec.CountEnter {
			page[0]++
		}
	})
	defer func() {
		if fault, is := recover().(interface{ Addr() uintptr }); !is || fault.Addr() != uintptr(unsafe.Pointer(&page[0])) {
			t.Errorf("recovered %v, want the fault of the hook", fault)
		}
		if b.lock.Held {
			t.Error("the call that panicked holds the lock")
		}
	}()
	t.Errorf("Wait whose hook faults: got %v, want a panic", b.Wait(t.Context(), 1))
}
