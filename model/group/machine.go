package group

import (
	"fmt"

	"sharedbarrier/spec"
)

// An Event is what may happen to a member, and need not.
type Event uint8

// The events.
const (
	NoEvent Event = iota
	Die           // both threads end, the lock is released, and the kernel marks the owner
	GiveUp        // the context of the call ends
	Join          // a new process takes the rank
	Reset         // the member resets the group
	Leave         // the member leaves

	numEvents
)

var events = [numEvents]string{"", "Die", "GiveUp", "Join", "Reset", "Leave"}

// An Action is the next step of a thread, or an event. The threads of member p
// are 2p, which calls, and 2p+1, its guardian; the foreign parties follow.
type Action struct {
	Thread int8
	Event  Event
	at     uint8 // the step at which it finds the thread: a spec.MemberStep, of a foreign party a spec.Step
}

// A Machine is the group of a Config in the form that package explore takes.
// Several goroutines may call its methods at once.
type Machine struct{ cfg Config }

// NewMachine returns the machine of cfg. It panics if cfg is not valid.
func NewMachine(cfg Config) *Machine {
	if err := cfg.Validate(); err != nil {
		panic("group: " + err.Error())
	}
	return &Machine{cfg}
}

// Init returns the state in which all members have joined, and nobody calls.
func (m *Machine) Init() State {
	s := State{words: spec.Initial, lock: free, turn: 1}
	for p := range m.cfg.Members {
		s.slots[p].owner = live
		s.calls[p] = thread{role: caller, at: spec.Begin, mine: 1}
		s.guards[p] = thread{role: guardian, at: spec.Watch, mine: 1}
	}
	return s
}

// Actions appends to list what is enabled in s.
func (m *Machine) Actions(s *State, list []Action) []Action {
	cfg := &m.cfg
	for p := range cfg.Members {
		if s.moves(cfg, p) {
			list = append(list, Action{Thread: int8(2 * p), at: uint8(s.calls[p].at)})
		}
		if s.guardMoves(cfg, p) {
			list = append(list, Action{Thread: int8(2*p + 1), at: uint8(s.guards[p].at)})
		}
		for e := Die; e < numEvents; e++ {
			if s.happens(cfg, p, e) {
				list = append(list, Action{int8(2 * p), e, uint8(s.calls[p].at)})
			}
		}
	}
	for p := range cfg.Foreign {
		if s.foreignMoves(cfg, p) {
			list = append(list, Action{Thread: cfg.foreignThread(p), at: uint8(s.foreign[p].at)})
		}
	}
	return list
}

// moves reports whether the first thread of member p can take its next step.
func (s *State) moves(cfg *Config, p int) bool {
	me := &s.calls[p]
	switch {
	case me.role == absent:
		return false
	case me.at == spec.Begin:
		return int(s.done) < cfg.Rounds && (!s.broken || me.mine < s.turn)
	case me.at == spec.Gather && me.asleep:
		return s.due(cfg, me)
	case me.at == spec.LockRound:
		return s.lock == free
	default:
		return true
	}
}

// guardMoves is moves of the guardian. It watches the next rank that is neither
// vacant nor dead in a round that it has handled.
func (s *State) guardMoves(cfg *Config, p int) bool {
	switch me := &s.guards[p]; {
	case me.role == absent:
		return false
	case me.at == spec.Watch:
		for k := 1; k < cfg.Members; k++ {
			if o := s.slots[(p+k)%cfg.Members]; o.owner != vacant && (o.broken == 0 || o.broken >= me.mine && !cfg.breaks(marksAreHandled)) {
				return o.owner == died && !cfg.breaks(noGuardian)
			}
		}
		return false
	case me.at == spec.LockRound:
		return s.lock == free
	default:
		return true
	}
}

// happens reports whether the event may happen to member p.
func (s *State) happens(cfg *Config, p int, e Event) bool {
	me := &s.calls[p]
	switch e {
	case Die:
		return me.role != absent && int(s.deaths) < cfg.Deaths
	case GiveUp:
		return cfg.GiveUps && me.role == caller && (me.at == spec.Gather || me.at == spec.LockRound) && !me.final
	case Join:
		return cfg.Joins && me.role == absent
	case Reset:
		return cfg.Resets && me.role == caller && me.at == spec.Begin && s.broken
	default:
		return cfg.Leaves && me.role == caller && me.at == spec.Begin && !s.rests(cfg, p)
	}
}

// Next makes to the state after a, which must be enabled in s.
func (m *Machine) Next(s *State, a Action, to *State) {
	*to = *s
	cfg := &m.cfg
	p := int(a.Thread) / 2
	switch {
	case a.Event != NoEvent:
		to.event(p, a.Event)
	case p >= cfg.Members:
		to.foreignStep(cfg, int(a.Thread)-2*cfg.Members)
	case a.Thread%2 == 0:
		to.take(cfg, a.Thread, p, &to.calls[p])
	default:
		to.take(cfg, a.Thread, p, &to.guards[p])
	}
}

// Along returns the states along a path from the initial one, with that: the
// state before the first action, and the one after each.
func (m *Machine) Along(path []Action) []State {
	list := []State{m.Init()}
	for i, a := range path {
		var to State
		m.Next(&list[i], a, &to)
		list = append(list, to)
	}
	return list
}

func (s *State) event(p int, e Event) {
	me := &s.calls[p]
	switch e {
	case Die:
		if s.lock == int8(2*p) || s.lock == int8(2*p+1) {
			s.lock = free
		}
		if s.slots[p].owner == live {
			s.slots[p].owner = died
		}
		s.calls[p], s.guards[p] = thread{}, thread{}
		s.deaths++
	case GiveUp:
		me.at, me.asleep = spec.Retract, false
	case Join:
		*me = thread{role: joiner, at: spec.LockRound}
	case Reset:
		me.role, me.at = resetter, spec.LockRound
	case Leave:
		me.role, me.at = leaver, spec.LockRound
	}
}

// Procs returns the number of threads.
func (m *Machine) Procs() int { return 2*m.cfg.Members + m.cfg.Foreign }

// Proc returns the thread of which a is a step, and -1 if a is an event.
func (m *Machine) Proc(a Action) int {
	if a.Event != NoEvent {
		return -1
	}
	return int(a.Thread)
}

// Rests reports whether no thread has a step left to take. A foreign party may
// wait as long as a member is dead or has left.
func (m *Machine) Rests(s *State) bool {
	whole := true
	for p := range m.cfg.Members {
		if !s.rests(&m.cfg, p) {
			return false
		}
		whole = whole && s.calls[p].role == caller && s.slots[p].owner == live && !s.broken
	}
	for _, f := range s.foreign[:m.cfg.Foreign] {
		if whole && (f.inside() > 0 || int(f.rounds) < m.cfg.Rounds) {
			return false
		}
	}
	return true
}

// rests reports whether member p is outside and does not call again: it is
// gone, or the group is broken and it knows, or all rounds are over. Or it waits
// for a member that has left.
func (s *State) rests(cfg *Config, p int) bool {
	me := &s.calls[p]
	return me.role == absent ||
		me.at == spec.Begin && !s.moves(cfg, p) ||
		me.at == spec.Gather && me.asleep && me.round == s.turn && s.someLeft(cfg)
}

// someLeft reports whether a rank of the members is vacant.
func (s *State) someLeft(cfg *Config) bool {
	for _, o := range s.slots[:cfg.Members] {
		if o.owner == vacant {
			return true
		}
	}
	return false
}

// Waiting returns the members' threads that must get on.
func (m *Machine) Waiting(s *State) (threads uint16) {
	for p := range m.cfg.Members {
		if me := &s.calls[p]; me.role != absent && me.at != spec.Begin && !s.rests(&m.cfg, p) {
			threads |= 1 << (2 * p)
		}
		if me := &s.guards[p]; me.role != absent && me.at != spec.Watch {
			threads |= 1 << (2*p + 1)
		}
	}
	return threads
}

// Violations returns the safety properties that s refutes, as bits. NoEarlyExit
// is also that of one round no call returns nil and another one the error, and
// that a death breaks one round only.
func (m *Machine) Violations(s *State) (set uint8) {
	n := int32(m.cfg.parties())
	if w := s.words; w.Enter < 0 || w.Enter > n || w.Exit < spec.NotSet || w.Exit > n || w.Flag != spec.Down && w.Flag != spec.Up {
		set |= 1 << spec.WordsInRange
	}
	for _, f := range s.foreign[:m.cfg.Foreign] {
		if f.rounds > s.done {
			set |= 1 << spec.NoEarlyExit
		}
	}
	if s.early || s.torn || int(s.turn)-1 > int(s.done)+int(s.deaths) {
		set |= 1 << spec.NoEarlyExit
	}
	if s.holders(&m.cfg) > 1 {
		set |= 1 << spec.LockExclusive
	}
	if s.quiet(&m.cfg) && !s.atRest(n) {
		set |= 1 << spec.Quiescent
	}
	return set
}

func (s *State) holders(cfg *Config) (n int) {
	for p := range cfg.Members {
		for _, me := range []*thread{&s.calls[p], &s.guards[p]} {
			if me.role != absent && (me.at.Lock() == spec.Held || me.at.Lock() == spec.Release) {
				n++
			}
		}
	}
	for _, f := range s.foreign[:cfg.Foreign] {
		if f.at.Holds() {
			n++
		}
	}
	return n
}

// quiet reports whether nobody calls and no death is left to be handled.
func (s *State) quiet(cfg *Config) bool {
	for p := range cfg.Members {
		if s.calls[p].role != absent && s.calls[p].at != spec.Begin || s.guards[p].role != absent && s.guards[p].at != spec.Watch {
			return false
		}
	}
	for _, f := range s.foreign[:cfg.Foreign] {
		if f.at != spec.Call {
			return false
		}
	}
	return !s.anySlot(func(o slot) bool { return o.owner == died && o.broken == 0 })
}

// atRest reports whether the words are those between two rounds, and the group
// is broken only if a member is dead, or nobody is a member. (One who joins a
// group without members, and dies after Bury, leaves the rest to the next one.)
func (s *State) atRest(n int32) bool {
	w := s.words
	if s.broken && s.anySlot(func(o slot) bool { return o.owner == live }) && !s.anySlot(func(o slot) bool { return o.owner == died }) {
		return false
	}
	return s.phase == 0 && w.Enter == 0 && (w.Exit == spec.NotSet || w.Exit == n || s.owed > 0 && w.Exit <= n-int32(s.owed))
}

// String returns the thread and its event, if it is one.
func (a Action) String() string {
	if a.Event != NoEvent {
		return fmt.Sprintf("m%d %s", a.Thread/2, events[a.Event])
	}
	return fmt.Sprintf("thread %d", a.Thread)
}
