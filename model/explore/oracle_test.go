package explore

import (
	"slices"

	"sharedbarrier/spec"
)

// A plain machine is what the oracles explore: states that a key tells apart,
// nothing packed, nothing permuted.
type plain[S any] struct {
	init  S
	procs int
	key   func(S) string
	next  func(S) []plainEdge[S]      // in the order of Machine.Actions
	bad   func(S, spec.Property) bool // false for properties that are not checked
	stuck func(S) bool                // a deadlock, if those are checked
	waits func(S) uint16              // Machine.Waiting
}

type plainEdge[S any] struct {
	to      S
	by      int  // Machine.Proc
	escapes bool // Machine.Pack returns false
}

// A plainOutcome is what naive finds out. Path has the keys of the states after
// the initial one.
type plainOutcome struct {
	Verdict             spec.Verdict
	Property            spec.Property
	Generated, Distinct int64
	Depth               int
	Path                []string
}

// naive explores by the simplest means there are, as the oracle for Run: a map
// of strings, one level after the other.
func naive[S any](m plain[S]) (o plainOutcome) {
	o.Verdict, o.Generated = spec.Verified, 1
	first := m.key(m.init)
	met := map[string]string{first: ""} // the key of each state, and of the one before it
	refute := func(v spec.Verdict, p spec.Property, s S) plainOutcome {
		o.Verdict, o.Property, o.Distinct = v, p, int64(len(met))
		for k := m.key(s); k != first; k = met[k] {
			o.Path = append(o.Path, k)
		}
		slices.Reverse(o.Path)
		return o
	}
	for level := []S{m.init}; len(level) > 0; {
		o.Depth++
		for _, p := range spec.AllProperties {
			for _, s := range level {
				if m.bad(s, p) {
					return refute(spec.Violated, p, s)
				}
			}
		}
		if o.Verdict == spec.Unfinished {
			break
		}
		var next []S
		for _, s := range level {
			from := m.key(s)
			for _, e := range m.next(s) {
				o.Generated++
				k := m.key(e.to)
				switch _, known := met[k]; {
				case e.escapes:
					o.Verdict = spec.Unfinished
				case !known:
					met[k] = from
					next = append(next, e.to)
				}
			}
		}
		for _, s := range level {
			if m.stuck(s) {
				return refute(spec.Hang, spec.NoHang, s)
			}
		}
		level = next
	}
	o.Distinct = int64(len(met))
	return o
}

// A world is a graph as the oracle for liveness wants it: for each state, by
// its number, the steps of processes, who waits, and how far it is from the
// first.
type world struct {
	steps [][]worldStep
	waits []uint16
	level []int
	procs int
}

type worldStep struct{ to, by int }

// worldOf numbers the states of m.
func worldOf[S any](m plain[S]) *world {
	w := &world{procs: m.procs}
	number := map[string]int{}
	var states []S
	meet := func(s S, level int) int {
		k := m.key(s)
		if _, known := number[k]; !known {
			number[k] = len(states)
			states, w.level, w.waits = append(states, s), append(w.level, level), append(w.waits, m.waits(s))
		}
		return number[k]
	}
	meet(m.init, 0)
	for i := 0; i < len(states); i++ {
		w.steps = append(w.steps, nil)
		for _, e := range m.next(states[i]) {
			to := meet(e.to, w.level[i]+1)
			if e.by >= 0 {
				w.steps[i] = append(w.steps[i], worldStep{to, e.by})
			}
		}
	}
	return w
}

// hangsFairly decides whether there is a fair loop by another algorithm than
// Run: Emerson and Lei's greatest fixed point of the states in which process p
// waits and from which, for each process, something fair to it lies ahead.
func (w *world) hangsFairly() bool {
	for p := range w.procs {
		set := map[int]bool{}
		for s, waits := range w.waits {
			if waits&(1<<p) != 0 {
				set[s] = true
			}
		}
		for before := -1; before != len(set); {
			before = len(set)
			for q := range w.procs {
				w.prune(set, func(s int) bool { return w.fairTo(q, s, set) })
			}
		}
		if len(set) > 0 {
			return true
		}
	}
	return false
}

// fairTo reports whether process q cannot move in s, or can and stay in the
// set.
func (w *world) fairTo(q, s int, set map[int]bool) bool {
	able := false
	for _, e := range w.steps[s] {
		able = able || e.by == q
		if e.by == q && set[e.to] {
			return true
		}
	}
	return !able
}

// prune leaves in the set the states with a step to one that reaches, inside
// the set, one that is good.
func (w *world) prune(set map[int]bool, good func(int) bool) {
	reaches := map[int]bool{}
	for s := range set {
		if good(s) {
			reaches[s] = true
		}
	}
	leads := func(s int) bool {
		return slices.ContainsFunc(w.steps[s], func(e worldStep) bool { return set[e.to] && reaches[e.to] })
	}
	for before := -1; before != len(reaches); {
		before = len(reaches)
		for s := range set {
			if !reaches[s] && leads(s) {
				reaches[s] = true
			}
		}
	}
	for s := range set {
		if !leads(s) {
			delete(set, s)
		}
	}
}

// shortestLasso returns in how many steps a fair loop can be reached and gone
// around, by trying every state and every process; 0: there is no such loop.
func (w *world) shortestLasso() (least int) {
	for s, level := range w.level {
		for p := range w.procs {
			if around := w.around(s, p); around > 0 && (least == 0 || level+around < least) {
				least = level + around
			}
		}
	}
	return least
}

// around returns the length of the shortest loop at s in which process p waits
// all the time and every process is treated fairly; 0: none.
func (w *world) around(s, p int) int {
	type place struct {
		at      int
		treated uint16
	}
	first := place{s, w.unable(s)}
	far := map[place]int{first: 0}
	for queue := []place{first}; len(queue) > 0; queue = queue[1:] {
		now := queue[0]
		for _, e := range w.steps[now.at] {
			next := place{e.to, now.treated | 1<<e.by | w.unable(e.to)}
			_, met := far[next]
			switch {
			case w.waits[now.at]&w.waits[e.to]&(1<<p) == 0:
			case e.to == s && next.treated == 1<<w.procs-1:
				return far[now] + 1
			case !met:
				far[next] = far[now] + 1
				queue = append(queue, next)
			}
		}
	}
	return 0
}

// unable returns the processes that cannot move in s, as bits.
func (w *world) unable(s int) uint16 {
	none := uint16(1<<w.procs - 1)
	for _, e := range w.steps[s] {
		none &^= 1 << e.by
	}
	return none
}
