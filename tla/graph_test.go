package tla_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	var configs []model.Config
	for _, scenario := range []spec.Scenario{spec.Reuse, spec.Withdraw} {
		for _, procs := range []int{2, 3} {
			for _, rounds := range []int{0, 2} {
				configs = append(configs, model.Config{Scenario: scenario, Procs: procs, Rounds: rounds})
			}
		}
	}
	configs = append(configs, model.Config{Scenario: spec.Single, Procs: 1})
	for _, scenario := range spec.AllScenarios {
		if scenario > spec.Withdraw && scenario != spec.Fork {
			configs = append(configs, model.Config{Scenario: scenario, Procs: 2, Rounds: 2})
			if scenario != spec.Disagreeing && scenario != spec.Surplus { // their twins are reuse
				configs = append(configs, model.Config{Scenario: scenario, Procs: 2, Rounds: 2, Twin: true})
			}
		}
	}
	for _, cfg := range configs {
		t.Run(name(cfg), func(t *testing.T) {
			t.Parallel()
			if difference := compareGraphs(dump(t, tools, cfg), cfg); difference != "" {
				t.Errorf("TLC's graph and the model's differ: %s", difference)
			}
		})
	}
}

// A comparison that finds no difference between different graphs is none.
func TestConform_Graph_SeesDifferences(t *testing.T) {
	tools := findTools(t)
	cfg := model.Config{Scenario: spec.Reuse, Procs: 2}
	original := dump(t, tools, cfg)
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

// dump has TLC find all states of the question and write them down.
func dump(t *testing.T, tools tlc.Tools, cfg model.Config) tlc.Graph {
	t.Helper()
	path := filepath.Join(t.TempDir(), "graph.dot")
	run := tlc.Run{Tools: tools, Files: tla.Files, Config: configFor(t, cfg), Dump: path, Small: true}
	outcome, err := run.Check(context.Background())
	if err != nil || outcome.Verdict != spec.Verified {
		t.Fatalf("Check(%s) = %s %s, %v; want verified", name(cfg), outcome.Verdict, outcome.Property, err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	graph, err := tlc.ReadGraph(file)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(graph.States)) != outcome.Distinct {
		t.Fatalf("ReadGraph: %d states, and TLC found %d", len(graph.States), outcome.Distinct)
	}
	return graph
}
