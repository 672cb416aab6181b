package explore

import (
	"math"
	"slices"
)

// A graph has the states of a search as nodes, in the order of the store, and
// the steps of processes as arcs.
type graph struct {
	procs int
	first []uint32 // arcs of node v: arcs[first[v]:first[v+1]]
	arcs  []arc
	able  []uint16 // by node: the processes that can take a step, as bits
	waits []uint16 // by node: those that must not stay so, as bits
	part  []uint32 // by node: its strongly connected part, from 1; 0: not known, unfair: none that counts
}

type arc struct {
	to uint32
	by uint8
}

const unfair = math.MaxUint32

// newGraph returns a graph with no nodes yet and room for so many, and so many
// arcs.
func newGraph(procs int, nodes, arcs int64) *graph {
	return &graph{
		procs: procs, arcs: make([]arc, 0, arcs), first: make([]uint32, 1, nodes+1), part: make([]uint32, nodes),
		able: make([]uint16, 0, nodes), waits: make([]uint16, 0, nodes),
	}
}

// counts reports whether the node is in one of the parts that hung has found.
func (g *graph) counts(v uint32) bool { return g.part[v] != 0 && g.part[v] != unfair }

// hung puts into g.part the strongly connected parts in which process p waits
// all the time and every process is treated fairly, and reports whether there
// is any. It calls look at each node and ends when that returns false; then
// what it found means nothing.
func (g *graph) hung(p int, look func() bool) (found bool) {
	clear(g.part)
	parts := uint32(0)
	counts := func(v uint32) bool { return g.waits[v]&(1<<p) != 0 }
	g.components(counts, look, func(nodes []uint32) {
		parts++
		g.assign(nodes, parts)
		if g.fair(nodes) {
			found = true
		} else {
			g.assign(nodes, unfair)
		}
	})
	return found
}

func (g *graph) assign(nodes []uint32, part uint32) {
	for _, v := range nodes {
		g.part[v] = part
	}
}

// fair reports whether a run that stays in the part, and sees all of it again
// and again, is fair to every process: it takes steps, or is now and then
// unable to.
func (g *graph) fair(nodes []uint32) bool {
	treated, arcs := uint16(0), 0
	for _, v := range nodes {
		treated |= g.unable(v)
		for _, a := range g.out(v) {
			if g.part[a.to] == g.part[v] {
				treated |= 1 << a.by
				arcs++
			}
		}
	}
	return arcs > 0 && treated == g.everyone()
}

// everyone is the set of all processes, as bits.
func (g *graph) everyone() uint16 { return 1<<g.procs - 1 }

// unable returns the processes that cannot take a step, as bits.
func (g *graph) unable(v uint32) uint16 { return g.everyone() &^ g.able[v] }

func (g *graph) out(v uint32) []arc { return g.arcs[g.first[v]:g.first[v+1]] }

// components calls yield with each strongly connected component of the nodes
// that count; yield must give them a part. It calls look at each node, and ends
// early when that returns false. (Tarjan's algorithm, with a stack of its own,
// and all it may need of memory made at once.)
func (g *graph) components(counts func(uint32) bool, look func() bool, yield func([]uint32)) {
	type frame struct{ node, arc uint32 }
	var (
		order = make([]uint32, len(g.able)) // when a node was met, from 1; 0: not yet
		low   = make([]uint32, len(g.able)) // the earliest node that it reaches
		met   uint32
		open  = make([]uint32, 0, len(g.able)) // nodes whose component is not complete
		calls = make([]frame, 0, len(g.able))
	)
	enter := func(v uint32) {
		met++
		order[v], low[v] = met, met
		open = append(open, v)
		calls = append(calls, frame{v, g.first[v]})
	}
	for root := range uint32(len(g.able)) {
		if !counts(root) && !look() {
			return
		}
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
				case g.part[to] == 0:
					low[v] = min(low[v], order[to])
				}
				continue
			}
			if !look() {
				return
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
				yield(open[at:])
				open = open[:at]
			}
		}
	}
}

// A visit is a node on a path, with the processes that were treated fairly on
// it.
type visit struct {
	node    uint32
	before  uint32 // the visit before, by its place in the list
	treated uint16
}

// cycle returns a shortest path of at least one arc from start back to it, in
// its part, on which every process is treated fairly: the nodes after start. It
// returns nil if none has fewer than bound arcs.
func (g *graph) cycle(start uint32, bound int) []uint32 {
	visits := []visit{{node: start}} // where it is unable counts when the path comes back
	type key struct {
		node    uint32
		treated uint16
	}
	met := map[key]bool{}
	for at, length := 0, 1; at < len(visits) && length < bound; length++ {
		for end := len(visits); at < end; at++ {
			for _, a := range g.out(visits[at].node) {
				if g.part[a.to] != g.part[start] {
					continue
				}
				next := visit{a.to, uint32(at), visits[at].treated | 1<<a.by | g.unable(a.to)}
				if a.to == start && next.treated == g.everyone() {
					return nodes(visits, next)
				}
				if k := (key{next.node, next.treated}); !met[k] {
					met[k] = true
					visits = append(visits, next)
				}
			}
		}
	}
	return nil
}

// nodes returns the nodes on the path to the last visit, without the first.
func nodes(visits []visit, last visit) (nodes []uint32) {
	for ; last.before != 0; last = visits[last.before] {
		nodes = append(nodes, last.node)
	}
	nodes = append(nodes, last.node)
	slices.Reverse(nodes)
	return nodes
}
