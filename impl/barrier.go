package impl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// A Barrier is one party's handle of a shared barrier. Create, Attach and
// Construct make one; the zero Barrier is not valid.
type Barrier struct {
	segment *shm.Segment
	lock    *shm.Lock
	hook    func(spec.Step)

	mu  sync.Mutex // guards use, and keeps the segment mapped
	use use
}

// use is the state of a handle.
type use uint8

const (
	idle    use = iota
	waiting     // in Wait or Reset
	closed
)

// An Option widens what Create, Attach and Construct accept.
type Option uint8

// TrustOthers accepts a segment or a lock file of another user even if its
// group or all users may write it. Without it these are ErrUntrusted.
const TrustOthers Option = 1

// Create makes the segment and returns a handle of the new barrier, which is
// ready to use. The segment appears under its name with spec.Initial in it.
// Create makes the lock file if it is missing, and leaves it if it then fails.
// Where /dev/shm has no files without a name (O_TMPFILE), or there is no /proc,
// Create makes the segment as /dev/shm/.sharedbarrier-*; a process that dies
// just then leaves that file.
//
// It fails with fs.ErrExist if the segment exists, with ErrName, ErrNoSpace,
// ErrNotRegular, ErrUntrusted or ErrNoFlock, or with the system's error.
func Create(name, lockPath string, options ...Option) (*Barrier, error) {
	return open(name, lockPath, options, func(name string, _ bool) (*shm.Segment, error) {
		return shm.CreateSegment(name)
	})
}

// Attach returns a handle of a barrier that another process made. It never
// writes the words. While the segment is empty or all its words are 0, another
// process is constructing it: Attach blocks until that is done or ctx ends, and
// looks every spec.Tick. Then it makes the lock file if it is missing.
//
// It fails with fs.ErrNotExist if there is no such segment, ErrSize if it is
// not spec.Size bytes long, ErrCorrupt if the words are those of no barrier,
// ErrNoSpace if its page is missing and /dev/shm has none left, with ErrName,
// ErrNotRegular, ErrUntrusted or ErrNoFlock, the error of ctx, or the system's
// error. If it fails before the segment is ready it makes no lock file.
func Attach(ctx context.Context, name, lockPath string, options ...Option) (*Barrier, error) {
	if err := shm.CheckName(name); err != nil {
		return nil, err
	}
	trust := slices.Contains(options, TrustOthers)
	segment, err := shm.AttachSegment(ctx, name, trust, checkAttached(name))
	if err != nil {
		return nil, err
	}
	lock, err := shm.OpenLock(lockPath, trust)
	if err != nil {
		return nil, errors.Join(err, segment.Close())
	}
	return &Barrier{segment: segment, lock: lock}, nil
}

// Construct does what the constructor of the original does (PROTOCOL.md,
// section 6): it opens the segment or makes it, and resets the words in either
// case, without the lock.
//
// Construct must return in every process before the first call begins. A
// process that constructs during a call erases what the call counted; then
// parties hang or return too early (scenario late-construction). Use Create and
// Attach unless you need the behaviour of the original.
//
// It fails as Create does, except with fs.ErrExist, and with ErrSize if the
// segment exists and is neither empty nor spec.Size bytes long.
func Construct(name, lockPath string, options ...Option) (*Barrier, error) {
	b, err := open(name, lockPath, options, shm.ConstructSegment)
	if err != nil {
		return nil, err
	}
	if err := b.Reset(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// checkAttached returns the check of Attach: it fails with a *CorruptError if
// the words are those of no barrier (section 9).
func checkAttached(name string) func(spec.Words) error {
	return func(w spec.Words) error {
		if !shm.InRange(w, math.MaxInt32) {
			return &CorruptError{Name: name, Words: w}
		}
		return nil
	}
}

// Remove unlinks the segment and the lock file, or those of them that exist.
// Parties that have the barrier open can go on using it with each other; a
// party that attaches later does not meet them. It fails with ErrName or the
// system's error.
func Remove(name, lockPath string) error {
	if err := shm.CheckName(name); err != nil {
		return err
	}
	if err := shm.RemoveFile(name); err != nil {
		return err
	}
	return shm.RemoveLock(lockPath)
}

// open opens the lock file first, so that it makes no segment if that fails.
func open(name, lockPath string, options []Option, segmentOf func(name string, trust bool) (*shm.Segment, error)) (*Barrier, error) {
	if err := shm.CheckName(name); err != nil {
		return nil, err
	}
	trust := slices.Contains(options, TrustOthers)
	lock, err := shm.OpenLock(lockPath, trust)
	if err != nil {
		return nil, err
	}
	segment, err := segmentOf(name, trust)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &Barrier{segment: segment, lock: lock}, nil
}

// Reset writes the initial words, without the lock (PROTOCOL.md, section 6). It
// is for a barrier in which a party died, a call found ErrCorrupt, or a call
// withdrew and the party count changes. All parties must be outside: none has a
// call that has not returned, and none begins one until Reset returns in the
// one process that resets. It calls the hook before each of its steps.
//
// It fails with ErrClosed, with ErrBusy while Wait or another Reset runs, and
// with ErrSize if a peer truncated the segment.
func (b *Barrier) Reset() error {
	if err := b.claim(waiting); err != nil {
		return err
	}
	defer b.leave()
	return b.construct()
}

// SetHook makes the handle call hook before each step that it takes, Call
// included, and before each further attempt at a step that blocks (an
// acquisition, AwaitDrain, AwaitFlag). A nil hook, as at first, is not called.
// SetHook must not run at the same time as Wait or Reset.
//
// With a hook, Wait releases the lock at each step that does so. Without one it
// may keep the lock from there to its next acquisition.
//
// The hook runs in the goroutine of Wait, under the lock if the step is, and
// may block. If it panics, Wait releases the lock and leaves the words as they
// are (scenario abandon); the handle can be used again.
func (b *Barrier) SetHook(hook func(spec.Step)) { b.hook = hook }

// Words returns the three words. It does not block, and may run at the same
// time as Wait. It reads each word atomically; all three are a state of the
// protocol only if no process takes a step in between. It fails with ErrClosed,
// and with ErrSize if a peer changed the size of the segment.
func (b *Barrier) Words() (spec.Words, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.use == closed {
		return spec.Words{}, ErrClosed
	}
	return b.segment.Read()
}

// Close unmaps the segment and closes it and the lock file. It neither changes
// the words nor removes a file. It fails with ErrClosed if the handle is
// closed, and with ErrBusy while Wait or Reset runs: end the context of the
// call first.
func (b *Barrier) Close() error {
	if err := b.claim(closed); err != nil {
		return err
	}
	return errors.Join(b.segment.Close(), b.lock.Close())
}

// Wait blocks until the given number of parties have called it in the same
// round, and then returns nil (PROTOCOL.md, section 4).
//
// If ctx ends first, Wait withdraws and returns the error of ctx (section 5):
// it no longer counts in enter. It notices the end of ctx within one spec.Tick.
// To withdraw, or to finish a round that is complete, it then still waits for
// the lock, for as long as another process holds it. If ctx has ended before
// the call, Wait takes no step.
//
// A withdrawn call may leave exit = parties and flag = 0. Then a round with the
// same party count can follow at once. A round with another count cannot: its
// calls fail with ErrCorrupt or wait until their contexts end. To go on with
// those who are there, for example after a time limit, end all calls first,
// have one process call Reset, and only then call with the new count.
//
// Before its first step it fails with ErrParties, ErrClosed or ErrBusy. If a
// word is out of range for parties it fails with ErrCorrupt (section 9): at
// InitExit, with the words unchanged, or at TestFirst, before it counts itself.
// It also fails with ErrSize if a peer changed the size of the segment, which
// it notices when the call begins and within one spec.Tick while it waits, with
// ErrNoSpace if the page of the segment is gone, and with errors of the lock
// file. If such an error comes after CountEnter the words still count the call,
// and the barrier must be constructed again.
func (b *Barrier) Wait(ctx context.Context, parties int) error {
	if parties < 1 || parties > math.MaxInt32 {
		return fmt.Errorf("%w: %d, want 1 to %d", ErrParties, parties, math.MaxInt32)
	}
	if err := b.claim(waiting); err != nil {
		return err
	}
	defer b.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.call(ctx, int32(parties))
}

// claim puts an idle handle to a use, until leave. It fails with ErrBusy or
// ErrClosed.
func (b *Barrier) claim(use use) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.use {
	case waiting:
		return ErrBusy
	case closed:
		return ErrClosed
	}
	b.use = use
	return nil
}

// leave ends a Wait or Reset. It releases the lock if an error or a panic of
// the hook ended Wait with the lock held.
func (b *Barrier) leave() {
	b.lock.Release()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.use = idle
}
