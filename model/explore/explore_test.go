package explore

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestConform_Naive compares Explore with the naive exploration on all that it
// counts and on the counterexample, in every scenario and on every mutant: all
// properties at once, and then, where misuse ends that at the first violation,
// each for itself, so that what lies beyond is compared too.
func TestConform_Naive(t *testing.T) {
	most, deepest := 4, 50
	if testing.Short() {
		most, deepest = 2, 15
	}
	var all []model.Config
	for n := 1; n <= most; n++ {
		all = append(all, configs(n)...)
	}
	for i := range model.Mutants {
		all = append(all, model.Config{Scenario: spec.Withdraw, Procs: 2, Mutant: &model.Mutants[i]})
		if !testing.Short() {
			all = append(all, model.Config{Scenario: spec.Reuse, Procs: 3, Mutant: &model.Mutants[i]})
		}
	}
	deep := 0
	for _, cfg := range all {
		agree(t, cfg, spec.AllProperties)
		if !misuse(cfg) {
			continue
		}
		for _, p := range spec.AllProperties {
			check := []spec.Property{p}
			// Some spaces have no end, and others are too large for the naive
			// way.
			if r := Explore(t.Context(), cfg, Options{Check: check, MaxStates: 10_000}); r.Verdict == spec.Verified {
				deep++
				agree(t, cfg, check)
			}
		}
	}
	if deep < deepest {
		t.Errorf("%d spaces of misuse were compared to their end, want at least %d", deep, deepest)
	}
}

func agree(t *testing.T, cfg model.Config, check []spec.Property) {
	t.Helper()
	want := naive(plainBarrier(cfg, check))
	got := Explore(t.Context(), cfg, Options{Workers: 2, Check: check})
	property := want.Property.String()
	if want.Verdict == spec.Verified {
		property = ""
	}
	if got.Verdict != want.Verdict || got.Property != property || got.Generated != want.Generated ||
		got.Distinct != want.Distinct || got.Depth != want.Depth {
		t.Errorf("Explore(%s), checking %v: got %s, naive exploration %+v", cfg, check, brief(got.Result), want)
	}
	var path []string
	for _, s := range replay(t, cfg, got.Trace)[1:] {
		path = append(path, key(cfg, s))
	}
	if !slices.Equal(path, want.Path) {
		t.Errorf("Explore(%s), checking %v: got a counterexample by %q, want %q", cfg, check, path, want.Path)
	}
}

// TestUnit_SameForAnyNumberOfWorkers compares whole reports, and those of
// explorations that stop at a limit, where the order of work could show.
func TestUnit_SameForAnyNumberOfWorkers(t *testing.T) {
	for _, c := range []struct {
		cfg model.Config
		opt Options
	}{
		{model.Config{Scenario: spec.Reuse, Procs: 5}, Options{}}, // levels of several chunks
		{model.Config{Scenario: spec.Reuse, Procs: 5}, Options{MaxStates: 50_000}},
		{model.Config{Scenario: spec.Reuse, Procs: 5}, Options{MaxMemory: 2 << 20}},
		{model.Config{Scenario: spec.Disagreeing, Procs: 4}, Options{}},
		{model.Config{Scenario: spec.Growing, Procs: 4, Rounds: 3}, Options{Check: []spec.Property{spec.WordsInRange}, Symmetry: true}},
	} {
		var want Report
		for _, workers := range []int{1, 2, 5} {
			c.opt.Workers = workers
			got := Explore(context.Background(), c.cfg, c.opt)
			got.Seconds = 0
			if workers == 1 {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("Explore(%s, %+v): %v, with one worker: %v", c.cfg, c.opt, got, want)
			}
		}
	}
}

// TestUnit_LimitsAreNeverVerified: beyond a limit the verdict is unfinished.
func TestUnit_LimitsAreNeverVerified(t *testing.T) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 4}
	whole := Explore(context.Background(), cfg, Options{})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, got := range map[string]Report{
		"states":    Explore(context.Background(), cfg, Options{MaxStates: whole.Distinct - 1}),
		"memory":    Explore(context.Background(), cfg, Options{MaxMemory: 1 << 10}),
		"loops":     Explore(context.Background(), cfg, Options{MaxMemory: whole.Bytes + 1, Liveness: true}),
		"interrupt": Explore(cancelled, cfg, Options{}),
	} {
		if got.Verdict != spec.Unfinished || got.Why == "" || got.Interrupted != (name == "interrupt") {
			t.Errorf("%s: verdict %s (%q, interrupted %v), want unfinished with the reason", name, got.Verdict, got.Why, got.Interrupted)
		}
	}
	if got := Explore(context.Background(), cfg, Options{MaxStates: whole.Distinct, MaxMemory: whole.Bytes + 1}); got.Verdict != spec.Verified {
		t.Errorf("with a limit that is not passed: verdict %s, want verified", got.Verdict)
	}
}

// TestUnit_FullShardIsNeverVerified: a shard numbers its states with 26 bits;
// beyond that states are left out, which must show even if nothing is left to
// expand.
func TestUnit_FullShardIsNeverVerified(t *testing.T) {
	m := model.NewMachine(model.Config{Scenario: spec.Reuse, Procs: 3})
	for room, want := range map[uint32]end{5: tooManyStates, 100: complete} {
		x := newSearch[[1]uint64](m, Options{})
		x.room = room
		if got, _ := x.run(context.Background()); got != want {
			t.Errorf("with room for %d states in a shard the search ends as %d, want %d", room, got, want)
		}
	}
}

// TestUnit_Symmetry_DecidesTheSame compares every scenario with and without
// symmetry, for all properties, and for each where misuse ends that early: the
// same verdict at the same depth by the same counterexample, with fewer states.
func TestUnit_Symmetry_DecidesTheSame(t *testing.T) {
	for _, cfg := range configs(3) {
		checks := [][]spec.Property{spec.AllProperties}
		for _, p := range spec.AllProperties {
			if misuse(cfg) {
				checks = append(checks, []spec.Property{p})
			}
		}
		for _, check := range checks {
			opt := Options{Check: check}
			if len(check) == 1 {
				opt.MaxStates = 20_000
			}
			want := Explore(context.Background(), cfg, opt)
			if want.Verdict == spec.Unfinished { // a space of misuse that has no end, or is large
				continue
			}
			got := Explore(context.Background(), cfg, Options{Check: check, Symmetry: true})
			if got.Verdict != want.Verdict || got.Depth != want.Depth || got.Distinct >= want.Distinct ||
				!slices.Equal(got.Trace, want.Trace) {
				t.Errorf("Explore(%s), checking %v: with symmetry %s, without %s", cfg, check, brief(got.Result), brief(want.Result))
			}
		}
	}
}

// TestUnit_Symmetry_SixteenProcesses is the largest size there is.
func TestUnit_Symmetry_SixteenProcesses(t *testing.T) {
	r := Explore(context.Background(), model.Config{Scenario: spec.Reuse, Procs: model.MaxProcs}, Options{Symmetry: true})
	if r.Verdict != spec.Verified {
		t.Errorf("Explore(reuse, %d processes): %s, want verified", model.MaxProcs, brief(r.Result))
	}
	if err := (Options{Symmetry: true, Liveness: true}).Validate(); err == nil {
		t.Error("Options{Symmetry, Liveness}.Validate(): nil, want an error with the reason")
	}
}

// TestUnit_WeakReads_ReachNoNewViolation is the claim of PROTOCOL.md, Memory
// order: with polls that may return stale values all that held still holds.
// There are more states, so staleness is real; but what is in them apart from
// it is nothing new.
func TestUnit_WeakReads_ReachNoNewViolation(t *testing.T) {
	for n := 2; n <= 4; n++ {
		for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
			if testing.Short() && n > 3 {
				continue
			}
			strong := model.Config{Scenario: sc, Procs: n}
			weak := strong
			weak.WeakReads = true
			if r := Explore(t.Context(), weak, Options{Liveness: true}); r.Verdict != spec.Verified {
				t.Errorf("Explore(%s): got %s, want verified", weak, brief(r.Result))
			}
			known := map[string]bool{}
			for _, s := range NewGraph(model.NewMachine(strong)).States {
				known[s.String()] = true // words, holder, steps and rounds: all that there is
			}
			g := NewGraph(model.NewMachine(weak))
			stale := 0
			for i, s := range g.States {
				for _, e := range g.Edges[i] {
					a := e.Action
					if a.Event == spec.NoEvent && (a.Step == spec.AwaitFlag && s.Words().Flag == spec.Down ||
						a.Step == spec.AwaitDrain && int(s.Words().Exit) != s.Parties(a.Proc)) {
						stale++
					}
				}
				if !known[s.String()] {
					t.Fatalf("%s reaches %v, which %s does not", weak, s, strong)
				}
			}
			if stale == 0 {
				t.Errorf("%s: no poll could ever return a stale value: the check is empty", weak)
			}
		}
	}
}
