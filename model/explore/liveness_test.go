package explore

import (
	"context"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestConform_LivenessIsTheFixedPoint compares fair loops with the fixed
// point, on the barrier and on its mutants.
func TestConform_LivenessIsTheFixedPoint(t *testing.T) {
	loops := 0
	for i := -1; i < len(model.Mutants); i++ {
		if testing.Short() && (i+1)%5 != 0 {
			continue
		}
		for _, cfg := range []model.Config{
			{Scenario: spec.Reuse, Procs: 2}, {Scenario: spec.Withdraw, Procs: 2}, {Scenario: spec.Crash, Procs: 2},
			{Scenario: spec.Reuse, Procs: 2, Rounds: 2}, {Scenario: spec.AbandonWait, Procs: 2, Rounds: 1},
		} {
			if i >= 0 {
				cfg.Mutant = &model.Mutants[i]
			}
			x := newSearch[[1]uint64](model.NewMachine(cfg), Options{Check: []spec.Property{}})
			if why, _ := x.run(context.Background()); why != complete {
				continue
			}
			loop, why := x.liveness(context.Background())
			got := loop != nil
			if why != complete {
				t.Fatalf("%s: liveness ends as %d", cfg, why)
			}
			w := worldOf(plainBarrier(cfg, nil))
			if want := w.hangsFairly(); got != want {
				t.Errorf("%v: a fair loop found: %v, by fixed point: %v", cfg, got, want)
			}
			if got {
				loops++
				if got, want := loop.length(), w.shortestLasso(); got != want {
					t.Errorf("%v: a lasso of %d steps, the shortest has %d", cfg, got, want)
				}
			}
		}
	}
	if loops == 0 {
		t.Error("no mutant has a fair loop: the comparison is empty")
	}
}

// TestUnit_Liveness_Interrupted: the end of the context ends the search for
// fair loops, whenever it comes. Progress reports how far the search is.
func TestUnit_Liveness_Interrupted(t *testing.T) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 5}
	var reports []Progress
	end := -1 // the report of Looping, from 0, at which the context ends
	run := func() Report {
		reports = nil
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return Explore(ctx, cfg, Options{Liveness: true, Progress: func(p Progress) {
			if p.Phase != Looping {
				return
			}
			if len(reports) == end {
				cancel()
			}
			reports = append(reports, p)
		}})
	}
	if r := run(); r.Verdict != spec.Verified || len(reports) < 10 {
		t.Fatalf("Explore(%s): %s, %d reports of looking for loops; want verified, and more", cfg, brief(r.Result), len(reports))
	}
	all := reports
	for i, p := range all[1:] {
		if p.Looked <= all[i].Looked || p.Looked+p.Queue != all[0].Queue {
			t.Fatalf("reported %d states looked at and %d left, after %d and %d", p.Looked, p.Queue, all[i].Looked, all[i].Queue)
		}
	}
	if last := all[len(all)-1]; last.Queue > 1<<12 {
		t.Errorf("at last %d states are left to be looked at", last.Queue)
	}
	for _, end = range []int{0, 1, len(all) / 2, len(all) - 1} {
		if r := run(); r.Verdict != spec.Unfinished || !r.Interrupted || len(reports) > end+2 {
			t.Errorf("interrupted at %d of %d: %s, interrupted %v, %d reports", end, len(all), brief(r.Result), r.Interrupted, len(reports))
		}
	}
}

// TestHazard_LassoIsABehaviour runs the lassos of a mutant that looks again and
// again, and of one that lets a process run ahead by a round in every turn: the
// loop can be repeated, a call is in it all the time, and it is fair.
func TestHazard_LassoIsABehaviour(t *testing.T) {
	for _, c := range []struct {
		mutant string
		procs  int
		steps  int
		closes bool // with the same rounds
	}{{"test-again", 2, 8, true}, {"test-again", 3, 9, true}, {"never-first", 2, 69, false}} {
		cfg := model.Config{Scenario: spec.Reuse, Procs: c.procs, Mutant: model.MutantNamed(c.mutant)}
		r := Explore(context.Background(), cfg, Options{Liveness: true, Check: []spec.Property{spec.NoHang}})
		if r.Verdict != spec.Violated || r.Property != spec.NoHang.String() || r.Loop < 1 || len(r.Trace) != c.steps {
			t.Fatalf("Explore(%s): got %s with a loop from %d of %d, want a lasso of %d", cfg, brief(r.Result), r.Loop, len(r.Trace), c.steps)
		}
		states := replay(t, cfg, slices.Concat(r.Trace, r.Trace[r.Loop-1:]))[:len(r.Trace)+1]
		if same := states[r.Loop-1] == states[len(r.Trace)]; same != c.closes {
			t.Errorf("%s: the loop closes with the same rounds: %v, want %v", cfg, same, c.closes)
		}
		checkLoop(t, cfg, r, states)
	}
}

// checkLoop checks that one call is open all through the loop, and that the
// loop is fair to everyone.
func checkLoop(t *testing.T, cfg model.Config, r Report, states []model.State) {
	t.Helper()
	stays := false
	for p := range cfg.Procs {
		inside, fair := true, false
		for i := r.Loop - 1; i < len(states); i++ {
			inside = inside && states[i].Inside(p)
			fair = fair || !canStep(cfg, states[i], p) || i < len(r.Trace) && r.Trace[i].Proc == p
		}
		stays = stays || inside
		if !fair {
			t.Errorf("the loop is not fair to process %d", p)
		}
	}
	if !stays {
		t.Error("in the loop every call returns")
	}
}

func canStep(cfg model.Config, s model.State, p int) bool {
	return slices.ContainsFunc(model.Enabled(cfg, s), func(a model.Action) bool { return a.Proc == p && a.Event == spec.NoEvent })
}

func replay(t *testing.T, cfg model.Config, trace model.Trace) []model.State {
	t.Helper()
	states, err := trace.Replay(cfg)
	if err != nil {
		t.Fatalf("Replay(%s): %v", cfg, err)
	}
	return states
}

// TestUnit_Replay_SaysWhatCannotHappen: a trace with one thing wrong.
func TestUnit_Replay_SaysWhatCannotHappen(t *testing.T) {
	cfg := model.Config{Scenario: spec.Crash, Procs: 2}
	good := Explore(context.Background(), cfg, Options{}).Trace
	for name, spoil := range map[string]func(model.Trace){
		"words":   func(trace model.Trace) { trace[3].Words.Exit++ },
		"process": func(trace model.Trace) { trace[3].Proc = 1 - trace[3].Proc },
		"label":   func(trace model.Trace) { trace[3].Label = "Step" },
		"parties": func(trace model.Trace) { trace[0].Parties++ },
	} {
		bad := slices.Clone(good)
		spoil(bad)
		if states, err := bad.Replay(cfg); err == nil || len(states) > len(good) {
			t.Errorf("Replay with other %s: %d states and no error, want an error", name, len(states))
		}
	}
}

// TestConform_TracesReplay runs the counterexample of every question that
// fails, with symmetry and without, to the state that it is about.
func TestConform_TracesReplay(t *testing.T) {
	for _, q := range model.Questions() {
		if q.Expect != spec.Fails {
			continue
		}
		for _, symmetry := range []bool{false, true} {
			r := Explore(context.Background(), q.Config, Options{Check: q.Check, Symmetry: symmetry})
			states := replay(t, q.Config, r.Trace)
			last := states[len(states)-1]
			for i, s := range states {
				bad := model.Violates(q.Config, s, q.Check[0]) || q.Check[0] == spec.NoHang && model.Stuck(q.Config, s)
				if bad != (i == len(states)-1) {
					t.Errorf("%s, symmetry %v: state %d of %d, %v: violates %v: %v", q.Config, symmetry, i, len(states)-1, last, q.Check[0], bad)
				}
			}
		}
	}
}
