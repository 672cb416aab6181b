package model

import (
	"fmt"

	"sharedbarrier/spec"
)

// MaxProcs is the largest number of processes that a State holds.
const MaxProcs = 16

// free is the holder of a lock that nobody holds.
const free int8 = -1

// A State is everything that is true between two steps: who holds the lock,
// the words, and for each process its step, its rounds and the party count of
// its call. States are small values and compare with ==.
//
// Unused parts are always zero (processes beyond Config.Procs, the party count
// of a process that is outside), so equal states are equal values.
type State struct {
	words  spec.Words
	locks  [2]int8 // holder of the lock file, and of the one that Relink puts in its place
	linked uint8   // which of the two the path names
	procs  [MaxProcs]proc
}

type proc struct {
	step    spec.Step
	dead    bool
	read    bool  // has read the word that its step is about to write (split-lock's finer grain)
	seen    bool  // the awaited value has been there since the poll began (Config.WeakReads)
	value   int32 // what it read; 0 unless read
	parties int32 // party count of its call; 0 outside
	rounds  int32 // calls completed; relative when rounds are not bounded
}

// Words returns the three words of the segment.
func (s State) Words() spec.Words { return s.words }

// Holder returns the process that holds the lock, or -1 if it is free. After
// Relink that is the lock file that the path names now.
func (s State) Holder() int { return int(s.locks[s.linked]) }

// Step returns the step that process p is at: the one it will do next.
func (s State) Step(p int) spec.Step { return s.procs[p].step }

// Rounds returns how many calls process p has completed; with Config.Rounds 0,
// how many more than the process that has completed the fewest.
func (s State) Rounds(p int) int { return int(s.procs[p].rounds) }

// Parties returns the party count of the call that process p is in, or 0.
func (s State) Parties(p int) int { return int(s.procs[p].parties) }

// Alive reports whether process p has not died.
func (s State) Alive(p int) bool { return !s.procs[p].dead }

// Inside reports whether process p has begun a call that it has not completed.
func (s State) Inside(p int) bool { return s.procs[p].inside() }

func (me *proc) inside() bool {
	switch me.step {
	case spec.Call, spec.MakeEnter, spec.MakeExit, spec.MakeFlag:
		return false
	default:
		return true
	}
}

// String returns the words, the holder and, for each process up to the last
// that is not as new, its step and rounds.
func (s State) String() string {
	last := 0
	for p := range MaxProcs {
		if s.procs[p] != (proc{}) {
			last = p
		}
	}
	text := fmt.Sprintf("%v holder=%d", s.words, s.Holder())
	for p := range last + 1 {
		text += fmt.Sprintf(" p%d@%v/%d", p, s.procs[p].step, s.procs[p].rounds)
	}
	return text
}

// An Action is one edge out of a state: what happens, and to whom.
type Action struct {
	Proc    int        // 0-based; -1: the environment (spec.Relink)
	Step    spec.Step  // the step that Proc is at; spec.Call, and meaningless, when Proc is -1
	Event   spec.Event // what happens to Proc instead of its step; NoEvent: it takes the step
	Parties int        // party count, at least 1, when Proc takes spec.Call; else 0
}

// Label returns the label of the event, or of the step if there is none.
func (a Action) Label() string {
	if a.Event != spec.NoEvent {
		return a.Event.String()
	}
	return a.Step.String()
}

// String returns the action as it is written in prose, such as "p0 Call(3)".
func (a Action) String() string {
	switch {
	case a.Proc < 0:
		return a.Label()
	case a.Parties > 0:
		return fmt.Sprintf("p%d %s(%d)", a.Proc, a.Label(), a.Parties)
	default:
		return fmt.Sprintf("p%d %s", a.Proc, a.Label())
	}
}

// Init returns the state before anything has happened.
func Init(cfg Config) State {
	s := State{words: spec.Initial, locks: [2]int8{free, free}}
	switch cfg.Scenario {
	case spec.LateConstruction:
		s.procs[0].step = spec.MakeEnter
	case spec.Growing:
		s.procs[cfg.Procs-1].rounds = 1
	}
	return s
}

// Enabled lists what can happen in s, by process, each process's own step
// before what may happen to it; the environment's own doing comes last. A poll
// is enabled only when it would go on, so no action leads back to s.
func Enabled(cfg Config, s State) []Action {
	var list []Action
	for p := range cfg.Procs {
		list = s.actions(cfg, p, list)
	}
	if s.canRelink(cfg) {
		list = append(list, Action{Proc: -1, Event: spec.Relink})
	}
	return list
}

// actions appends what process p can do in s, and what can happen to it.
func (s *State) actions(cfg Config, p int, list []Action) []Action {
	step := s.procs[p].step
	if s.canStep(cfg, p) {
		a := Action{Proc: p, Step: step}
		if step == spec.Call {
			a.Parties = int(cfg.parties(p, int(s.procs[p].rounds)+1))
		}
		list = append(list, a)
	}
	for _, e := range [...]spec.Event{spec.GiveUp, spec.Die, spec.Abandon} {
		if s.canHappen(cfg, p, e) {
			list = append(list, Action{Proc: p, Step: step, Event: e})
		}
	}
	return list
}

// Apply returns the state after a, which must be enabled in s: it panics
// otherwise. A call may pass any party count from 1, not only the one that the
// scenario has it pass and that Enabled lists.
func Apply(cfg Config, s State, a Action) State {
	if !s.allows(cfg, a) {
		panic(fmt.Sprintf("model: %v is not enabled in %v", a, s))
	}
	s = apply(cfg, s, a)
	if cfg.Rounds == 0 {
		s.subtractRounds(cfg)
	}
	return s
}

// apply is Apply with rounds counted absolutely and a taken on trust.
func apply(cfg Config, s State, a Action) State {
	switch a.Event {
	case spec.NoEvent:
		s.move(cfg, a.Proc, int32(a.Parties))
	case spec.GiveUp:
		at := s.procs[a.Proc].step
		s.giveUp(a.Proc)
		cfg.Mutant.turn(at, &s.procs[a.Proc])
	case spec.Die:
		s.release(a.Proc)
		s.procs[a.Proc].dead = true
	case spec.Abandon:
		s.leave(a.Proc)
	case spec.Relink:
		s.linked = 1
	}
	if cfg.WeakReads {
		for p := range cfg.Procs {
			s.procs[p].notice(s.words)
		}
	}
	return s
}

func (s *State) allows(cfg Config, a Action) bool {
	if a.Event == spec.Relink {
		return s.canRelink(cfg)
	}
	if a.Proc < 0 || a.Proc >= cfg.Procs {
		return false
	}
	if a.Event != spec.NoEvent {
		return s.canHappen(cfg, a.Proc, a.Event)
	}
	me := &s.procs[a.Proc]
	return a.Step == me.step && (a.Step == spec.Call) == (a.Parties > 0) && s.canStep(cfg, a.Proc)
}

// canStep reports whether process p can take the step that it is at.
func (s *State) canStep(cfg Config, p int) bool {
	me := &s.procs[p]
	switch {
	case me.dead:
		return false
	case me.step == spec.Call:
		return !s.rests(cfg, p) && s.mayBegin(cfg, p)
	case me.step.Lock() == spec.Acquire:
		return s.locks[s.linked] == free
	case me.step == spec.AwaitDrain || me.step == spec.AwaitFlag:
		return me.seen || me.goes(s.words)
	default:
		return true
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

// take makes process p take the step that it is at. It is the table of
// PROTOCOL.md, in its order; parties counts at Call only.
func (s *State) take(cfg Config, p int, parties int32) {
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
func (me *proc) fetch(cfg Config, word int32) (value int32, ok bool) {
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
		me.seen = me.seen || me.goes(w)
	default:
		me.seen = false
	}
}

// subtractRounds makes rounds relative to the process that has the fewest.
func (s *State) subtractRounds(cfg Config) {
	least := s.leastRounds(cfg)
	for p := range cfg.Procs {
		s.procs[p].rounds -= least
	}
}

func (s *State) leastRounds(cfg Config) int32 {
	least := s.procs[0].rounds
	for p := range cfg.Procs {
		least = min(least, s.procs[p].rounds)
	}
	return least
}
