package model

import (
	"cmp"
	"context"
	"runtime"
	"unsafe"

	"sharedbarrier/spec"
)

// A search explores a protocol breadth first. Levels are done one after the
// other, a level in batches: all workers expand the states of a batch into
// lists, one for each shard of the store, then all workers take shards and add
// what is new. Which worker does what changes nothing: states get their places
// in the order of the states that they come from.
type search[S packed] struct {
	*protocol
	layout
	Options
	wanted uint8 // properties to judge, as bits
	shards [numShards]shard[S]
	levels [][numShards]uint32 // how many states each shard had when the level was complete
	lists  [batchSize][numShards][]S
	crew   []worker

	fan int // edges that leave a state at most

	generated, distinct int64
	looked              int64 // states that liveness has looked at, in all its passes
	bytes               int64 // memory that table, shards and lists take
	escaped, full       bool  // some worker's

	chunk int    // chunkSize, but for tests
	room  uint32 // shardRoom, but for tests
}

const (
	shardBits = 7
	numShards = 1 << shardBits
	chunkSize = 1 << 11 // states that one worker expands in one go
	batchSize = 1 << 4  // chunks between two looks at the limits, at most

	leastBatch = 1 << 7 // states between two looks, at least
)

// A finding is a state that violates a property.
type finding struct {
	property spec.Property
	level    int
	place    place
}

// compare orders findings by level, property and place.
func (f finding) compare(g finding) int {
	return cmp.Or(cmp.Compare(f.level, g.level), cmp.Compare(f.property, g.property),
		cmp.Compare(f.place.shard, g.place.shard), cmp.Compare(f.place.i, g.place.i))
}

// A place is where a state lies in the store.
type place struct {
	shard int
	i     uint32
}

// An end is why a search is over.
type end uint8

const (
	complete   end = iota // everything was explored
	found                 // something bad was found
	outOfTable            // the table ends where the search would go on
	tooManyStates
	tooMuchMemory
	interrupted
)

func newSearch[S packed](t *protocol, l layout, opt Options) *search[S] {
	x := &search[S]{protocol: t, layout: l, Options: opt, chunk: chunkSize, room: shardRoom, fan: t.fan()}
	if x.Workers <= 0 {
		x.Workers = runtime.GOMAXPROCS(0)
	}
	if x.Check == nil {
		x.Check = spec.AllProperties
	}
	for _, p := range x.Check {
		x.wanted |= 1 << p
	}
	x.crew = make([]worker, x.Workers)
	for w := range x.crew {
		x.crew[w].taken = make([]int64, t.kinds)
		x.crew[w].judge = t.judge()
	}
	return x
}

// run searches until there is nothing left, or a level holds something bad,
// of which it returns the first.
func (x *search[S]) run(ctx context.Context) (end, finding) {
	v := x.initial()
	x.emit(&x.lists[0], &v)
	x.crew[0].generated = 1
	for chunks := 1; ; {
		x.addAll(chunks)
		x.levels = append(x.levels, x.counts())
		total := x.frontier()
		if total == 0 {
			x.levels = x.levels[:len(x.levels)-1]
		}
		if f, ok := x.worst(); ok {
			return found, f
		}
		if why := x.leftOut(); why != complete || total == 0 {
			return why, finding{}
		}
		for at := 0; at < total; {
			if at > 0 {
				x.addAll(chunks)
			}
			if why := x.stop(ctx, total-at); why != complete {
				if f, ok := x.worst(); ok {
					return found, f
				}
				return why, finding{}
			}
			n := x.batch(total - at)
			chunks = x.expandAll(at, at+n)
			at += n
		}
	}
}

// batch returns how many of so many states to expand before the next look at the
// limits. Where memory is short these are few, so that it ends close to the limit.
func (x *search[S]) batch(left int) int {
	n := min(left, x.chunk*batchSize)
	for x.MaxMemory > 0 && n > leastBatch && x.bytes+x.mayTake(n) > x.MaxMemory {
		n /= 2
	}
	return n
}

// mayTake returns how many bytes lists and shards grow by when n states are
// expanded, if all edges that there can be lead to new states: those spread over
// the shards, if not quite evenly.
func (x *search[S]) mayTake(n int) (bytes int64) {
	edges := n * x.fan
	each := uint32(2*edges/numShards + 16)
	for i := range x.shards {
		bytes += x.shards[i].mayTake(each)
	}
	var s S
	return bytes + 2*int64(edges)*int64(unsafe.Sizeof(s)) // append makes a list half empty at worst
}

// leftOut says whether anything was left out so far: then the search must not
// end as complete, and need not go on.
func (x *search[S]) leftOut() end {
	x.tally()
	switch {
	case x.escaped:
		return outOfTable
	case x.full:
		return tooManyStates
	default:
		return complete
	}
}

// counts returns how many states each shard has.
func (x *search[S]) counts() (n [numShards]uint32) {
	for i := range x.shards {
		n[i] = x.shards[i].count
	}
	return n
}

// level returns where level k begins and ends in shard i.
func (x *search[S]) level(k, i int) (from, to uint32) {
	if k > 0 {
		from = x.levels[k-1][i]
	}
	return from, x.levels[k][i]
}

// frontier returns how many states the last level has.
func (x *search[S]) frontier() (total int) {
	for i := range x.shards {
		from, to := x.level(len(x.levels)-1, i)
		total += int(to - from)
	}
	return total
}

// worst returns the first of what was found.
func (x *search[S]) worst() (first finding, ok bool) {
	for w := range x.crew {
		if f := x.crew[w].bad; f != nil && (!ok || f.compare(first) < 0) {
			first, ok = *f, true
		}
	}
	return first, ok
}

// stop says whether and why to stop before the level is done, with so many of
// its states still to be expanded.
func (x *search[S]) stop(ctx context.Context, left int) end {
	x.tally()
	x.tell(Exploring, int64(left))
	switch {
	case x.MaxStates > 0 && x.distinct > x.MaxStates:
		return tooManyStates
	case x.MaxMemory > 0 && x.bytes > x.MaxMemory:
		return tooMuchMemory
	case ctx.Err() != nil:
		return interrupted
	default:
		return complete
	}
}

// tell tells how far the search is, if anyone wants to know.
func (x *search[S]) tell(phase Phase, left int64) {
	if x.Progress != nil {
		x.Progress(Progress{
			Phase: phase, Generated: x.generated, Distinct: x.distinct, Queue: left, Looked: x.looked, Depth: len(x.levels),
		})
	}
}

// tally adds up what the workers and shards count.
func (x *search[S]) tally() {
	x.generated, x.distinct, x.bytes, x.escaped, x.full = 0, 0, x.tableBytes(), false, false
	for w := range x.crew {
		x.generated += x.crew[w].generated
		x.escaped = x.escaped || x.crew[w].escaped
		x.full = x.full || x.crew[w].full
	}
	for i := range x.shards {
		x.distinct += int64(x.shards[i].count)
		x.bytes += x.shards[i].bytes()
	}
	var s S
	for c := range x.lists {
		for i := range x.lists[c] {
			x.bytes += int64(cap(x.lists[c][i])) * int64(unsafe.Sizeof(s))
		}
	}
}

// taken returns how often edges of each kind were taken.
func (x *search[S]) taken() []int64 {
	sum := make([]int64, x.kinds)
	for w := range x.crew {
		for k, n := range x.crew[w].taken {
			sum[k] += n
		}
	}
	return sum
}
