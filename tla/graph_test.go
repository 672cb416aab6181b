package tla_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla/tlc"
)

// The state graph that TLC finds is the state graph of the model: the same
// states, and the same edges under the same labels. The process and the label
// determine where an edge leads, so a walk through both graphs at once pairs
// their states. The graphs are equal if no state is in two pairs, and paired
// states look alike and have the same edges.
func TestConform_Graph(t *testing.T) {
	for _, group := range graphs(t) {
		t.Run(group[0].Name(), func(t *testing.T) {
			t.Parallel()
			if difference := compareGraphs(askGroup(t, group).graph, group[0].ModelConfig()); difference != "" {
				t.Errorf("TLC's graph and the model's differ: %s", difference)
			}
		})
	}
}

// Every step and event is taken in one of the graphs, and the modules have no
// action whose label spec does not know.
func TestConform_GraphLabels(t *testing.T) {
	full(t)
	t.Parallel()
	taken := map[string]bool{}
	for _, group := range graphs(t) {
		for _, edges := range askGroup(t, group).graph.Edges {
			for _, e := range edges {
				taken[e.Label] = true
			}
		}
	}
	var want []string
	for _, s := range spec.AllSteps {
		want = append(want, s.String())
	}
	for _, e := range spec.AllEvents {
		want = append(want, e.String())
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(taken)); !slices.Equal(got, want) {
		t.Errorf("labels of the graphs' edges:\n got %v\nwant %v", got, want)
	}
}

// comparesGraph reports whether the question visits all states, few enough to
// compare: those of the barrier used well, with one, two and three processes
// (the controls of disagreeing and surplus are reuse, which is among them), and
// those of graphs.
func comparesGraph(q tlc.Question) bool {
	scenario := q.ModelConfig().Scenario
	return q.Kind == "graph" ||
		q.Kind == "safety" && q.Procs <= 3 && scenario != spec.Disagreeing && scenario != spec.Surplus
}

// graphs are the groups of questions whose graphs are compared: short ones of
// the table, and each hazard with two processes and two rounds. With -short:
// reuse-n2.
func graphs(t *testing.T) (list [][]tlc.Question) {
	t.Helper()
	if testing.Short() {
		return [][]tlc.Question{groupOf(t, "reuse-n2-safety")}
	}
	for _, group := range shortGroups(t) {
		if comparesGraph(group[0]) {
			list = append(list, group)
		}
	}
	for _, scenario := range spec.AllScenarios {
		if model.ControlOf(scenario) != "" {
			q := about(model.Config{Scenario: scenario, Procs: 2, Rounds: 2})
			q.Kind = "graph"
			list = append(list, []tlc.Question{q})
		}
	}
	return list
}

// Reuse and withdraw are compared with two and three processes, with and
// without a bound on the rounds.
func TestUnit_GraphSizes(t *testing.T) {
	var got []string
	for _, q := range questions(t) {
		if comparesGraph(q) && q.Class == tlc.Short && q.ModelConfig().Scenario <= spec.Withdraw {
			got = append(got, q.Name())
		}
	}
	want := []string{
		"reuse-n2-safety", "reuse-n2-r2-safety", "reuse-n3-safety", "reuse-n3-r2-safety", "single-n1-safety",
		"withdraw-n2-safety", "withdraw-n2-r2-safety", "withdraw-n3-safety", "withdraw-n3-r2-safety",
	}
	if !slices.Equal(got, want) {
		t.Errorf("graphs are compared for\n     %v\nwant %v", got, want)
	}
}

// compareGraphs finds a difference between different graphs.
func TestConform_GraphDifferences(t *testing.T) {
	group := groupOf(t, "reuse-n2-safety")
	cfg, original := group[0].ModelConfig(), askGroup(t, group).graph
	for name, spoil := range map[string]func(g *tlc.Graph){
		"edge missing":    func(g *tlc.Graph) { g.Edges[7] = g.Edges[7][1:] },
		"edge doubled":    func(g *tlc.Graph) { g.Edges[7] = append(g.Edges[7], g.Edges[7][0]) },
		"edge added":      func(g *tlc.Graph) { g.Edges[7] = append(g.Edges[7], tlc.Edge{Proc: 1, Label: "GiveUp"}) },
		"edge to another": func(g *tlc.Graph) { g.Edges[7][0].To = 9 },
		"label":           func(g *tlc.Graph) { g.Edges[7][0].Label = "RaiseFlag" },
		"word":            func(g *tlc.Graph) { g.States[20].Words.Exit++ },
		"holder":          func(g *tlc.Graph) { g.States[20].Lock = 1 - g.States[20].Lock },
		"step":            func(g *tlc.Graph) { g.States[20].Steps[1] = spec.MakeFlag },
		"rounds":          func(g *tlc.Graph) { g.States[20].Rounds[0]++ },
		"states confounded": func(g *tlc.Graph) { // two states that look different only in their edges
			last := len(g.States) - 1
			for _, edges := range g.Edges {
				for i := range edges {
					if edges[i].To == last {
						edges[i].To = last - 1
					}
				}
			}
			g.States[last-1] = g.States[last]
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := tlc.Graph{Initial: original.Initial}
			for i, s := range original.States {
				s.Steps, s.Rounds = slices.Clone(s.Steps), slices.Clone(s.Rounds)
				g.States = append(g.States, s)
				g.Edges = append(g.Edges, slices.Clone(original.Edges[i]))
			}
			spoil(&g)
			if compareGraphs(g, cfg) == "" {
				t.Errorf("compareGraphs with %s: no difference, want one", name)
			}
		})
	}
}

// compareGraphs returns the first difference, with the path to it; "" if there
// is none.
func compareGraphs(g tlc.Graph, cfg model.Config) string {
	type pair struct {
		mine  model.State
		their int
		path  string
	}
	theirs := map[model.State]int{}
	mine := map[int]model.State{}
	queue := []pair{{model.Init(cfg), g.Initial, "in the initial state"}}
	theirs[queue[0].mine], mine[g.Initial] = g.Initial, queue[0].mine
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if alike := looks(at.mine, g.States[at.their]); alike != "" {
			return fmt.Sprintf("%s: %s: the model has %v, TLC has %v", at.path, alike, at.mine, g.States[at.their])
		}
		edges := map[string]tlc.Edge{}
		for _, e := range g.Edges[at.their] {
			edge := edgeName(e.Proc, e.Label)
			if _, twice := edges[edge]; twice {
				return fmt.Sprintf("%s (%v): TLC has %s twice", at.path, at.mine, edge)
			}
			edges[edge] = e
		}
		for _, a := range model.Enabled(cfg, at.mine) {
			edge := edgeName(a.Proc, a.Label())
			e, ok := edges[edge]
			if !ok {
				return fmt.Sprintf("%s (%v): only the model has %s", at.path, at.mine, edge)
			}
			delete(edges, edge)
			next := model.Apply(cfg, at.mine, a)
			known, ok := theirs[next]
			other, taken := mine[e.To]
			switch {
			case !ok && !taken:
				theirs[next], mine[e.To] = e.To, next
				queue = append(queue, pair{next, e.To, at.path + " " + edge})
			case ok != taken || known != e.To || other != next:
				return fmt.Sprintf("%s (%v): %s leads to another state: in the model %v, in TLC %v", at.path, at.mine, edge, next, g.States[e.To])
			}
		}
		for _, edge := range slices.Sorted(maps.Keys(edges)) {
			return fmt.Sprintf("%s (%v): only TLC has %s", at.path, at.mine, edge)
		}
	}
	if len(mine) != len(g.States) {
		return fmt.Sprintf("TLC has %d states, the model %d", len(g.States), len(mine))
	}
	return ""
}

// looks returns what is different about two states, of what both engines show.
func looks(mine model.State, theirs tlc.State) string {
	switch {
	case mine.Words() != theirs.Words:
		return "words"
	case mine.Holder() != theirs.Lock:
		return "holder"
	case mine.Alive(0) == theirs.Dead:
		return "life of p0"
	}
	for p := range theirs.Steps {
		switch {
		case mine.Step(p) != theirs.Steps[p]:
			return fmt.Sprintf("step of p%d", p)
		case mine.Rounds(p) != theirs.Rounds[p]:
			return fmt.Sprintf("rounds of p%d", p)
		}
	}
	return ""
}

func edgeName(proc int, label string) string { return fmt.Sprintf("p%d:%s", proc, label) }
