package proof

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
)

// A Move takes one process from one step to the next, atomically: it is a step
// of the protocol, one branch of a step that has two, or an event.
type Move struct {
	Name   string       // the step's label, with the branch after a dot
	From   spec.Step    // where the process is
	When   Expr         // must hold before, besides the lock; zero: nothing
	Lock   spec.LockUse // Acquire: only when the lock is free; Release: frees it
	Set    []Write      // the words that change
	To     spec.Step    // where the process is afterwards
	Return bool         // the process completes its call
}

// event reports whether the move is an event, not a step.
func (m Move) event() bool { return strings.HasPrefix(m.Name, spec.GiveUp.String()) }

// A Write gives a word a new value, computed from the state before.
type Write struct {
	Word  spec.Word
	Value Expr
}

// A Table is a protocol as the list of its moves.
type Table []Move

func set(w spec.Word, value Expr) []Write { return []Write{{w, value}} }

// Protocol returns the table of sections 4 and 5 of PROTOCOL.md, in the order
// of the text. Every call has the party count n. A wait is a move that is
// possible only when its condition holds, since waiting changes nothing.
func Protocol() Table {
	const held, acquire, release = spec.Held, spec.Acquire, spec.Release
	return Table{
		{Name: "Call", From: spec.Call, To: spec.LockInit},
		{Name: "LockInit", From: spec.LockInit, Lock: acquire, To: spec.InitExit},
		{Name: "InitExit.set", From: spec.InitExit, Lock: held, When: eqConst(exit, -1), Set: set(spec.Exit, n), To: spec.UnlockInit},
		{Name: "InitExit.keep", From: spec.InitExit, Lock: held, When: not(eqConst(exit, -1)), To: spec.UnlockInit},
		{Name: "UnlockInit", From: spec.UnlockInit, Lock: release, To: spec.LockEnter},
		{Name: "LockEnter", From: spec.LockEnter, Lock: acquire, To: spec.TestFirst},
		{Name: "TestFirst.first", From: spec.TestFirst, Lock: held, When: eqConst(enter, 0), To: spec.UnlockFirst},
		{Name: "TestFirst.later", From: spec.TestFirst, Lock: held, When: not(eqConst(enter, 0)), To: spec.CountEnter},
		{Name: "UnlockFirst", From: spec.UnlockFirst, Lock: release, To: spec.AwaitDrain},
		{Name: "AwaitDrain", From: spec.AwaitDrain, When: eq(exit, n), To: spec.LockFirst},
		{Name: "LockFirst", From: spec.LockFirst, Lock: acquire, To: spec.LowerFlag},
		{Name: "LowerFlag", From: spec.LowerFlag, Lock: held, Set: set(spec.Flag, num(0)), To: spec.CountEnter},
		{Name: "CountEnter.last", From: spec.CountEnter, Lock: held, When: eq(plus(enter, 1), n), Set: set(spec.Enter, plus(enter, 1)), To: spec.ResetEnter},
		{Name: "CountEnter.more", From: spec.CountEnter, Lock: held, When: not(eq(plus(enter, 1), n)), Set: set(spec.Enter, plus(enter, 1)), To: spec.UnlockEnter},
		{Name: "ResetEnter", From: spec.ResetEnter, Lock: held, Set: set(spec.Enter, num(0)), To: spec.ResetExit},
		{Name: "ResetExit", From: spec.ResetExit, Lock: held, Set: set(spec.Exit, num(0)), To: spec.RaiseFlag},
		{Name: "RaiseFlag", From: spec.RaiseFlag, Lock: held, Set: set(spec.Flag, num(1)), To: spec.UnlockEnter},
		{Name: "UnlockEnter", From: spec.UnlockEnter, Lock: release, To: spec.AwaitFlag},
		{Name: "AwaitFlag", From: spec.AwaitFlag, When: not(eqConst(flag, 0)), To: spec.LockExit},
		{Name: "LockExit", From: spec.LockExit, Lock: acquire, To: spec.CountExit},
		{Name: "CountExit.last", From: spec.CountExit, Lock: held, When: eq(plus(exit, 1), n), Set: set(spec.Exit, plus(exit, 1)), To: spec.ClearExit},
		{Name: "CountExit.more", From: spec.CountExit, Lock: held, When: not(eq(plus(exit, 1), n)), Set: set(spec.Exit, plus(exit, 1)), To: spec.UnlockExit},
		{Name: "ClearExit", From: spec.ClearExit, Lock: held, Set: set(spec.Exit, num(-1)), To: spec.UnlockExit},
		{Name: "UnlockExit", From: spec.UnlockExit, Lock: release, To: spec.Call, Return: true},

		{Name: "LockWithdraw", From: spec.LockWithdraw, Lock: acquire, To: spec.TestFlag},
		{Name: "TestFlag.up", From: spec.TestFlag, Lock: held, When: not(eqConst(flag, 0)), To: spec.CountExit},
		{Name: "TestFlag.down", From: spec.TestFlag, Lock: held, When: eqConst(flag, 0), To: spec.UncountEnter},
		{Name: "UncountEnter", From: spec.UncountEnter, Lock: held, Set: set(spec.Enter, plus(enter, -1)), To: spec.UnlockWithdraw},
		{Name: "UnlockWithdraw", From: spec.UnlockWithdraw, Lock: release, To: spec.Call},

		{Name: "GiveUp.LockInit", From: spec.LockInit, To: spec.Call},
		{Name: "GiveUp.LockEnter", From: spec.LockEnter, To: spec.Call},
		{Name: "GiveUp.AwaitDrain", From: spec.AwaitDrain, To: spec.Call},
		{Name: "GiveUp.LockFirst", From: spec.LockFirst, To: spec.Call},
		{Name: "GiveUp.AwaitFlag", From: spec.AwaitFlag, To: spec.LockWithdraw},
	}
}

// Scenario returns the table of a scenario: Protocol for Withdraw, and its part
// without withdrawal for Reuse and Single. It fails for all other scenarios,
// which are misuses.
func Scenario(s spec.Scenario) (Table, error) {
	switch s {
	case spec.Withdraw:
		return Protocol(), nil
	case spec.Reuse, spec.Single:
		return slices.DeleteFunc(Protocol(), func(m Move) bool {
			return m.From >= spec.LockWithdraw || m.event()
		}), nil
	}
	return nil, fmt.Errorf("proof: scenario %v is not proved: give %v, %v or %v", s, spec.Withdraw, spec.Reuse, spec.Single)
}

// absent lists the steps that the table has no move from.
func (t Table) absent() (list []spec.Step) {
	for _, step := range Steps {
		if !slices.ContainsFunc(t, func(m Move) bool { return m.From == step }) {
			list = append(list, step)
		}
	}
	return list
}

// A Rule is a move of a process of one group.
type Rule struct {
	Move  Move
	Group Group
	Name  string // of the move, a dot, and behind, ahead or renormalise
	Doc   string
	Successor

	EndsRound bool // the process is the last one behind, and completes its call
}

const renormalise = "renormalise"

// Rules lists the moves of the processes of each group. A process behind that
// completes a call is then ahead. If it was the last one behind, all are then
// behind. A process ahead does not complete a call: it would be two ahead,
// which a State cannot express. Condition safety.NeverTwoAhead excludes this.
func (t Table) Rules() (list []Rule) {
	for _, m := range t {
		add := func(g Group, suffix, who string, next Successor) {
			list = append(list, Rule{m, g, m.Name + "." + suffix, m.Name + " by " + who, next, suffix == renormalise})
		}
		switch {
		case m.Return:
			add(Behind, "behind", "one behind", m.toAhead())
			add(Behind, renormalise, "the last one behind", m.byLast())
		default:
			add(Behind, "behind", "one behind", m.inGroup(Behind))
			add(Ahead, "ahead", "one ahead", m.inGroup(Ahead))
		}
	}
	return list
}

// A Successor is the state after a move, as expressions over the state before.
type Successor struct {
	Guard []Expr // the move can be made
	lock  Expr
	words [3]Expr
	at    [2][numSteps]Expr
}

// inGroup is the effect of a move of a process that stays in its group.
func (m Move) inGroup(g Group) Successor {
	next := m.common(g)
	next.at[g][m.From] = plus(next.at[g][m.From], -1)
	next.at[g][m.To] = plus(next.at[g][m.To], 1)
	return next
}

// toAhead is the effect of a move that completes a call when another process is
// behind.
func (m Move) toAhead() Successor {
	next := m.common(Behind)
	next.Guard = append(next.Guard, le(num(2), ref(behind)))
	next.at[Behind][m.From] = plus(next.at[Behind][m.From], -1)
	next.at[Ahead][m.To] = plus(next.at[Ahead][m.To], 1)
	return next
}

// byLast is the effect of a move that completes a call when its process is the
// last one behind.
func (m Move) byLast() Successor {
	next := m.common(Behind)
	next.Guard = append(next.Guard, eqConst(ref(behind), 1))
	next.at[Behind] = next.at[Ahead]
	next.at[Behind][m.To] = plus(next.at[Behind][m.To], 1)
	for _, step := range Steps {
		next.at[Ahead][step] = num(0)
	}
	return next
}

// common is the effect of a move of a process of group g, without the counters.
func (m Move) common(g Group) Successor {
	next := Successor{
		Guard: []Expr{positive(at(g, m.From)), m.When},
		lock:  theLock,
		words: [3]Expr{enter, exit, flag},
	}
	switch m.Lock {
	case spec.Acquire:
		next.Guard = append(next.Guard, eqConst(theLock, 0))
		next.lock = num(1)
	case spec.Release:
		next.lock = num(0)
	}
	for _, w := range m.Set {
		next.words[w.Word] = w.Value
	}
	for _, group := range Groups {
		for _, step := range Steps {
			next.at[group][step] = at(group, step)
		}
	}
	return next
}

// after returns the value of e in the state after the move, over the state
// before.
func (next *Successor) after(e Expr) Expr {
	switch e.op {
	case opLock:
		return next.lock
	case opWord:
		return next.words[e.word]
	case opCount:
		var terms []Expr
		for _, g := range e.group {
			for _, step := range e.steps {
				terms = append(terms, next.at[g][step])
			}
		}
		return add(terms...)
	case opDefined:
		return next.after(e.def.Term)
	}
	args := make([]Expr, len(e.args))
	for i, a := range e.args {
		args[i] = next.after(a)
	}
	e.args = args
	return e
}

// Possible reports whether the move can be made in s.
func (next *Successor) Possible(s *State) bool {
	for i := range next.Guard {
		if !next.Guard[i].True(s) {
			return false
		}
	}
	return true
}

// Eval returns the state after s, whether or not the move is possible in it.
func (next *Successor) Eval(s *State) State {
	t := State{N: s.N, Lock: int32(next.lock.Eval(s))}
	for _, w := range spec.AllWords {
		*wordOf(&t.Words, w) = int32(next.words[w].Eval(s))
	}
	for _, g := range Groups {
		for _, step := range Steps {
			t.At[g][step] = int32(next.at[g][step].Eval(s))
		}
	}
	return t
}
