package model

import "slices"

// A graph has the states of a search as nodes, in the order of the store, and
// the processes' own steps as arcs.
type graph struct {
	procs  int
	first  []uint32 // arcs of node v: arcs[first[v]:first[v+1]]
	arcs   []arc
	able   []uint16 // by node: the processes that can take a step, as bits
	inside []uint16 // by node: those that are in a call, as bits
}

type arc struct {
	to uint32
	by uint8
}

// hung returns a strongly connected part in which process p stays inside its
// call and everyone is treated fairly, or nil.
func (g *graph) hung(p int) (part []uint32) {
	g.components(func(v uint32) bool { return g.inside[v]&(1<<p) != 0 }, func(nodes []uint32) bool {
		if !g.fair(nodes) {
			return true
		}
		part = slices.Clone(nodes)
		return false
	})
	return part
}

// fair reports whether a run that stays in the component, and sees all of it
// again and again, is fair to every process: it takes steps, or is now and then
// unable to.
func (g *graph) fair(nodes []uint32) bool {
	in := make(map[uint32]bool, len(nodes))
	for _, v := range nodes {
		in[v] = true
	}
	treated, arcs := uint16(0), 0
	for _, v := range nodes {
		treated |= ^g.able[v]
		for _, a := range g.out(v) {
			if in[a.to] {
				treated |= 1 << a.by
				arcs++
			}
		}
	}
	all := uint16(1<<g.procs - 1)
	return arcs > 0 && treated&all == all
}

func (g *graph) out(v uint32) []arc { return g.arcs[g.first[v]:g.first[v+1]] }

// components calls yield with each strongly connected component of the nodes
// that count, until it returns false. (Tarjan's algorithm, with a stack of its own.)
func (g *graph) components(counts func(uint32) bool, yield func([]uint32) bool) {
	type frame struct{ node, arc uint32 }
	var (
		order = make([]uint32, len(g.able)) // when a node was met, from 1; 0: not yet
		low   = make([]uint32, len(g.able)) // the earliest node that it reaches; done: its component is complete
		met   uint32
		open  []uint32 // nodes whose component is not complete
		calls []frame
	)
	const done = 1<<32 - 1
	enter := func(v uint32) {
		met++
		order[v], low[v] = met, met
		open = append(open, v)
		calls = append(calls, frame{v, g.first[v]})
	}
	for root := range uint32(len(g.able)) {
		if order[root] != 0 || !counts(root) {
			continue
		}
		for enter(root); len(calls) > 0; {
			f := &calls[len(calls)-1]
			v := f.node
			if f.arc < g.first[v+1] {
				to := g.arcs[f.arc].to
				f.arc++
				switch {
				case !counts(to):
				case order[to] == 0:
					enter(to)
				case low[to] != done:
					low[v] = min(low[v], order[to])
				}
				continue
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				caller := calls[len(calls)-1].node
				low[caller] = min(low[caller], low[v])
			}
			if low[v] == order[v] {
				at := len(open) - 1
				for open[at] != v {
					at--
				}
				if !yield(open[at:]) {
					return
				}
				for _, w := range open[at:] {
					low[w] = done
				}
				open = open[:at]
			}
		}
	}
}

// treats reports whether process p takes a step on the way or is unable to.
func (g *graph) treats(way []uint32, p int) bool {
	for i, v := range way {
		if g.able[v]&(1<<p) == 0 {
			return true
		}
		if i+1 < len(way) {
			for _, a := range g.out(v) {
				if int(a.by) == p && a.to == way[i+1] {
					return true
				}
			}
		}
	}
	return false
}

// way returns a shortest way of at least one arc inside part, from a node to
// the end of the first arc that is done, without the node itself.
func (g *graph) way(part []uint32, from uint32, done func(arc) bool) []uint32 {
	cameFrom := make(map[uint32]uint32, len(part))
	in := make(map[uint32]bool, len(part))
	for _, v := range part {
		in[v] = true
	}
	for queue := []uint32{from}; ; queue = queue[1:] {
		v := queue[0]
		for _, a := range g.out(v) {
			if !in[a.to] {
				continue
			}
			if done(a) {
				way := []uint32{a.to}
				for ; v != from; v = cameFrom[v] {
					way = append(way, v)
				}
				slices.Reverse(way)
				return way
			}
			if _, met := cameFrom[a.to]; !met && a.to != from {
				cameFrom[a.to] = v
				queue = append(queue, a.to)
			}
		}
	}
}
