package model

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"

	"sharedbarrier/spec"
)

// String names the question in the tests.
func (cfg Config) String() string {
	name := fmt.Sprintf("%v/n=%d/r=%d", cfg.Scenario, cfg.Procs, cfg.Rounds)
	if cfg.Control {
		name += "/control"
	}
	if cfg.WeakReads {
		name += "/weak"
	}
	if cfg.Mutant != nil {
		name += "/" + cfg.Mutant.Name
	}
	return name
}

// questions lists every scenario with its control at n processes.
func questions(n int) (list []Config) {
	for _, sc := range spec.AllScenarios {
		for _, rounds := range []int{0, 2} {
			for _, control := range []bool{false, true} {
				for _, weak := range []bool{false, true} {
					cfg := Config{Scenario: sc, Procs: n, Rounds: rounds, Control: control, WeakReads: weak}
					if cfg.Validate() == nil {
						list = append(list, cfg)
					}
				}
			}
		}
	}
	return list
}

// TestConform_ExploreAgreesWithNaive compares the packed, compiled, parallel
// exploration with the naive one on all that it counts, in every scenario, and on
// every mutant: all properties at once, and then, where misuse ends that at the
// first violation, each for itself, so that what lies beyond is compared too.
func TestConform_ExploreAgreesWithNaive(t *testing.T) {
	var all []Config
	for n := 1; n <= 4; n++ {
		all = append(all, questions(n)...)
	}
	for i := range Mutants {
		all = append(all,
			Config{Scenario: spec.Withdraw, Procs: 2, Mutant: &Mutants[i]},
			Config{Scenario: spec.Reuse, Procs: 3, Mutant: &Mutants[i]})
	}
	var deep atomic.Int64
	t.Run("each", func(t *testing.T) {
		for _, cfg := range all {
			t.Run(cfg.String(), func(t *testing.T) {
				t.Parallel()
				agree(t, cfg, spec.AllProperties)
				if !cfg.misuse() {
					return
				}
				for _, p := range spec.AllProperties {
					check := []spec.Property{p}
					// Some spaces have no end, and others are too large for the naive way.
					if r := Explore(t.Context(), cfg, Options{Check: check, MaxStates: 10_000}); r.Verdict == spec.Verified {
						deep.Add(1)
						agree(t, cfg, check)
					}
				}
			})
		}
	})
	if deep.Load() < 50 {
		t.Errorf("%d spaces of misuse were compared to their end, want at least 50", deep.Load())
	}
}

func agree(t *testing.T, cfg Config, check []spec.Property) {
	t.Helper()
	want := naive(cfg, check)
	got := Explore(t.Context(), cfg, Options{Workers: 2, Check: check})
	if got.Verdict != want.Verdict || got.Property != want.Property || got.Generated != want.Generated ||
		got.Distinct != want.Distinct || got.Depth != want.Depth {
		t.Errorf("Explore(%v), checking %v: %s, naive exploration: %s", cfg, check, brief(got.Result), brief(want))
	}
	if got.Verdict != spec.Verified && len(got.Trace) != got.Depth-1 {
		t.Errorf("Explore(%v), checking %v: a counterexample of %d steps, want %d", cfg, check, len(got.Trace), got.Depth-1)
	}
}

func brief(r Result) string {
	return fmt.Sprintf("%s %s generated %d distinct %d depth %d", r.Verdict, r.Property, r.Generated, r.Distinct, r.Depth)
}

// TestExplore_SameForAnyNumberOfWorkers compares whole reports, and those of
// explorations that stop at a limit, where the order of work could show.
func TestExplore_SameForAnyNumberOfWorkers(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		opt Options
	}{
		{Config{Scenario: spec.Reuse, Procs: 5}, Options{}}, // levels of several chunks
		{Config{Scenario: spec.Reuse, Procs: 5}, Options{MaxStates: 50_000}},
		{Config{Scenario: spec.Reuse, Procs: 5}, Options{MaxMemory: 2 << 20}},
		{Config{Scenario: spec.Disagreeing, Procs: 4}, Options{}},
		{Config{Scenario: spec.Growing, Procs: 4, Rounds: 3}, Options{Check: []spec.Property{spec.WordsInRange}, Symmetry: true}},
	} {
		var want Report
		for _, workers := range []int{1, 2, 5} {
			c.opt.Workers = workers
			got := Explore(context.Background(), c.cfg, c.opt)
			got.Seconds = 0
			if workers == 1 {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("Explore(%v, %+v): %v, with one worker: %v", c.cfg, c.opt, got, want)
			}
		}
	}
}

// TestExplore_LimitsAreNeverVerified: beyond a limit the verdict is unfinished.
func TestExplore_LimitsAreNeverVerified(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 4}
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

// TestExplore_TableTakesMemoryToo: where the table alone is beyond the limit, no
// state is expanded; where it is not, another limit is met.
func TestExplore_TableTakesMemoryToo(t *testing.T) {
	cfg := Config{Scenario: spec.SplitLock, Procs: 16}
	table := compile(cfg).tableBytes()
	if table < 1<<20 {
		t.Fatalf("a table of %d bytes: the test is empty", table)
	}
	for limit, want := range map[int64]end{table: tooMuchMemory, table + 1<<30: tooManyStates} {
		r := Explore(context.Background(), cfg, Options{MaxMemory: limit, MaxStates: 1})
		if r.Verdict != spec.Unfinished || r.Why != reasons[want] {
			t.Errorf("table of %d bytes, limit %d: %s (%q), want unfinished for %q", table, limit, brief(r.Result), r.Why, reasons[want])
		}
	}
}

// TestExplore_FullShardIsNeverVerified: a shard numbers its states with 24
// bits; beyond that states are left out, which must show even if nothing is left
// to expand.
func TestExplore_FullShardIsNeverVerified(t *testing.T) {
	b := compile(Config{Scenario: spec.Reuse, Procs: 3})
	for room, want := range map[uint32]end{5: tooManyStates, 100: complete} {
		x := newSearch[[1]uint64](b.protocol, newLayout(b.protocol), Options{})
		x.room = room
		if got, _ := x.run(context.Background()); got != want {
			t.Errorf("with room for %d states in a shard the search ends as %d, want %d", room, got, want)
		}
	}
}

// TestSymmetry_DecidesTheSame compares every scenario with and without symmetry, for
// all properties, and for each where misuse ends that early: the same verdict at the
// same depth, with fewer states.
func TestSymmetry_DecidesTheSame(t *testing.T) {
	for _, cfg := range questions(3) {
		checks := [][]spec.Property{spec.AllProperties}
		for _, p := range spec.AllProperties {
			if cfg.misuse() {
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
			if got.Verdict != want.Verdict || got.Depth != want.Depth || got.Distinct >= want.Distinct {
				t.Errorf("Explore(%v), checking %v: with symmetry %s, without %s", cfg, check, brief(got.Result), brief(want.Result))
			}
		}
	}
}

// TestSymmetry_SixteenProcesses is the largest size there is.
func TestSymmetry_SixteenProcesses(t *testing.T) {
	r := Explore(context.Background(), Config{Scenario: spec.Reuse, Procs: MaxProcs}, Options{Symmetry: true})
	if r.Verdict != spec.Verified {
		t.Errorf("Explore(reuse, %d processes): %s, want verified", MaxProcs, brief(r.Result))
	}
	if err := (Options{Symmetry: true, Liveness: true}).Validate(); err == nil {
		t.Error("Options{Symmetry, Liveness}.Validate(): nil, want an error with the reason")
	}
}

// TestWeakReads_ReachNoNewViolation is the claim of PROTOCOL.md, Memory order:
// with polls that may return stale values all that held still holds. There are
// more states, so staleness is real; but what is in them apart from it is nothing
// new.
func TestWeakReads_ReachNoNewViolation(t *testing.T) {
	for n := 2; n <= 4; n++ {
		for _, sc := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
			strong := Config{Scenario: sc, Procs: n}
			weak := strong
			weak.WeakReads = true
			r := Explore(context.Background(), weak, Options{Liveness: true})
			if r.Verdict != spec.Verified {
				t.Errorf("Explore(%v): %s %s, want verified", weak, r.Verdict, r.Property)
			}
			known := map[State]bool{}
			for s := range States(strong) {
				known[s] = true
			}
			stale := 0
			for s := range States(weak) {
				for p := range n {
					if s.procs[p].seen && !s.procs[p].goes(s.words) {
						stale++
					}
					s.procs[p].seen = false
				}
				if !known[s] {
					t.Fatalf("%v reaches %v, which %v does not", weak, s, strong)
				}
			}
			if stale == 0 {
				t.Errorf("%v: no poll could ever return a stale value: the check is empty", weak)
			}
			t.Logf("%v: %d states, %d stale polls, %d states without staleness", weak, r.Distinct, stale, len(known))
		}
	}
}
