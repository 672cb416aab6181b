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

	low        int32  // enter and exit are packed from here
	span       uint32 // to low+span
	roundBits  uint
	mostRounds int32 // that a process may have
	valueBits  uint  // of what a process has read, plus 1; 0: no step is split
	sharedBits uint  // of words and locks, in the lowest bits of the first word
	procBits   uint  // of a process; no process lies in two words
	procMask   uint64
	words      int
	at         [MaxProcs]struct{ word, shift uint8 } // where a process is
	cut        []int                                 // word i has the processes from cut[i] and up to cut[i+1]

	dies, notices, relinks bool // whether the scenario has it
	plain                  bool // a process is its step and rounds
	sweeps                 bool // a step may change other processes: what they noticed, or their relative rounds

	procs []proc // what unpackProc returns; nil: too many
	alike [2]int // the range of processes that are interchangeable
	odd   int    // the process that is not; -1: none
}

// maxAhead is the largest relative count of rounds that Pack keeps: 3 stands for
// any more. Two ahead violates NoEarlyExit, and nothing else depends on the
// counts, so no verdict depends on what 3 stands for.
const maxAhead = 3

// Where the shared part of a packed state has enter, exit, flag (0, 1, and 2 in a
// mutant), the holder of the lock file, which path is linked, and the holder of the
// other.
const (
	wordBits = 5
	exitAt   = wordBits
	flagAt   = exitAt + wordBits
	flagBits = 2
	lockAt   = flagAt + flagBits
	lockBits = 5
	relinkAt = lockAt + lockBits

	stepBits  = 5 // of a process
	eventBits = 3

	mostTabulated = 10 // bits of a process
)

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
	low, span := cfg.wordRange()
	m.low, m.span = low, uint32(span)
	m.mostRounds = maxAhead
	if cfg.Rounds > 0 {
		m.mostRounds = int32(cfg.Rounds)
	}
	m.roundBits = bitLen(uint(m.mostRounds))
	m.sharedBits = lockAt + bitLen(uint(cfg.Procs))
	if m.relinks {
		m.sharedBits = relinkAt + 1 + lockBits
	}
	m.procBits = stepBits + m.roundBits
	if m.dies {
		m.procBits++
	}
	if m.notices {
		m.procBits++
	}
	if cfg.splitsSteps() {
		m.valueBits = bitLen(uint(m.span + 1))
		m.procBits += m.valueBits
	}
	m.sweeps = cfg.WeakReads || cfg.Rounds == 0
	m.plain = m.procBits == stepBits+m.roundBits
	m.procMask = 1<<m.procBits - 1
	m.cut = []int{0}
	for left := 64 - m.sharedBits; m.cut[len(m.cut)-1] < cfg.Procs; left = 64 {
		m.cut = append(m.cut, min(cfg.Procs, m.cut[len(m.cut)-1]+int(left/m.procBits)))
	}
	m.words = len(m.cut) - 1
	for i := range m.words {
		for k := range m.cut[i+1] - m.cut[i] {
			m.at[m.cut[i]+k].word, m.at[m.cut[i]+k].shift = uint8(i), uint8(uint(k)*m.procBits)
			if i == 0 {
				m.at[k].shift += uint8(m.sharedBits)
			}
		}
	}
	m.odd, m.alike = cfg.special(), cfg.interchangeable()
	if m.procBits <= mostTabulated {
		m.procs = make([]proc, 1<<m.procBits)
		for field := range m.procs {
			m.procs[field] = m.unpackProc(uint64(field))
		}
	}
	return m
}

// wordRange returns the least value that enter and exit may have to be packed,
// and how far above it the greatest is. Where callers keep the rules the words
// stay in range. Where they do not, each call of each round may add one, and the
// range ends somewhere.
func (cfg *Config) wordRange() (low, span int32) {
	n := int32(cfg.Procs)
	if misuse := ControlOf(cfg.Scenario) != "" && !cfg.Control; misuse || cfg.Mutant != nil {
		return -4, min(3*n, n+8) + 4
	}
	return -2, n + 3
}

// Init returns the initial state.
func (m *Machine) Init() State { return Init(m.cfg) }

// Actions appends to list what Enabled lists in s.
func (m *Machine) Actions(s *State, list []Action) []Action { return s.actions(&m.cfg, list) }

// Next makes to, which is zero or another state of m, the state after a, which must
// be enabled in s.
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

// A Transition is a kind of edge: the step or the event, and the step to which it
// leads the process. Relink leads no process anywhere; its steps are spec.Call.
type Transition struct {
	Step  spec.Step
	Event spec.Event // NoEvent: the step itself
	Next  spec.Step
}

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

// Pack packs s into the words. It returns false if the words of the segment have
// gone further out of range than it follows.
func (m *Machine) Pack(s *State, to []uint64) bool {
	shared, ok := m.packShared(s)
	for i := range to[:m.words] {
		to[i] = m.packProcs(s.procs[m.cut[i]:m.cut[i+1]])
	}
	to[0] = to[0]<<(m.sharedBits&63) | shared
	return ok
}

func (m *Machine) packShared(s *State) (w uint64, ok bool) {
	enter, exit := uint32(s.words.Enter-m.low), uint32(s.words.Exit-m.low)
	w = uint64(enter) | uint64(exit)<<exitAt | uint64(s.words.Flag)<<flagAt | uint64(s.locks[0]+1)<<lockAt
	if m.relinks {
		w |= (uint64(s.linked) | uint64(s.locks[1]+1)<<1) << relinkAt
	}
	return w, enter <= m.span && exit <= m.span
}

// Repack makes to, the packed state before a, the packed state s after it. It is
// Pack, but leaves alone what a does not change.
func (m *Machine) Repack(a Action, s *State, to []uint64) bool {
	if a.Proc < 0 || m.sweeps && (m.notices || a.Step == spec.UnlockExit) {
		return m.Pack(s, to)
	}
	shared, ok := m.packShared(s)
	to[0] = to[0]&^(1<<(m.sharedBits&63)-1) | shared
	at := m.at[a.Proc&(MaxProcs-1)]
	to[at.word] = to[at.word]&^(m.procMask<<(at.shift&63)) | m.packProc(&s.procs[a.Proc&(MaxProcs-1)])<<(at.shift&63)
	return ok
}

func (m *Machine) packProcs(procs []proc) (w uint64) {
	for p := len(procs) - 1; p >= 0; p-- {
		w = w<<(m.procBits&63) | m.packProc(&procs[p])
	}
	return w
}

// packProc returns the step of a process, above it what else there is of it, and
// its rounds at the top.
func (m *Machine) packProc(me *proc) uint64 {
	if m.plain {
		return uint64(min(me.rounds, m.mostRounds))<<stepBits | uint64(me.step)
	}
	return m.packRest(me)<<stepBits | uint64(me.step)
}

// packRest returns all of a process but its step.
func (m *Machine) packRest(me *proc) uint64 {
	field := uint64(min(me.rounds, m.mostRounds))
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
	return field
}

func bitLen(x uint) uint { return uint(bits.Len(x)) }

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// Unpack makes s, which is zero or another state of m, the state that was packed.
func (m *Machine) Unpack(from []uint64, s *State) {
	w := from[0]
	s.words.Enter = int32(w&(1<<wordBits-1)) + m.low
	s.words.Exit = int32(w>>exitAt&(1<<wordBits-1)) + m.low
	s.words.Flag = int32(w >> flagAt & (1<<flagBits - 1))
	shared := w & (1<<(m.sharedBits&63) - 1)
	s.locks = [2]int8{int8(shared>>lockAt&(1<<lockBits-1)) - 1, free}
	if m.relinks {
		s.linked, s.locks[1] = uint8(shared>>relinkAt&1), int8(shared>>(relinkAt+1))-1
	}
	m.unpackProcs(w>>(m.sharedBits&63), s.procs[:m.cut[1]])
	for i := 1; i < m.words; i++ {
		m.unpackProcs(from[i], s.procs[m.cut[i]:m.cut[i+1]])
	}
	if m.odd >= 0 {
		me := &s.procs[m.odd]
		*me = m.withParties(*me, m.odd)
	}
}

func (m *Machine) unpackProcs(w uint64, procs []proc) {
	size, mask := m.procBits&63, m.procMask
	if table := m.procs; uint64(len(table)) > mask {
		for p := range procs {
			procs[p] = table[w&mask]
			w >>= size
		}
		return
	}
	for p := range procs {
		procs[p] = m.unpackProc(w & mask)
		w >>= size
	}
}

// unpackProc returns the process that was packed, as one of those that are alike.
func (m *Machine) unpackProc(field uint64) (me proc) {
	me.step = spec.Step(field & (1<<stepBits - 1))
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
	return m.withParties(me, m.alike[0])
}

// withParties returns me with the party count of its call, if it were process p.
func (m *Machine) withParties(me proc, p int) proc {
	me.parties = 0
	if me.inside() {
		me.parties = m.cfg.parties(p, int(me.rounds)+1)
	}
	return me
}

// Alike returns the range of processes that are interchangeable: they start
// alike and may be permuted in any state.
func (m *Machine) Alike() (from, to int) { return m.alike[0], m.alike[1] }

func (cfg *Config) interchangeable() [2]int {
	switch special := cfg.special(); special {
	case -1:
		return [2]int{0, cfg.Procs}
	case 0:
		return [2]int{1, cfg.Procs}
	default:
		return [2]int{0, special}
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
