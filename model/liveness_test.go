package model

import (
	"context"
	"slices"
	"testing"

	"sharedbarrier/spec"
)

// A world is a graph as the oracle wants it: for each state the steps of
// processes, and who is in a call.
type world[S comparable] struct {
	steps  map[S][]worldStep[S]
	inside map[S]uint16 // processes, as bits
	procs  int
}

type worldStep[S comparable] struct {
	to S
	by int
}

// worldOf spells out the graph of cfg.
func worldOf(cfg Config) world[State] {
	w := world[State]{map[State][]worldStep[State]{}, map[State]uint16{}, cfg.Procs}
	for s, edges := range States(cfg) {
		for p := range cfg.Procs {
			if s.Inside(p) && s.Alive(p) {
				w.inside[s] |= 1 << p
			}
		}
		for _, e := range edges {
			if e.Action.Event == spec.NoEvent {
				w.steps[s] = append(w.steps[s], worldStep[State]{e.To, e.Action.Proc})
			}
		}
	}
	return w
}

// hangsFairly decides whether there is a fair loop by another algorithm than
// Explore: Emerson and Lei's greatest fixed point of the states in which process
// p is in its call and from which, for each process, something fair to it lies
// ahead.
func (w world[S]) hangsFairly() bool {
	for p := range w.procs {
		set := map[S]bool{}
		for s, inside := range w.inside {
			if inside&(1<<p) != 0 {
				set[s] = true
			}
		}
		for before := -1; before != len(set); {
			before = len(set)
			for q := range w.procs {
				w.prune(set, func(s S) bool { return w.fairTo(q, s, set) })
			}
		}
		if len(set) > 0 {
			return true
		}
	}
	return false
}

// fairTo reports whether process q cannot move in s, or can and stay in the set.
func (w world[S]) fairTo(q int, s S, set map[S]bool) bool {
	able := false
	for _, e := range w.steps[s] {
		if e.by == q {
			able = true
			if set[e.to] {
				return true
			}
		}
	}
	return !able
}

// prune leaves in the set the states with a step to one that reaches, inside
// the set, one that is good.
func (w world[S]) prune(set map[S]bool, good func(S) bool) {
	reaches := map[S]bool{}
	for s := range set {
		if good(s) {
			reaches[s] = true
		}
	}
	leads := func(s S) bool {
		for _, e := range w.steps[s] {
			if set[e.to] && reaches[e.to] {
				return true
			}
		}
		return false
	}
	for before := -1; before != len(reaches); {
		before = len(reaches)
		for s := range set {
			if !reaches[s] && leads(s) {
				reaches[s] = true
			}
		}
	}
	for s := range set {
		if !leads(s) {
			delete(set, s)
		}
	}
}

// TestConform_LivenessAgreesWithFixedPoint compares fair loops with the fixed
// point, on the barrier and on its mutants.
func TestConform_LivenessAgreesWithFixedPoint(t *testing.T) {
	loops := 0
	for i := -1; i < len(Mutants); i++ {
		for _, cfg := range []Config{
			{Scenario: spec.Reuse, Procs: 2}, {Scenario: spec.Withdraw, Procs: 2}, {Scenario: spec.Crash, Procs: 2},
			{Scenario: spec.Reuse, Procs: 2, Rounds: 2}, {Scenario: spec.AbandonWait, Procs: 2, Rounds: 1},
		} {
			if i >= 0 {
				if cfg.Rounds == 0 && !Explore(context.Background(), Config{Scenario: cfg.Scenario, Procs: 2, Mutant: &Mutants[i]},
					Options{Check: []spec.Property{spec.NoEarlyExit}}).verified() {
					continue // relative rounds grow for ever, and States with them
				}
				cfg.Mutant = &Mutants[i]
			}
			b := compile(cfg)
			x := newSearch[[1]uint64](b.protocol, newLayout(b.protocol), Options{Check: []spec.Property{}})
			if why, _ := x.run(context.Background()); why != complete {
				continue
			}
			x.tally()
			loop, why := x.liveness(context.Background())
			got := loop != nil
			if why != complete {
				t.Fatalf("%v: liveness ends as %d", cfg, why)
			}
			if want := worldOf(cfg).hangsFairly(); got != want {
				t.Errorf("%v: a fair loop found: %v, by fixed point: %v", cfg, got, want)
			}
			if got {
				loops++
			}
		}
	}
	if loops == 0 {
		t.Error("no mutant has a fair loop: the comparison is empty")
	}
}

func (r Report) verified() bool { return r.Verdict == spec.Verified }

// TestHazard_LassoIsABehaviour runs the lassos of a mutant that looks again and
// again, and of one that lets a process run ahead by a round in every turn: the
// loop can be repeated, a call is in it all the time, and it is fair.
func TestHazard_LassoIsABehaviour(t *testing.T) {
	for name, closes := range map[string]bool{"test-again": true, "never-first": false} {
		cfg := Config{Scenario: spec.Reuse, Procs: 2, Mutant: MutantNamed(name)}
		r := Explore(context.Background(), cfg, Options{Liveness: true, Check: []spec.Property{spec.NoHang}})
		if r.Verdict != spec.Violated || r.Property != spec.NoHang.String() || r.Loop < 1 || r.Loop > len(r.Trace) {
			t.Fatalf("%s: %s with a loop from %d of %d, want a lasso", name, brief(r.Result), r.Loop, len(r.Trace))
		}
		states := replay(t, cfg, slices.Concat(r.Trace, r.Trace[r.Loop-1:]))[:len(r.Trace)+1]
		if same := states[r.Loop-1] == states[len(r.Trace)]; same != closes {
			t.Errorf("%s: the loop closes with the same rounds: %v, want %v", name, same, closes)
		}
		checkLoop(t, cfg, r, states)
	}
}

// checkLoop checks that one call is open all through the loop, and that the
// loop is fair to everyone.
func checkLoop(t *testing.T, cfg Config, r Report, states []State) {
	t.Helper()
	stays := false
	for p := range cfg.Procs {
		inside, fair := true, false
		for i := r.Loop - 1; i < len(states); i++ {
			inside = inside && states[i].Inside(p)
			fair = fair || !states[i].canStep(cfg, p) || i < len(r.Trace) && r.Trace[i].Proc == p
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

func replay(t *testing.T, cfg Config, trace []Entry) []State {
	t.Helper()
	states, err := Replay(cfg, trace)
	if err != nil {
		t.Fatalf("Replay(%v): %v", cfg, err)
	}
	return states
}

// TestReplay_SaysWhatCannotHappen: a trace with one thing wrong.
func TestReplay_SaysWhatCannotHappen(t *testing.T) {
	cfg := Config{Scenario: spec.Crash, Procs: 2}
	good := Explore(context.Background(), cfg, Options{}).Trace
	for name, spoil := range map[string]func([]Entry){
		"words":   func(trace []Entry) { trace[3].Words.Exit++ },
		"process": func(trace []Entry) { trace[3].Proc = 1 - trace[3].Proc },
		"label":   func(trace []Entry) { trace[3].Label = "Step" },
		"parties": func(trace []Entry) { trace[0].Parties++ },
	} {
		bad := slices.Clone(good)
		spoil(bad)
		if states, err := Replay(cfg, bad); err == nil || len(states) > len(good) {
			t.Errorf("Replay with other %s: %d states and no error, want an error", name, len(states))
		}
	}
}

// TestConform_TracesReplay runs the counterexample of every question that
// fails, with symmetry and without, to the state that it is about.
func TestConform_TracesReplay(t *testing.T) {
	for _, q := range Questions() {
		if q.Expect != spec.Fails {
			continue
		}
		for _, symmetry := range []bool{false, true} {
			r := Explore(context.Background(), q.Config, Options{Check: q.Check, Symmetry: symmetry})
			states := replay(t, q.Config, r.Trace)
			last := states[len(states)-1]
			for i, s := range states {
				bad := Violates(q.Config, s, q.Check[0]) || q.Check[0] == spec.NoHang && Stuck(q.Config, s)
				if bad != (i == len(states)-1) {
					t.Errorf("%v, symmetry %v: state %d of %d, %v: violates %v: %v", q.Config, symmetry, i, len(states)-1, last, q.Check[0], bad)
				}
			}
		}
	}
}
