package model

import "sharedbarrier/spec"

// take makes process p take the step that it is at. It is the table of
// PROTOCOL.md, in its order; parties counts at Call only.
func (s *State) take(cfg *Config, p int, parties int32) {
	me := &s.procs[p]
	switch me.step {
	case spec.Call:
		me.parties = parties
		me.step = spec.LockInit
	case spec.LockInit:
		s.acquire(p)
		me.step = spec.InitExit
	case spec.InitExit:
		exit, ok := me.fetch(cfg, s.words.Exit)
		if !ok {
			return
		}
		if exit == spec.NotSet {
			s.words.Exit = me.parties
		}
		me.step = spec.UnlockInit
	case spec.UnlockInit:
		s.release(p)
		me.step = spec.LockEnter
	case spec.LockEnter:
		s.acquire(p)
		me.step = spec.TestFirst
	case spec.TestFirst:
		if s.words.Enter == 0 {
			me.step = spec.UnlockFirst
		} else {
			me.step = spec.CountEnter
		}
	case spec.UnlockFirst:
		s.release(p)
		me.step = spec.AwaitDrain
	case spec.AwaitDrain:
		me.step = spec.LockFirst
	case spec.LockFirst:
		s.acquire(p)
		me.step = spec.LowerFlag
	case spec.LowerFlag:
		s.words.Flag = spec.Down
		me.step = spec.CountEnter
	case spec.CountEnter:
		enter, ok := me.fetch(cfg, s.words.Enter)
		if !ok {
			return
		}
		s.words.Enter = enter + 1
		if s.words.Enter == me.parties {
			me.step = spec.ResetEnter
		} else {
			me.step = spec.UnlockEnter
		}
	case spec.ResetEnter:
		s.words.Enter = 0
		me.step = spec.ResetExit
	case spec.ResetExit:
		s.words.Exit = 0
		me.step = spec.RaiseFlag
	case spec.RaiseFlag:
		s.words.Flag = spec.Up
		me.step = spec.UnlockEnter
	case spec.UnlockEnter:
		s.release(p)
		me.step = spec.AwaitFlag
	case spec.AwaitFlag:
		me.step = spec.LockExit
	case spec.LockExit:
		s.acquire(p)
		me.step = spec.CountExit
	case spec.CountExit:
		exit, ok := me.fetch(cfg, s.words.Exit)
		if !ok {
			return
		}
		s.words.Exit = exit + 1
		if s.words.Exit == me.parties {
			me.step = spec.ClearExit
		} else {
			me.step = spec.UnlockExit
		}
	case spec.ClearExit:
		s.words.Exit = spec.NotSet
		me.step = spec.UnlockExit
	case spec.UnlockExit:
		s.release(p)
		s.leave(p)
		me.rounds++

	case spec.LockWithdraw:
		s.acquire(p)
		me.step = spec.TestFlag
	case spec.TestFlag:
		if s.words.Flag != spec.Down {
			me.step = spec.CountExit
		} else {
			me.step = spec.UncountEnter
		}
	case spec.UncountEnter:
		s.words.Enter--
		me.step = spec.UnlockWithdraw
	case spec.UnlockWithdraw:
		s.release(p)
		s.leave(p)

	case spec.MakeEnter:
		s.words.Enter = spec.Initial.Enter
		me.step = spec.MakeExit
	case spec.MakeExit:
		s.words.Exit = spec.Initial.Exit
		me.step = spec.MakeFlag
	case spec.MakeFlag:
		s.words.Flag = spec.Initial.Flag
		me.step = spec.Call
	}
}

// goes reports whether the poll that the process is at goes on when it reads
// its word of w.
func (me *proc) goes(w spec.Words) bool {
	switch me.step {
	case spec.AwaitDrain:
		return w.Exit == me.parties
	case spec.AwaitFlag:
		return w.Flag != spec.Down
	default:
		return false
	}
}

// acquire gives process p the lock file that the path names.
func (s *State) acquire(p int) { s.locks[s.linked] = int8(p) }

// release frees whatever process p holds; releasing nothing does nothing.
func (s *State) release(p int) {
	for file, holder := range s.locks {
		if holder == int8(p) {
			s.locks[file] = free
		}
	}
}

// leave puts process p outside, its call forgotten.
func (s *State) leave(p int) {
	s.procs[p].step = spec.Call
	s.procs[p].parties = 0
}

// giveUp is what the end of its context does to the call of process p.
func (s *State) giveUp(p int) {
	if s.procs[p].step == spec.AwaitFlag {
		s.procs[p].step = spec.LockWithdraw
	} else {
		s.leave(p)
	}
}

// fetch returns the value on which a step that reads and writes a word goes
// on. Where that is two atomic steps, the first only remembers the value, and
// fetch returns false.
func (me *proc) fetch(cfg *Config, word int32) (value int32, ok bool) {
	switch {
	case !cfg.splitsSteps():
		return word, true
	case me.read:
		value, me.value, me.read = me.value, 0, false
		return value, true
	default:
		me.value, me.read = word, true
		return 0, false
	}
}

// notice records that a process which polls could return from the poll now, and
// so may do so later with a value that is stale by then (PROTOCOL.md, Memory
// order). Of the values that the word has had since the process last held the
// lock, all that counts is whether the awaited one is among them.
func (me *proc) notice(w spec.Words) {
	switch me.step {
	case spec.AwaitDrain, spec.AwaitFlag:
		me.noticed = me.noticed || me.goes(w)
	default:
		me.noticed = false
	}
}
