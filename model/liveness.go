package model

import (
	"context"
	"math"
)

// A lasso is a behaviour in which a call never returns though every process is
// weakly fair: a path to a state, and a loop from there back to it.
type lasso[S packed] struct {
	path []S // from the initial state
	loop []S // from the last of path back to it, which is not repeated in front
}

// liveness looks for a shortest lasso in what a complete search has found. In its
// loop one process stays inside a call, and each process takes a step or is at
// some point unable to; such a loop exists if and only if a strongly connected part
// of the graph is of that kind. Events happen only finitely often, so no loop has
// any.
//
// It ends as complete with a lasso or nil, or early for want of memory or because
// ctx has ended.
func (x *search[S]) liveness(ctx context.Context) (*lasso[S], end) {
	if x.MaxMemory > 0 && x.bytes+x.graphBytes() > x.MaxMemory {
		return nil, tooMuchMemory
	}
	watched := x.watched()
	look := x.looker(ctx, int64(1+len(watched))*x.distinct)
	g := x.graph(look)
	var best *ring
	for _, p := range watched {
		hangs := ctx.Err() == nil && g.hung(p, look)
		if hangs {
			best = x.shortest(ctx, g, best)
		}
		if ctx.Err() != nil {
			return nil, interrupted
		}
	}
	return x.lasso(best), complete
}

// watched lists the processes whose calls may hang: of those that are alike, one.
func (x *search[S]) watched() (list []int) {
	for p := range x.procs {
		if p <= x.same[0] || p >= x.same[1] {
			list = append(list, p)
		}
	}
	return list
}

// graphBytes is what the graph and the search for its parts take at most.
func (x *search[S]) graphBytes() int64 { return 8*x.generated + 32*x.distinct }

// looker tells that so many states are to be looked at, and returns a function
// that is to be called for each. Now and then that tells how many are left, and
// returns false if ctx has ended.
func (x *search[S]) looker(ctx context.Context, all int64) func() bool {
	const often = 1 << 12
	x.tell(Looping, all)
	return func() bool {
		x.looked++
		if x.looked%often != 0 {
			return true
		}
		x.tell(Looping, all-x.looked)
		return ctx.Err() == nil
	}
}

// graph makes the graph of what the search has found; a part of it once look
// returns false.
func (x *search[S]) graph(look func() bool) *graph {
	g := newGraph(x.procs, x.distinct, x.generated)
	var v view
	for i := range x.shards {
		for k := range x.shards[i].count {
			if !look() {
				return g
			}
			unpack(&x.layout, x.shards[i].at(k), &v)
			var able, inside uint16
			x.successors(&v, func(e edge, p int) {
				if e.how&event != 0 {
					return
				}
				to, _ := x.step(&v, p, e)
				g.arcs = append(g.arcs, arc{x.node(x.represent(&to)), uint8(p)})
				able |= 1 << p
			})
			for p, l := range v.locals[:x.procs] {
				if x.inside[l] {
					inside |= 1 << p
				}
			}
			g.able, g.inside, g.first = append(g.able, able), append(g.inside, inside), append(g.first, uint32(len(g.arcs)))
		}
	}
	return g
}

// node returns the number of the state s in the order of the store.
func (x *search[S]) node(s S) uint32 {
	code := hash(&s)
	shard := int(code >> (64 - shardBits))
	i, _, _ := x.shards[shard].find(&s, code)
	return x.base(shard) + i
}

// base returns the number of the first state of a shard.
func (x *search[S]) base(shard int) (n uint32) {
	for i := range shard {
		n += x.shards[i].count
	}
	return n
}

// place returns where in the store the node lies.
func (x *search[S]) place(node uint32) (at place) {
	for at.i = node; at.i >= x.shards[at.shard].count; at.shard++ {
		at.i -= x.shards[at.shard].count
	}
	return at
}

// A ring is a loop in the graph, and the state where it begins.
type ring struct {
	start finding
	loop  []uint32 // nodes from start on, which comes last
}

// length is how many steps it takes to the loop and once around.
func (r *ring) length() int {
	if r == nil {
		return math.MaxInt
	}
	return r.start.level + len(r.loop)
}

// shortest returns the ring that is first reached and gone around in the fewest
// steps, of those in the parts that count and best; of equals the first, by the
// level and the place of its start. Of all states of a loop the start is the
// first, so a loop need not pass a start that was tried before. Once ctx has ended
// it returns early.
func (x *search[S]) shortest(ctx context.Context, g *graph, best *ring) *ring {
	for level := range x.levels {
		if ctx.Err() != nil {
			return best
		}
		for i := range x.shards {
			from, to := x.level(level, i)
			base := x.base(i)
			for k := from; k < to; k++ {
				bound := best.length() - level
				if bound <= 1 {
					return best
				}
				if !g.counts(base + k) {
					continue
				}
				if loop := g.around(base+k, bound); loop != nil {
					best = &ring{finding{level: level, place: place{i, k}}, loop}
				}
				g.part[base+k] = unfair
			}
		}
	}
	return best
}

// lasso spells a ring out; nil: none.
func (x *search[S]) lasso(r *ring) *lasso[S] {
	if r == nil {
		return nil
	}
	l := &lasso[S]{path: x.path(r.start)}
	for _, v := range r.loop {
		at := x.place(v)
		l.loop = append(l.loop, *x.shards[at.shard].at(at.i))
	}
	return l
}
