package model

import (
	"context"
	"slices"
)

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
//
// It ends as complete with a lasso or nil, or early for want of memory or because
// ctx has ended.
func (x *search[S]) liveness(ctx context.Context) (*lasso[S], end) {
	if x.MaxMemory > 0 && x.bytes+x.graphBytes() > x.MaxMemory {
		return nil, tooMuchMemory
	}
	g := x.graph()
	for p := range x.procs {
		if p > x.same[0] && p < x.same[1] {
			continue // as alike as the first of them
		}
		if ctx.Err() != nil {
			return nil, interrupted
		}
		if part := g.hung(p); part != nil {
			return x.lasso(g, part), complete
		}
	}
	return nil, complete
}

// graphBytes is about what graph and its search take.
func (x *search[S]) graphBytes() int64 { return 8*x.generated + 24*x.distinct }

// graph makes the graph of what the search has found.
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

// lasso returns a shortest path to the component and a loop through it in
// which everyone is treated fairly.
func (x *search[S]) lasso(g *graph, part []uint32) *lasso[S] {
	start := slices.MinFunc(part, func(a, b uint32) int { return x.place(a).level - x.place(b).level })
	at := start
	var loop []uint32
	walk := func(done func(arc) bool) {
		way := g.way(part, at, done)
		loop = append(loop, way...)
		at = loop[len(loop)-1]
	}
	for p := range g.procs {
		if !g.treats(append([]uint32{start}, loop...), p) {
			walk(func(a arc) bool { return int(a.by) == p || g.able[a.to]&(1<<p) == 0 })
		}
	}
	if at != start || len(loop) == 0 {
		walk(func(a arc) bool { return a.to == start })
	}
	l := &lasso[S]{path: x.path(x.place(start))}
	for _, v := range loop {
		f := x.place(v).place
		l.loop = append(l.loop, *x.shards[f.shard].at(f.i))
	}
	return l
}
