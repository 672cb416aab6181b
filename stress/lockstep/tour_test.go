package lockstep

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// TestUnit_TourIsShortest holds the tour against a brute force over how often
// each edge of a small graph is repeated. The length says how often; that the
// tour takes every edge of a state graph, the runs of TestConform_Tour show.
func TestUnit_TourIsShortest(t *testing.T) {
	for _, to := range [][][]int{ // by node: where its edges lead
		{{1}, {2}, {0}},
		{{1, 1, 2}, {2}, {0}},
		{{1, 2}, {0, 3}, {3}, {0, 0, 1}},
		{{1, 2, 3}, {0}, {1}, {2}},
	} {
		tour, err := coveringTour(to)
		if want := shortest(to); err != nil || len(tour) != want {
			t.Errorf("coveringTour(%v): got %d edges, %v; want %d", to, len(tour), err, want)
		}
	}
}

// shortest tries walks by length, and returns that of the first that covers the
// graph and is closed.
func shortest(to [][]int) int {
	type place struct {
		node  int
		taken int // edges, as bits
	}
	first, edges := make([]int, len(to)), 0 // number of the first edge of each node
	for node := range to {
		first[node] = edges
		edges += len(to[node])
	}
	level, known := []place{{}}, map[place]bool{}
	for length := 0; ; length++ {
		var next []place
		for _, at := range level {
			if at == (place{0, 1<<edges - 1}) {
				return length
			}
			for i, head := range to[at.node] {
				if p := (place{head, at.taken | 1<<(first[at.node]+i)}); !known[p] {
					known[p] = true
					next = append(next, p)
				}
			}
		}
		level = next
	}
}

// TestUnit_NoTour: a graph in which a node cannot reach node 0 has no tour.
func TestUnit_NoTour(t *testing.T) {
	for _, to := range [][][]int{{{1}, {}}, {{0, 1}, {1}}, {{1, 1}, {2, 0}, {}}} {
		if tour, err := coveringTour(to); err == nil {
			t.Errorf("coveringTour(%v): got %v, want an error", to, tour)
		}
	}
	cfg := model.Config{Scenario: spec.Disagreeing, Procs: 2, Rounds: 1}
	if tour, err := CoveringTour(explore.NewGraph(model.NewMachine(cfg))); err == nil {
		t.Errorf("CoveringTour of disagreeing, which hangs: got %d edges, want an error", len(tour))
	}
}
