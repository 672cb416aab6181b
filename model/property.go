package model

import "sharedbarrier/spec"

// Violates reports whether s alone refutes the safety property p. For NoHang,
// which is no property of a state, it reports false.
func Violates(cfg Config, s State, p spec.Property) bool { return s.violations(&cfg)>>p&1 != 0 }

// violations returns the safety properties that s refutes, as bits.
func (s *State) violations(cfg *Config) (set uint8) {
	var (
		procs        = s.procs[:cfg.Procs]
		begun        = procs[0].begun() // by every process
		completed    int32              // by some process
		holds, calls uint32             // how many are in a critical section, and inside
	)
	for p := range procs {
		me := &procs[p]
		begun = min(begun, me.begun())
		completed = max(completed, me.rounds)
		calls += stepsInside >> (me.step & 31) & 1
		if !me.dead {
			holds += stepsCritical >> (me.step & 31) & 1
		}
	}
	if begun < completed && s.exitedEarly(cfg) {
		set |= 1 << spec.NoEarlyExit
	}
	w, n := s.words, int32(cfg.Procs)
	if w.Enter < 0 || w.Enter > n || w.Exit < spec.NotSet || w.Exit > n || w.Flag != spec.Down && w.Flag != spec.Up {
		set |= 1 << spec.WordsInRange
	}
	if holds > 1 { // by the steps, as a lock that is given to two does not know it
		set |= 1 << spec.LockExclusive
	}
	if calls == 0 && (w.Enter != 0 || w.Exit != spec.NotSet && w.Exit != n) {
		set |= 1 << spec.Quiescent
	}
	return set
}

// exitedEarly reports whether a process has completed a round that a party of
// it has not begun.
func (s *State) exitedEarly(cfg *Config) bool {
	var completed int32
	for p := range cfg.Procs {
		if r := s.procs[p].rounds; r >= cfg.firstRound(p) {
			completed = max(completed, r)
		}
	}
	for p := range cfg.Procs {
		if begun := s.procs[p].begun(); begun < completed && begun < cfg.lastRound(p) {
			return true
		}
	}
	return false
}

// begun is how many calls the process has begun and not left unfinished.
func (me *proc) begun() int32 { return me.rounds + int32(stepsInside>>(me.step&31)&1) }

// Sets of steps, as bits: those inside a call, and those between an acquire and
// its release.
const (
	stepsInside uint32 = (1<<(spec.UnlockWithdraw+1) - 1) &^ (1 << spec.Call)

	stepsCritical uint32 = 1<<spec.InitExit | 1<<spec.UnlockInit |
		1<<spec.TestFirst | 1<<spec.UnlockFirst |
		1<<spec.LowerFlag | 1<<spec.CountEnter | 1<<spec.ResetEnter | 1<<spec.ResetExit | 1<<spec.RaiseFlag | 1<<spec.UnlockEnter |
		1<<spec.CountExit | 1<<spec.ClearExit | 1<<spec.UnlockExit |
		1<<spec.TestFlag | 1<<spec.UncountEnter | 1<<spec.UnlockWithdraw
)

// Stuck reports whether no process can take a step in s, though not all rest: a
// deadlock, which refutes NoHang. What may still happen to a process (it gives
// up, abandons its wait, dies) need not happen, and does not count.
func Stuck(cfg Config, s State) bool {
	if s.allRest(&cfg) {
		return false
	}
	for _, a := range Enabled(cfg, s) {
		if a.Event == spec.NoEvent {
			return false
		}
	}
	return true
}

func (s *State) allRest(cfg *Config) bool {
	for p := range cfg.Procs {
		if !s.rests(cfg, p) {
			return false
		}
	}
	return true
}
