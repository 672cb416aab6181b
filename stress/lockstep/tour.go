package lockstep

import (
	"errors"
	"slices"

	"sharedbarrier/model/explore"
)

// CoveringTour returns a shortest walk from the initial state that takes every
// edge of the graph at least once and ends where it began. It fails if the
// initial state cannot be reached from every state.
func CoveringTour[S comparable, A any](g *explore.Graph[S, A]) ([]explore.Edge[A], error) {
	to := make([][]int, len(g.Edges)) // by state: where its edges lead
	for s, edges := range g.Edges {
		for _, e := range edges {
			to[s] = append(to[s], e.To)
		}
	}
	indexes, err := coveringTour(to)
	var tour []explore.Edge[A]
	at := 0
	for _, i := range indexes {
		e := g.Edges[at][i]
		tour = append(tour, e)
		at = e.To
	}
	return tour, err
}

// coveringTour is CoveringTour of nodes. The walk is the index of each edge
// that it takes among those of the node that it has reached. Node 0 must reach
// every node.
func coveringTour(to [][]int) ([]int, error) {
	repeats, err := newFlow(to).repeats()
	if err != nil {
		return nil, err
	}
	return circuit(to, repeats), nil
}

// circuit returns the walk from node 0 that takes every edge once and then as
// often again as repeats says (Hierholzer's algorithm). With the repeats, as
// many edges must enter a node as leave it.
func circuit(to, repeats [][]int) (tour []int) {
	left := make([][]int, len(to)) // by node: edges still to take
	for node, edges := range to {
		for i := range edges {
			left[node] = append(left[node], slices.Repeat([]int{i}, 1+repeats[node][i])...)
		}
	}
	type visit struct{ node, by int } // by: the index of the edge that was taken to the node
	for stack := []visit{{0, -1}}; len(stack) > 0; {
		at := stack[len(stack)-1]
		if n := len(left[at.node]); n > 0 {
			i := left[at.node][n-1]
			left[at.node] = left[at.node][:n-1]
			stack = append(stack, visit{to[at.node][i], i})
			continue
		}
		tour = append(tour, at.by)
		stack = stack[:len(stack)-1]
	}
	slices.Reverse(tour)
	return tour[1:] // without the first visit, which no edge has led to
}

// A flow decides which edges a tour takes more than once. A node that more
// edges enter than leave has to be left again, by a path of repeated edges to a
// node that fewer edges enter than leave. The cheapest such paths are a
// minimum-cost flow. The primal-dual method finds it: it fills all paths of the
// least cost at once, then those of the next.
type flow struct {
	pipes  [][]pipe
	excess []int // edges in less edges out, less what flows away
	price  []int // with prices, no pipe with room costs less than 0
}

// A pipe is an edge, along which more can flow at cost 1, or its reverse, along
// which flow can be taken back at cost -1.
type pipe struct {
	to, reverse int // reverse: index among the pipes of to
	cost        int
	room        int // what can still flow; along edges it is unlimited
}

const unlimited = 1 << 30 // more than the steps of any tour

func newFlow(to [][]int) *flow {
	f := &flow{make([][]pipe, len(to)), make([]int, len(to)), make([]int, len(to))}
	for node, edges := range to { // first, so that edge i of a node is its pipe i
		for _, next := range edges {
			f.pipes[node] = append(f.pipes[node], pipe{to: next, cost: 1, room: unlimited})
			f.excess[node]--
			f.excess[next]++
		}
	}
	for node, edges := range to {
		for i, next := range edges {
			f.pipes[node][i].reverse = len(f.pipes[next])
			f.pipes[next] = append(f.pipes[next], pipe{to: node, reverse: i, cost: -1})
		}
	}
	return f
}

// repeats returns, by node and edge, how often the edge is taken again.
func (f *flow) repeats() ([][]int, error) {
	for slices.Max(f.excess) > 0 {
		if !f.raisePrices() {
			return nil, errors.New("lockstep: no tour covers the state graph: from some state no path leads back to the initial one")
		}
		dead := make([]bool, len(f.excess))
		for node := range f.excess {
			for f.excess[node] > 0 && f.push(node, dead) {
			}
		}
	}
	repeats := make([][]int, len(f.pipes))
	for node, pipes := range f.pipes {
		for _, p := range pipes {
			if p.cost > 0 {
				repeats[node] = append(repeats[node], unlimited-p.room)
			}
		}
	}
	return repeats, nil
}

// raisePrices adds to the price of each node what it costs to get there from a
// node with an excess, so that the cheapest paths cost nothing. It reports
// whether such a path leads to a node that lacks something.
func (f *flow) raisePrices() (some bool) {
	cost := make([]int, len(f.price))
	var buckets [][]int // nodes by cost: costs are small whole numbers
	put := func(node, c int) {
		for len(buckets) <= c {
			buckets = append(buckets, nil)
		}
		cost[node] = c
		buckets[c] = append(buckets[c], node)
	}
	for node := range cost {
		cost[node] = unlimited
		if f.excess[node] > 0 {
			put(node, 0)
		}
	}
	for c := 0; c < len(buckets); c++ {
		for i := 0; i < len(buckets[c]); i++ {
			node := buckets[c][i]
			if cost[node] != c {
				continue
			}
			for _, p := range f.pipes[node] {
				if next := c + f.reduced(node, p); p.room > 0 && next < cost[p.to] {
					put(p.to, next)
				}
			}
		}
	}
	for node, c := range cost {
		f.price[node] += c
		some = some || c < unlimited && f.excess[node] < 0
	}
	return some
}

func (f *flow) reduced(node int, p pipe) int { return p.cost + f.price[node] - f.price[p.to] }

// push sends one unit from node to one that lacks something, by pipes that cost
// nothing. Nodes from which that is impossible are dead until prices change.
func (f *flow) push(node int, dead []bool) bool {
	dead[node] = true
	for i, p := range f.pipes[node] {
		if p.room == 0 || f.reduced(node, p) != 0 || dead[p.to] {
			continue
		}
		if f.excess[p.to] >= 0 && !f.push(p.to, dead) {
			continue
		}
		f.excess[node]--
		f.excess[p.to]++
		f.pipes[node][i].room--
		f.pipes[p.to][p.reverse].room++
		dead[node] = false
		return true
	}
	return false
}
