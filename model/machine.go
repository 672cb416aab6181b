package model

import (
	"math/bits"

	"sharedbarrier/spec"
)

// A Machine is the barrier of a Config in the form that package explore takes.
// Its methods may be called by several goroutines at once.
//
// Pack keeps of a state exactly what tells it from others of the same Config.
// The party count of a call is not kept, as the scenario and the round determine
// it; a relative count of rounds is kept up to maxAhead.
type Machine struct {
	cfg Config

	low        int32 // enter and exit are packed from here
	span       int32 // to low+span
	wordBits   int
	lockBits   int
	roundBits  int
	valueBits  int // of what a process has read, plus 1; 0: no step is split
	sharedBits int // of words and locks, in the lowest bits of the first word
	procBits   int // of a process; no process lies in two words
	words      int

	dies, notices, relinks bool // whether the scenario has it

	parties [MaxProcs][2]int32 // party count of the first and of later rounds
}

// maxAhead is the largest relative count of rounds that Pack keeps: 3 stands for
// any more. Two ahead violates NoEarlyExit, and nothing else depends on the
// counts, so no verdict depends on what 3 stands for.
const maxAhead = 3

const stepBits = 5

// NewMachine returns the machine of cfg. It panics if cfg is not valid.
func NewMachine(cfg Config) *Machine {
	if err := cfg.Validate(); err != nil {
		panic("model: " + err.Error())
	}
	m := &Machine{
		cfg:     cfg,
		dies:    cfg.Scenario == spec.Crash,
		notices: cfg.WeakReads,
		relinks: cfg.Scenario == spec.SplitLock && !cfg.Control,
	}
	m.low, m.span = cfg.wordRange()
	m.wordBits = bits.Len(uint(m.span))
	m.lockBits = bits.Len(uint(cfg.Procs))
	m.roundBits = bits.Len(maxAhead)
	if cfg.Rounds > 0 {
		m.roundBits = bits.Len(uint(cfg.Rounds))
	}
	m.sharedBits = 2*m.wordBits + flagBits + m.lockBits
	if m.relinks {
		m.sharedBits += 1 + m.lockBits
	}
	m.procBits = stepBits + m.roundBits
	if m.dies {
		m.procBits++
	}
	if m.notices {
		m.procBits++
	}
	if cfg.splitsSteps() {
		m.valueBits = bits.Len(uint(m.span + 1))
		m.procBits += m.valueBits
	}
	first := (64 - m.sharedBits) / m.procBits
	each := 64 / m.procBits
	m.words = 1 + (max(0, cfg.Procs-first)+each-1)/each
	for p := range cfg.Procs {
		m.parties[p] = [2]int32{cfg.parties(p, 1), cfg.parties(p, 2)}
	}
	return m
}

const flagBits = 2 // 0 and 1, and 2 in a mutant

// wordRange returns the least value that enter and exit may have to be packed,
// and how far above it the greatest is. Where callers keep the rules the words
// stay in range. Where they do not, each call of each round may add one, and the
// range ends somewhere.
func (cfg Config) wordRange() (low, span int32) {
	n := int32(cfg.Procs)
	if misuse := ControlOf(cfg.Scenario) != "" && !cfg.Control; misuse || cfg.Mutant != nil {
		return -4, min(3*n, n+8) + 4
	}
	return -2, n + 3
}

// Init returns the initial state.
func (m *Machine) Init() State { return Init(m.cfg) }

// Actions appends to list what Enabled lists in s.
func (m *Machine) Actions(s *State, list []Action) []Action { return s.actions(m.cfg, list) }

// Next makes s the state after a, which must be enabled in s.
func (m *Machine) Next(s *State, a Action) { s.apply(m.cfg, a) }

// Procs returns the number of processes.
func (m *Machine) Procs() int { return m.cfg.Procs }

// Proc returns the process of which a is a step, and -1 if a is an event.
func (m *Machine) Proc(a Action) int {
	if a.Event != spec.NoEvent {
		return -1
	}
	return a.Proc
}

// Rests reports whether every process of s is dead or has made its last call.
func (m *Machine) Rests(s *State) bool { return s.allRest(m.cfg) }

// Waiting returns the processes that are in a call and alive, as bits.
func (m *Machine) Waiting(s *State) (procs uint16) {
	for p := range m.cfg.Procs {
		if me := &s.procs[p]; me.inside() && !me.dead {
			procs |= 1 << p
		}
	}
	return procs
}

// Violates reports whether s alone refutes the safety property p.
func (m *Machine) Violates(s *State, p spec.Property) bool { return s.violates(m.cfg, p) }

// A Transition is a kind of edge: the step or the event, and the step to which it
// leads the process. Relink leads no process anywhere; its steps are spec.Call.
type Transition struct {
	Step  spec.Step
	Event spec.Event // NoEvent: the step itself
	Next  spec.Step
}

// Kinds returns how many kinds of edges there are.
func (m *Machine) Kinds() int {
	return (len(spec.AllEvents) + 1) * len(spec.AllSteps) * len(spec.AllSteps)
}

// Kind returns the kind of the edge by which a led to s.
func (m *Machine) Kind(a Action, s *State) int {
	next := spec.Call
	if a.Proc >= 0 {
		next = s.procs[a.Proc].step
	}
	steps := len(spec.AllSteps)
	return (int(a.Step)*(len(spec.AllEvents)+1)+int(a.Event))*steps + int(next)
}

// Transition returns what a kind stands for.
func (m *Machine) Transition(kind int) Transition {
	steps, events := len(spec.AllSteps), len(spec.AllEvents)+1
	return Transition{spec.Step(kind / steps / events), spec.Event(kind / steps % events), spec.Step(kind % steps)}
}

// Words returns how many words a packed state takes.
func (m *Machine) Words() int { return m.words }

// Pack packs s into the words. It returns false if the words of the segment have
// gone further out of range than it follows.
func (m *Machine) Pack(s *State, to []uint64) bool {
	enter, exit := uint32(s.words.Enter-m.low), uint32(s.words.Exit-m.low)
	if enter > uint32(m.span) || exit > uint32(m.span) {
		return false
	}
	at, i := m.sharedBits, 0
	w := uint64(enter) | uint64(exit)<<m.wordBits
	w |= (uint64(s.words.Flag) | uint64(s.locks[0]+1)<<flagBits) << (2 * m.wordBits)
	if m.relinks {
		w |= (uint64(s.linked) | uint64(s.locks[1]+1)<<1) << (at - m.lockBits - 1)
	}
	for p := range m.cfg.Procs {
		if at+m.procBits > 64 {
			to[i] = w
			w, at, i = 0, 0, i+1
		}
		w |= m.packProc(&s.procs[p]) << at
		at += m.procBits
	}
	to[i] = w
	return true
}

func (m *Machine) packProc(me *proc) uint64 {
	rounds := me.rounds
	if m.cfg.Rounds == 0 {
		rounds = min(rounds, maxAhead)
	}
	field := uint64(rounds)
	if m.valueBits > 0 {
		field <<= m.valueBits
		if me.read {
			field |= uint64(me.value - m.low + 1)
		}
	}
	if m.dies {
		field = field<<1 | bit(me.dead)
	}
	if m.notices {
		field = field<<1 | bit(me.noticed)
	}
	return field<<stepBits | uint64(me.step)
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// Unpack makes s, which is zero or another state of m, the state that was packed.
func (m *Machine) Unpack(from []uint64, s *State) {
	w, at, i := from[0], m.sharedBits, 0
	word := uint64(1)<<m.wordBits - 1
	s.words.Enter = int32(w&word) + m.low
	s.words.Exit = int32(w>>m.wordBits&word) + m.low
	rest := w >> (2 * m.wordBits)
	s.words.Flag = int32(rest & (1<<flagBits - 1))
	lock := uint64(1)<<m.lockBits - 1
	s.locks = [2]int8{int8(rest>>flagBits&lock) - 1, free}
	if m.relinks {
		rest = w >> (at - m.lockBits - 1)
		s.linked, s.locks[1] = uint8(rest&1), int8(rest>>1&lock)-1
	}
	for p := range m.cfg.Procs {
		if at+m.procBits > 64 {
			i, at = i+1, 0
			w = from[i]
		}
		m.unpackProc(w>>at&(1<<m.procBits-1), p, &s.procs[p])
		at += m.procBits
	}
}

func (m *Machine) unpackProc(field uint64, p int, me *proc) {
	*me = proc{step: spec.Step(field & (1<<stepBits - 1))}
	field >>= stepBits
	if m.notices {
		me.noticed = field&1 != 0
		field >>= 1
	}
	if m.dies {
		me.dead = field&1 != 0
		field >>= 1
	}
	if m.valueBits > 0 {
		if value := field & (1<<m.valueBits - 1); value > 0 {
			me.read, me.value = true, int32(value)-1+m.low
		}
		field >>= m.valueBits
	}
	me.rounds = int32(field)
	if me.inside() {
		me.parties = m.parties[p][min(me.rounds, 1)]
	}
}

// Alike returns the range of processes that are interchangeable: they start
// alike and may be permuted in any state.
func (m *Machine) Alike() (from, to int) {
	switch special := m.cfg.special(); special {
	case -1:
		return 0, m.cfg.Procs
	case 0:
		return 1, m.cfg.Procs
	default:
		return 0, special
	}
}

// Represent sorts interchangeable processes, so that all permutations of a state
// become one.
func (m *Machine) Represent(s *State) {
	from, to := m.Alike()
	for i := from + 1; i < to; i++ {
		for j := i; j > from && m.key(s, j-1) > m.key(s, j); j-- {
			s.swap(j-1, j)
		}
	}
}

// Repeats reports whether the process of a is, in s, a permutation of the one
// before it.
func (m *Machine) Repeats(s *State, a Action) bool {
	from, to := m.Alike()
	p := a.Proc
	return p > from && p < to && m.key(s, p) == m.key(s, p-1)
}

// key is all that tells process p from another that is interchangeable with it.
func (m *Machine) key(s *State, p int) uint64 {
	return m.packProc(&s.procs[p])<<2 | bit(s.locks[0] == int8(p))<<1 | bit(s.locks[1] == int8(p))
}

// swap makes two processes change places.
func (s *State) swap(p, q int) {
	s.procs[p], s.procs[q] = s.procs[q], s.procs[p]
	for file, holder := range s.locks {
		switch holder {
		case int8(p):
			s.locks[file] = int8(q)
		case int8(q):
			s.locks[file] = int8(p)
		}
	}
}
