package model

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestGolden_Graphs counts each small state graph: states, edges, both up to
// symmetry, and the states that violate a property or are stuck. The counts are
// those of one way to write the model, Enabled and Apply; the Machine, which the
// explorer takes, must agree with it in each state and at each edge.
func TestGolden_Graphs(t *testing.T) {
	rows := [][]string{{"configuration", "states", "orbits", "edges", "up to symmetry",
		"NoEarlyExit", "WordsInRange", "LockExclusive", "Quiescent", "stuck"}}
	for _, cfg := range smallConfigs() {
		c := count(t, cfg)
		row := []string{cfg.String()}
		for _, n := range []int{c.states, len(c.orbits), c.edges, c.kept, c.violations[spec.NoEarlyExit],
			c.violations[spec.WordsInRange], c.violations[spec.LockExclusive], c.violations[spec.Quiescent], c.stuck} {
			row = append(row, fmt.Sprint(n))
		}
		rows = append(rows, row)
	}
	golden.File(t, "testdata/graphs.md", golden.Table(rows))
}

// smallConfigs has each scenario, its control, the weaker reads and each
// mutant.
func smallConfigs() (list []Config) {
	for _, sc := range spec.AllScenarios {
		for _, control := range []bool{false, true} {
			for _, size := range [][2]int{{1, 0}, {1, 2}, {1, 5}, {2, 0}, {2, 2}, {3, 1}} {
				for _, weak := range []bool{false, true} {
					cfg := Config{Scenario: sc, Procs: size[0], Rounds: size[1], Control: control, WeakReads: weak}
					misuse := ControlOf(sc) != "" && !control // without a bound it may not end
					if cfg.Validate() == nil && !(misuse && cfg.Rounds == 0) && !(weak && cfg.Rounds != 2) {
						list = append(list, cfg)
					}
				}
			}
		}
	}
	for i := range Mutants {
		list = append(list, Config{Scenario: spec.Withdraw, Procs: 2, Rounds: 2, Mutant: &Mutants[i]})
	}
	for _, name := range []string{"count-exit-early", "init-exit-always"} {
		list = append(list, Config{Scenario: spec.SplitLock, Procs: 2, Rounds: 1, Mutant: MutantNamed(name)})
	}
	for _, control := range []bool{false, true} {
		list = append(list, Config{Scenario: spec.Growing, Procs: 3, Rounds: 2, Control: control})
	}
	return list
}

// counts are of one state graph.
type counts struct {
	states, edges, kept, stuck int
	violations                 map[spec.Property]int
	orbits                     map[State]bool
}

func count(t *testing.T, cfg Config) counts {
	t.Helper()
	c := counts{violations: map[spec.Property]int{}, orbits: map[State]bool{}}
	m := NewMachine(cfg)
	for _, s := range reachable(t, cfg) {
		c.states++
		for _, p := range spec.AllProperties {
			if Violates(cfg, s, p) {
				c.violations[p]++
			}
		}
		if Stuck(cfg, s) {
			c.stuck++
		}
		c.orbits[checkOrbit(t, m, s)] = true
		checkState(t, cfg, m, s)
		checkPacked(t, m, s)
		edges, kept := checkEdges(t, cfg, m, s)
		c.edges += edges
		c.kept += kept
	}
	return c
}

// checkOrbit returns the state that stands for the permutations of s.
func checkOrbit(t *testing.T, m *Machine, s State) State {
	t.Helper()
	represented := func(s State) State {
		m.Represent(&s)
		return s
	}
	want := represented(s)
	from, to := m.Alike()
	for p := from; p+1 < to; p++ {
		swapped := s
		swapped.procs[p], swapped.procs[p+1] = s.procs[p+1], s.procs[p]
		for file, holder := range s.locks {
			switch int(holder) {
			case p:
				swapped.locks[file]++
			case p + 1:
				swapped.locks[file]--
			}
		}
		if got := represented(swapped); got != want {
			t.Fatalf("%s: Represent of %v with p%d and p%d swapped: got %v, want %v", m.cfg, s, p, p+1, got, want)
		}
	}
	return want
}

func checkState(t *testing.T, cfg Config, m *Machine, s State) {
	t.Helper()
	waiting, rests := uint16(0), true
	for p := range cfg.Procs {
		if s.Inside(p) && s.Alive(p) {
			waiting |= 1 << p
		}
		if s.Alive(p) && (s.Inside(p) || s.Step(p) != spec.Call || cfg.Rounds == 0 || s.procs[p].rounds < cfg.lastRound(p)) {
			rests = false
		}
		if s.Inside(p) != (s.Parties(p) > 0) {
			t.Fatalf("%s: %v: p%d is inside: %v, with party count %d", cfg, s, p, s.Inside(p), s.Parties(p))
		}
	}
	if m.Waiting(&s) != waiting || m.Rests(&s) != rests {
		t.Fatalf("%s: %v: got waiting %b, rests %v; want %b, %v", cfg, s, m.Waiting(&s), m.Rests(&s), waiting, rests)
	}
}

// checkPacked packs s and unpacks it.
func checkPacked(t *testing.T, m *Machine, s State) {
	t.Helper()
	words := slices.Repeat([]uint64{^uint64(0)}, m.Words()) // Pack clears them
	if !m.Pack(&s, words) {
		t.Fatalf("%s: Pack(%v): got false, want true", m.cfg, s)
	}
	var got State
	if m.Unpack(words, &got); got != s {
		t.Fatalf("%s: Unpack of %v: got %v", m.cfg, s, got)
	}
}

// checkEdges compares Next, Repack and Kind with Apply, and returns how many
// edges lead out of s, and how many remain without those that Repeats leaves
// out. These must lead to the same states, up to symmetry.
func checkEdges(t *testing.T, cfg Config, m *Machine, s State) (edges, kept int) {
	t.Helper()
	list := m.Actions(&s, nil)
	if want := Enabled(cfg, s); !slices.Equal(list, want) {
		t.Fatalf("%s: Actions in %v: got %v, want %v", cfg, s, list, want)
	}
	all, some := map[State]bool{}, map[State]bool{}
	var next State // zero, and then another state
	for _, a := range list {
		to := Apply(cfg, s, a)
		if m.Next(&s, a, &next); next != to {
			t.Fatalf("%s: Next(%v) in %v: got %v, want %v", cfg, a, s, next, to)
		}
		want := Transition{Step: a.Step, Event: a.Event}
		if a.Proc >= 0 {
			want.Next = to.Step(a.Proc)
		}
		if kind := m.Kind(a, &to); m.Transition(kind) != want || kind < 0 || kind >= m.Kinds() {
			t.Fatalf("%s: Transition of kind %d: got %v, want %v", cfg, kind, m.Transition(kind), want)
		}
		if proc := m.Proc(a); proc != a.Proc && a.Event == spec.NoEvent || proc != -1 && a.Event != spec.NoEvent {
			t.Fatalf("%s: Proc(%v): got %d", cfg, a, proc)
		}
		before, after := make([]uint64, m.Words()), make([]uint64, m.Words())
		m.Pack(&s, before)
		m.Pack(&to, after)
		if ok := m.Repack(a, &to, before); !ok || !slices.Equal(before, after) {
			t.Fatalf("%s: Repack(%v) from %v: got %x, %v, want %x", cfg, a, s, before, ok, after)
		}
		m.Represent(&to)
		all[to] = true
		if edges++; !m.Repeats(&s, a) {
			kept++
			some[to] = true
		}
	}
	if len(all) != len(some) {
		t.Fatalf("%s: %v has %d states after it, and %d without what Repeats leaves out", cfg, s, len(all), len(some))
	}
	return edges, kept
}

// TestUnit_PackManyProcs packs states of many processes, which take more than
// one word.
func TestUnit_PackManyProcs(t *testing.T) {
	for _, c := range []struct {
		cfg   Config
		words int
	}{
		{Config{Scenario: spec.Reuse, Procs: 5}, 1}, {Config{Scenario: spec.Reuse, Procs: 16}, 3},
		{Config{Scenario: spec.Withdraw, Procs: 9, Rounds: 20}, 2}, {Config{Scenario: spec.Crash, Procs: 16, Rounds: 20}, 6},
	} {
		m := NewMachine(c.cfg)
		if got := m.Words(); got != c.words {
			t.Errorf("%s: Words: got %d, want %d", c.cfg, got, c.words)
		}
		s := Init(c.cfg)
		for p := range c.cfg.Procs {
			s.procs[p] = proc{step: spec.AllSteps[p+1], rounds: int32(p) % (m.mostRounds + 1), parties: int32(c.cfg.Procs), dead: c.cfg.Scenario == spec.Crash && p%2 == 0}
		}
		checkPacked(t, m, s)
	}
}

// TestUnit_PackWords: what is far out of range is not packed, neither at once
// nor as the state after a packed one.
func TestUnit_PackWords(t *testing.T) {
	for _, c := range []struct {
		cfg         Config
		least, most int32
	}{
		{Config{Scenario: spec.Reuse, Procs: 2}, -2, 3},
		{Config{Scenario: spec.Surplus, Procs: 2}, -4, 6},
		{Config{Scenario: spec.Surplus, Procs: 8}, -4, 16},
		{Config{Scenario: spec.Surplus, Procs: 2, Control: true}, -2, 3},
		{Config{Scenario: spec.Reuse, Procs: 2, Mutant: &Mutants[0]}, -4, 6},
	} {
		m := NewMachine(c.cfg)
		for v := int32(-6); v < 20; v++ {
			for _, w := range []spec.Words{{Enter: v}, {Exit: v}} {
				s := Init(c.cfg)
				a := Action{Proc: 0, Step: spec.Call, Parties: 2}
				packed := make([]uint64, m.Words())
				m.Pack(&s, packed)
				s.words = w
				want := c.least <= v && v <= c.most
				if got, again := m.Pack(&s, slices.Clone(packed)), m.Repack(a, &s, packed); got != want || again != want {
					t.Errorf("%s: Pack, Repack of %v: got %v, %v, want %v", c.cfg, w, got, again, want)
				}
			}
		}
	}
}

// TestUnit_PackFull: a process lies in the word of the one before if there is
// room, down to the last bit.
func TestUnit_PackFull(t *testing.T) {
	full := 0
	for _, sc := range []spec.Scenario{spec.Reuse, spec.Crash} {
		for rounds := range maxRounds + 1 {
			m := NewMachine(Config{Scenario: sc, Procs: MaxProcs, Rounds: rounds})
			size := bits.Len64(m.procMask)
			for p := 1; p < MaxProcs; p++ {
				before, at := m.at[p-1], m.at[p]
				end := int(before.shift) + 2*size
				if end == 64 {
					full++
				}
				if fits := end <= 64; fits != (at.word == before.word) {
					t.Errorf("%s: process %d ends at bit %d of word %d, but lies in word %d", m.cfg, p, end, before.word, at.word)
				}
			}
		}
	}
	if full == 0 {
		t.Error("no process ends a word: the test needs other configurations")
	}
}
