package model

import (
	"fmt"
	"strconv"

	"sharedbarrier/spec"
)

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

// marks are how the events of a process are written in a move.
var marks = map[spec.Event]string{spec.GiveUp: "!", spec.Abandon: "~", spec.Die: "x"}

// Move returns the action as one word of a schedule: the number of the process,
// followed by nothing for its step, :n for a call with n parties, ! for giving
// up, ~ for abandoning, x for dying; and * for Relink.
func (a Action) Move() string {
	switch {
	case a.Event == spec.Relink:
		return "*"
	case a.Parties > 0:
		return fmt.Sprintf("%d:%d", a.Proc, a.Parties)
	default:
		return strconv.Itoa(a.Proc) + marks[a.Event]
	}
}

// Enabled lists what can happen in s: what the environment does to no process,
// and then by process, the step that it can take before what may happen to it.
// A poll is enabled only when it would go on, so no action leads back to s.
func Enabled(cfg Config, s State) []Action { return s.actions(&cfg, nil) }

// actions appends to list what can happen in s.
func (s *State) actions(cfg *Config, list []Action) []Action {
	ready, event := s.ready(), cfg.event()
	if s.canRelink(cfg) {
		list = append(list, Action{Proc: -1, Event: spec.Relink})
	}
	for p := range s.procs[:cfg.Procs] {
		step := s.procs[p].step
		if ready>>(step&31)&1 != 0 && s.canStep(cfg, p) {
			a := Action{Proc: p, Step: step}
			if step == spec.Call {
				a.Parties = int(cfg.parties(p, int(s.procs[p].rounds)+1))
			}
			list = append(list, a)
		}
		if event != spec.NoEvent && s.canHappen(cfg, p, event) {
			list = append(list, Action{Proc: p, Step: step, Event: event})
		}
	}
	return list
}

// Apply returns the state after a, which must be enabled in s: it panics
// otherwise. A call may pass any party count from 1, not only the one that the
// scenario has it pass and that Enabled lists.
func Apply(cfg Config, s State, a Action) State {
	if !s.allows(&cfg, a) {
		panic(fmt.Sprintf("model: %v is not enabled in %v", a, s))
	}
	s.apply(&cfg, a)
	return s
}

// Advance returns the state after process p has taken its step, and false if it
// cannot take it in s. Parties is the count that it passes if the step is Call.
func Advance(cfg Config, s State, p, parties int) (State, bool) {
	if !s.canStep(&cfg, p) {
		return s, false
	}
	s.apply(&cfg, Action{Proc: p, Step: s.procs[p].step, Parties: parties})
	return s, true
}

// Happen returns the state after e has happened to process p, and false if it
// cannot happen in s in any scenario. Enabled lists what can happen in one
// scenario; Happen is for real runs, in which more may go wrong.
func Happen(cfg Config, s State, p int, e spec.Event) (State, bool) {
	me := &s.procs[p]
	if me.dead || !me.admits(e) {
		return s, false
	}
	s.apply(&cfg, Action{Proc: p, Step: me.step, Event: e})
	return s, true
}

// apply makes s the state after a, which must be enabled in s.
func (s *State) apply(cfg *Config, a Action) {
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
	if cfg.Rounds == 0 {
		s.subtractRounds(cfg)
	}
}

func (s *State) allows(cfg *Config, a Action) bool {
	if a.Event == spec.Relink {
		return s.canRelink(cfg)
	}
	if a.Proc < 0 || a.Proc >= cfg.Procs {
		return false
	}
	if a.Event != spec.NoEvent {
		return a.Event == cfg.event() && s.canHappen(cfg, a.Proc, a.Event)
	}
	me := &s.procs[a.Proc]
	return a.Step == me.step && (a.Step == spec.Call) == (a.Parties > 0) && s.canStep(cfg, a.Proc)
}

// canStep reports whether process p can take the step that it is at.
func (s *State) canStep(cfg *Config, p int) bool {
	me := &s.procs[p]
	switch {
	case me.dead || s.ready()>>(me.step&31)&1 == 0:
		return false
	case me.step == spec.Call:
		return !s.rests(cfg, p) && s.mayBegin(cfg, p)
	case me.step == spec.AwaitDrain || me.step == spec.AwaitFlag:
		return me.noticed || me.goes(s.words)
	default:
		return true
	}
}

// ready returns the steps, as bits, that do not wait for the lock, or all while
// it is free.
func (s *State) ready() uint32 {
	if s.locks[s.linked] == free {
		return 1<<32 - 1
	}
	return ^uint32(1<<spec.LockInit | 1<<spec.LockEnter | 1<<spec.LockFirst | 1<<spec.LockExit | 1<<spec.LockWithdraw)
}
