package proof_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// TestConform_Model checks the abstraction on everything that 1 to 5 named
// processes can reach in an unbounded number of rounds: each state maps to one
// that the table of moves reaches and that satisfies the invariant, what can
// happen in it maps to what the table allows there, no more and no less, and
// there are as many abstract states as there are states when processes of the
// same step and rounds are not told apart.
func TestConform_Model(t *testing.T) {
	t.Parallel()
	const most = 5
	rows := [][]string{{"scenario", "n", "states of the model", "edges", "states of the abstraction"}}
	for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
		table, err := proof.Scenario(sc)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= most; n++ {
			got, err := compare(table, model.Config{Scenario: sc, Procs: n})
			if err != nil {
				t.Errorf("scenario %v, n = %d: %v", sc, n, err)
			}
			rows = append(rows, []string{code(sc.String()), fmt.Sprint(n), fmt.Sprint(got.states), fmt.Sprint(got.edges), fmt.Sprint(got.orbits)})
		}
	}
	goldenTable(t, "sizes", rows)
}

// TestHazard_Conform: every other table than the protocol's is told from the
// model, those that are safe included.
func TestHazard_Conform(t *testing.T) {
	for _, m := range proof.Mutants() {
		var err error
		for n := 2; n <= 3 && err == nil; n++ {
			_, err = compare(m.Table(), model.Config{Scenario: spec.Withdraw, Procs: n})
		}
		if err == nil {
			t.Errorf("the table of mutant %s and the model do the same", m.Name)
		}
	}
}

// TestConform_Mutants: a mistake of the explorer's that breaks a safety property
// there breaks one in the table of moves, too, and one that does not does not.
func TestConform_Mutants(t *testing.T) {
	t.Parallel()
	for i := range model.Mutants {
		m := &model.Mutants[i]
		mutant, err := proof.FindMutant(m.Name)
		if err != nil {
			t.Error(err)
			continue
		}
		cfg := model.Config{Scenario: spec.Withdraw, Procs: 3, Mutant: m}
		r := model.Explore(t.Context(), cfg, model.Options{Symmetry: true, Check: safety})
		if breaks := r.Verdict == spec.Violated; breaks != (mutant.Safe == "") {
			t.Errorf("mutant %s: the explorer says %s %s, and why it should be safe is %q", m.Name, r.Verdict, r.Property, mutant.Safe)
		}
	}
}

var safety = []spec.Property{spec.NoEarlyExit, spec.WordsInRange, spec.LockExclusive, spec.Quiescent}

// sizes says how much of the model was compared.
type sizes struct{ states, edges, orbits int }

// compare returns the first difference between what the table and the model do.
func compare(table proof.Table, cfg model.Config) (got sizes, err error) {
	abstract := proof.Search(table, cfg.Procs)
	if abstract.Property != "" {
		return got, fmt.Errorf("the table of moves breaks %s after %v", abstract.Property, abstract.Schedule())
	}
	inv, rules := proof.TheInvariant(), rulesOf(table)
	moves := map[proof.State]map[edge]bool{} // what the table allows in each state
	orbits := map[orbit]bool{}
	for s, out := range model.States(cfg) {
		got.states++
		got.edges += len(out)
		orbits[orbitOf(s, cfg.Procs)] = true
		a, err := counters(s, cfg.Procs)
		if err != nil {
			return got, err
		}
		want, known := moves[a]
		if !known {
			if !abstract.Has(a) {
				return got, fmt.Errorf("%v maps to %v, which the table of moves does not reach", s, a)
			}
			if broken := inv.Broken(&a); broken != nil {
				return got, fmt.Errorf("%v maps to %v, which breaks %v", s, a, broken)
			}
			want = allowed(rules, a)
			moves[a] = want
		}
		does := map[edge]bool{}
		for _, e := range out {
			to, err := counters(e.To, cfg.Procs)
			if err != nil {
				return got, err
			}
			does[edge{e.Action.Label(), e.Action.Step, s.Rounds(e.Action.Proc), to}] = true
		}
		if !maps.Equal(does, want) {
			return got, fmt.Errorf("in %v\nthe model does %v\nthe table      %v", s, does, want)
		}
	}
	got.orbits = len(orbits)
	if got.orbits != len(abstract.States) {
		return got, fmt.Errorf("%d states are %d orbits under symmetry, the table of moves reaches %d", got.states, got.orbits, len(abstract.States))
	}
	return got, nil
}

// TestConform_Explorer: where the states are too many to be named one by one,
// the explorer finds as many under symmetry as the table of moves reaches.
func TestConform_Explorer(t *testing.T) {
	t.Parallel()
	for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
		for n := 1; n <= 7; n++ {
			want := model.Explore(t.Context(), model.Config{Scenario: sc, Procs: n}, model.Options{Symmetry: true, Check: []spec.Property{spec.NoEarlyExit}})
			if got := len(search(t, sc, n).States); int64(got) != want.Distinct || want.Verdict != spec.Verified {
				t.Errorf("scenario %v, n = %d: the table of moves reaches %d states, the explorer %d (%s)", sc, n, got, want.Distinct, want.Verdict)
			}
		}
	}
}

// search runs the table of moves of a scenario, which must not break anything.
func search(t *testing.T, sc spec.Scenario, n int) proof.Reached {
	t.Helper()
	table, err := proof.Scenario(sc)
	if err != nil {
		t.Fatal(err)
	}
	r := proof.Search(table, n)
	if r.Property != "" {
		t.Fatalf("Search(scenario %v, %d) breaks %s after %v", sc, n, r.Property, r.Schedule())
	}
	return r
}

// An edge is what happens to one process, and the abstract state afterwards.
type edge struct {
	label  string
	from   spec.Step
	rounds int
	to     proof.State
}

// counters is the abstraction: the state without the processes' names.
func counters(s model.State, n int) (proof.State, error) {
	a := proof.State{N: int32(n), Words: s.Words()}
	if s.Holder() >= 0 {
		a.Lock = 1
		if step := s.Step(s.Holder()); !step.Holds() {
			return a, fmt.Errorf("in %v the holder of the lock is at %v", s, step)
		}
	}
	for p := range n {
		if s.Rounds(p) > 1 {
			return a, fmt.Errorf("in %v process %d is %d rounds ahead, want at most 1", s, p, s.Rounds(p))
		}
		a.At[s.Rounds(p)][s.Step(p)]++
	}
	return a, nil
}

// An orbit is the same for two states exactly if renaming processes makes one
// of the other. It is written without the counters that it is held against.
type orbit struct {
	words spec.Words
	procs [5][4]int
}

func orbitOf(s model.State, n int) orbit {
	o := orbit{words: s.Words()}
	for p := range n {
		o.procs[p] = [4]int{int(s.Step(p)), s.Rounds(p), s.Parties(p), 0}
		if s.Holder() == p {
			o.procs[p][3] = 1
		}
	}
	slices.SortFunc(o.procs[:n], func(a, b [4]int) int { return slices.Compare(a[:], b[:]) })
	return o
}

// A rule is what the table says that a process of a group can do.
type rule struct {
	move  proof.Move
	group proof.Group
	next  proof.Successor
}

func rulesOf(table proof.Table) (list []rule) {
	for _, m := range table {
		list = append(list, rule{m, proof.Behind, m.After(proof.Behind)})
		if m.Return {
			list = append(list, rule{m, proof.Behind, m.AfterLast()})
		} else {
			list = append(list, rule{m, proof.Ahead, m.After(proof.Ahead)})
		}
	}
	return list
}

// allowed lists what can happen in s.
func allowed(rules []rule, s proof.State) map[edge]bool {
	set := map[edge]bool{}
	for _, r := range rules {
		if r.next.Possible(&s) {
			label, _, _ := strings.Cut(r.move.Name, ".")
			set[edge{label, r.move.From, int(r.group), r.next.Eval(&s)}] = true
		}
	}
	return set
}
