package explore

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/spec"
)

// A table is a small machine that rapid draws and that has nothing to do with
// the barrier: processes that each have a local state and share another, any
// edges, some bad states, some in which to rest.
type table struct {
	procs, locals, shareds int
	init                   tableState
	edges                  [][]tableEdge // by local and shared state
	alone                  []tableEdge   // by shared state: what the environment does, if that is an event
	waits                  []bool        // by local state
	alike                  [2]int        // the range of interchangeable processes
	bad                    tableEdge     // the local and the shared state that are bad
	badCount               int           // together with so many processes and their rounds
	rests                  int           // the local state of process 0 in which all rest; beyond them: always
	spread                 bool          // a packed state has a process in every other word
}

// A tableState has the local states and, up to 3, the rounds of up to 4
// processes.
type tableState struct {
	shared         uint8
	locals, rounds [4]uint8
	escaped        bool // cannot be packed
}

type tableEdge struct {
	local, shared uint8
	flags         flags
}

type flags uint8

const (
	completes flags = 1 << iota // the process completes a round
	event                       // not a step
	escapes                     // leads beyond what can be packed
)

type tableAction struct {
	proc int
	edge tableEdge
}

// flagSets are as frequent as makes graphs large enough.
var flagSets = rapid.SampledFrom([]flags{0, 0, 0, 0, 0, 0, 0, 0, completes, completes, completes, completes, completes, event, event, escapes})

func drawTable(t *rapid.T) *table {
	small := func(name string, least, most int) int {
		// Drawn from a list: from a range, rapid prefers the least.
		var all []int
		for i := least; i <= most; i++ {
			all = append(all, i)
		}
		return rapid.SampledFrom(all).Draw(t, name)
	}
	m := &table{procs: small("procs", 1, 4), locals: small("locals", 2, 5), shareds: small("shareds", 1, 4)}
	local := func() uint8 { return uint8(small("local", 0, m.locals-1)) }
	shared := func() uint8 { return uint8(small("shared", 0, m.shareds-1)) }

	first := local()
	for p := range m.procs {
		m.init.locals[p] = first
	}
	if rapid.Bool().Draw(t, "first differs") {
		m.init.locals[0], m.alike[0] = local(), 1
	}
	m.init.shared, m.alike[1] = shared(), m.procs
	for range m.locals * m.shareds {
		var edges []tableEdge
		for range rapid.SampledFrom([]int{0, 1, 1, 2}).Draw(t, "edges") {
			edges = append(edges, tableEdge{local(), shared(), flagSets.Draw(t, "flags")})
		}
		m.edges = append(m.edges, edges)
	}
	for range m.shareds {
		m.alone = append(m.alone, tableEdge{0, shared(), flags(small("alone", 0, 1)) * event})
	}
	for range m.locals {
		m.waits = append(m.waits, rapid.Bool().Draw(t, "waits"))
	}
	m.bad = tableEdge{local: local(), shared: shared()}
	m.badCount = small("bad count", 1, 8) // the larger ones are never met, so that the rest is explored
	m.rests = small("rests", 0, 2*m.locals)
	m.spread = rapid.Bool().Draw(t, "spread")
	return m
}

func (m *table) Init() tableState { return m.init }

func (m *table) Actions(s *tableState, list []tableAction) []tableAction {
	for p := range m.procs {
		for _, e := range m.edges[int(s.locals[p])*m.shareds+int(s.shared)] {
			list = append(list, tableAction{p, e})
		}
	}
	if e := m.alone[s.shared]; e.flags == event {
		list = append(list, tableAction{-1, e})
	}
	return list
}

func (m *table) Next(s *tableState, a tableAction, to *tableState) {
	*to = *s
	to.shared, to.escaped = a.edge.shared, a.edge.flags&escapes != 0
	if a.proc < 0 {
		return
	}
	to.locals[a.proc] = a.edge.local
	if a.edge.flags&completes == 0 {
		return
	}
	to.rounds[a.proc] = min(to.rounds[a.proc]+1, 3)
	for _, r := range to.rounds[:m.procs] {
		if r == 0 {
			return
		}
	}
	for p := range m.procs {
		to.rounds[p]--
	}
}

func (m *table) Procs() int { return m.procs }

func (m *table) Proc(a tableAction) int {
	if a.edge.flags&event != 0 {
		return -1
	}
	return a.proc
}

func (m *table) Rests(s *tableState) bool {
	return m.rests >= m.locals || int(s.locals[0]) == m.rests
}

func (m *table) Waiting(s *tableState) (procs uint16) {
	for p, l := range s.locals[:m.procs] {
		if m.waits[l] {
			procs |= 1 << p
		}
	}
	return procs
}

func (m *table) Violations(s *tableState) uint8 {
	n := 0
	for p, l := range s.locals[:m.procs] {
		if l == m.bad.local && s.shared == m.bad.shared {
			n += 1 + int(s.rounds[p])
		}
	}
	if n >= m.badCount {
		return 1 << spec.NoEarlyExit
	}
	return 0
}

func (m *table) Words() int {
	if m.spread {
		return m.procs
	}
	return 1
}

// Pack gives a process 8 bits.
func (m *table) Pack(s *tableState, to []uint64) bool {
	clear(to)
	to[0] = uint64(s.shared)
	for p := range m.procs {
		field := uint64(s.locals[p])<<2 | uint64(s.rounds[p])
		to[p%m.Words()] |= field << (8 * (p + 1))
	}
	return !s.escaped
}

func (m *table) Repack(_ tableAction, s *tableState, to []uint64) bool { return m.Pack(s, to) }

func (m *table) Unpack(from []uint64, s *tableState) {
	s.shared = uint8(from[0])
	for p := range m.procs {
		field := uint8(from[p%m.Words()] >> (8 * (p + 1)))
		s.locals[p], s.rounds[p] = field>>2, field&3
	}
}

func (m *table) Kinds() int                            { return 1 }
func (m *table) Kind(_ tableAction, _ *tableState) int { return 0 }

func (m *table) Alike() (from, to int) { return m.alike[0], m.alike[1] }

func (m *table) before(s *tableState, p, q int) bool {
	return s.locals[p] < s.locals[q] || s.locals[p] == s.locals[q] && s.rounds[p] < s.rounds[q]
}

func (m *table) Represent(s *tableState) {
	for i := m.alike[0] + 1; i < m.alike[1]; i++ {
		for j := i; j > m.alike[0] && m.before(s, j, j-1); j-- {
			s.locals[j], s.locals[j-1] = s.locals[j-1], s.locals[j]
			s.rounds[j], s.rounds[j-1] = s.rounds[j-1], s.rounds[j]
		}
	}
}

func (m *table) Repeats(s *tableState, a tableAction) bool {
	p := a.proc
	return p > m.alike[0] && p < m.alike[1] && !m.before(s, p-1, p) && !m.before(s, p, p-1)
}

// plainTable is a table for the oracles.
func plainTable(m *table) plain[tableState] {
	return plain[tableState]{
		init: m.init, procs: m.procs,
		key: func(s tableState) string { return fmt.Sprint(s) },
		next: func(s tableState) (edges []plainEdge[tableState]) {
			for _, a := range m.Actions(&s, nil) {
				var to tableState
				m.Next(&s, a, &to)
				edges = append(edges, plainEdge[tableState]{to, m.Proc(a), to.escaped})
			}
			return edges
		},
		bad: func(s tableState, p spec.Property) bool { return m.Violations(&s)>>p&1 != 0 },
		stuck: func(s tableState) bool {
			return !m.Rests(&s) && !slices.ContainsFunc(m.Actions(&s, nil), func(a tableAction) bool { return m.Proc(a) >= 0 })
		},
		waits: func(s tableState) uint16 { return m.Waiting(&s) },
	}
}

// often is rapid.Check with ten times as many draws: they are quick, and four
// in five make a graph of a few states only.
func often(t *testing.T, check func(*rapid.T)) {
	for range 10 {
		rapid.Check(t, check)
	}
}

// TestConform_RandomMachines compares Run with the naive exploration on
// machines that rapid draws.
func TestConform_RandomMachines(t *testing.T) {
	often(t, func(t *rapid.T) {
		m := drawTable(t)
		want := naive(plainTable(m))
		opt := Options{Workers: rapid.IntRange(1, 3).Draw(t, "workers")}
		x := newSearch[[4]uint64](m, opt)
		x.chunk = rapid.SampledFrom([]int{1, 2, chunkSize}).Draw(t, "chunk") // small ones make many batches of a level
		got := x.outcome(t.Context())
		if got.Verdict != want.Verdict || got.Generated != want.Generated || got.Distinct != want.Distinct || got.Depth != want.Depth {
			t.Fatalf("Run: got %+v, want %+v", got, want)
		}
		if path := keys(m, got.Path); !slices.Equal(path, want.Path) {
			t.Fatalf("Run: got a counterexample by %q, want %q", path, want.Path)
		}
		if m.alike[0] == 0 {
			return // Rests looks at one process
		}
		opt.Symmetry = true
		same := Run(t.Context(), m, opt)
		if same.Verdict != want.Verdict || same.Depth != want.Depth || same.Distinct > want.Distinct || !slices.Equal(keys(m, same.Path), want.Path) {
			t.Fatalf("Run with symmetry: got %+v, want %+v", same, want)
		}
	})
}

// keys returns the states to which a path leads, one after the other.
func keys(m *table, path []tableAction) (list []string) {
	s := m.init
	for _, a := range path {
		var to tableState
		m.Next(&s, a, &to)
		s = to
		list = append(list, fmt.Sprint(s))
	}
	return list
}

// TestConform_RandomLiveness compares the search for fair loops with the fixed
// point on machines that rapid draws.
func TestConform_RandomLiveness(t *testing.T) {
	loops, none, compared := 0, 0, 0
	often(t, func(t *rapid.T) {
		m := drawTable(t)
		m.alike = [2]int{} // what a draw calls alike need not wait alike
		// Larger graphs take the oracle too long.
		x := newSearch[[4]uint64](m, Options{Check: []spec.Property{}, MaxStates: 400})
		if why, _ := x.run(t.Context()); why != complete {
			return
		}
		x.tally()
		l, _ := x.liveness(t.Context())
		w := worldOf(plainTable(m))
		if want := w.hangsFairly(); (l != nil) != want {
			t.Fatalf("a fair loop found: %v, by fixed point: %v", l != nil, want)
		}
		if l == nil {
			none++
			return
		}
		loops++
		if len(w.level) <= 100 {
			compared++
			if got, want := l.length(), w.shortestLasso(); got != want {
				t.Fatalf("a lasso of %d steps, the shortest has %d", got, want)
			}
		}
		path, loop := x.spell(l)
		if states := keys(m, path); loop > 1 && states[loop-2] != states[len(states)-1] {
			t.Fatalf("the loop ends in %s, want %s, where it begins", states[len(states)-1], states[loop-2])
		}
	})
	if compared == 0 || none == 0 {
		t.Errorf("%d draws with a fair loop, %d of them compared in length, and %d without: the comparison is empty", loops, compared, none)
	}
}
