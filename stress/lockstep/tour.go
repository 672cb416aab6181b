package lockstep

import (
	"fmt"
	"slices"

	"sharedbarrier/model"
)

// A Graph is the state graph of one question, its states numbered in the order
// in which a breadth-first search meets them; 0 is the initial state.
type Graph struct {
	States []model.State
	Arcs   [][]Arc // by state, in the order of model.Enabled
	Edges  int     // how many arcs there are
}

// An Arc is an action that is enabled in a state, and the number of the state
// to which it leads.
type Arc struct {
	Action model.Action
	To     int
}

// NewGraph returns the whole state graph of cfg, which must be valid and small:
// it takes about 400 bytes for each state.
func NewGraph(cfg model.Config) *Graph {
	g := &Graph{}
	number := map[model.State]int{}
	var out [][]model.Edge
	for s, edges := range model.States(cfg) {
		number[s] = len(g.States)
		g.States = append(g.States, s)
		out = append(out, edges)
	}
	for _, edges := range out {
		var arcs []Arc
		for _, e := range edges {
			arcs = append(arcs, Arc{e.Action, number[e.To]})
		}
		g.Arcs = append(g.Arcs, arcs)
		g.Edges += len(arcs)
	}
	return g
}

// A Hop is one step of a walk: arc number Arc of state number From.
type Hop struct{ From, Arc int }

// Tour returns a shortest walk that takes every arc of the graph at least once
// and ends where it began, at the initial state: a Chinese postman's round. It
// fails when the graph is not strongly connected, as no walk can do it then.
func (g *Graph) Tour() ([]Hop, error) {
	if err := g.connected(); err != nil {
		return nil, err
	}
	return g.circuit(newPostman(g).repeats()), nil
}

// connected returns an error unless every state can be reached from the initial
// one, and the initial one from every state.
func (g *Graph) connected() error {
	back := make([][]int, len(g.States))
	for s, arcs := range g.Arcs {
		for _, a := range arcs {
			back[a.To] = append(back[a.To], s)
		}
	}
	home := make([]bool, len(g.States))
	home[0] = true
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		for _, s := range back[queue[0]] {
			if !home[s] {
				home[s] = true
				queue = append(queue, s)
			}
		}
	}
	if s := slices.Index(home, false); s >= 0 {
		return fmt.Errorf("lockstep: no way leads from %v back to the initial state, so there is no tour of this scenario", g.States[s])
	}
	return nil
}

// circuit returns the closed walk from the initial state that takes every arc
// once and then as often again as repeats says (Hierholzer's algorithm). With
// the repeats, arcs must enter and leave each state equally often.
func (g *Graph) circuit(repeats [][]int) []Hop {
	left := make([][]int, len(g.States))
	for s, arcs := range g.Arcs {
		for i := range arcs {
			for range 1 + repeats[s][i] {
				left[s] = append(left[s], i)
			}
		}
	}
	stack := []Hop{{-1, 0}} // each leads to the state from which the next starts; the first, to state 0
	var walk []Hop
	for len(stack) > 0 {
		at, last := 0, len(stack)-1
		if top := stack[last]; top.From >= 0 {
			at = g.Arcs[top.From][top.Arc].To
		}
		if n := len(left[at]); n > 0 {
			stack = append(stack, Hop{at, left[at][n-1]})
			left[at] = left[at][:n-1]
			continue
		}
		walk = append(walk, stack[last])
		stack = stack[:last]
	}
	walk = walk[:len(walk)-1] // the first of the stack, which is no hop
	slices.Reverse(walk)
	return walk
}
