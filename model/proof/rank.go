package proof

import (
	"fmt"

	"sharedbarrier/spec"
)

// A Rank is a number that each step lowers until the round ends: the sum of the
// weights of all processes, and what the stage of the round adds.
type Rank struct {
	Weights [2][numSteps]int // of a process, by Group and spec.Step
	Stages  []Stage          // in their order in a round; the last one holds if no other does

	Start Bound // no less than the rank when a round starts and no process withdraws
	Most  Bound // no less than any rank
	Least int   // no more than the rank before the step that ends the round

	GiveUp int // no less than what a call that gives up adds to the rank
}

// A Stage is a part of a round. What it adds is the number of steps that one
// process alone has still to take in the round: the last one in or out.
type Stage struct {
	Name string
	Doc  string
	When Expr // the round is at most here
	Adds int
}

// A Bound is a number that is linear in n.
type Bound struct{ Each, Plus int }

// String returns the number, such as 24n − 4.
func (b Bound) String() string {
	if b.Plus < 0 {
		return fmt.Sprintf("%dn − %d", b.Each, -b.Plus)
	}
	return fmt.Sprintf("%dn + %d", b.Each, b.Plus)
}

// Of returns the number for n processes.
func (b Bound) Of(n int) int { return b.Each*n + b.Plus }

func (b Bound) term() Expr { return plus(times(b.Each, n), b.Plus) }

// TheRank returns the rank of Protocol. A weight is the largest number of steps
// that the process can still take before the round ends, without those that
// only the last one in (ResetEnter, ResetExit, RaiseFlag) or the last one out
// (ClearExit) takes. The stage adds these.
func TheRank() Rank {
	return Rank{
		Weights: [...][numSteps]int{
			Ahead: {
				spec.Call: 8, spec.LockInit: 7, spec.InitExit: 6, spec.UnlockInit: 5, spec.LockEnter: 4,
				spec.TestFirst: 3, spec.UnlockFirst: 2, spec.AwaitDrain: 1, spec.LockFirst: 0,
			},
			Behind: {
				spec.LockWithdraw: 28, spec.TestFlag: 27, spec.UncountEnter: 26, spec.UnlockWithdraw: 25,
				spec.Call: 24, spec.LockInit: 23, spec.InitExit: 22, spec.UnlockInit: 21, spec.LockEnter: 20,
				spec.TestFirst: 19, spec.UnlockFirst: 18, spec.AwaitDrain: 17, spec.LockFirst: 16,
				spec.LowerFlag: 15, spec.CountEnter: 14,
				spec.ResetEnter: 13, spec.ResetExit: 12, spec.RaiseFlag: 11,
				spec.UnlockEnter: 13, spec.AwaitFlag: 12, spec.LockExit: 11, spec.CountExit: 10,
				spec.ClearExit: 9, spec.UnlockExit: 9,
			},
		},
		Stages: []Stage{
			{"gathering", "the flag is down, or no process behind is on its way out", or(eqConst(flag, 0), zero(ref(leaving))), 4},
			{"draining", "exit is not cleared", not(eqConst(exit, -1)), 1},
			{"drained", "exit is cleared", and(), 0},
		},
		Start:  Bound{24, 4},
		Most:   Bound{28, 1},
		Least:  9,
		GiveUp: 16,
	}
}

// StepsOfRound bounds the steps of a round in which no call gives up. Each time
// that a call gives up, GiveUp more are possible.
func (r Rank) StepsOfRound() Bound { return r.steps(r.Start) }

// StepsToEnd bounds the steps from any state to the end of its round, if no
// call gives up on the way.
func (r Rank) StepsToEnd() Bound { return r.steps(r.Most) }

// steps is how many steps lower the rank from a bound to Least, and the one
// that ends the round.
func (r Rank) steps(from Bound) Bound { return Bound{from.Each, from.Plus - r.Least + 1} }

// Of returns the rank of a state.
func (r Rank) Of(s *State) int {
	rank := 0
	for _, g := range Groups {
		for _, step := range Steps {
			rank += r.Weights[g][step] * int(s.At[g][step])
		}
	}
	for i := range r.Stages {
		if st := &r.Stages[i]; i == len(r.Stages)-1 || st.When.True(s) {
			return rank + st.Adds
		}
	}
	return rank
}

// A ranked is a stage, and the rank as a term in it.
type ranked struct{ in, rank Expr }

// byStage lists the stages so that one of them, and no other, is that of a
// state.
func (r Rank) byStage() (list []ranked) {
	var sum []Expr
	for _, g := range Groups {
		for _, step := range Steps {
			if w := r.Weights[g][step]; w != 0 {
				sum = append(sum, times(w, at(g, step)))
			}
		}
	}
	var past []Expr
	for i, st := range r.Stages {
		in := past
		if i < len(r.Stages)-1 {
			in = append(in[:i:i], st.When)
		}
		list = append(list, ranked{and(in...), plus(add(sum...), st.Adds)})
		past = append(past, not(st.When))
	}
	return list
}

// holds says of the rank, in whichever stage, what is said of the term.
func (r Rank) holds(says func(rank Expr) Expr) Expr {
	var all []Expr
	for _, s := range r.byStage() {
		all = append(all, implies(s.in, says(s.rank)))
	}
	return and(all...)
}

func (r Rank) atMost(b Bound) Expr {
	return r.holds(func(rank Expr) Expr { return le(rank, b.term()) })
}

func (r Rank) atLeast(k int) Expr { return r.holds(func(rank Expr) Expr { return le(num(k), rank) }) }

// A Change says how a move changes the rank: by at most By, which is negative if
// the move lowers it.
type Change struct {
	Rank
	By int
}

// bounded says, of the state before a move, that it changes the rank like this.
func (c Change) bounded(next *Successor) Expr {
	return c.holds(func(before Expr) Expr {
		var all []Expr
		for _, s := range c.byStage() {
			all = append(all, implies(next.after(s.in), le(next.after(s.rank), plus(before, c.By))))
		}
		return and(all...)
	})
}
