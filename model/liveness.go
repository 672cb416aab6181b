package model

import "slices"

// A lasso is a behaviour in which a call never returns though every process is
// weakly fair: a path to a state, and a loop from there back to it.
type lasso[S packed] struct {
	path []S // from the initial state
	loop []S // from the last of path back to it, which is not repeated in front
}

// liveness looks for a lasso in what a complete search has found. In its loop
// one process stays inside a call, and each process takes a step or is at some
// point unable to; such a loop exists if and only if a strongly connected part of
// the graph is of that kind. Events happen only finitely often, so no loop has any.
func (x *search[S]) liveness() (lasso[S], bool) {
	g := x.graph()
	for p := range x.procs {
		if p > x.same[0] && p < x.same[1] {
			continue // as alike as the first of them
		}
		if part := g.hung(p); part != nil {
			return x.lasso(g, part), true
		}
	}
	return lasso[S]{}, false
}

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

func (x *search[S]) graph() *graph {
	g := &graph{procs: x.procs}
	var v view
	for i := range x.shards {
		for k := range x.shards[i].count {
			unpack(&x.layout, x.shards[i].at(k), &v)
			g.first = append(g.first, uint32(len(g.arcs)))
			g.able = append(g.able, 0)
			x.successors(&v, func(e edge, p int) {
				if e.how&event != 0 {
					return
				}
				to, _ := x.step(&v, p, e)
				g.arcs = append(g.arcs, arc{x.node(x.represent(&to)), uint8(p)})
				g.able[len(g.able)-1] |= 1 << p
			})
			var inside uint16
			for p, l := range v.locals[:x.procs] {
				if x.inside[l] {
					inside |= 1 << p
				}
			}
			g.inside = append(g.inside, inside)
		}
	}
	g.first = append(g.first, uint32(len(g.arcs)))
	return g
}

// node returns the number of the state s in the order of the store.
func (x *search[S]) node(s S) uint32 {
	code := hash(&s)
	shard := int(code >> (64 - shardBits))
	i, _, _ := x.shards[shard].find(&s, code)
	for k := range shard {
		i += x.shards[k].count
	}
	return i
}

// place returns where in the store the node lies, and on which level.
func (x *search[S]) place(node uint32) finding {
	f := finding{place: place{i: node}}
	for f.place.i >= x.shards[f.place.shard].count {
		f.place.i -= x.shards[f.place.shard].count
		f.place.shard++
	}
	for f.place.i >= x.levels[f.level][f.place.shard] {
		f.level++
	}
	return f
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
				at := slices.Index(open, v)
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

// lasso returns a shortest path to the component and a loop through it in
// which everyone is treated fairly.
func (x *search[S]) lasso(g *graph, part []uint32) lasso[S] {
	start := slices.MinFunc(part, func(a, b uint32) int { return x.place(a).level - x.place(b).level })
	at := start
	var loop []uint32
	walk := func(done func(from uint32, a arc) bool) {
		way := g.way(part, at, done)
		loop = append(loop, way...)
		at = loop[len(loop)-1]
	}
	for p := range g.procs {
		if !g.treats(append([]uint32{start}, loop...), p) {
			walk(func(_ uint32, a arc) bool { return int(a.by) == p || g.able[a.to]&(1<<p) == 0 })
		}
	}
	if at != start || len(loop) == 0 {
		walk(func(_ uint32, a arc) bool { return a.to == start })
	}
	l := lasso[S]{path: x.path(x.place(start))}
	for _, v := range loop {
		f := x.place(v).place
		l.loop = append(l.loop, *x.shards[f.shard].at(f.i))
	}
	return l
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
func (g *graph) way(part []uint32, from uint32, done func(uint32, arc) bool) []uint32 {
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
			if done(v, a) {
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
