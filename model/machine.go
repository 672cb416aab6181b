package model

import (
	"math/bits"

	"sharedbarrier/spec"
)

// A Machine is the barrier of a Config in the form that package explore takes.
// Several goroutines may call its methods at once.
//
// Pack keeps exactly what tells a state from others of the same Config. It
// leaves out the party count of a call, which scenario and round determine, and
// keeps a relative count of rounds up to maxAhead.
type Machine struct {
	cfg        Config
	odd        int // the process that differs from the others; -1: none
	alike      [2]int
	relinks    bool   // the scenario has Relink
	plain      bool   // a process is its step and rounds
	mostRounds int32  // that Pack keeps
	low        int32  // enter and exit are packed from here
	span       uint32 // up to low+span
	sharedBits uint8  // of words and locks, the lowest of the first word
	procMask   uint64 // the bits of a process
	words      int
	at         [MaxProcs]struct{ word, shift uint8 } // where a process is
	procs      []proc                                // what unpackProc returns, if plain
}

// maxAhead is the largest relative count of rounds that Pack keeps: 3 stands
// for any more. Two ahead violates NoEarlyExit, and nothing else depends on the
// counts, so no verdict depends on what 3 stands for.
const maxAhead = 3

// A packed state has, from the lowest bit on: enter, exit, flag, the holder of
// the lock file, and in split-lock which file is linked and the holder of the
// other one. A process has its step, if not plain what else there is of it, and
// its rounds; it does not lie in two words.
const (
	wordBits = 5
	exitAt   = wordBits
	flagAt   = exitAt + wordBits
	flagBits = 2 // 0 and 1, and 2 in a mutant
	lockAt   = flagAt + flagBits
	lockBits = 5
	linkAt   = lockAt + lockBits

	stepBits = 5
	restBits = 8 // dead, noticed, and what the process has read, plus 1
)

// NewMachine returns the machine of cfg. It panics if cfg is not valid.
func NewMachine(cfg Config) *Machine {
	if err := cfg.Validate(); err != nil {
		panic("model: " + err.Error())
	}
	m := &Machine{
		cfg: cfg, odd: cfg.special(), alike: [2]int{0, cfg.Procs}, mostRounds: maxAhead,
		relinks: cfg.Scenario == spec.SplitLock && !cfg.Control,
		plain:   cfg.Scenario != spec.Crash && !cfg.splitsSteps() && !cfg.WeakReads,
	}
	switch m.odd {
	case -1:
	case 0:
		m.alike[0] = 1
	default:
		m.alike[1] = m.odd
	}
	if cfg.Rounds > 0 {
		m.mostRounds = int32(cfg.Rounds)
	}
	m.low, m.span = cfg.wordRange()
	m.lay()
	if m.plain {
		m.procs = make([]proc, m.procMask+1)
		for field := range m.procs {
			m.procs[field] = m.unpackProc(uint64(field), m.alike[0])
		}
	}
	return m
}

// wordRange returns the least value that enter and exit may have to be packed,
// and how far above it the greatest is. Where callers keep the rules the words
// stay in range. Where they do not, each call of each round may add one, and
// the range ends somewhere.
func (cfg *Config) wordRange() (low int32, span uint32) {
	n := uint32(cfg.Procs)
	if misuse := ControlOf(cfg.Scenario) != "" && !cfg.Control; misuse || cfg.Mutant != nil {
		return -4, min(3*n, n+8) + 4
	}
	return -2, n + 3
}

// lay gives processes their places.
func (m *Machine) lay() {
	m.sharedBits = uint8(lockAt + bits.Len(uint(m.cfg.Procs)))
	if m.relinks {
		m.sharedBits = linkAt + 1 + lockBits
	}
	size := uint8(stepBits + bits.Len(uint(m.mostRounds)))
	if !m.plain {
		size += restBits
	}
	m.procMask = 1<<size - 1
	word, shift := uint8(0), m.sharedBits
	for p := range m.cfg.Procs {
		if shift+size > 64 {
			word, shift = word+1, 0
		}
		m.at[p].word, m.at[p].shift = word, shift
		shift += size
	}
	m.words = int(word) + 1
}

// Init returns the initial state.
func (m *Machine) Init() State { return Init(m.cfg) }

// Actions appends to list what Enabled lists in s.
func (m *Machine) Actions(s *State, list []Action) []Action { return s.actions(&m.cfg, list) }

// Next makes to, which is zero or another state of m, the state after a, which
// must be enabled in s.
func (m *Machine) Next(s *State, a Action, to *State) {
	n := m.cfg.Procs
	to.words, to.locks, to.linked = s.words, s.locks, s.linked
	copy(to.procs[:n], s.procs[:n])
	to.apply(&m.cfg, a)
}

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
func (m *Machine) Rests(s *State) bool { return s.allRest(&m.cfg) }

// Waiting returns the processes that are in a call and alive, as bits.
func (m *Machine) Waiting(s *State) (procs uint16) {
	for p := range m.cfg.Procs {
		if me := &s.procs[p]; me.inside() && !me.dead {
			procs |= 1 << p
		}
	}
	return procs
}

// Violations returns the safety properties that s alone refutes, as bits.
func (m *Machine) Violations(s *State) uint8 { return s.violations(&m.cfg) }

// A Transition is a kind of edge: the step or the event, and the step to which
// it leads the process. The steps of Relink, which leads no process anywhere,
// are spec.Call.
type Transition struct {
	Step  spec.Step
	Event spec.Event // NoEvent: the step itself
	Next  spec.Step
}

const eventBits = 3

// Kinds returns a number that is greater than each kind of an edge.
func (m *Machine) Kinds() int { return 1 << (2*stepBits + eventBits) }

// Kind returns the kind of the edge by which a led to s.
func (m *Machine) Kind(a Action, s *State) int {
	next := spec.Call
	if a.Proc >= 0 {
		next = s.procs[a.Proc].step
	}
	return int(a.Step)<<(eventBits+stepBits) | int(a.Event)<<stepBits | int(next)
}

// Transition returns what a kind stands for.
func (m *Machine) Transition(kind int) Transition {
	return Transition{
		Step:  spec.Step(kind >> (eventBits + stepBits)),
		Event: spec.Event(kind >> stepBits & (1<<eventBits - 1)),
		Next:  spec.Step(kind & (1<<stepBits - 1)),
	}
}

// Words returns how many words a packed state takes.
func (m *Machine) Words() int { return m.words }

// Pack packs s into the words. It returns false if the words of the segment
// have gone further out of range than it follows.
func (m *Machine) Pack(s *State, to []uint64) bool {
	shared, ok := m.packShared(s)
	clear(to)
	to[0] = shared
	for p := range s.procs[:m.cfg.Procs] {
		at := m.at[p]
		to[at.word] |= m.packProc(&s.procs[p]) << (at.shift & 63)
	}
	return ok
}

// Repack makes to, the packed state before a, the packed state s after it.
func (m *Machine) Repack(a Action, s *State, to []uint64) bool {
	if a.Proc < 0 || m.cfg.WeakReads || m.cfg.Rounds == 0 && a.Step == spec.UnlockExit {
		return m.Pack(s, to) // a may change more than one process
	}
	shared, ok := m.packShared(s)
	to[0] = to[0]&^(1<<(m.sharedBits&63)-1) | shared
	at := m.at[a.Proc&(MaxProcs-1)]
	word := &to[at.word]
	*word = *word&^(m.procMask<<(at.shift&63)) | m.packProc(&s.procs[a.Proc&(MaxProcs-1)])<<(at.shift&63)
	return ok
}

// Unpack makes s, which is zero or another state of m, the state that was
// packed.
func (m *Machine) Unpack(from []uint64, s *State) {
	m.unpackShared(from[0]&(1<<(m.sharedBits&63)-1), s)
	for p := range s.procs[:m.cfg.Procs] {
		at := m.at[p]
		field := from[at.word] >> (at.shift & 63) & m.procMask
		if field < uint64(len(m.procs)) && p != m.odd {
			s.procs[p] = m.procs[field]
		} else {
			s.procs[p] = m.unpackProc(field, p)
		}
	}
}

func (m *Machine) packShared(s *State) (field uint64, ok bool) {
	enter, exit := uint32(s.words.Enter-m.low), uint32(s.words.Exit-m.low)
	field = uint64(enter) | uint64(exit)<<exitAt | uint64(s.words.Flag)<<flagAt | uint64(s.locks[0]+1)<<lockAt
	if m.relinks {
		field |= (uint64(s.linked) | uint64(s.locks[1]+1)<<1) << linkAt
	}
	return field, enter <= m.span && exit <= m.span
}

func (m *Machine) unpackShared(field uint64, s *State) {
	s.words.Enter = int32(field&(1<<wordBits-1)) + m.low
	s.words.Exit = int32(field>>exitAt&(1<<wordBits-1)) + m.low
	s.words.Flag = int32(field >> flagAt & (1<<flagBits - 1))
	s.locks = [2]int8{int8(field>>lockAt&(1<<lockBits-1)) - 1, free}
	if m.relinks {
		s.linked, s.locks[1] = uint8(field>>linkAt&1), int8(field>>(linkAt+1))-1
	}
}

func (m *Machine) packProc(me *proc) uint64 {
	field := uint64(min(me.rounds, m.mostRounds))
	if !m.plain {
		field = field<<restBits | m.packRest(me)
	}
	return field<<stepBits | uint64(me.step)
}

func (m *Machine) packRest(me *proc) (rest uint64) {
	if me.read {
		rest = uint64(me.value-m.low+1) << 2
	}
	return rest | bit(me.dead)<<1 | bit(me.noticed)
}

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// unpackProc returns process p.
func (m *Machine) unpackProc(field uint64, p int) (me proc) {
	me.step = spec.Step(field & (1<<stepBits - 1))
	field >>= stepBits
	if !m.plain {
		me.noticed, me.dead = field&1 != 0, field&2 != 0
		if value := field & (1<<restBits - 1) >> 2; value > 0 {
			me.read, me.value = true, int32(value)-1+m.low
		}
		field >>= restBits
	}
	me.rounds = int32(field)
	if me.inside() {
		me.parties = m.cfg.parties(p, int(me.rounds)+1)
	}
	return me
}

// Alike returns the range of processes that are interchangeable: they start
// alike and may be permuted in any state.
func (m *Machine) Alike() (from, to int) { return m.alike[0], m.alike[1] }

// Represent sorts interchangeable processes, so that all permutations of a
// state become one.
func (m *Machine) Represent(s *State) {
	for i := m.alike[0] + 1; i < m.alike[1]; i++ {
		for j := i; j > m.alike[0] && m.key(s, j-1) > m.key(s, j); j-- {
			s.swap(j-1, j)
		}
	}
}

// Repeats reports whether the process of a is, in s, a permutation of the one
// before it.
func (m *Machine) Repeats(s *State, a Action) bool {
	p := a.Proc
	return p > m.alike[0] && p < m.alike[1] && m.key(s, p) == m.key(s, p-1)
}

// key is all that distinguishes process p from one that is interchangeable with
// it.
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
