package impl

import (
	"fmt"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestConform_EveryEdge walks every edge of the model's graph, for any number
// of rounds, and tries every step that is blocked, in every state in which it
// is.
func TestConform_EveryEdge(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Reuse, Procs: 3},
	} {
		t.Run(fmt.Sprintf("scenario=%v/procs=%d", cfg.Scenario, cfg.Procs), func(t *testing.T) { tour(t, cfg) })
	}
}

func tour(t *testing.T, cfg model.Config) {
	graph := graphOf(cfg)
	l, err := newLockstep(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	left := 0
	todo := map[model.State][]model.Action{}
	for s, edges := range graph {
		todo[s] = edges
		left += len(edges)
	}
	edges := left
	for left > 0 {
		path := nearest(cfg, l.state, todo)
		if path == nil {
			t.Fatalf("from %v no state with an edge left can be reached; %d of %d are left", l.state, left, edges)
		}
		for _, a := range path {
			before := l.state
			for p := range cfg.Procs { // those that are blocked stay where they are
				if _, enabled := l.enabled(p, spec.NoEvent); !enabled {
					if err := l.move(move{proc: p}); err != nil {
						t.Fatal(l.report(err))
					}
				}
			}
			if err := l.take(a); err != nil {
				t.Fatal(l.report(err))
			}
			if i := slices.Index(todo[before], a); i >= 0 {
				todo[before] = slices.Delete(slices.Clone(todo[before]), i, i+1)
				left--
			}
			l.trace = l.trace[max(0, len(l.trace)-100):]
		}
	}
	t.Logf("%d states, %d edges, %d moves", len(graph), edges, l.moves)
}

// graphOf returns every state of cfg with the edges that leave it.
func graphOf(cfg model.Config) map[model.State][]model.Action {
	graph := map[model.State][]model.Action{}
	for queue := []model.State{model.Init(cfg)}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if _, known := graph[s]; known {
			continue
		}
		graph[s] = model.Enabled(cfg, s)
		for _, a := range graph[s] {
			queue = append(queue, model.Apply(cfg, s, a))
		}
	}
	return graph
}

// TestConform_HalfMade: what Attach takes for a constructor at work is never
// left behind by a call, but only passed through under the lock.
func TestConform_HalfMade(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for s := range graphOf(model.Config{Scenario: spec.Withdraw, Procs: n}) {
			if halfMade(s.Words()) && (s.Holder() < 0 || s.Step(s.Holder()) != spec.RaiseFlag) {
				t.Fatalf("halfMade(%v): got true in %v, want false but at RaiseFlag", s.Words(), s)
			}
		}
	}
}

// take makes the real barrier do what the model calls a. The context of a call
// that gives up ends at once before its next step.
func (l *lockstep) take(a model.Action) error {
	if a.Event == spec.GiveUp {
		if err := l.move(move{proc: a.Proc, event: spec.GiveUp}); err != nil {
			return err
		}
	}
	return l.move(move{proc: a.Proc})
}

// nearest returns the shortest path from s that ends with an edge that is
// still to be taken; nil: there is none.
func nearest(cfg model.Config, s model.State, todo map[model.State][]model.Action) []model.Action {
	type node struct {
		state model.State
		path  []model.Action
	}
	seen := map[model.State]bool{s: true}
	for queue := []node{{s, nil}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if edges := todo[at.state]; len(edges) > 0 {
			return append(at.path, edges[0])
		}
		for _, a := range model.Enabled(cfg, at.state) {
			next := model.Apply(cfg, at.state, a)
			if !seen[next] {
				seen[next] = true
				queue = append(queue, node{next, append(slices.Clip(at.path), a)})
			}
		}
	}
	return nil
}
