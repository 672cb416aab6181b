package model

import (
	"fmt"
	"slices"
)

// path returns a shortest path to what was found, from the initial state on:
// of each state the first predecessor in the order of the store.
func (x *search[S]) path(f finding) []S {
	path := []S{*x.shards[f.place.shard].at(f.place.i)}
	for level := f.level - 1; level >= 0; level-- {
		path = append(path, x.predecessor(level, path[len(path)-1]))
	}
	slices.Reverse(path)
	return path
}

// predecessor returns the first state of the level that has an edge to s.
func (x *search[S]) predecessor(level int, s S) S {
	for i := range x.shards {
		from, to := x.level(level, i)
		for k := from; k < to; k++ {
			if at := x.shards[i].at(k); x.leads(at, s) {
				return *at
			}
		}
	}
	panic("model: a state that was found has no predecessor")
}

// leads reports whether an edge leads from one state to the other.
func (x *search[S]) leads(from *S, to S) (yes bool) {
	var v view
	unpack(&x.layout, from, &v)
	x.successors(&v, func(e edge, p int) {
		if next, ok := x.step(&v, p, e); ok && x.represent(&next) == to {
			yes = true
		}
	})
	return yes
}

// concrete turns a path of packed states, each of which may stand for its
// permutations, into the actions of a run. It takes them from Enabled and Apply,
// so a trace is evidence whatever the table says.
func concrete[S packed](b *barrier, x *search[S], path []S) []Action {
	var actions []Action
	s, v := Init(b.cfg), b.initial()
steps:
	for _, next := range path[1:] {
		for _, a := range Enabled(b.cfg, s) {
			to := Apply(b.cfg, s, a)
			w := b.view(&to, &v, a)
			if representative := w; x.represent(&representative) == next {
				actions, s, v = append(actions, a), to, w
				continue steps
			}
		}
		panic("model: the table and Apply differ after " + s.String())
	}
	return actions
}

// trace runs the actions from the initial state and records the words.
func trace(cfg Config, actions []Action) []Entry {
	entries := []Entry{}
	s := Init(cfg)
	for _, a := range actions {
		s = Apply(cfg, s, a)
		entries = append(entries, Entry{Proc: a.Proc, Label: a.Label(), Parties: a.Parties, Words: s.words})
	}
	return entries
}

// Replay runs a trace, of this or another engine, from the initial state, and
// returns all states, the initial one first. The error names the first entry that
// cannot happen or leaves other words; the states before it are returned too.
func Replay(cfg Config, trace []Entry) ([]State, error) {
	states := []State{Init(cfg)}
next:
	for i, e := range trace {
		from := states[i]
		for _, a := range Enabled(cfg, from) {
			if a.Proc != e.Proc || a.Label() != e.Label || a.Parties != e.Parties {
				continue
			}
			to := Apply(cfg, from, a)
			if to.words != e.Words {
				return states, fmt.Errorf("model: entry %d, %v, leaves %v, not %v", i+1, a, to.words, e.Words)
			}
			states = append(states, to)
			continue next
		}
		return states, fmt.Errorf("model: entry %d, p%d %s with party count %d, cannot happen in %v", i+1, e.Proc, e.Label, e.Parties, from)
	}
	return states, nil
}
