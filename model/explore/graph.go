package explore

import (
	"iter"
	"slices"
)

// A Graph is the states of a machine and the edges between them. States are
// numbered in the order in which a breadth-first search meets them; 0 is the
// initial one. It takes whole states, about 700 bytes each for the barrier,
// where Run takes 12.
type Graph[S comparable, A any] struct {
	States []S
	Edges  [][]Edge[A] // by state, in the order of Actions

	parents []int32 // by state: the state that it was met from; -1: none
}

// An Edge is an action that is enabled in a state, and the number of the state
// after it.
type Edge[A any] struct {
	Action A
	To     int
}

// NewGraph returns the whole graph of m, which must be finite and should be
// small. The barrier without a bound on rounds is finite where NoEarlyExit
// holds.
func NewGraph[S comparable, A any](m Steps[S, A]) *Graph[S, A] {
	g := &Graph[S, A]{}
	for range g.Grow(m) {
	}
	return g
}

// Grow fills g, which must be empty, with the graph of m. It yields the number
// of each state, in ascending order, once the edges of that state are in g,
// together with the states that they lead to. The caller may end it at any
// state.
func (g *Graph[S, A]) Grow(m Steps[S, A]) iter.Seq[int] {
	return func(yield func(int) bool) {
		number := map[S]int{}
		meet := func(s S, parent int) int {
			i, ok := number[s]
			if !ok {
				i = len(g.States)
				number[s] = i
				g.States, g.parents = append(g.States, s), append(g.parents, int32(parent))
			}
			return i
		}
		meet(m.Init(), -1)
		var actions []A
		for i := 0; i < len(g.States); i++ {
			from := g.States[i]
			actions = m.Actions(&from, actions[:0])
			edges := make([]Edge[A], len(actions))
			for k, a := range actions {
				var to S
				m.Next(&from, a, &to)
				edges[k] = Edge[A]{a, meet(to, i)}
			}
			g.Edges = append(g.Edges, edges)
			if !yield(i) {
				return
			}
		}
	}
}

// Path returns a shortest path from the initial state to the state with the
// number.
func (g *Graph[S, A]) Path(state int) (path []A) {
	for parent := int(g.parents[state]); parent >= 0; state, parent = parent, int(g.parents[parent]) {
		for _, e := range g.Edges[parent] {
			if e.To == state {
				path = append(path, e.Action)
				break
			}
		}
	}
	slices.Reverse(path)
	return path
}
