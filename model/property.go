package model

import "sharedbarrier/spec"

// Violates reports whether s alone refutes the safety property p. NoHang is no
// property of a state: of it, Violates reports false for every state.
func Violates(cfg Config, s State, p spec.Property) bool { return s.violates(cfg, p) }

func (s *State) violates(cfg Config, p spec.Property) bool {
	switch p {
	case spec.NoEarlyExit:
		return s.exitedEarly(cfg)
	case spec.WordsInRange:
		return s.wordsOutOfRange(cfg)
	case spec.LockExclusive:
		return s.sharesLock(cfg)
	case spec.Quiescent:
		return s.restless(cfg)
	default:
		return false
	}
}

// exitedEarly: someone has completed a round that a party of it has not begun.
func (s *State) exitedEarly(cfg Config) bool {
	var completed int32
	for p := range cfg.Procs {
		if r := s.procs[p].rounds; r >= cfg.firstRound(p) {
			completed = max(completed, r)
		}
	}
	for p := range cfg.Procs {
		if me := &s.procs[p]; me.begun() < completed && me.begun() < cfg.lastRound(p) {
			return true
		}
	}
	return false
}

// begun is how many calls the process has begun and not left unfinished.
func (me *proc) begun() int32 {
	if me.inside() {
		return me.rounds + 1
	}
	return me.rounds
}

func (s *State) wordsOutOfRange(cfg Config) bool {
	n := int32(cfg.Procs)
	return s.words.Enter < 0 || s.words.Enter > n ||
		s.words.Exit < spec.NotSet || s.words.Exit > n ||
		s.words.Flag != spec.Down && s.words.Flag != spec.Up
}

// sharesLock looks at the steps, not at the locks: a lock that is given to two
// would not know it.
func (s *State) sharesLock(cfg Config) bool {
	holders := 0
	for p := range cfg.Procs {
		if s.procs[p].critical() && !s.procs[p].dead {
			holders++
		}
	}
	return holders > 1
}

// critical reports whether the process is between an acquire and its release.
func (me *proc) critical() bool {
	switch me.step {
	case spec.InitExit, spec.UnlockInit,
		spec.TestFirst, spec.UnlockFirst,
		spec.LowerFlag, spec.CountEnter, spec.ResetEnter, spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter,
		spec.CountExit, spec.ClearExit, spec.UnlockExit,
		spec.TestFlag, spec.UncountEnter, spec.UnlockWithdraw:
		return true
	default:
		return false
	}
}

// restless: everyone is outside, and the words say otherwise.
func (s *State) restless(cfg Config) bool {
	for p := range cfg.Procs {
		if s.procs[p].inside() {
			return false
		}
	}
	return s.words.Enter != 0 || s.words.Exit != spec.NotSet && s.words.Exit != int32(cfg.Procs)
}

// violations is Violates for all properties, as a set of bits.
func (s *State) violations(cfg Config) (set uint8) {
	for _, p := range spec.AllProperties {
		if s.violates(cfg, p) {
			set |= 1 << p
		}
	}
	return set
}

// Stuck reports whether nobody can take a step in s, though not everybody
// rests: a deadlock, which refutes NoHang. What may still happen to a process (it
// gives up, abandons its wait, dies) need not happen, and does not count.
func Stuck(cfg Config, s State) bool {
	if s.allRest(cfg) {
		return false
	}
	for _, a := range Enabled(cfg, s) {
		if a.Event == spec.NoEvent {
			return false
		}
	}
	return true
}

func (s *State) allRest(cfg Config) bool {
	for p := range cfg.Procs {
		if !s.rests(cfg, p) {
			return false
		}
	}
	return true
}
