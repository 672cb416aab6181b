//go:build linux

package lockstep

import (
	"context"
	"flag"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

var mistakeSteps = flag.Int("mistakes", 500, "steps of TestConform_MistakesOfC with each mistake (0: every edge, which takes two minutes)")

// TestConform_MistakesOfC: each mistake of model.Mutants is one of the C port,
// under the same name, and the same one: the port with the mistake takes the
// edges of the state graph of the model with it. The port without the mistake
// does not.
func TestConform_MistakesOfC(t *testing.T) {
	porttest.Need(t, "c")
	all := registry.CMutants()
	for i := range model.Mutants {
		m := &model.Mutants[i]
		if testing.Short() && i%8 > 0 {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			if !slices.Contains(all, m.Name) {
				t.Fatalf("the C port has no mistake %s; model.Mutants has it: %s", m.Name, m.Doc)
			}
			cfg := model.Config{Scenario: spec.Withdraw, Procs: 2, Mutant: m}
			if m.Name == "uncount-to-zero" { // two must have counted in, and one of them gives up, before the last comes
				cfg = model.Config{Scenario: spec.AbandonWait, Procs: 3, Rounds: 1, Control: true, Mutant: m}
			}
			g := explore.NewGraph(sound{model.NewMachine(cfg), cfg})
			with, without := driver{cfg: cfg, start: ports(t, "c@"+m.Name, cfg)}, driver{cfg: cfg, start: ports(t, "c", cfg)}
			if rep, err := with.walks(t.Context(), g, *mistakeSteps); err != nil || rep.Verdict != spec.Passed || rep.Covered == 0 || *mistakeSteps == 0 && rep.Covered < rep.Edges {
				t.Errorf("c@%s against the model with the mistake: got %v, %v, %d of %d edges; want passed and all edges\n%s\n%s",
					m.Name, rep.Verdict, err, rep.Covered, rep.Edges, rep.Why, rep.timeline.Text())
			} else {
				t.Logf("%d of %d edges in %d steps", rep.Covered, rep.Edges, rep.Steps)
			}
			if rep, err := without.walks(t.Context(), g, *mistakeSteps); err != nil || rep.Verdict != spec.Violated {
				t.Errorf("c, which is right, against the model with %s: got %v, %v; want a difference", m.Name, rep.Verdict, err)
			}
		})
	}
}

// sound is a machine that goes no further once a word is out of range or a
// process has left too early: with a mutant, words and rounds may grow without
// end.
type sound struct {
	*model.Machine
	cfg model.Config
}

func (m sound) Actions(s *model.State, list []model.Action) []model.Action {
	if model.Violates(m.cfg, *s, spec.WordsInRange) || model.Violates(m.cfg, *s, spec.NoEarlyExit) {
		return list
	}
	return m.Machine.Actions(s, list)
}

// walks takes every edge of the state graph, in as many sessions as that needs,
// as parties may refuse to go on or hang. It ends with the first difference, and
// after about as many steps as it may take; 0: without a limit.
func (d *driver) walks(ctx context.Context, g *explore.Graph[model.State, model.Action], steps int) (sum Report, err error) {
	left := make([][]bool, len(g.States)) // edges that are not taken yet
	for s, edges := range g.Edges {
		left[s] = slices.Repeat([]bool{true}, len(edges))
		sum.Edges += len(edges)
	}
	more := func(made int) bool { return steps == 0 || sum.Steps+made < steps }
	for path(g, left, 0) != nil && more(0) {
		rep, err := d.drive(ctx, "tour", func(s *session, _ *Report) error {
			for at, way := 0, path(g, left, 0); way != nil && more(s.steps); way = path(g, left, at) {
				for _, i := range way {
					if left[at][i] {
						left[at][i] = false
						sum.Covered++
					}
					e := g.Edges[at][i]
					if err := s.take(e.Action); err != nil || s.refused != "" {
						return err
					}
					at = e.To
				}
			}
			return s.tryAll()
		})
		sum.Verdict, sum.Why, sum.timeline = rep.Verdict, rep.Why, rep.timeline
		if sum.Steps += rep.Steps; err != nil || rep.Verdict != spec.Passed {
			return sum, err
		}
	}
	return sum, nil
}

// path returns a shortest path from the state that ends with an edge that is
// left, as indexes of edges; nil if there is none.
func path(g *explore.Graph[model.State, model.Action], left [][]bool, from int) (way []int) {
	type visit struct{ state, edge int }
	by := map[int]visit{from: {-1, -1}}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if i := slices.Index(left[at], true); i >= 0 {
			way = []int{i}
			for v := by[at]; v.state >= 0; v = by[v.state] {
				way = append(way, v.edge)
			}
			slices.Reverse(way)
			return way
		}
		for i, e := range g.Edges[at] {
			if _, met := by[e.To]; !met {
				by[e.To] = visit{at, i}
				queue = append(queue, e.To)
			}
		}
	}
	return nil
}
