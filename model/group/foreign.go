package group

import "sharedbarrier/spec"

// step makes s the state after the next step of foreign party p of
// PROTOCOL.md, which must be enabled.
func (s *State) foreignStep(cfg *Config, p int) {
	me, n, w := &s.foreign[p], int32(cfg.parties()), &s.words
	switch me.at {
	case spec.Call:
		me.at = spec.LockInit
	case spec.LockInit:
		s.lock, me.at = cfg.foreignThread(p), spec.InitExit
	case spec.InitExit:
		if w.Exit == spec.NotSet {
			w.Exit = n
		}
		me.at = spec.UnlockInit
	case spec.UnlockInit:
		s.lock, me.at = free, spec.LockEnter
	case spec.LockEnter:
		s.lock, me.at = cfg.foreignThread(p), spec.TestFirst
	case spec.TestFirst:
		me.at = spec.CountEnter
		if w.Enter == 0 {
			me.at = spec.UnlockFirst
		}
	case spec.UnlockFirst:
		s.lock, me.at = free, spec.AwaitDrain
	case spec.AwaitDrain:
		me.at = spec.LockFirst
	case spec.LockFirst:
		s.lock, me.at = cfg.foreignThread(p), spec.LowerFlag
	case spec.LowerFlag:
		w.Flag, me.at = spec.Down, spec.CountEnter
	case spec.CountEnter:
		w.Enter++
		me.at = spec.UnlockEnter
		if w.Enter == n {
			me.at = spec.ResetEnter
		}
	case spec.ResetEnter:
		w.Enter, me.at = 0, spec.ResetExit
	case spec.ResetExit:
		w.Exit, me.at = 0, spec.RaiseFlag
	case spec.RaiseFlag:
		w.Flag, me.at = spec.Up, spec.UnlockEnter
	case spec.UnlockEnter:
		s.lock, me.at = free, spec.AwaitFlag
	case spec.AwaitFlag:
		me.at = spec.LockExit
	case spec.LockExit:
		s.lock, me.at = cfg.foreignThread(p), spec.CountExit
	case spec.CountExit:
		w.Exit++
		me.at = spec.UnlockExit
		if w.Exit == n {
			me.at = spec.ClearExit
		}
	case spec.ClearExit:
		w.Exit, me.at = spec.NotSet, spec.UnlockExit
	case spec.UnlockExit:
		s.lock, me.at = free, spec.Call
		me.rounds++
	}
}

// foreignMoves reports whether foreign party p can take its next step.
func (s *State) foreignMoves(cfg *Config, p int) bool {
	me := &s.foreign[p]
	switch {
	case me.at == spec.Call:
		return int(me.rounds) < cfg.Rounds
	case me.at.Lock() == spec.Acquire:
		return s.lock == free
	case me.at == spec.AwaitDrain:
		return s.words.Exit == int32(cfg.parties())
	case me.at == spec.AwaitFlag:
		return s.words.Flag != spec.Down
	default:
		return true
	}
}

// inside is 1 in a call, else 0.
func (me party) inside() uint8 {
	if me.at == spec.Call {
		return 0
	}
	return 1
}

// foreignThread returns the number of the party's thread.
func (cfg *Config) foreignThread(p int) int8 { return int8(2*cfg.Members + p) }
