package impl

import (
	"context"
	"runtime/debug"

	"sharedbarrier/spec"
)

// call takes the steps of one call: one case for each, in the order of
// PROTOCOL.md. A step that cannot be taken yet stays as it is, for another
// attempt after a pause. The words are written under the lock only.
func (b *Barrier) call(ctx context.Context, n int32) (err error) {
	defer b.segment.catchFault(debug.SetPanicOnFault(true), &err)
	words := b.segment.words
	step, pause := spec.Call, pause{b: b}
	for err == nil {
		if b.hook != nil {
			b.hook(step)
		}
		switch step {
		case spec.Call:
			step = spec.LockInit

		case spec.LockInit:
			step, err = pause.acquire(ctx, spec.LockInit, spec.InitExit)

		case spec.InitExit:
			if err := b.check(n); err != nil {
				return err
			}
			if words.load(spec.Exit) == spec.NotSet {
				words.store(spec.Exit, n)
				words.wake(spec.Exit) // whoever is at AwaitDrain
			}
			step = spec.UnlockInit

		case spec.UnlockInit:
			step, err = spec.LockEnter, b.lock.release()

		case spec.LockEnter:
			step, err = pause.acquire(ctx, spec.LockEnter, spec.TestFirst)

		case spec.TestFirst:
			if err := b.check(n); err != nil {
				return err
			}
			if words.load(spec.Enter) == 0 {
				step = spec.UnlockFirst
			} else {
				step = spec.CountEnter
			}

		case spec.UnlockFirst:
			step, err = spec.AwaitDrain, b.lock.release()

		case spec.AwaitDrain: // pairs with the stores of InitExit and CountExit
			if err := ctx.Err(); err != nil {
				return err
			}
			if exit := words.load(spec.Exit); exit == n {
				step = spec.LockFirst
			} else {
				pause.word(spec.AwaitDrain, spec.Exit, exit)
			}

		case spec.LockFirst:
			step, err = pause.acquire(ctx, spec.LockFirst, spec.LowerFlag)

		case spec.LowerFlag:
			words.store(spec.Flag, spec.Down)
			step = spec.CountEnter

		case spec.CountEnter:
			enter := words.load(spec.Enter) + 1
			words.store(spec.Enter, enter)
			if enter == n {
				step = spec.ResetEnter
			} else {
				step = spec.UnlockEnter
			}

		case spec.ResetEnter:
			words.store(spec.Enter, 0)
			step = spec.ResetExit

		case spec.ResetExit:
			words.store(spec.Exit, 0)
			step = spec.RaiseFlag

		case spec.RaiseFlag:
			words.store(spec.Flag, spec.Up)
			words.wake(spec.Flag) // whoever is at AwaitFlag
			step = spec.UnlockEnter

		case spec.UnlockEnter:
			step, err = spec.AwaitFlag, b.lock.release()

		case spec.AwaitFlag: // pairs with the store of RaiseFlag
			if ctx.Err() != nil {
				step = spec.LockWithdraw
			} else if flag := words.load(spec.Flag); flag != spec.Down {
				step = spec.LockExit
			} else {
				pause.word(spec.AwaitFlag, spec.Flag, flag)
			}

		case spec.LockExit:
			step, err = pause.acquire(heedless, spec.LockExit, spec.CountExit)

		case spec.CountExit:
			exit := words.load(spec.Exit) + 1
			words.store(spec.Exit, exit)
			if exit == n { // for a moment only, until ClearExit: waking is left to InitExit
				step = spec.ClearExit
			} else {
				step = spec.UnlockExit
			}

		case spec.ClearExit:
			words.store(spec.Exit, spec.NotSet)
			step = spec.UnlockExit

		case spec.UnlockExit:
			return b.lock.release()

		case spec.LockWithdraw:
			step, err = pause.acquire(heedless, spec.LockWithdraw, spec.TestFlag)

		case spec.TestFlag:
			if words.load(spec.Flag) != spec.Down { // the round is complete
				step = spec.CountExit
			} else {
				step = spec.UncountEnter
			}

		case spec.UncountEnter:
			words.store(spec.Enter, words.load(spec.Enter)-1)
			step = spec.UnlockWithdraw

		case spec.UnlockWithdraw:
			if err := b.lock.release(); err != nil {
				return err
			}
			return ctx.Err()
		}
	}
	return err
}

// heedless is the context of the acquisitions that a call waits for even when
// its own has ended: the words still count it.
var heedless = context.Background()

// construct resets the words, without the lock.
func (b *Barrier) construct() (err error) {
	defer b.segment.catchFault(debug.SetPanicOnFault(true), &err)
	for step := spec.MakeEnter; ; {
		if b.hook != nil {
			b.hook(step)
		}
		switch step {
		case spec.MakeEnter:
			b.segment.store(spec.Enter, spec.Enter.Initial())
			step = spec.MakeExit
		case spec.MakeExit:
			b.segment.store(spec.Exit, spec.Exit.Initial())
			step = spec.MakeFlag
		case spec.MakeFlag:
			b.segment.store(spec.Flag, spec.Flag.Initial())
			return nil
		}
	}
}

// check returns the error of a call that finds words out of range for n. It must
// hold the lock. All three are looked at before the call writes any, so that a
// call that is refused has changed nothing (PROTOCOL.md, Checks and errors).
func (b *Barrier) check(n int32) error {
	w := b.segment.snapshot()
	if 0 <= w.Enter && w.Enter <= n && spec.NotSet <= w.Exit && w.Exit <= n && (w.Flag == spec.Down || w.Flag == spec.Up) {
		return nil
	}
	return &CorruptError{Name: b.segment.name, Words: w, Parties: int(n)}
}
