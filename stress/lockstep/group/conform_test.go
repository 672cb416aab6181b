//go:build linux

package group

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/model/group"
	"sharedbarrier/stress/lockstep"
)

var every = flag.Bool("edges", false, "TestConform_GroupTour takes every edge, which takes minutes")

// TestConform_GroupTour takes two real members through the edges of the
// machine's graph: with -edges through every one that real members take, which
// steps.omits says, and otherwise through as many as the steps reach.
func TestConform_GroupTour(t *testing.T) {
	for _, tc := range []struct {
		name  string
		cfg   group.Config
		steps int // of the tour, without -edges; 0: all
	}{
		{"give-ups", group.Config{Members: 2, Rounds: 1, GiveUps: true}, 0},
		{"deaths", group.Config{Members: 2, Rounds: 1, Deaths: 1}, 800},
		{"two-rounds", group.Config{Members: 2, Rounds: 2, Deaths: 1}, 500},
		{"joins", group.Config{Members: 2, Rounds: 1, Deaths: 1, GiveUps: true, Joins: true}, 600},
		{"leaves", group.Config{Members: 2, Rounds: 1, Deaths: 1, Joins: true, Resets: true, Leaves: true}, 600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tour(t, tc.cfg, tc.steps)
		})
	}
}

func tour(t *testing.T, cfg group.Config, limit int) {
	g := explore.NewGraph(newSteps(cfg))
	walk, err := lockstep.CoveringTour(g)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case *every || limit == 0 && !testing.Short():
		limit = len(walk)
	case testing.Short():
		limit = 300
	}
	type edge struct {
		from int
		by   group.Action
	}
	covered := map[edge]bool{}
	s := newSession(t, cfg)
	at := 0
	for i, e := range walk[:limit] {
		if err := s.take(e.Action); err != nil {
			t.Fatalf("step %d of %d: %s", i+1, len(walk), s.failure(err))
		}
		covered[edge{at, e.Action}] = true
		at = e.To
	}
	edges := count(g)
	if limit == len(walk) && len(covered) != edges {
		t.Errorf("the whole tour: got %d edges, want %d", len(covered), edges)
	}
	t.Logf("%d steps of %d cover %d edges of %d, where the machine has %d; %d processes killed, %d groups, %d members seen asleep",
		limit, len(walk), len(covered), edges, count(explore.NewGraph(group.NewMachine(cfg))), s.taken["Die"], s.taken["again"]+1, s.asleep)
}

func count[S comparable, A any](g *explore.Graph[S, A]) (edges int) {
	for _, list := range g.Edges {
		edges += len(list)
	}
	return edges
}

// TestConform_GroupWalks takes two and three real members through random walks.
func TestConform_GroupWalks(t *testing.T) {
	for name, cfg := range map[string]group.Config{
		"joins":      {Members: 3, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true},
		"two-deaths": {Members: 3, Rounds: 2, Deaths: 2},
		"leaves":     {Members: 2, Rounds: 3, Deaths: 1, Joins: true, Resets: true, Leaves: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seeds, steps := uint64(2), 400
			if *every {
				seeds, steps = 20, 5000
			}
			for seed := range seeds {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					s := newSession(t, cfg)
					if err := s.walk(rand.New(rand.NewPCG(seed, 0)), steps); err != nil {
						t.Fatalf("%+v, seed %d: %s", cfg, seed, s.failure(err))
					}
					t.Logf("%+v: %d steps, %d processes killed, %d groups", cfg, steps, s.taken["Die"], s.taken["again"]+1)
				})
			}
		})
	}
}

// walk takes steps at random, with fewer deaths and withdrawals than steps, so
// that members get far.
func (s *session) walk(random *rand.Rand, steps int) error {
	for range steps {
		list := s.steps.Actions(&s.state, nil)
		a := list[random.IntN(len(list))]
		for (a.Event == group.Die || a.Event == group.GiveUp) && random.IntN(20) > 0 {
			a = list[random.IntN(len(list))]
		}
		if err := s.take(a); err != nil {
			return err
		}
	}
	return nil
}
