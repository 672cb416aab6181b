package explore

import (
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
	chunks = (to - from + x.chunk - 1) / x.chunk
	x.share(chunks, func(w *worker[P, S, A], c int) {
		at := from + c*x.chunk
		x.expandChunk(w, at, min(to, at+x.chunk), &x.lists[c])
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
	for w := 1; w < min(len(x.workers), n); w++ {
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
		if x.symmetric != nil && x.symmetric.Repeats(&w.from, a) {
			continue
		}
		w.generated++
		w.to = w.from
		x.Next(&w.to, a)
		w.taken[x.Kind(a, &w.to)]++
		x.send(w, lists)
	}
	if !moves && x.wanted(spec.NoHang) && !x.Rests(&w.from) {
		w.note(finding{len(x.levels) - 1, spec.NoHang})
	}
}

// unpack makes w.from the state s.
func (x *search[P, S, A]) unpack(w *worker[P, S, A], s *P) {
	for i := range len(*s) {
		w.words[i] = (*s)[i]
	}
	x.Unpack(w.words[:x.Words()], &w.from)
}

// pack packs the state w.to; with symmetry, the one that stands for its
// permutations, which w.to then is too. It returns false if it cannot be packed.
func (x *search[P, S, A]) pack(w *worker[P, S, A]) (s P, ok bool) {
	if x.symmetric != nil {
		x.symmetric.Represent(&w.to)
	}
	ok = x.Pack(&w.to, w.words[:x.Words()])
	for i := range len(s) {
		s[i] = w.words[i]
	}
	return s, ok
}

// send adds the state w.to to the lists.
func (x *search[P, S, A]) send(w *worker[P, S, A], lists *[numShards][]P) {
	s, ok := x.pack(w)
	if !ok {
		w.escaped = true
		return
	}
	i := hash(&s) >> (64 - shardBits)
	lists[i] = append(lists[i], s)
}

// addAll adds what is new in the lists of so many chunks, and empties them.
func (x *search[P, S, A]) addAll(chunks int) {
	x.share(numShards, func(w *worker[P, S, A], i int) {
		for c := range chunks {
			list := x.lists[c][i]
			for k := range list {
				x.add(w, i, &list[k])
			}
			x.lists[c][i] = list[:0]
		}
	})
}

func (x *search[P, S, A]) add(w *worker[P, S, A], i int, s *P) {
	code := hash(s)
	_, at, ok := x.shards[i].find(s, code)
	switch {
	case ok:
		return
	case x.shards[i].count >= x.room:
		w.full = true
		return
	}
	x.shards[i].add(s, code, at)
	x.unpack(w, s)
	for _, p := range x.safety {
		if x.Violates(&w.from, p) {
			w.note(finding{len(x.levels), p})
			return
		}
	}
}
