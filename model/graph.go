package model

import "iter"

// An Edge is an action that is enabled in a state, and where it leads.
type Edge struct {
	Action Action
	To     State
}

// States yields every state that cfg can reach, each once, breadth first from
// the initial one, with the edges that leave it in the order of Enabled. It is
// for looking at graphs: it remembers whole states, about 400 bytes each, where
// Explore takes a tenth of that.
func States(cfg Config) iter.Seq2[State, []Edge] {
	return func(yield func(State, []Edge) bool) {
		first := Init(cfg)
		known := map[State]bool{first: true}
		for queue := []State{first}; len(queue) > 0; queue = queue[1:] {
			var edges []Edge
			for _, a := range Enabled(cfg, queue[0]) {
				to := Apply(cfg, queue[0], a)
				edges = append(edges, Edge{a, to})
				if !known[to] {
					known[to] = true
					queue = append(queue, to)
				}
			}
			if !yield(queue[0], edges) {
				return
			}
		}
	}
}
