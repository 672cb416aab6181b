package browse

import (
	"slices"

	"sharedbarrier/spec"
)

// A drawing is a graph that graph.js lays out and draws.
type drawing struct {
	Nodes []node `json:"nodes"`
	Edges []edge `json:"edges"`
}

type node struct {
	Label string `json:"label"` // with line breaks
	Class string `json:"class,omitempty"`
	Doc   string `json:"doc,omitempty"`
}

type edge struct {
	From  int    `json:"from"` // index of a node
	To    int    `json:"to"`
	Label string `json:"label,omitempty"`
}

// picture returns the steps that processes of v take, and how they follow each
// other in PROTOCOL.md.
func picture(v View) (d drawing) {
	shown := shownSteps(v)
	for i, s := range shown {
		d.Nodes = append(d.Nodes, node{s.String(), "lock-" + s.Lock().String(), s.Doc()})
		for _, b := range s.Next() {
			if to := slices.Index(shown, b.To); to >= 0 && to != i {
				d.Edges = append(d.Edges, edge{i, to, b.If})
			}
		}
	}
	return d
}

// shownSteps returns the steps of a call, and of withdrawal and construction if
// a process gets there.
func shownSteps(v View) (list []spec.Step) {
	list = slices.Clone(spec.CallSteps)
	for _, more := range [][]spec.Step{spec.WithdrawalSteps, spec.ConstructionSteps} {
		if reaches(v, more) {
			list = append(list, more...)
		}
	}
	return list
}

func reaches(v View, steps []spec.Step) bool {
	for _, s := range v.Graph.States {
		for p := range v.Config.Procs {
			if slices.Contains(steps, s.Step(p)) {
				return true
			}
		}
	}
	return false
}
