package tla_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// The whole state graph that TLC finds is the whole state graph of the model:
// the same states, and the same edges under the same labels. They are compared
// along a walk through both at once. Who moves and the label determine where an
// edge leads, so the walk pairs the states; the graphs are equal when no state
// is in two pairs, paired states look alike, and have the same edges.
func TestConform_Graph(t *testing.T) {
	tools := findTools(t)
	for _, config := range configs(t) {
		if !comparesGraph(config) {
			continue
		}
		t.Run(config.Name, func(t *testing.T) {
			t.Parallel()
			if difference := compareGraphs(ask(t, config).graph, modelConfig(config)); difference != "" {
				t.Errorf("TLC's graph and the model's differ: %s", difference)
			}
		})
	}
	for _, scenario := range spec.AllScenarios {
		if scenario <= spec.Withdraw || scenario == spec.Fork {
			continue
		}
		cfg := model.Config{Scenario: scenario, Procs: 2, Rounds: 2}
		t.Run(name(cfg), func(t *testing.T) {
			t.Parallel()
			if difference := compareGraphs(dump(t, tools, cfg), cfg); difference != "" {
				t.Errorf("TLC's graph and the model's differ: %s", difference)
			}
		})
	}
}

// comparesGraph reports whether the question visits all states, few enough to
// compare: those of the barrier used well, with one, two and three processes. (The
// controls of disagreeing and surplus are reuse, which is among them.)
func comparesGraph(config tlc.Config) bool {
	return strings.Contains(config.Name, "-safety") && config.Procs <= 3 &&
		config.Scenario != spec.Disagreeing && config.Scenario != spec.Surplus
}

// Both tellings of reuse and withdraw are compared with two and three processes,
// with and without a bound on the rounds.
func TestConform_Graph_Sizes(t *testing.T) {
	var got []string
	for _, config := range configs(t) {
		if comparesGraph(config) && config.Scenario <= spec.Withdraw {
			got = append(got, config.Name)
		}
	}
	want := []string{
		"reuse-n2-r2-safety", "reuse-n2-safety", "reuse-n3-r2-safety", "reuse-n3-safety", "single-n1-safety",
		"withdraw-n2-r2-safety", "withdraw-n2-safety", "withdraw-n3-r2-safety", "withdraw-n3-safety",
	}
	if !slices.Equal(got, want) {
		t.Errorf("graphs are compared for\n     %v\nwant %v", got, want)
	}
}

// A comparison that finds no difference between different graphs is none.
func TestConform_Graph_SeesDifferences(t *testing.T) {
	config, err := tlc.ReadConfig(tla.Files, "reuse-n2-safety")
	if err != nil {
		t.Fatal(err)
	}
	cfg, original := modelConfig(config), ask(t, config).graph
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
				t.Error("compareGraphs found no difference, want one")
			}
		})
	}
}

// compareGraphs returns the first difference, with the way to it; "" if there
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

// looks returns what is different about two states, as far as it is to be seen.
func looks(mine model.State, theirs tlc.State) string {
	switch {
	case mine.Words() != theirs.Words:
		return "words"
	case mine.Holder() != theirs.Lock:
		return "holder"
	case mine.Alive(0) == theirs.Dead:
		return "who lives"
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

// dump has TLC find all states of the model's question and write them down.
func dump(t *testing.T, tools tlc.Tools, cfg model.Config) tlc.Graph {
	t.Helper()
	a, err := withGraph(tlc.Run{Tools: tools, Files: tla.Files, Config: configFor(t, cfg), Small: true})
	if err != nil {
		t.Fatalf("%s: %v", name(cfg), err)
	}
	return a.graph
}

// withGraph answers a question with the whole state graph.
func withGraph(run tlc.Run) (a answer, err error) {
	dir, err := os.MkdirTemp("", "sharedbarrier-graph-")
	if err != nil {
		return a, err
	}
	defer os.RemoveAll(dir)
	run.Dump = filepath.Join(dir, "graph.dot")
	if a.Outcome, err = run.Check(context.Background()); err != nil {
		return a, err
	}
	if a.Verdict != spec.Verified {
		return a, fmt.Errorf("%s %s: no whole graph", a.Verdict, a.Property)
	}
	file, err := os.Open(run.Dump)
	if err != nil {
		return a, err
	}
	defer file.Close()
	if a.graph, err = tlc.ReadGraph(file); err == nil && int64(len(a.graph.States)) != a.Distinct {
		err = fmt.Errorf("the graph has %d states, and TLC found %d", len(a.graph.States), a.Distinct)
	}
	return a, err
}
