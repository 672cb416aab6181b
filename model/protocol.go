package model

// A protocol is what the explorer explores: processes that each have a local
// state and share one shared state, all of them small numbers, and a table of
// the edges that a process has in each of its local states under each shared
// state. The barrier is one (see compile); the tests draw others at random.
//
// An edge changes the shared state and the local state of the process that
// takes it, and nothing else but for reacts and the rounds.
type protocol struct {
	procs   int
	shareds int // shared states are 0 to shareds-1
	locals  int // local states are 0 to locals-1

	firstShared uint16
	firstLocals []uint16 // by process

	first []uint32 // edges of local l under shared s: edges[first[i]:first[i+1]], i = l*shareds+s
	edges []edge
	alone []edge // by shared state: what the environment can do; kind 0: nothing
	kinds int    // edges have kinds 1 to kinds-1

	// same is the range of processes that are interchangeable: they start alike
	// and may be permuted in any state.
	same [2]int

	// relative: beside its local state each process counts the rounds that it
	// has completed, less the least such count of all.
	relative bool

	// A process in a local state that waits takes no edge while any process is
	// in a local state that blocks. Both nil: no such.
	waits, blocks []bool

	// reacts gives, where not nil, the local state that l becomes at l*shareds+s
	// when another process makes the shared state s.
	reacts []uint16

	// inside says of each local state whether the process is in a call, which
	// is to return if it goes on for ever.
	inside []bool

	// judge returns a function that says which properties a state violates, as
	// a set of bits 1<<property; one function for one goroutine.
	judge func() func(*view) uint8
	// rests says whether it is right that nobody moves in a state.
	rests func(*view) bool
}

// An edge is one way on for a process from its local and the shared state.
type edge struct {
	shared, local uint16
	kind          uint16
	how           uint8
}

// How an edge counts.
const (
	completes uint8 = 1 << iota // the process has completed a round
	event                       // not a step but what happens to the process, finitely often; it need not happen, so it is no movement
	escapes                     // leads where the table ends
)

// A view is a state with its parts side by side.
type view struct {
	shared uint16
	locals [MaxProcs]uint16
	rounds [MaxProcs]uint8 // relative; 0 unless protocol.relative
}

// maxAhead is the largest relative count of rounds that a state holds: 3 stands
// for any more. Two ahead violates NoEarlyExit, and nothing else looks at the
// counts, so no verdict depends on what 3 stands for.
const maxAhead = 3

// at returns the edges of local state l under shared state s.
func (t *protocol) at(l, s uint16) []edge {
	i := int(l)*t.shareds + int(s)
	return t.edges[t.first[i]:t.first[i+1]]
}

// tableBytes returns how much memory the table takes.
func (t *protocol) tableBytes() int64 {
	return rowBytes(len(t.edges)+len(t.alone), len(t.first), len(t.reacts))
}

// fan returns how many edges leave a state at most.
func (t *protocol) fan() int {
	most := uint32(0)
	for i := range t.first[1:] {
		most = max(most, t.first[i+1]-t.first[i])
	}
	return t.procs*int(most) + 1
}

// initial returns the state before anything has happened.
func (t *protocol) initial() (v view) {
	v.shared = t.firstShared
	copy(v.locals[:], t.firstLocals)
	return v
}

// successors calls yield for every edge out of v, with the process that takes
// it, or -1 for the environment.
func (t *protocol) successors(v *view, yield func(e edge, p int)) {
	held := t.waits != nil && t.heldBack(v)
	for p, l := range v.locals[:t.procs] {
		if held && t.waits[l] {
			continue
		}
		for _, e := range t.at(l, v.shared) {
			yield(e, p)
		}
	}
	if e := t.alone[v.shared]; e.kind != 0 {
		yield(e, -1)
	}
}

// step returns the state that process p makes of v by taking e, and false when
// the table ends there.
func (t *protocol) step(v *view, p int, e edge) (to view, ok bool) {
	to = *v
	to.shared = e.shared
	if p >= 0 {
		to.locals[p] = e.local
	}
	if e.how&escapes != 0 {
		return to, false
	}
	if t.reacts != nil {
		for q := range t.procs {
			if q != p {
				to.locals[q] = t.reacts[int(to.locals[q])*t.shareds+int(to.shared)]
			}
		}
	}
	if t.relative && e.how&completes != 0 {
		to.complete(p, t.procs)
	}
	return to, true
}

// complete counts a round for process p of procs.
func (v *view) complete(p, procs int) {
	v.rounds[p] = min(v.rounds[p]+1, maxAhead)
	for q := range procs {
		if v.rounds[q] == 0 {
			return
		}
	}
	for q := range procs {
		v.rounds[q]--
	}
}

// heldBack reports whether some process blocks those that wait.
func (t *protocol) heldBack(v *view) bool {
	for _, l := range v.locals[:t.procs] {
		if t.blocks[l] {
			return true
		}
	}
	return false
}

// sort permutes interchangeable processes so that all permutations of a state
// become one.
func (t *protocol) sort(v *view) {
	for i := t.same[0] + 1; i < t.same[1]; i++ {
		l, r := v.locals[i], v.rounds[i]
		j := i
		for ; j > t.same[0] && (v.locals[j-1] > l || v.locals[j-1] == l && v.rounds[j-1] > r); j-- {
			v.locals[j], v.rounds[j] = v.locals[j-1], v.rounds[j-1]
		}
		v.locals[j], v.rounds[j] = l, r
	}
}
