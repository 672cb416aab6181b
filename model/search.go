package model

import (
	"cmp"
	"context"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
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

	generated, distinct int64
	bytes               int64 // memory that shards and lists take
	escaped, full       bool  // some worker's
	room                uint32
}

const (
	shardBits = 7
	numShards = 1 << shardBits
	chunkSize = 1 << 11 // states that one worker expands in one go
	batchSize = 1 << 4  // chunks between two looks at the limits
)

// A worker is what one goroutine keeps to itself while it expands or adds.
type worker struct {
	generated int64
	taken     []int64 // edges, by kind
	bad       []finding
	escaped   bool // an edge led out of the table
	full      bool // a shard had no room for a state
	judge     func(*view) uint8
	view      view // the state at hand
}

// A finding is a state that violates a property.
type finding struct {
	property spec.Property
	level    int
	place    place
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
	x := &search[S]{protocol: t, layout: l, Options: opt, room: shardRoom}
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
		if total == 0 {
			return x.ended(), finding{}
		}
		for at := 0; at < total; at += chunkSize * batchSize {
			if at > 0 {
				x.addAll(chunks)
			}
			if why := x.stop(ctx, total-at); why != complete {
				if f, ok := x.worst(); ok {
					return found, f
				}
				return why, finding{}
			}
			chunks = x.expandAll(at, min(total, at+chunkSize*batchSize))
		}
	}
}

// ended returns how a search ends that has nothing left to expand: complete,
// unless something was left out on the way.
func (x *search[S]) ended() end {
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

// worst returns the first of what was found: by level, property and place.
func (x *search[S]) worst() (finding, bool) {
	var all []finding
	for w := range x.crew {
		all = append(all, x.crew[w].bad...)
	}
	if len(all) == 0 {
		return finding{}, false
	}
	return slices.MinFunc(all, func(a, b finding) int {
		return cmp.Or(a.level-b.level, int(a.property)-int(b.property),
			a.place.shard-b.place.shard, int(a.place.i)-int(b.place.i))
	}), true
}

// stop says whether and why to stop before all is done, with so many states of
// the level still to be expanded.
func (x *search[S]) stop(ctx context.Context, left int) end {
	x.tally()
	x.tell(Exploring, left)
	switch {
	case x.escaped:
		return outOfTable
	case x.full || x.MaxStates > 0 && x.distinct > x.MaxStates:
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
func (x *search[S]) tell(phase Phase, left int) {
	if x.Progress != nil {
		x.Progress(Progress{Phase: phase, Generated: x.generated, Distinct: x.distinct, Queue: int64(left), Depth: len(x.levels)})
	}
}

// tally adds up what the workers and shards count.
func (x *search[S]) tally() {
	x.generated, x.distinct, x.bytes, x.escaped, x.full = 0, 0, 0, false, false
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

// expandAll expands the states from and up to the given place of the last
// level, and returns how many lists that made.
func (x *search[S]) expandAll(from, to int) (chunks int) {
	chunks = (to - from + chunkSize - 1) / chunkSize
	x.share(chunks, func(w *worker, c int) {
		at := from + c*chunkSize
		x.expandChunk(w, at, min(to, at+chunkSize), &x.lists[c])
	})
	return chunks
}

// share has the workers do tasks 0 to n-1, each once.
func (x *search[S]) share(n int, do func(w *worker, task int)) {
	var next atomic.Int64
	work := func(w *worker) {
		for {
			task := int(next.Add(1)) - 1
			if task >= n {
				return
			}
			do(w, task)
		}
	}
	var group sync.WaitGroup
	for w := 1; w < min(len(x.crew), n); w++ {
		group.Go(func() { work(&x.crew[w]) })
	}
	work(&x.crew[0])
	group.Wait()
}

// expandChunk expands the states from and up to the given place of the last
// level, its shards laid end to end.
func (x *search[S]) expandChunk(w *worker, from, to int, lists *[numShards][]S) {
	base := 0
	for i := range x.shards {
		first, last := x.level(len(x.levels)-1, i)
		count := int(last - first)
		for k := max(from-base, 0); k < min(to-base, count); k++ {
			x.expand(w, place{i, first + uint32(k)}, lists)
		}
		base += count
	}
}

// expand adds the successors of one state to the lists.
func (x *search[S]) expand(w *worker, at place, lists *[numShards][]S) {
	s, v := x.shards[at.shard].at(at.i), &w.view
	unpack(&x.layout, s, v)
	moves := false
	x.successors(v, func(e edge, p int) {
		w.generated++
		w.taken[e.kind]++
		moves = moves || e.how&idle == 0
		if x.patches(e) {
			x.send(lists, x.patch(s, v, e, p))
			return
		}
		to, ok := x.step(v, p, e)
		if !ok {
			w.escaped = true
			return
		}
		x.emit(lists, &to)
	})
	if !moves && x.wanted&(1<<spec.NoHang) != 0 && !x.rests(v) {
		w.bad = append(w.bad, finding{spec.NoHang, len(x.levels) - 1, at})
	}
}

// patches reports whether the edge changes nothing but the shared state and one
// local state, so that the packed state can be changed in place.
func (x *search[S]) patches(e edge) bool {
	return !x.Symmetry && x.reacts == nil && e.how&escapes == 0 && !(x.relative && e.how&completes != 0)
}

func (x *search[S]) patch(s *S, v *view, e edge, p int) S {
	to := *s
	to[0] ^= uint64(v.shared ^ e.shared)
	if p >= 0 {
		to[x.word[p]] ^= uint64(v.locals[p]^e.local) << x.shift[p]
	}
	return to
}

// emit sends the state that v is.
func (x *search[S]) emit(lists *[numShards][]S, v *view) { x.send(lists, x.represent(v)) }

// represent packs v; with symmetry, the one of its permutations that stands for
// all, which v then is too.
func (x *search[S]) represent(v *view) S {
	if x.Symmetry {
		x.sort(v)
	}
	return pack[S](&x.layout, v)
}

func (x *search[S]) send(lists *[numShards][]S, s S) {
	i := hash(&s) >> (64 - shardBits)
	lists[i] = append(lists[i], s)
}

// addAll adds what is new in the lists of so many chunks, and empties them.
func (x *search[S]) addAll(chunks int) {
	x.share(numShards, func(w *worker, i int) {
		for c := range chunks {
			list := x.lists[c][i]
			for k := range list {
				x.add(w, i, &list[k])
			}
			x.lists[c][i] = list[:0]
		}
	})
}

func (x *search[S]) add(w *worker, i int, s *S) {
	code := hash(s)
	_, at, ok := x.shards[i].find(s, code)
	switch {
	case ok:
		return
	case x.shards[i].count >= x.room:
		w.full = true
		return
	}
	n := x.shards[i].add(s, code, at)
	unpack(&x.layout, s, &w.view)
	if bad := w.judge(&w.view) & x.wanted; bad != 0 {
		property := spec.Property(bits.TrailingZeros8(bad))
		w.bad = append(w.bad, finding{property, len(x.levels), place{i, n}})
	}
}
