package proof

import (
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// nextState is the prefix of the names of the state after the move.
const nextState = "next."

// Symbols lists the SMT-LIB constants of the state that a condition is about,
// in the order in which they are declared.
func Symbols() []string {
	list := []string{"n", "lock"}
	for _, w := range spec.AllWords {
		list = append(list, symbol(w))
	}
	for _, g := range Groups {
		for _, step := range Steps {
			list = append(list, counter(g, step))
		}
	}
	return list
}

// counter is the SMT-LIB name of the number of processes of g at step.
func counter(g Group, step spec.Step) string { return g.String() + "." + step.String() }

// symbol is the SMT-LIB name of a word; exit alone is reserved.
func symbol(w spec.Word) string { return "word." + w.String() }

// stateOf returns the state in which each symbol has its value, in the order of
// Symbols.
func stateOf(values []int64) (s State) {
	next := func() (value int32) {
		value, values = int32(values[0]), values[1:]
		return value
	}
	s.N, s.Lock = next(), next()
	for _, w := range spec.AllWords {
		*wordOf(&s.Words, w) = next()
	}
	for _, g := range Groups {
		for _, step := range Steps {
			s.At[g][step] = next()
		}
	}
	return s
}

// SMT returns the condition as a script in SMT-LIB 2.6, logic QF_LIA, with one
// check-sat. The answer unsat means that the condition is valid; a model is a
// counterexample.
func (c Condition) SMT() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("; %s: %s.", c.Name, c.Doc)
	line("; unsat: this is so for every n. A model is a counterexample.")
	line("(set-info :smt-lib-version 2.6)")
	line("(set-option :produce-models true)")
	line("(set-logic QF_LIA)")
	line("\n; The state: n processes, the lock (1: held), the words, how many are at each step.")
	for _, name := range Symbols() {
		line("(declare-const %s Int)", name)
	}
	c.define(line, "")
	if c.Given == nil {
		line("\n; Given: the invariant.")
		line("(assert Invariant)")
	} else {
		line("\n; Given: %s.", c.Given.Doc)
		line("(assert %s)", c.Given.Holds.smt(""))
	}
	prefix := ""
	if c.Next != nil {
		prefix = nextState
		line("\n; The move is possible.")
		for _, g := range c.Next.Guard {
			line("(assert %s)", g.smt(""))
		}
	}
	if c.Next != nil && c.Change == nil {
		line("\n; The state after it.")
		c.Next.define(line)
		c.define(line, nextState)
	}
	switch {
	case c.Change != nil:
		line("\n; Not the goal: the move adds at most %d to the rank.", c.Change.By)
		line("(assert (not %s))", c.Change.bounded(c.Next).smt(""))
	case c.Goal == nil:
		line("\n; Not the goal: the invariant.")
		line("(assert (not %sInvariant))", prefix)
	default:
		line("\n; Not the goal: %s.", c.Goal.Doc)
		line("(assert (not %s))", c.Goal.Holds.smt(prefix))
	}
	line("(check-sat)")
	return b.String()
}

// define prints the named terms and the invariant of one of the two states.
func (c Condition) define(line func(string, ...any), prefix string) {
	line("\n; The named terms.")
	for _, d := range Definitions {
		if prefix == "" {
			line("; %s: %s", d.Name, d.Doc)
		}
		line("(define-fun %s%s () Int %s)", prefix, d.Name, d.Term.smt(prefix))
	}
	line("\n; The invariant.")
	clauses := func(phase string, list []Clause) string {
		names := []string{}
		for _, cl := range list {
			name := prefix + phase + cl.Name
			if prefix == "" {
				line("; %s: %s", name, cl.Doc)
			}
			line("(define-fun %s () Bool %s)", name, cl.Holds.smt(prefix))
			names = append(names, name)
		}
		return apply("and", names)
	}
	always := clauses("", c.inv.Always)
	line("(define-fun %sGathering () Bool %s)", prefix, clauses("Gathering.", c.inv.Gathering))
	line("(define-fun %sDraining () Bool %s)", prefix, clauses("Draining.", c.inv.Draining))
	line("(define-fun %sInvariant () Bool (and %s (or %sGathering %sDraining)))", prefix, always, prefix, prefix)
}

// define prints the state after the move in terms of the state before.
func (next *Successor) define(line func(string, ...any)) {
	line("(define-fun %slock () Int %s)", nextState, next.lock.smt(""))
	for _, w := range spec.AllWords {
		line("(define-fun %s%s () Int %s)", nextState, symbol(w), next.words[w].smt(""))
	}
	for _, g := range Groups {
		for _, step := range Steps {
			line("(define-fun %s%s () Int %s)", nextState, counter(g, step), next.at[g][step].smt(""))
		}
	}
}
