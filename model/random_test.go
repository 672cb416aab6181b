package model

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/spec"
)

// hows are how edges count, in about the frequency that makes graphs large
// enough to be worth while.
var hows = rapid.SampledFrom([]uint8{0, 0, 0, 0, 0, 0, 0, 0, completes, completes, completes, completes, completes, event, event, escapes})

// drawProtocol draws a small protocol that has nothing to do with the barrier:
// any edges, waits and reactions, some bad states, some in which to rest.
func drawProtocol(t *rapid.T) *protocol {
	small := func(name string, least, most int) int {
		// Drawn from a list: from a range, rapid prefers the least.
		var all []int
		for i := least; i <= most; i++ {
			all = append(all, i)
		}
		return rapid.SampledFrom(all).Draw(t, name)
	}
	p := &protocol{
		procs: small("procs", 1, 4), shareds: small("shareds", 1, 4), locals: small("locals", 2, 5), kinds: 2,
		relative: rapid.Bool().Draw(t, "relative"),
	}
	local := func(name string) uint16 { return uint16(small(name, 0, p.locals-1)) }
	shared := func(name string) uint16 { return uint16(small(name, 0, p.shareds-1)) }

	first := local("first")
	for q := range p.procs {
		p.firstLocals = append(p.firstLocals, first)
		if q == 0 && rapid.Bool().Draw(t, "first differs") {
			p.firstLocals[0], p.same[0] = local("first of p0"), 1
		}
	}
	p.same[1] = p.procs
	p.firstShared = shared("first shared")
	for range p.locals * p.shareds {
		p.first = append(p.first, uint32(len(p.edges)))
		for range rapid.SampledFrom([]int{0, 1, 1, 2}).Draw(t, "edges") {
			how := hows.Draw(t, "how")
			p.edges = append(p.edges, edge{shared: shared("to shared"), local: local("to local"), kind: 1, how: how})
		}
	}
	p.first = append(p.first, uint32(len(p.edges)))
	for range p.shareds {
		p.alone = append(p.alone, edge{shared: shared("alone to"), kind: uint16(small("alone", 0, 1)), how: event})
	}
	if rapid.Bool().Draw(t, "waits") {
		for range p.locals {
			p.waits = append(p.waits, rapid.Bool().Draw(t, "waits"))
			p.blocks = append(p.blocks, rapid.Bool().Draw(t, "blocks"))
		}
	}
	if rapid.Bool().Draw(t, "reacts") {
		for range p.locals * p.shareds {
			p.reacts = append(p.reacts, local("reaction"))
		}
	}
	for range p.locals {
		p.inside = append(p.inside, rapid.Bool().Draw(t, "inside"))
	}
	bad := [2]uint16{local("bad local"), shared("bad shared")}
	count := small("bad count", 1, 8) // the larger ones are never met, so that the rest is explored
	p.judge = func() func(*view) uint8 {
		return func(v *view) uint8 {
			n := 0
			for q, l := range v.locals[:p.procs] {
				if l == bad[0] && v.shared == bad[1] {
					n += 1 + int(v.rounds[q])
				}
			}
			if n >= count {
				return 1 << spec.NoEarlyExit
			}
			return 0
		}
	}
	restful := small("restful", 0, 2*p.locals) // beyond the locals: all of them
	p.rests = func(v *view) bool { return restful >= p.locals || int(v.locals[0]) == restful }
	return p
}

// often is rapid.Check with ten times as many draws: they are quick, and four in
// five make a graph of a few states only.
func often(t *testing.T, check func(*rapid.T)) {
	for range 10 {
		rapid.Check(t, check)
	}
}

// naiveProtocol explores a protocol with a map of strings, and permutes nothing.
func naiveProtocol(p *protocol) Result {
	r := Result{Verdict: spec.Verified, Generated: 1}
	judge := p.judge()
	level := []view{p.initial()}
	known := map[string]bool{fmt.Sprint(level[0]): true}
	escaped := false
	for len(level) > 0 {
		r.Depth++
		for i := range level {
			if judge(&level[i]) != 0 {
				r.Verdict, r.Property, r.Distinct = spec.Violated, spec.NoEarlyExit.String(), int64(len(known))
				return r
			}
		}
		if escaped {
			break
		}
		var next []view
		stuck := false
		for _, v := range level {
			moves := false
			p.successors(&v, func(e edge, q int) {
				r.Generated++
				moves = moves || e.how&event == 0
				to, ok := p.step(&v, q, e)
				if !ok {
					escaped = true
					return
				}
				if k := fmt.Sprint(to); !known[k] {
					known[k] = true
					next = append(next, to)
				}
			})
			stuck = stuck || !moves && !p.rests(&v)
		}
		r.Distinct = int64(len(known))
		if stuck {
			r.Verdict, r.Property = spec.Hang, spec.NoHang.String()
			return r
		}
		level = next
	}
	if escaped {
		r.Verdict = spec.Unfinished
	}
	return r
}

// TestConform_RandomProtocols holds the exploration against the naive one on
// protocols that rapid draws, packed into one word and into more.
func TestConform_RandomProtocols(t *testing.T) {
	often(t, func(t *rapid.T) {
		p := drawProtocol(t)
		want := naiveProtocol(p)
		workers := rapid.IntRange(1, 3).Draw(t, "workers")
		chunk := rapid.SampledFrom([]int{1, 2, chunkSize}).Draw(t, "chunk")
		for name, got := range map[string]Result{
			"one word":  searchAll[[1]uint64](p, newLayout(p), Options{Workers: workers}, chunk),
			"two words": searchAll[[2]uint64](p, spread(newLayout(p)), Options{Workers: workers}, chunk),
		} {
			if got.Verdict != want.Verdict || got.Property != want.Property || got.Generated != want.Generated ||
				got.Distinct != want.Distinct || got.Depth != want.Depth {
				t.Fatalf("%s: %s, naive: %s", name, brief(got), brief(want))
			}
		}
		got := searchAll[[1]uint64](p, newLayout(p), Options{Workers: workers, Symmetry: true}, chunk)
		if symmetric(p) && (got.Verdict != want.Verdict || got.Depth != want.Depth || got.Distinct > want.Distinct) {
			t.Fatalf("with symmetry: %s, naive: %s", brief(got), brief(want))
		}
	})
}

// TestConform_RandomLiveness holds fair loops against the fixed point on
// protocols that rapid draws.
func TestConform_RandomLiveness(t *testing.T) {
	loops, none, compared := 0, 0, 0
	often(t, func(t *rapid.T) {
		p := drawProtocol(t)
		p.same = [2]int{} // what a draw calls alike need not be inside alike
		// Larger graphs take the oracle too long.
		x := newSearch[[1]uint64](p, newLayout(p), Options{Check: []spec.Property{}, MaxStates: 400})
		if why, _ := x.run(context.Background()); why != complete {
			return
		}
		x.tally()
		loop, _ := x.liveness(context.Background())
		w := worldOfProtocol(p)
		if want := w.hangsFairly(); (loop != nil) != want {
			t.Fatalf("a fair loop found: %v, by fixed point: %v", loop != nil, want)
		}
		if loop == nil {
			none++
			return
		}
		loops++
		if len(w.level) <= 100 { // larger graphs take the oracle too long
			compared++
			if got, want := loop.length(), w.shortestLasso(); got != want {
				t.Fatalf("a lasso of %d steps, the shortest has %d", got, want)
			}
		}
		if last, closes := loop.loop[len(loop.loop)-1], loop.path[len(loop.path)-1]; last != closes {
			t.Fatalf("the loop ends in %v, want %v, where it begins", last, closes)
		}
	})
	if compared == 0 || none == 0 {
		t.Errorf("%d draws with a fair loop, %d of them compared in length, and %d without: the comparison is empty", loops, compared, none)
	}
}

// worldOfProtocol spells out the graph of p.
func worldOfProtocol(p *protocol) world[view] {
	w := newWorld(p.initial(), p.procs)
	for queue := []view{p.initial()}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		for q, l := range v.locals[:p.procs] {
			if p.inside[l] {
				w.inside[v] |= 1 << q
			}
		}
		p.successors(&v, func(e edge, q int) {
			to, _ := p.step(&v, q, e)
			if e.how&event == 0 {
				w.steps[v] = append(w.steps[v], worldStep[view]{to, q})
			}
			if w.leads(v, to) {
				queue = append(queue, to)
			}
		})
	}
	return w
}

// symmetric reports whether permuting alike processes changes nothing in p:
// only who rests looks at one of them.
func symmetric(p *protocol) bool { return p.same[0] == 1 }

// spread puts the processes of a layout into words of their own as far as two go.
func spread(l layout) layout {
	for p := range l.fields {
		if p%2 == 1 {
			l.word[p] = 1
		}
	}
	l.words = 2
	return l
}

func searchAll[S packed](p *protocol, l layout, opt Options, chunk int) Result {
	x := newSearch[S](p, l, opt)
	x.chunk = chunk // small ones make many batches of a level
	why, f := x.run(context.Background())
	x.tally()
	r := Result{Verdict: spec.Verified, Generated: x.generated, Distinct: x.distinct, Depth: len(x.levels)}
	switch why {
	case outOfTable, tooManyStates:
		r.Verdict = spec.Unfinished
	case found:
		r.Verdict, r.Property, r.Depth = spec.Violated, f.property.String(), f.level+1
		if f.property == spec.NoHang {
			r.Verdict = spec.Hang
		}
		if path := x.path(f); len(path) != r.Depth {
			r.Verdict = "a path of the wrong length"
		}
	}
	return r
}
