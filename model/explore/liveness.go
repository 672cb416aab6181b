package explore

import (
	"context"
	"math"
)

// A lasso is a behaviour in which a process waits without end though every
// process is treated fairly: a path to a state, and a cycle from there back to
// it.
type lasso struct {
	level int      // of the state
	start place    // of the state
	cycle []uint32 // nodes from the state on, which comes last
}

// length is how many steps it takes to the cycle and once around.
func (l *lasso) length() int {
	if l == nil {
		return math.MaxInt
	}
	return l.level + len(l.cycle)
}

// liveness looks for a shortest lasso in what a complete search has found; nil:
// there is none. In its cycle one process waits in every state, and each
// process takes a step or is at some point unable to; such a cycle exists if
// and only if a strongly connected part of the graph is of that kind. Events
// happen only finitely often, so no cycle has any.
//
// It ends as complete, or early for want of memory or because ctx has ended.
func (x *search[P, S, A]) liveness(ctx context.Context) (best *lasso, why end) {
	x.tally()
	if x.MaxMemory > 0 && x.measure()+x.graphBytes() > x.MaxMemory {
		return nil, tooMuchMemory
	}
	watched := x.watched()
	look := x.looker(ctx, int64(1+len(watched))*x.distinct)
	g := x.graph(look)
	for _, p := range watched {
		if ctx.Err() == nil && g.hung(p, look) {
			best = x.shortest(ctx, g, best)
		}
		if ctx.Err() != nil {
			return nil, interrupted
		}
	}
	return best, complete
}

// watched lists the processes that may wait without end: of those that are
// interchangeable, one.
func (x *search[P, S, A]) watched() (list []int) {
	from, to := 0, 0
	if m, ok := x.Machine.(Symmetric[S, A]); ok {
		from, to = m.Alike()
	}
	for p := range x.Procs() {
		if p <= from || p >= to {
			list = append(list, p)
		}
	}
	return list
}

// graphBytes is what the graph and the search for its parts take at most.
func (x *search[P, S, A]) graphBytes() int64 { return 8*x.generated + 32*x.distinct }

// looker reports that so many states are to be looked at, and returns a
// function that is to be called for each. Now and then that reports how many
// are left, and returns false if ctx has ended.
func (x *search[P, S, A]) looker(ctx context.Context, all int64) func() bool {
	const often = 1 << 12
	x.report(Looping, all)
	return func() bool {
		x.looked++
		if x.looked%often != 0 {
			return true
		}
		x.report(Looping, all-x.looked)
		return ctx.Err() == nil
	}
}

// graph makes the graph of what the search has found; a part of it once look
// returns false.
func (x *search[P, S, A]) graph(look func() bool) *graph {
	g := newGraph(x.Procs(), x.distinct, x.generated)
	w := &x.workers[0]
	for i := range x.shards {
		for k := range x.shards[i].count {
			if !look() {
				return g
			}
			x.unpack(w, x.shards[i].at(k))
			var able uint16
			w.actions = x.Actions(&w.from, w.actions[:0])
			for _, a := range w.actions {
				p := x.Proc(a)
				if p < 0 {
					continue
				}
				x.Next(&w.from, a, &w.to)
				to, _ := x.find(w)
				g.arcs = append(g.arcs, arc{x.node(to), uint8(p)})
				able |= 1 << p
			}
			g.able, g.waits, g.first = append(g.able, able), append(g.waits, x.Waiting(&w.from)), append(g.first, uint32(len(g.arcs)))
		}
	}
	return g
}

// node returns the number of a state in the order of the store.
func (x *search[P, S, A]) node(at place) uint32 { return x.base(at.shard) + at.i }

// base returns the number of the first state of a shard.
func (x *search[P, S, A]) base(shard int) (n uint32) {
	for i := range shard {
		n += x.shards[i].count
	}
	return n
}

// shortest returns the lasso of the fewest steps, of those in the parts that
// count and best; of equals the first, by the level and the place of its start.
// Of all states of a cycle the start is the first, so a cycle need not pass a
// start that was tried before. Once ctx has ended it returns early.
func (x *search[P, S, A]) shortest(ctx context.Context, g *graph, best *lasso) *lasso {
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
				if cycle := g.cycle(base+k, bound); cycle != nil {
					best = &lasso{level, place{i, k}, cycle}
				}
				g.part[base+k] = unfair
			}
		}
	}
	return best
}

// spell returns the actions of a lasso, and the number, from 1, of the one that
// follows the last.
func (x *search[P, S, A]) spell(l *lasso) (path []A, loop int) {
	path, s := x.path(l.level, func(_ *worker[P, S, A], at place) bool { return at == l.start })
	for _, node := range l.cycle {
		path = append(path, x.step(&s, func(to place) bool { return x.node(to) == node }))
	}
	return path, l.level + 1
}
