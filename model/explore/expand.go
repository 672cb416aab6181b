package explore

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"sharedbarrier/spec"
)

// A worker is what one goroutine keeps to itself while it expands or adds.
type worker[P packed, S, A any] struct {
	generated int64
	taken     []int64  // edges, by kind
	bad       *finding // the first of what it found; nil: nothing
	escaped   bool     // a state was not packed
	full      bool     // a shard had no room for a state

	from, to S // the state at hand, and one after it
	actions  []A
	words    [8]uint64 // of a packed state
}

// note keeps f if it comes before what was found so far.
func (w *worker[P, S, A]) note(f finding) {
	if w.bad == nil || f.compare(*w.bad) < 0 {
		w.bad = &f
	}
}

// expandAll expands the states from and up to the given place of the last
// level, and returns how many lists that made.
func (x *search[P, S, A]) expandAll(from, to int) (chunks int) {
	size := min(x.chunk, max(leastChunk, (to-from+batchSize-1)/batchSize))
	chunks = (to - from + size - 1) / size
	x.small = chunks == 1
	x.share(chunks, func(w *worker[P, S, A], c int) {
		at := from + c*size
		x.expandChunk(w, at, min(to, at+size), &x.lists[c])
	})
	return chunks
}

// share has the workers do tasks 0 to n-1, each once.
func (x *search[P, S, A]) share(n int, do func(w *worker[P, S, A], task int)) {
	var next atomic.Int64
	work := func(w *worker[P, S, A]) {
		for {
			task := int(next.Add(1)) - 1
			if task >= n {
				return
			}
			do(w, task)
		}
	}
	var group sync.WaitGroup
	for w := 1; w < min(len(x.workers), n) && !x.small; w++ {
		group.Go(func() { work(&x.workers[w]) })
	}
	work(&x.workers[0])
	group.Wait()
}

// expandChunk expands the states from and up to the given place of the last
// level, its shards laid end to end.
func (x *search[P, S, A]) expandChunk(w *worker[P, S, A], from, to int, lists *[numShards][]P) {
	base := 0
	for i := range x.shards {
		first, last := x.level(len(x.levels)-1, i)
		count := int(last - first)
		for k := max(from-base, 0); k < min(to-base, count); k++ {
			x.expand(w, x.shards[i].at(first+uint32(k)), lists)
		}
		base += count
	}
}

// expand adds the successors of one state to the lists.
func (x *search[P, S, A]) expand(w *worker[P, S, A], s *P, lists *[numShards][]P) {
	x.unpack(w, s)
	w.actions = x.Actions(&w.from, w.actions[:0])
	moves := false
	for _, a := range w.actions {
		moves = moves || x.Proc(a) >= 0
		if x.Symmetry && x.symmetric.Repeats(&w.from, a) {
			continue
		}
		w.generated++
		x.Next(&w.from, a, &w.to)
		w.taken[x.Kind(a, &w.to)]++
		if x.Symmetry {
			x.send(w, lists, x.pack(w))
		} else {
			w.load(s)
			x.send(w, lists, x.Repack(a, &w.to, w.words[:len(*s)]))
		}
	}
	if !moves && x.wanted(spec.NoHang) && !x.Rests(&w.from) {
		w.note(finding{len(x.levels) - 1, spec.NoHang})
	}
}

// load and stored copy a packed state to w.words and from there.
func (w *worker[P, S, A]) load(s *P) {
	w.words[0] = (*s)[0]
	for i := 1; i < len(*s); i++ {
		w.words[i] = (*s)[i]
	}
}

func (w *worker[P, S, A]) stored() (s P) {
	s[0] = w.words[0]
	for i := 1; i < len(s); i++ {
		s[i] = w.words[i]
	}
	return s
}

// unpack makes w.from the state s.
func (x *search[P, S, A]) unpack(w *worker[P, S, A], s *P) {
	w.load(s)
	x.Unpack(w.words[:len(*s)], &w.from)
}

// pack packs the state w.to into w.words; with symmetry, the one that stands
// for its permutations, which w.to then is too. It returns false if it cannot
// be packed.
func (x *search[P, S, A]) pack(w *worker[P, S, A]) bool {
	if x.Symmetry {
		x.symmetric.Represent(&w.to)
	}
	var p P
	return x.Pack(&w.to, w.words[:len(p)])
}

// send adds the state w.to, which was packed into w.words unless that failed,
// to the lists, and notes the first safety property that it violates: it is new
// then, and in the next level.
func (x *search[P, S, A]) send(w *worker[P, S, A], lists *[numShards][]P, packed bool) {
	if !packed {
		w.escaped = true
		return
	}
	if bad := x.Violations(&w.to) & x.safety; bad != 0 {
		w.note(finding{len(x.levels), spec.Property(bits.TrailingZeros8(bad))})
	}
	s := w.stored()
	i := hash(&s) >> (64 - shardBits)
	lists[i] = append(lists[i], s)
}

// addAll adds what is new in the lists of so many chunks, and empties them.
func (x *search[P, S, A]) addAll(chunks int) {
	x.share(numShards, func(w *worker[P, S, A], i int) {
		h := &x.shards[i]
		for c := range chunks {
			list := x.lists[c][i]
			for k := range list {
				if !h.add(&list[k], hash(&list[k]), x.room) {
					w.full = true
				}
			}
			x.lists[c][i] = list[:0]
		}
	})
}
