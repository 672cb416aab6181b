package impl

import (
	"context"
	"runtime/debug"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// call takes the steps of one call, with one case for each in the order of
// PROTOCOL.md. A step that cannot be taken yet pauses and stays.
//
// The comment on a load names the stores that it pairs with, and the comment on
// a store the loads ("for"). The lock orders them, except at the two polls,
// which need no order (section 7).
func (b *Barrier) call(ctx context.Context, n int32) (err error) {
	defer b.segment.CatchFault(debug.SetPanicOnFault(true), &err)
	words := b.segment.Words
	step, pause := spec.Call, pause{b: b}
	for err == nil {
		if b.hook != nil {
			b.hook(step)
		}
		switch step {

		// Section 4: a call.

		case spec.Call:
			step, err = spec.LockInit, b.segment.CheckSize()
			b.letDrain(n)

		case spec.LockInit:
			step, err = pause.acquire(ctx, spec.LockInit, spec.InitExit)

		case spec.InitExit:
			if err := b.check(n); err != nil {
				return err
			}
			if words.Load(spec.Exit) == spec.NotSet { // the store of ClearExit or MakeExit
				words.Store(spec.Exit, n) // for AwaitDrain
				words.Wake(spec.Exit)
			}
			step = spec.UnlockInit

		case spec.UnlockInit:
			step, err = spec.LockEnter, b.release(spec.UnlockInit, n)

		case spec.LockEnter:
			step, err = pause.acquire(ctx, spec.LockEnter, spec.TestFirst)

		case spec.TestFirst:
			if err := b.check(n); err != nil {
				return err
			}
			if words.Load(spec.Enter) == 0 { // the store of ResetEnter, CountEnter or UncountEnter
				step = spec.UnlockFirst
			} else {
				step = spec.CountEnter
			}

		case spec.UnlockFirst:
			step, err = spec.AwaitDrain, b.release(spec.UnlockFirst, n)

		case spec.AwaitDrain:
			if err := ctx.Err(); err != nil {
				return err
			}
			if exit := words.Load(spec.Exit); exit == n { // the store of InitExit or CountExit, without the lock
				step = spec.LockFirst
			} else {
				err = pause.word(spec.AwaitDrain, spec.Exit, exit)
			}

		case spec.LockFirst:
			step, err = pause.acquire(ctx, spec.LockFirst, spec.LowerFlag)

		case spec.LowerFlag:
			words.Store(spec.Flag, spec.Down) // for AwaitFlag and TestFlag
			step = spec.CountEnter

		case spec.CountEnter:
			enter := words.Load(spec.Enter) + 1 // the store of CountEnter, ResetEnter or UncountEnter
			words.Store(spec.Enter, enter)      // for CountEnter, UncountEnter and TestFirst
			if enter == n {
				step = spec.ResetEnter
			} else {
				step = spec.UnlockEnter
			}

		case spec.ResetEnter:
			words.Store(spec.Enter, 0) // for TestFirst and CountEnter
			step = spec.ResetExit

		case spec.ResetExit:
			words.Store(spec.Exit, 0) // for CountExit
			step = spec.RaiseFlag

		case spec.RaiseFlag:
			words.Store(spec.Flag, spec.Up) // for AwaitFlag and TestFlag
			words.Wake(spec.Flag)
			step = spec.UnlockEnter

		case spec.UnlockEnter:
			step, err = spec.AwaitFlag, b.release(spec.UnlockEnter, n)

		case spec.AwaitFlag:
			if ctx.Err() != nil {
				step = spec.LockWithdraw
			} else if flag := words.Load(spec.Flag); flag != spec.Down { // the store of RaiseFlag, without the lock
				step = spec.LockExit
			} else {
				err = pause.word(spec.AwaitFlag, spec.Flag, flag)
			}

		case spec.LockExit:
			step, err = pause.acquire(uncancelled, spec.LockExit, spec.CountExit)

		case spec.CountExit:
			exit := words.Load(spec.Exit) + 1 // the store of ResetExit or CountExit
			words.Store(spec.Exit, exit)      // for CountExit and AwaitDrain; no wake, see section 8
			if exit == n {
				step = spec.ClearExit
			} else {
				step = spec.UnlockExit
			}

		case spec.ClearExit:
			words.Store(spec.Exit, spec.NotSet) // for InitExit
			step = spec.UnlockExit

		case spec.UnlockExit:
			return b.lock.Release()

		// Section 5: withdrawal.

		case spec.LockWithdraw:
			step, err = pause.acquire(uncancelled, spec.LockWithdraw, spec.TestFlag)

		case spec.TestFlag:
			if words.Load(spec.Flag) != spec.Down { // the store of RaiseFlag
				step = spec.CountExit
			} else {
				step = spec.UncountEnter
			}

		case spec.UncountEnter:
			words.Store(spec.Enter, words.Load(spec.Enter)-1) // the store of CountEnter or UncountEnter, and for them
			step = spec.UnlockWithdraw

		case spec.UnlockWithdraw:
			if err := b.lock.Release(); err != nil {
				return err
			}
			return ctx.Err()
		}
	}
	return err
}

// uncancelled is the context of an acquisition that the end of the call's
// context does not end: the words count the call.
var uncancelled = context.Background()

// release takes a release step. If the call goes on to its next acquisition at
// once it keeps the lock (section 3): then no other process takes a step
// between the two. A hook sees each release.
func (b *Barrier) release(step spec.Step, n int32) error {
	if b.hook == nil && goesOn(step, b.segment.Snapshot(), n) {
		return nil
	}
	return b.lock.Release()
}

// goesOn reports whether a call with party count n that is at a release step,
// with the words w, waits at no step before its next acquisition.
func goesOn(step spec.Step, w spec.Words, n int32) bool {
	switch step {
	case spec.UnlockInit:
		return true // LockEnter is next
	case spec.UnlockFirst:
		return w.Exit == n // AwaitDrain is next
	case spec.UnlockEnter:
		return w.Flag != spec.Down // AwaitFlag is next
	}
	return false
}

// construct takes the steps of section 6, without the lock.
func (b *Barrier) construct() (err error) {
	defer b.segment.CatchFault(debug.SetPanicOnFault(true), &err)
	for step := spec.MakeEnter; ; {
		if b.hook != nil {
			b.hook(step)
		}
		switch step {
		case spec.MakeEnter:
			b.segment.Store(spec.Enter, spec.Enter.Initial()) // for TestFirst and Attach
			step = spec.MakeExit
		case spec.MakeExit:
			b.segment.Store(spec.Exit, spec.Exit.Initial()) // for InitExit and Attach
			step = spec.MakeFlag
		case spec.MakeFlag:
			b.segment.Store(spec.Flag, spec.Flag.Initial()) // for Attach
			return nil
		}
	}
}

// check returns a *CorruptError if a word is out of range for n (section 9).
// The caller must hold the lock. It checks all words before the call writes
// any, so a call that is refused at InitExit has changed nothing.
func (b *Barrier) check(n int32) error {
	w := b.segment.Snapshot()
	if shm.InRange(w, n) {
		return nil
	}
	return &CorruptError{Name: b.segment.Name, Words: w, Parties: int(n)}
}
