package model

import (
	"context"
	"slices"
	"testing"

	"sharedbarrier/spec"
)

// A world is a graph as the oracle wants it: for each state the steps of
// processes, who is in a call, and how far it is from the first.
type world[S comparable] struct {
	steps  map[S][]worldStep[S]
	inside map[S]uint16 // processes, as bits
	level  map[S]int
	procs  int
}

type worldStep[S comparable] struct {
	to S
	by int
}

func newWorld[S comparable](first S, procs int) world[S] {
	return world[S]{map[S][]worldStep[S]{}, map[S]uint16{}, map[S]int{first: 0}, procs}
}

// leads records that the state to is met in s, breadth first, and whether for the
// first time.
func (w world[S]) leads(s, to S) (first bool) {
	if _, met := w.level[to]; met {
		return false
	}
	w.level[to] = w.level[s] + 1
	return true
}

// worldOf spells out the graph of cfg.
func worldOf(cfg Config) world[State] {
	w := newWorld(Init(cfg), cfg.Procs)
	for s, edges := range States(cfg) {
		for p := range cfg.Procs {
			if s.Inside(p) && s.Alive(p) {
				w.inside[s] |= 1 << p
			}
		}
		for _, e := range edges {
			w.leads(s, e.To)
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

// shortestLasso returns in how many steps a fair loop can be reached and gone
// around, by trying every state and every process as if there were nothing to
// spare; 0: there is no such loop.
func (w world[S]) shortestLasso() (least int) {
	for s := range w.level {
		for p := range w.procs {
			if around := w.around(s, p); around > 0 && (least == 0 || w.level[s]+around < least) {
				least = w.level[s] + around
			}
		}
	}
	return least
}

// around returns the length of the shortest loop at s in which process p stays
// inside and everyone is treated fairly; 0: none.
func (w world[S]) around(s S, p int) int {
	type place struct {
		at      S
		treated uint16
	}
	first := place{s, w.unable(s)}
	far := map[place]int{first: 0}
	for queue := []place{first}; len(queue) > 0; queue = queue[1:] {
		now := queue[0]
		for _, e := range w.steps[now.at] {
			next := place{e.to, now.treated | 1<<e.by | w.unable(e.to)}
			_, met := far[next]
			switch {
			case w.inside[now.at]&w.inside[e.to]&(1<<p) == 0:
			case e.to == s && next.treated == 1<<w.procs-1:
				return far[now] + 1
			case !met:
				far[next] = far[now] + 1
				queue = append(queue, next)
			}
		}
	}
	return 0
}

// unable returns the processes that cannot move in s, as bits.
func (w world[S]) unable(s S) uint16 {
	none := uint16(1<<w.procs - 1)
	for _, e := range w.steps[s] {
		none &^= 1 << e.by
	}
	return none
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
			w := worldOf(cfg)
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

// length is how many steps it takes to the loop and once around.
func (l *lasso[S]) length() int { return len(l.path) - 1 + len(l.loop) }

func (r Report) verified() bool { return r.Verdict == spec.Verified }

// TestLiveness_ShortestLasso pins some that the first loop at hand is longer than.
func TestLiveness_ShortestLasso(t *testing.T) {
	for _, c := range []struct {
		mutant string
		procs  int
		steps  int
	}{{"test-again", 2, 8}, {"test-again", 3, 9}, {"never-first", 2, 69}} {
		cfg := Config{Scenario: spec.Reuse, Procs: c.procs, Mutant: MutantNamed(c.mutant)}
		r := Explore(context.Background(), cfg, Options{Liveness: true, Check: []spec.Property{spec.NoHang}})
		if r.Loop == 0 || len(r.Trace) != c.steps {
			t.Errorf("Explore(%v): a loop from %d, %d steps; want a lasso of %d", cfg, r.Loop, len(r.Trace), c.steps)
		}
	}
}

// TestLiveness_Interrupted: a context that ends while fair loops are looked for
// ends that, whenever it is; and how far that is, is told all along.
func TestLiveness_Interrupted(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 5}
	var told []Progress
	end := -1 // what is told of Looping, from 0, at which the context ends
	run := func() Report {
		told = nil
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		return Explore(ctx, cfg, Options{Liveness: true, Progress: func(p Progress) {
			if p.Phase != Looping {
				return
			}
			if len(told) == end {
				cancel()
			}
			told = append(told, p)
		}})
	}
	if r := run(); r.Verdict != spec.Verified || len(told) < 10 {
		t.Fatalf("Explore(%v): %s, told %d times of looking for loops; want verified, and to be told often", cfg, brief(r.Result), len(told))
	}
	all := told
	for i, p := range all[1:] {
		if p.Looked <= all[i].Looked || p.Looked+p.Queue != all[0].Queue {
			t.Fatalf("told of %d states looked at and %d left, after %d and %d", p.Looked, p.Queue, all[i].Looked, all[i].Queue)
		}
	}
	if last := all[len(all)-1]; last.Queue > 1<<12 {
		t.Errorf("at last %d states are left to be looked at", last.Queue)
	}
	for _, end = range []int{0, 1, len(all) / 2, len(all) - 1} {
		if r := run(); r.Verdict != spec.Unfinished || !r.Interrupted || len(told) > end+2 {
			t.Errorf("interrupted at %d of %d: %s, interrupted %v, told %d times", end, len(all), brief(r.Result), r.Interrupted, len(told))
		}
	}
}

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
