package explore

import "sharedbarrier/spec"

// goal reports whether a state is one that f is about.
func (x *search[P, S, A]) goal(f finding) func(*worker[P, S, A], place) bool {
	return func(w *worker[P, S, A], at place) bool {
		x.unpack(w, x.shards[at.shard].at(at.i))
		if f.property != spec.NoHang {
			return x.Violations(&w.from)>>f.property&1 != 0
		}
		for _, a := range x.Actions(&w.from, w.actions[:0]) {
			if x.Proc(a) >= 0 {
				return false
			}
		}
		return !x.Rests(&w.from)
	}
}

// path returns, of the shortest paths from the initial state to a goal in the
// given level, the first in the order of Actions, and the state where it ends.
// It marks the states from which a goal can be reached, the last level first,
// and then goes from one marked state to the next.
func (x *search[P, S, A]) path(level int, goal func(*worker[P, S, A], place) bool) (path []A, last S) {
	w := &x.workers[0]
	marks := x.newMarks()
	for at := level; at >= 0; at-- {
		wanted := goal
		if at < level {
			wanted = func(w *worker[P, S, A], s place) bool { return x.leads(w, s, at+1, marks) }
		}
		for i := range x.shards {
			from, to := x.level(at, i)
			for k := from; k < to; k++ {
				if s := (place{i, k}); wanted(w, s) {
					marks.add(s)
				}
			}
		}
	}
	last = x.Init()
	for at := range level {
		path = append(path, x.step(&last, func(to place) bool { return x.within(at+1, to) && marks.has(to) }))
	}
	return path, last
}

// leads reports whether an action leads from s to a marked state of the level.
func (x *search[P, S, A]) leads(w *worker[P, S, A], s place, level int, marks *marks) bool {
	x.unpack(w, x.shards[s.shard].at(s.i))
	w.actions = x.Actions(&w.from, w.actions[:0])
	for _, a := range w.actions {
		x.Next(&w.from, a, &w.to)
		if to, ok := x.find(w); ok && x.within(level, to) && marks.has(to) {
			return true
		}
	}
	return false
}

// step makes s the state after the first action that leads to a state that is
// wanted, and returns the action.
func (x *search[P, S, A]) step(s *S, wanted func(place) bool) A {
	w := &x.workers[0]
	for _, a := range x.Actions(s, nil) {
		x.Next(s, a, &w.to)
		after := w.to // find may permute it
		if to, ok := x.find(w); ok && wanted(to) {
			*s = after
			return a
		}
	}
	panic("explore: no action leads to the state that was found before")
}

// find returns where the state w.to lies in the store, and false if it is not
// there.
func (x *search[P, S, A]) find(w *worker[P, S, A]) (at place, ok bool) {
	if !x.pack(w) {
		return place{}, false
	}
	s := w.stored()
	code := hash(&s)
	at.shard = int(code >> (64 - shardBits))
	at.i, _, ok = x.shards[at.shard].find(&s, code)
	return at, ok
}

// within reports whether a state is in the level.
func (x *search[P, S, A]) within(level int, at place) bool {
	from, to := x.level(level, at.shard)
	return from <= at.i && at.i < to
}

// marks are a set of states, a bit for each in the store.
type marks [numShards][]uint64

func (x *search[P, S, A]) newMarks() *marks {
	var m marks
	for i := range x.shards {
		m[i] = make([]uint64, x.shards[i].count/64+1)
	}
	return &m
}

func (m *marks) add(at place)      { m[at.shard][at.i/64] |= 1 << (at.i % 64) }
func (m *marks) has(at place) bool { return m[at.shard][at.i/64]>>(at.i%64)&1 != 0 }
