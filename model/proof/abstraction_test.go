package proof_test

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// TestConform_Model compares the table of moves with the model, for 1 to 5
// processes and an unbounded number of rounds. Each state of the model maps to
// one that the table reaches and that satisfies the invariant; the edges from
// it map to the moves that are possible there; and the table reaches no other
// state. The longest round of the model has as many steps as the rank allows.
func TestConform_Model(t *testing.T) {
	t.Parallel()
	most := mostCompared
	if testing.Short() {
		most--
	}
	rows := [][]string{{"scenario", "n", "states of the model", "edges", "states of the abstraction"}}
	rank := proof.TheRank()
	rounds := [][]string{{"scenario", "n", "longest round", rank.StepsOfRound().String(), "most steps to the end", rank.StepsToEnd().String()}}
	for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
		for n := 1; n <= most; n++ {
			got, err := compared(sc, n)
			if err != nil {
				t.Errorf("scenario %v, n = %d: %v", sc, n, err)
			}
			rows = append(rows, []string{code(sc.String()), fmt.Sprint(n), fmt.Sprint(got.states), fmt.Sprint(got.edges), fmt.Sprint(got.abstract)})
			rounds = append(rounds, []string{code(sc.String()), fmt.Sprint(n), fmt.Sprint(got.round), fmt.Sprint(rank.StepsOfRound().Of(n)),
				fmt.Sprint(got.toEnd), fmt.Sprint(rank.StepsToEnd().Of(n))})
			if want := rank.StepsOfRound().Of(n); got.round != want {
				t.Errorf("scenario %v, n = %d: the longest round has %d steps, want the bound %d", sc, n, got.round, want)
			}
			if most := rank.StepsToEnd().Of(n); got.toEnd > most {
				t.Errorf("scenario %v, n = %d: a round ends after %d steps, want at most %d", sc, n, got.toEnd, most)
			}
		}
	}
	if !testing.Short() {
		goldenTable(t, "sizes", rows)
		goldenTable(t, "rounds", rounds)
	}
}

// TestHazard_MutantsDifferFromTheModel: the comparison finds a difference for
// each mutant, the safe ones included.
func TestHazard_MutantsDifferFromTheModel(t *testing.T) {
	for _, m := range proof.Mutants() {
		var err error
		for n := 2; n <= 3 && err == nil; n++ {
			_, err = compare(m.Table(), model.Config{Scenario: spec.Withdraw, Procs: n})
		}
		if err == nil {
			t.Errorf("mutant %s: no difference from the model, want one", m.Name)
		}
	}
}

// TestConform_Mutants: the explorer finds that a mutant of the model breaks a
// safety property, or NoHang alone, exactly if the table of moves does.
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
		breaks := ""
		switch explore.Explore(t.Context(), cfg, explore.Options{Symmetry: true, Check: safety}).Verdict {
		case spec.Violated:
			breaks = "safety"
		case spec.Verified:
			r := explore.Explore(t.Context(), cfg, explore.Options{Liveness: true, Check: []spec.Property{spec.NoHang}})
			if r.Verdict == spec.Hang || r.Verdict == spec.Violated {
				breaks = "NoHang"
			}
		}
		got := proof.SearchUpTo(mutant.Table(), mostProcs).Property
		if got != "" && got != "NoHang" {
			got = "safety"
		}
		if got != breaks {
			t.Errorf("mutant %s: the explorer finds that it breaks %q, the table of moves %q", m.Name, breaks, got)
		}
	}
}

var safety = []spec.Property{spec.NoEarlyExit, spec.WordsInRange, spec.LockExclusive, spec.Quiescent}

// mostCompared is the number of processes up to which the model is compared with
// the table: the states of one more would take gigabytes.
const mostCompared = 5

var comparisons = struct {
	sync.Mutex
	done map[model.Config]sizes
}{done: map[model.Config]sizes{}}

// compared compares the table of a scenario with the model, once.
func compared(sc spec.Scenario, n int) (sizes, error) {
	comparisons.Lock()
	defer comparisons.Unlock()
	cfg := model.Config{Scenario: sc, Procs: n}
	if got, ok := comparisons.done[cfg]; ok {
		return got, nil
	}
	table, err := proof.Scenario(sc)
	if err != nil {
		return sizes{}, err
	}
	got, err := compare(table, cfg)
	if err == nil {
		comparisons.done[cfg] = got
	}
	return got, err
}

// sizes has the size of what was compared, and the most steps that end a round
// from its start and from any state.
type sizes struct{ states, edges, abstract, round, toEnd int }

// compare returns the first difference between the table and the model.
func compare(table proof.Table, cfg model.Config) (got sizes, err error) {
	abstract := proof.Search(table, cfg.Procs)
	if abstract.Property != "" {
		return got, fmt.Errorf("the table of moves breaks %s after %v", abstract.Property, abstract.Schedule())
	}
	inv, rules := proof.TheInvariant(), table.Rules()
	moves := map[proof.State]map[edge]bool{} // the moves of the table in each state
	graph := explore.NewGraph(model.NewMachine(cfg))
	for i, s := range graph.States {
		out := graph.Edges[i]
		got.states++
		got.edges += len(out)
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
			to, err := counters(graph.States[e.To], cfg.Procs)
			if err != nil {
				return got, err
			}
			does[edge{e.Action.Label(), e.Action.Step, s.Rounds(e.Action.Proc), to}] = true
		}
		if !maps.Equal(does, want) {
			return got, fmt.Errorf("in %v\nthe model does %v\nthe table      %v", s, does, want)
		}
	}
	got.abstract = len(abstract.States)
	if got.abstract != len(moves) {
		return got, fmt.Errorf("%d states map to %d of the %d that the table of moves reaches", got.states, len(moves), got.abstract)
	}
	got.round, got.toEnd = longest(graph, cfg.Procs)
	return got, nil
}

// longest returns the length of the longest path of steps from the start of a
// round to its end, and from any state. Each path ends, or it does not return.
func longest(g *explore.Graph[model.State, model.Action], procs int) (round, toEnd int) {
	ends := func(s model.State, a model.Action) bool { // the last one behind completes its call
		for p := range procs {
			if p != int(a.Proc) && s.Rounds(p) == 0 {
				return false
			}
		}
		return a.Step == spec.UnlockExit
	}
	steps := make([]int, len(g.States)) // to the end of the round; 0: not known
	var measure func(i int) int
	measure = func(i int) int {
		if steps[i] == 0 {
			for _, e := range g.Edges[i] {
				switch {
				case e.Action.Event != spec.NoEvent:
				case ends(g.States[i], e.Action):
					steps[i] = max(steps[i], 1)
				default:
					steps[i] = max(steps[i], 1+measure(e.To))
				}
			}
		}
		return steps[i]
	}
	round = measure(0)
	for i := range g.States {
		toEnd = max(toEnd, measure(i))
		for _, e := range g.Edges[i] {
			if e.Action.Event == spec.NoEvent && ends(g.States[i], e.Action) {
				round = max(round, measure(e.To))
			}
		}
	}
	return round, toEnd
}

// TestConform_Explorer: under symmetry the explorer finds as many states as the
// table of moves reaches.
func TestConform_Explorer(t *testing.T) {
	t.Parallel()
	most := 7
	if testing.Short() {
		most = 5
	}
	for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
		for n := 1; n <= most; n++ {
			want := explore.Explore(t.Context(), model.Config{Scenario: sc, Procs: n}, explore.Options{Symmetry: true, Check: []spec.Property{spec.NoEarlyExit}})
			if got := len(search(t, sc, n).States); int64(got) != want.Distinct || want.Verdict != spec.Verified {
				t.Errorf("scenario %v, n = %d: the table of moves reaches %d states, the explorer %d (%s)", sc, n, got, want.Distinct, want.Verdict)
			}
		}
	}
}

// search runs the table of moves of a scenario, which must break no property.
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

// An edge is a move of one process and the abstract state after it.
type edge struct {
	label  string
	from   spec.Step
	rounds int
	to     proof.State
}

// counters returns the abstraction of a state of the model.
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

// allowed lists the edges from s that the rules allow.
func allowed(rules []proof.Rule, s proof.State) map[edge]bool {
	set := map[edge]bool{}
	for _, r := range rules {
		if r.Possible(&s) {
			label, _, _ := strings.Cut(r.Move.Name, ".")
			set[edge{label, r.Move.From, int(r.Group), r.Eval(&s)}] = true
		}
	}
	return set
}
