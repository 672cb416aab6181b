package lockstep

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestTour_IsAWalkOverEveryEdge checks the walk itself: each hop starts where
// the one before it ended, and every edge is there.
func TestTour_IsAWalkOverEveryEdge(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Single, Procs: 1},
		{Scenario: spec.Reuse, Procs: 2},
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Reuse, Procs: 3},
		{Scenario: spec.Withdraw, Procs: 3},
	} {
		g := NewGraph(cfg)
		walk, err := g.Tour()
		if err != nil {
			t.Errorf("Tour of %v: %v", cfg, err)
			continue
		}
		at, taken := 0, map[Hop]bool{}
		for i, h := range walk {
			if h.From != at {
				t.Fatalf("Tour of %v: hop %d starts at %d, the one before it ended at %d", cfg, i, h.From, at)
			}
			at, taken[h] = g.Arcs[at][h.Arc].To, true
		}
		if at != 0 || len(taken) != g.Edges {
			t.Errorf("Tour of %v: got an end at state %d and %d edges, want state 0 and %d edges", cfg, at, len(taken), g.Edges)
		}
		t.Logf("%v, %d processes: %d states, %d edges, %d hops", cfg.Scenario, cfg.Procs, len(g.States), g.Edges, len(walk))
	}
}

// TestTour_IsShortest holds the postman's choice against a brute force over
// how often each arc of a small graph is repeated.
func TestTour_IsShortest(t *testing.T) {
	graphs := [][][]int{ // by state: where its arcs lead
		{{1}, {2}, {0}},
		{{1, 1, 2}, {2}, {0}},
		{{1, 2}, {0, 3}, {3}, {0, 0, 1}},
		{{1, 2, 3}, {0}, {1}, {2}},
	}
	for _, to := range graphs {
		g := &Graph{States: make([]model.State, len(to)), Arcs: make([][]Arc, len(to))}
		for s, arcs := range to {
			for _, t := range arcs {
				g.Arcs[s] = append(g.Arcs[s], Arc{To: t})
				g.Edges++
			}
		}
		walk, err := g.Tour()
		if want := shortestRound(g); err != nil || len(walk) != want {
			t.Errorf("Tour of %v: got %d hops, %v; want %d", to, len(walk), err, want)
		}
	}
}

// shortestRound tries walks by length, whatever they are.
func shortestRound(g *Graph) int {
	type place struct {
		state int
		taken string
	}
	start := place{0, ""}
	for range g.Edges {
		start.taken += "-"
	}
	first := make([]int, len(g.Arcs))
	for s := 1; s < len(g.Arcs); s++ {
		first[s] = first[s-1] + len(g.Arcs[s-1])
	}
	level, known := []place{start}, map[place]bool{start: true}
	for length := 0; ; length++ {
		var next []place
		for _, at := range level {
			left := 0
			for _, c := range at.taken {
				if c == '-' {
					left++
				}
			}
			if left == 0 && at.state == 0 {
				return length
			}
			for i, a := range g.Arcs[at.state] {
				taken := []byte(at.taken)
				taken[first[at.state]+i] = '+'
				if to := (place{a.To, string(taken)}); !known[to] {
					known[to] = true
					next = append(next, to)
				}
			}
		}
		level = next
	}
}

// TestTour_OneWay: a graph with no way back has no tour.
func TestTour_OneWay(t *testing.T) {
	g := NewGraph(model.Config{Scenario: spec.Disagreeing, Procs: 2, Rounds: 1})
	if walk, err := g.Tour(); err == nil {
		t.Errorf("Tour of disagreeing, which hangs: got %d hops, want an error", len(walk))
	}
}
