package model

import (
	"math"

	"sharedbarrier/spec"
)

// local is what one process knows and holds.
type local struct {
	proc
	holds   [2]bool // which of the lock files
	special bool    // it is process Config.special
}

// shared is what all see: the words, which locks are taken, where the path leads.
type shared struct {
	words  spec.Words
	taken  [2]bool
	linked uint8
}

// A kind is what an edge of the barrier is, and where it leads its process.
type kind struct {
	action Action // but for who and with which party count
	next   spec.Step
}

// A numbering gives things numbers in the order in which they come.
type numbering[T comparable] struct {
	list   []T
	number map[T]uint16
}

func (n *numbering[T]) of(x T) uint16 {
	i, ok := n.number[x]
	if !ok {
		if n.number == nil {
			n.number = map[T]uint16{}
		}
		if len(n.list) > math.MaxUint16 {
			panic("model: a table of this size has no room for its numbers")
		}
		i = uint16(len(n.list))
		n.number[x] = i
		n.list = append(n.list, x)
	}
	return i
}

// local returns what process p knows and holds.
func (s *State) local(cfg Config, p int) local {
	me := local{proc: s.procs[p], special: p == cfg.special()}
	if cfg.Rounds == 0 {
		me.rounds = 0
	}
	for file, holder := range s.locks {
		me.holds[file] = holder == int8(p)
	}
	return me
}

// shared returns what all see.
func (s *State) shared() shared {
	all := shared{words: s.words, linked: s.linked}
	for file, holder := range s.locks {
		all.taken[file] = holder != free
	}
	return all
}

// fill makes s, which may hold another state of b, the state that v stands for.
func (b *barrier) fill(s *State, v *view) {
	all := b.shared.list[v.shared]
	s.words, s.linked, s.locks = all.words, all.linked, [2]int8{free, free}
	for p := range b.procs {
		me := &b.local.list[v.locals[p]]
		s.procs[p] = me.proc
		s.procs[p].rounds += int32(v.rounds[p])
		for file := range s.locks {
			if me.holds[file] {
				s.locks[file] = int8(p)
			}
		}
	}
}

// view returns the numbers of s, which a made of the state that before stands
// for. Rounds it counts as the table does, which stops at maxAhead.
func (b *barrier) view(s *State, before *view, a Action) (v view) {
	v.shared = b.shared.number[s.shared()]
	for p := range b.procs {
		v.locals[p] = b.local.number[s.local(b.cfg, p)]
	}
	v.rounds = before.rounds
	if b.relative && a.Event == spec.NoEvent && a.Step == spec.UnlockExit {
		v.complete(a.Proc, b.procs)
	}
	return v
}
