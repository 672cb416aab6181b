//go:build linux

package lockstep

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A mutant is a barrier that is wrong in one step: the real one, with a hook
// that meddles. interfere runs before the step, and what it returns, if anything,
// after it.
type mutant struct {
	name      string
	step      spec.Step
	interfere func(c *coroutine) (after func())
	deaf      bool // takes no notice at the step of the end of the context
}

var mutants = []mutant{
	{name: "no-InitExit", step: spec.InitExit, interfere: keep(spec.Exit)},
	{name: "InitExit-always", step: spec.InitExit, interfere: pretend(spec.Exit, spec.NotSet)},
	{name: "no-UnlockInit", step: spec.UnlockInit, interfere: relock},
	{name: "never-first", step: spec.TestFirst, interfere: pretend(spec.Enter, 1)},
	{name: "always-first", step: spec.TestFirst, interfere: pretend(spec.Enter, 0)},
	{name: "no-AwaitDrain", step: spec.AwaitDrain, interfere: func(c *coroutine) func() { return pretend(spec.Exit, c.parties)(c) }},
	{name: "no-LowerFlag", step: spec.LowerFlag, interfere: keep(spec.Flag)},
	{name: "unlocked-CountEnter", step: spec.CountEnter, interfere: unlock},
	{name: "CountEnter-twice", step: spec.CountEnter, interfere: add(spec.Enter, 1)},
	{name: "no-ResetEnter", step: spec.ResetEnter, interfere: keep(spec.Enter)},
	{name: "no-ResetExit", step: spec.ResetExit, interfere: keep(spec.Exit)},
	{name: "RaiseFlag-early", step: spec.ResetExit, interfere: add(spec.Flag, 1)},
	{name: "no-RaiseFlag", step: spec.RaiseFlag, interfere: keep(spec.Flag)},
	{name: "no-AwaitFlag", step: spec.AwaitFlag, interfere: pretend(spec.Flag, spec.Up)},
	{name: "unlocked-CountExit", step: spec.CountExit, interfere: unlock},
	{name: "no-CountExit", step: spec.CountExit, interfere: keep(spec.Exit)},
	{name: "no-ClearExit", step: spec.ClearExit, interfere: keep(spec.Exit)},
	{name: "no-TestFlag", step: spec.TestFlag, interfere: pretend(spec.Flag, spec.Down)},
	{name: "no-UncountEnter", step: spec.UncountEnter, interfere: keep(spec.Enter)},
	{name: "deaf-LockEnter", step: spec.LockEnter, deaf: true},
	{name: "deaf-AwaitDrain", step: spec.AwaitDrain, deaf: true},
	{name: "deaf-AwaitFlag", step: spec.AwaitFlag, deaf: true},
}

// keep undoes what the step writes into word.
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

// unlock has the step run without the lock.
func unlock(c *coroutine) func() {
	unix.Flock(c.lock, unix.LOCK_UN)
	return nil
}

// relock has a release release nothing.
func relock(c *coroutine) func() {
	return func() { unix.Flock(c.lock, unix.LOCK_EX|unix.LOCK_NB) }
}

// mapped is the segment, mapped once more: a mutant writes the words where the
// barrier would not. Nobody else moves meanwhile, so that it need not be atomic.
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
