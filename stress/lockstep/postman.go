package lockstep

// A postman decides which arcs a tour takes more than once. A state that more
// arcs enter than leave has to be left again along arcs that were taken before,
// by a path to a state that fewer arcs enter than leave. The cheapest such paths
// are a minimum-cost flow, which is found by the primal-dual method: all paths
// of the least cost are filled at once, then those of the next.
type postman struct {
	residual [][]channel
	excess   []int // arcs in less arcs out, less what the flow takes away
	price    []int // with prices, no channel that can be used costs less than 0
}

// A channel is an arc along which more can flow, at cost 1, or the way back
// along an arc with flow, at cost -1.
type channel struct {
	to, control int // control: index, among the channels of to, of the way back
	cost        int
	room        int // what can still flow; of arcs it is unlimited
}

const unlimited = 1 << 30 // more than any tour has steps

func newPostman(g *Graph) *postman {
	n := len(g.States)
	f := &postman{make([][]channel, n), make([]int, n), make([]int, n)}
	for s, arcs := range g.Arcs { // first, so that arc i of s is channel i of s
		for _, a := range arcs {
			f.residual[s] = append(f.residual[s], channel{to: a.To, cost: 1, room: unlimited})
			f.excess[s]--
			f.excess[a.To]++
		}
	}
	for s, arcs := range g.Arcs {
		for i, a := range arcs {
			f.residual[s][i].control = len(f.residual[a.To])
			f.residual[a.To] = append(f.residual[a.To], channel{to: s, control: i, cost: -1})
		}
	}
	return f
}

// repeats returns, by state and arc, how often the arc is taken again. The graph
// must be strongly connected.
func (f *postman) repeats() [][]int {
	for f.raisePrices() {
		dead := make([]bool, len(f.excess))
		for s := range f.excess {
			for f.excess[s] > 0 && f.push(s, dead) {
			}
		}
	}
	repeats := make([][]int, len(f.residual))
	for s, channels := range f.residual {
		for _, c := range channels {
			if c.cost > 0 {
				repeats[s] = append(repeats[s], unlimited-c.room)
			}
		}
	}
	return repeats
}

// raisePrices adds to the price of each state what it costs to get there from
// a state with an excess, so that the cheapest ways cost nothing. It reports
// whether there is an excess left.
func (f *postman) raisePrices() bool {
	cost := make([]int, len(f.price))
	var buckets [][]int // states by cost: costs are small whole numbers
	put := func(s, c int) {
		for len(buckets) <= c {
			buckets = append(buckets, nil)
		}
		cost[s] = c
		buckets[c] = append(buckets[c], s)
	}
	for s := range cost {
		cost[s] = unlimited
		if f.excess[s] > 0 {
			put(s, 0)
		}
	}
	some := len(buckets) > 0
	for c := 0; c < len(buckets); c++ {
		for i := 0; i < len(buckets[c]); i++ {
			s := buckets[c][i]
			if cost[s] != c {
				continue
			}
			for _, way := range f.residual[s] {
				if next := c + f.reduced(s, way); way.room > 0 && next < cost[way.to] {
					put(way.to, next)
				}
			}
		}
	}
	if some {
		for s := range cost {
			f.price[s] += cost[s]
		}
	}
	return some
}

func (f *postman) reduced(s int, c channel) int { return c.cost + f.price[s] - f.price[c.to] }

// push sends one unit from s to a state that lacks one, by channels that cost
// nothing. States from which that is impossible are dead until prices change.
func (f *postman) push(s int, dead []bool) bool {
	dead[s] = true
	for i, c := range f.residual[s] {
		if c.room == 0 || f.reduced(s, c) != 0 || dead[c.to] {
			continue
		}
		if f.excess[c.to] >= 0 && !f.push(c.to, dead) {
			continue
		}
		f.excess[s]--
		f.excess[c.to]++
		f.residual[s][i].room--
		f.residual[c.to][c.control].room++
		dead[s] = false
		return true
	}
	return false
}
