package impl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"sharedbarrier/spec"
)

// A Barrier is one party's handle of a shared barrier. Make one with Create,
// Attach or Construct: the zero Barrier is of no use.
type Barrier struct {
	segment *segment
	lock    *lock
	hook    func(spec.Step)

	mu  sync.Mutex // guards use, and the segment against being unmapped
	use use
}

// use is what a handle is doing.
type use uint8

const (
	idle    use = iota
	waiting     // in Wait or Reset
	closed
)

// Create makes the segment and returns a handle of the barrier, which is then
// ready: its words are spec.Initial before anyone else can see them. The lock
// file is made if it is missing, and stays if Create fails.
//
// It fails with fs.ErrExist if the segment exists, and with ErrName,
// ErrNoSpace, ErrNotRegular, ErrNoFlock, or the system's error. It needs /proc.
func Create(name, lockPath string) (*Barrier, error) {
	return open(name, lockPath, createSegment)
}

// Attach returns a handle of a barrier that another process has made. It never
// writes the words. While the segment is empty, or its words are all still 0,
// its maker is at work: Attach waits, looking every spec.Tick, until ctx ends.
// The lock file is made if it is missing; where the segment cannot be had, it is
// not looked at.
//
// It fails with fs.ErrNotExist if there is no such segment, ErrSize if it is
// not spec.Size bytes, ErrCorrupt if its words are those of no barrier, ErrNoSpace
// if its page is missing and /dev/shm has none left, ErrName, ErrNotRegular,
// ErrNoFlock, the context's error, or the system's.
func Attach(ctx context.Context, name, lockPath string) (*Barrier, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	segment, err := attachSegment(ctx, name)
	if err != nil {
		return nil, err
	}
	lock, err := openLock(lockPath)
	if err != nil {
		return nil, errors.Join(err, segment.unmap())
	}
	return &Barrier{segment: segment, lock: lock}, nil
}

// Construct does what the original's constructor does: it opens the segment or
// makes it, and then resets the words in any case, without the lock.
//
// That is dangerous: a process that constructs while another is in a call
// takes away what the other has counted, and then parties hang or are let go
// too early (scenario late-construction). It is here for those who must behave
// as the original does; all constructors must have returned before the first
// call begins. Everyone else uses Create and Attach.
//
// It fails as Create does, but never with fs.ErrExist, and with ErrSize if the
// segment exists and is neither empty nor spec.Size bytes.
func Construct(name, lockPath string) (*Barrier, error) {
	b, err := open(name, lockPath, constructSegment)
	if err != nil {
		return nil, err
	}
	if err := b.Reset(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Remove unlinks the segment and the lock file. What is missing already is no
// error. Parties that have the barrier open can go on with each other, but
// those who open it later will not meet them.
func Remove(name, lockPath string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := removeSegment(name); err != nil {
		return err
	}
	return removeLock(lockPath)
}

// open opens the lock file first: where it cannot be had, no segment is made.
func open(name, lockPath string, segmentOf func(name string) (*segment, error)) (*Barrier, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	lock, err := openLock(lockPath)
	if err != nil {
		return nil, err
	}
	segment, err := segmentOf(name)
	if err != nil {
		return nil, errors.Join(err, lock.close())
	}
	return &Barrier{segment: segment, lock: lock}, nil
}

func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w %q: it must name a file in /dev/shm", ErrName, name)
	case len(name) > 255:
		return fmt.Errorf("%w %.20q…: it has %d bytes, and no more than 255 are possible", ErrName, name, len(name))
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%w %q: it must have no slash and no NUL", ErrName, name)
	}
	return nil
}

// Reset gives the words their initial values, without the lock (PROTOCOL.md,
// Construction): the second half of Construct, with the same danger. It is for
// a barrier that a party has died in, or on which a call has found ErrCorrupt,
// after all have stopped using it. It calls the hook before each of its steps.
// It fails with ErrClosed, ErrBusy while Wait or another Reset runs, and ErrSize
// if a peer has truncated the segment.
func (b *Barrier) Reset() error {
	if err := b.claim(waiting); err != nil {
		return err
	}
	defer b.leave()
	return b.construct()
}

// SetHook has hook called before each step that this handle takes, Call
// included, and before each further attempt at a step that blocks (an
// acquisition, AwaitDrain, AwaitFlag); nil, which it is at first, ends that.
// The hook runs in the goroutine of Wait, under the lock if the step is, and
// may block. If it panics, the lock is given back, the words stay as they are
// (scenario abandon), and the handle can be used again. SetHook must not run
// at the same time as Wait.
func (b *Barrier) SetHook(hook func(spec.Step)) { b.hook = hook }

// Words returns a snapshot of the words. It may be called at any time, also
// while Wait runs. Each word is read atomically; together they are a state of
// the protocol only if nobody moves in between. It fails with ErrClosed, and
// with ErrSize if a peer has truncated the segment.
func (b *Barrier) Words() (spec.Words, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.use == closed {
		return spec.Words{}, ErrClosed
	}
	return b.segment.read()
}

// Close gives back what the handle holds in this process. It neither changes
// the words nor removes anything. While Wait runs it fails with ErrBusy and
// does nothing: end the context of the call first. A handle that is closed
// already: ErrClosed.
func (b *Barrier) Close() error {
	if err := b.claim(closed); err != nil {
		return err
	}
	return errors.Join(b.segment.unmap(), b.lock.close())
}

// Wait enters the barrier as one of parties and returns nil when all of them
// have begun the same round (PROTOCOL.md, A call). It blocks until then, or
// until ctx ends: then it withdraws, as if it had never come, and returns the
// context's error (PROTOCOL.md, Withdrawal). The end of ctx is noticed within
// one spec.Tick, save that a call which has to take the lock to withdraw, or
// which has seen the round complete, waits for the lock however long its
// holder keeps it. A context that has ended before changes nothing at all.
//
// It fails with ErrParties, ErrClosed or ErrBusy before the first step. It
// fails with ErrCorrupt when it finds a word out of range for parties: at
// InitExit, and then nothing has changed, or at TestFirst, before it has counted
// itself. Errors of the lock file, and
// ErrSize if a peer has truncated the segment, are returned at once: before
// CountEnter the call has then not come; afterwards it stays counted, and the
// barrier must be made anew.
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

// claim puts the idle handle to one use, until leave.
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

// leave ends a Wait, also one that an error or a panicking hook cut short with
// the lock held.
func (b *Barrier) leave() {
	b.lock.release()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.use = idle
}
