//go:build linux

package lockstep

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A mutant is a barrier that is wrong in one step: the real one, with a hook
// that interferes. Names are those of model.Mutants where that has the mistake.
type mutant struct {
	name      string
	step      spec.Step
	interfere func(c *coroutine) (after func()) // runs before the step, and after, unless nil, after it
	ignores   bool                              // ignores at the step that the context has ended
}

var mutants = []mutant{
	{name: "no-init-exit", step: spec.InitExit, interfere: keep(spec.Exit)},
	{name: "init-exit-always", step: spec.InitExit, interfere: pretend(spec.Exit, spec.NotSet)},
	{name: "keep-lock-init", step: spec.UnlockInit, interfere: relock},
	{name: "never-first", step: spec.TestFirst, interfere: pretend(spec.Enter, 1)},
	{name: "always-first", step: spec.TestFirst, interfere: pretend(spec.Enter, 0)},
	{name: "no-drain", step: spec.AwaitDrain, interfere: func(c *coroutine) func() { return pretend(spec.Exit, c.parties)(c) }},
	{name: "no-lower", step: spec.LowerFlag, interfere: keep(spec.Flag)},
	{name: "no-lock-enter", step: spec.TestFirst, interfere: unlock},
	{name: "count-enter-twice", step: spec.CountEnter, interfere: add(spec.Enter, 1)},
	{name: "no-reset-enter", step: spec.ResetEnter, interfere: keep(spec.Enter)},
	{name: "no-reset-exit", step: spec.ResetExit, interfere: keep(spec.Exit)},
	{name: "raise-before-reset", step: spec.ResetExit, interfere: add(spec.Flag, 1)},
	{name: "no-raise", step: spec.RaiseFlag, interfere: keep(spec.Flag)},
	{name: "no-await-flag", step: spec.AwaitFlag, interfere: pretend(spec.Flag, spec.Up)},
	{name: "no-lock-exit", step: spec.CountExit, interfere: unlock},
	{name: "no-count-exit", step: spec.CountExit, interfere: keep(spec.Exit)},
	{name: "no-clear-exit", step: spec.ClearExit, interfere: keep(spec.Exit)},
	{name: "no-test-flag", step: spec.TestFlag, interfere: pretend(spec.Flag, spec.Down)},
	{name: "no-uncount", step: spec.UncountEnter, interfere: keep(spec.Enter)},
	{name: "ignore-giveup-enter", step: spec.LockEnter, ignores: true},
	{name: "ignore-giveup-drain", step: spec.AwaitDrain, ignores: true},
	{name: "ignore-giveup-flag", step: spec.AwaitFlag, ignores: true},
}

// mutantNamed returns nil for the empty name, which is the port without a
// mistake.
func mutantNamed(name string) *mutant {
	for i := range mutants {
		if mutants[i].name == name {
			return &mutants[i]
		}
	}
	return nil
}

// keep undoes what the step writes to word.
func keep(word spec.Word) func(*coroutine) func() {
	return func(c *coroutine) func() {
		was := c.words.load(word)
		return func() { c.words.store(word, was) }
	}
}

// pretend lets the step read v, and puts the word back unless the step has
// written it.
func pretend(word spec.Word, v int32) func(*coroutine) func() {
	return func(c *coroutine) func() {
		was := c.words.load(word)
		c.words.store(word, v)
		return func() {
			if c.words.load(word) == v {
				c.words.store(word, was)
			}
		}
	}
}

// add changes word before the step.
func add(word spec.Word, delta int32) func(*coroutine) func() {
	return func(c *coroutine) func() {
		c.words.store(word, c.words.load(word)+delta)
		return nil
	}
}

// unlock releases the lock before the step.
func unlock(c *coroutine) func() {
	unix.Flock(c.lock, unix.LOCK_UN)
	return nil
}

// relock takes the lock again after it was released.
func relock(c *coroutine) func() {
	return func() { unix.Flock(c.lock, unix.LOCK_EX|unix.LOCK_NB) }
}

// mapped is the segment, mapped once more: a mutant writes words that the
// barrier would not. No other party moves meanwhile, so it need not be atomic.
type mapped []byte

func mapWords(name string) (mapped, error) {
	f, err := os.OpenFile("/dev/shm/"+name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return unix.Mmap(int(f.Fd()), 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (m mapped) unmap() { unix.Munmap(m) }

func (m mapped) load(w spec.Word) int32 {
	return int32(binary.NativeEndian.Uint32(m[w.Offset():]))
}

func (m mapped) store(w spec.Word, v int32) {
	binary.NativeEndian.PutUint32(m[w.Offset():], uint32(v))
}
