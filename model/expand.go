package model

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"sharedbarrier/spec"
)

// A worker is what one goroutine keeps to itself while it expands or adds.
type worker struct {
	generated int64
	taken     []int64  // edges, by kind
	bad       *finding // the first of what it found; nil: nothing
	escaped   bool     // an edge led out of the table
	full      bool     // a shard had no room for a state
	judge     func(*view) uint8
	view      view // the state at hand
}

// note keeps f if it comes before what was found so far.
func (w *worker) note(f finding) {
	if w.bad == nil || f.compare(*w.bad) < 0 {
		w.bad = &f
	}
}

// expandAll expands the states from and up to the given place of the last
// level, and returns how many lists that made.
func (x *search[S]) expandAll(from, to int) (chunks int) {
	chunks = (to - from + x.chunk - 1) / x.chunk
	x.share(chunks, func(w *worker, c int) {
		at := from + c*x.chunk
		x.expandChunk(w, at, min(to, at+x.chunk), &x.lists[c])
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
		if x.Symmetry && x.repeats(v, p) {
			return
		}
		w.generated++
		w.taken[e.kind]++
		moves = moves || e.how&event == 0
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
		w.note(finding{spec.NoHang, len(x.levels) - 1, at})
	}
}

// repeats reports whether process p does in v what the process before it does,
// up to a permutation.
func (x *search[S]) repeats(v *view, p int) bool {
	return p > x.same[0] && p < x.same[1] && v.locals[p] == v.locals[p-1] && v.rounds[p] == v.rounds[p-1]
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
		w.note(finding{property, len(x.levels), place{i, n}})
	}
}
