package explore

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"sharedbarrier/spec"
)

// A search explores a machine breadth first. Levels are done one after the
// other, a level in batches: all workers expand the states of a batch into
// lists, one for each shard of the store, then all workers take shards and add
// what is new. Which worker does what changes nothing: states get their places
// in the order of the states that they come from.
type search[P packed, S, A any] struct {
	Machine[S, A]
	Options
	symmetric Symmetric[S, A] // nil: no symmetry
	safety    uint8           // properties to check, as bits

	shards  [numShards]shard[P]
	levels  [][numShards]uint32 // how many states each shard had when the level was complete
	lists   [batchSize][numShards][]P
	workers []worker[P, S, A]

	generated, distinct int64
	looked              int64 // states that liveness has looked at, in all its passes
	fan                 int   // the most edges out of one state so far
	escaped, full       bool  // any worker's
	small               bool  // the batch at hand is left to one worker

	chunk int    // chunkSize, except in tests
	room  uint32 // shardRoom, except in tests
}

const (
	shardBits = 5
	numShards = 1 << shardBits
	chunkSize = 1 << 11 // states that one worker expands in one go, at most
	batchSize = 1 << 4  // chunks between two looks at the limits, at most

	leastBatch = 1 << 7  // states between two looks, at least
	leastChunk = 1 << 10 // states for which it is worth while to wake a worker
)

// A finding is a property that some state of a level violates.
type finding struct {
	level    int
	property spec.Property
}

// A place is where a state lies in the store.
type place struct {
	shard int
	i     uint32
}

func newSearch[P packed, S, A any](m Machine[S, A], opt Options) *search[P, S, A] {
	x := &search[P, S, A]{Machine: m, Options: opt, chunk: chunkSize, room: shardRoom}
	if x.Workers <= 0 {
		x.Workers = runtime.GOMAXPROCS(0)
	}
	if x.Check == nil {
		x.Check = spec.AllProperties
	}
	for _, p := range spec.AllProperties {
		if x.wanted(p) && p.Kind() == spec.Safety {
			x.safety |= 1 << p
		}
	}
	if x.Symmetry {
		x.symmetric = m.(Symmetric[S, A])
	}
	x.workers = make([]worker[P, S, A], x.Workers)
	for w := range x.workers {
		x.workers[w].taken = make([]int64, m.Kinds())
	}
	return x
}

func (x *search[P, S, A]) wanted(p spec.Property) bool { return slices.Contains(x.Check, p) }

// run searches until there is nothing left, or a level holds a violation, of
// which it returns the first.
func (x *search[P, S, A]) run(ctx context.Context) (end, finding) {
	first := &x.workers[0]
	first.to = x.Init()
	first.generated = 1
	x.send(first, &x.lists[0], x.pack(first))
	for chunks := 1; ; {
		x.addAll(chunks)
		x.levels = append(x.levels, x.counts())
		total := x.frontier()
		if total == 0 {
			x.levels = x.levels[:len(x.levels)-1]
		}
		if f := x.worst(); f != nil {
			return found, *f
		}
		if why := x.leftOut(); why != complete || total == 0 {
			return why, finding{}
		}
		for at := 0; at < total; {
			if at > 0 {
				x.addAll(chunks)
			}
			if why := x.stop(ctx, total-at); why != complete {
				if f := x.worst(); f != nil {
					x.levels = append(x.levels, x.counts()) // of the next, as far as it is known
					return found, *f
				}
				return why, finding{}
			}
			n := x.batch(total - at)
			chunks = x.expandAll(at, at+n)
			at += n
		}
	}
}

// batch returns how many of so many states to expand before the next look at
// the limits. Where memory is short these are few, so that it ends close to the
// limit.
func (x *search[P, S, A]) batch(left int) int {
	n := min(left, x.chunk*batchSize)
	if x.MaxMemory > 0 {
		for bytes := x.measure(); n > leastBatch && bytes+x.mayTake(n) > x.MaxMemory; {
			n /= 2
		}
	}
	return n
}

// mayTake returns how many bytes lists and shards grow by when n states are
// expanded, if each has as many edges as any so far, and all lead to new
// states: those spread over the shards, if not quite evenly.
func (x *search[P, S, A]) mayTake(n int) (bytes int64) {
	edges := n * x.fan
	each := uint32(2*edges/numShards + 16)
	for i := range x.shards {
		bytes += x.shards[i].mayTake(each)
	}
	var p P
	return bytes + 2*int64(edges)*int64(8*len(p)) // append makes a list half empty at worst
}

// leftOut says whether anything was left out so far: then the search must not
// end as complete, and need not go on.
func (x *search[P, S, A]) leftOut() end {
	x.tally()
	switch {
	case x.escaped:
		return outOfPack
	case x.full:
		return tooManyStates
	default:
		return complete
	}
}

// counts returns how many states each shard has.
func (x *search[P, S, A]) counts() (n [numShards]uint32) {
	for i := range x.shards {
		n[i] = x.shards[i].count
	}
	return n
}

// level returns where level k begins and ends in shard i.
func (x *search[P, S, A]) level(k, i int) (from, to uint32) {
	if k > 0 {
		from = x.levels[k-1][i]
	}
	return from, x.levels[k][i]
}

// frontier returns how many states the last level has.
func (x *search[P, S, A]) frontier() (total int) {
	for i := range x.shards {
		from, to := x.level(len(x.levels)-1, i)
		total += int(to - from)
	}
	return total
}

// worst returns the first of what was found, by level and property; nil:
// nothing, or what was found may not be in the store.
func (x *search[P, S, A]) worst() (first *finding) {
	for w := range x.workers {
		if x.workers[w].full {
			return nil
		}
		if f := x.workers[w].bad; f != nil && (first == nil || f.compare(*first) < 0) {
			first = f
		}
	}
	return first
}

func (f finding) compare(g finding) int {
	return cmp.Or(cmp.Compare(f.level, g.level), cmp.Compare(f.property, g.property))
}

// stop says whether and why to stop before the level is done, with so many of
// its states still to be expanded.
func (x *search[P, S, A]) stop(ctx context.Context, left int) end {
	x.tally()
	x.report(Exploring, int64(left))
	switch {
	case x.MaxStates > 0 && x.distinct > x.MaxStates:
		return tooManyStates
	case x.MaxMemory > 0 && x.measure() > x.MaxMemory:
		return tooMuchMemory
	case ctx.Err() != nil:
		return interrupted
	default:
		return complete
	}
}

// report calls Progress.
func (x *search[P, S, A]) report(phase Phase, left int64) {
	if x.Progress != nil {
		x.Progress(Progress{
			Phase: phase, Generated: x.generated, Distinct: x.distinct, Queue: left, Looked: x.looked, Depth: len(x.levels),
		})
	}
}

// tally adds up what the workers and shards count.
func (x *search[P, S, A]) tally() {
	x.generated, x.distinct = 0, 0
	for w := range x.workers {
		x.generated += x.workers[w].generated
		x.escaped = x.escaped || x.workers[w].escaped
		x.full = x.full || x.workers[w].full
		x.fan = max(x.fan, cap(x.workers[w].actions))
	}
	for i := range x.shards {
		x.distinct += int64(x.shards[i].count)
	}
}

// measure returns how many bytes shards and lists take.
func (x *search[P, S, A]) measure() (bytes int64) {
	for i := range x.shards {
		bytes += x.shards[i].bytes()
	}
	var p P
	for c := range x.lists {
		for i := range x.lists[c] {
			bytes += int64(cap(x.lists[c][i])) * int64(8*len(p))
		}
	}
	return bytes
}

// taken returns how often edges of each kind were taken.
func (x *search[P, S, A]) taken() []int64 {
	sum := make([]int64, x.Kinds())
	for w := range x.workers {
		for k, n := range x.workers[w].taken {
			sum[k] += n
		}
	}
	return sum
}
