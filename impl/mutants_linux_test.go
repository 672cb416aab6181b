package impl

import "sharedbarrier/spec"

// A mutant is a barrier that is wrong in one step. It is the real barrier with
// a hook that meddles: interfere runs before the step, and what it returns, if
// anything, after it. Production code knows nothing of that.
type mutant struct {
	name      string
	step      spec.Step
	interfere func(a *actor) (after func())
}

var mutants = []mutant{
	{"no-InitExit", spec.InitExit, keep(spec.Exit)},
	{"InitExit-always", spec.InitExit, pretend(spec.Exit, spec.NotSet)},
	{"no-UnlockInit", spec.UnlockInit, relock},
	{"never-first", spec.TestFirst, pretend(spec.Enter, 1)},
	{"always-first", spec.TestFirst, pretend(spec.Enter, 0)},
	{"no-AwaitDrain", spec.AwaitDrain, func(a *actor) func() { return pretend(spec.Exit, int32(a.parties))(a) }},
	{"no-LowerFlag", spec.LowerFlag, keep(spec.Flag)},
	{"unlocked-CountEnter", spec.CountEnter, unlock},
	{"CountEnter-twice", spec.CountEnter, add(spec.Enter, 1)},
	{"no-ResetEnter", spec.ResetEnter, keep(spec.Enter)},
	{"no-ResetExit", spec.ResetExit, keep(spec.Exit)},
	{"RaiseFlag-early", spec.ResetExit, add(spec.Flag, 1)},
	{"no-RaiseFlag", spec.RaiseFlag, keep(spec.Flag)},
	{"no-AwaitFlag", spec.AwaitFlag, pretend(spec.Flag, spec.Up)},
	{"unlocked-CountExit", spec.CountExit, unlock},
	{"no-CountExit", spec.CountExit, keep(spec.Exit)},
	{"no-ClearExit", spec.ClearExit, keep(spec.Exit)},
	{"no-TestFlag", spec.TestFlag, pretend(spec.Flag, spec.Down)},
	{"no-UncountEnter", spec.UncountEnter, keep(spec.Enter)},
	{"deaf-LockEnter", spec.LockEnter, deaf},
	{"deaf-AwaitDrain", spec.AwaitDrain, deaf},
	{"deaf-AwaitFlag", spec.AwaitFlag, deaf},
	{"other-lock", spec.LockExit, func(a *actor) func() {
		a.b.lock.path += ".other"
		a.b.lock.reopen()
		return nil
	}},
}

// keep undoes what the step writes into word.
func keep(word spec.Word) func(*actor) func() {
	return func(a *actor) func() {
		was := a.b.segment.load(word)
		return func() { a.b.segment.store(word, was) }
	}
}

// pretend lets the step read v, and puts the word back unless the step has
// written it.
func pretend(word spec.Word, v int32) func(*actor) func() {
	return func(a *actor) func() {
		was := a.b.segment.load(word)
		a.b.segment.store(word, v)
		return func() {
			if a.b.segment.load(word) == v {
				a.b.segment.store(word, was)
			}
		}
	}
}

// add changes word before the step.
func add(word spec.Word, delta int32) func(*actor) func() {
	return func(a *actor) func() {
		a.b.segment.store(word, a.b.segment.load(word)+delta)
		return nil
	}
}

// unlock has the step run without the lock.
func unlock(a *actor) func() {
	a.b.lock.release()
	return nil
}

// deaf has the step take no notice of the end of the context.
func deaf(a *actor) func() {
	a.deaf = true
	return func() { a.deaf = false }
}

// relock has a release release nothing.
func relock(a *actor) func() { return func() { a.b.lock.try() } }
