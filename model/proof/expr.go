package proof

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// An Expr is a term or a formula of linear integer arithmetic over the parts of
// a State. Eval evaluates it on a state, where a formula is 1 or 0; String
// prints it for people, and Condition.SMT for solvers. Since all three come
// from one value, a test that evaluates checks what the solver is asked.
type Expr struct {
	op    op
	value int         // constant
	word  spec.Word   // word
	group []Group     // count: the groups
	steps []spec.Step // count: the steps
	def   *Definition // defined
	args  []Expr
}

type op uint8

const (
	opAnd op = iota // the zero Expr is the empty conjunction, which is true
	opConstant
	opParties // n
	opLock    // 1: held
	opWord    // one of the three words
	opCount   // how many of the groups are at the steps
	opDefined // the value of a Definition
	opSum
	opTimes // a constant and a term
	opEqual
	opAtMost
	opNot
	opOr
	opImplies
)

// operators has, for each operator that stands between its arguments, its sign
// for people and for solvers, and how loosely it binds them.
var operators = [...]struct {
	sign, smt string
	binds     int
}{
	opTimes: {"·", "*", 1}, opSum: {" + ", "+", 2}, opEqual: {" = ", "=", 3}, opAtMost: {" ≤ ", "<=", 3},
	opAnd: {" and ", "and", 4}, opOr: {" or ", "or", 5}, opImplies: {" ⇒ ", "=>", 6},
}

// A Definition gives a term a name.
type Definition struct {
	Name string
	Doc  string
	Term Expr
}

// The terms.
var (
	n       = Expr{op: opParties}
	theLock = Expr{op: opLock}
	enter   = Expr{op: opWord, word: spec.Enter}
	exit    = Expr{op: opWord, word: spec.Exit}
	flag    = Expr{op: opWord, word: spec.Flag}
)

func num(k int) Expr { return Expr{op: opConstant, value: k} }

func add(terms ...Expr) Expr { return Expr{op: opSum, args: terms} }

// plus is t + k.
func plus(t Expr, k int) Expr { return add(t, num(k)) }

// times is k·t.
func times(k int, t Expr) Expr { return Expr{op: opTimes, args: []Expr{num(k), t}} }

// at is how many processes of the group are at one of the steps.
func at(g Group, steps ...spec.Step) Expr {
	return Expr{op: opCount, group: []Group{g}, steps: steps}
}

func behindAt(steps ...spec.Step) Expr { return at(Behind, steps...) }
func aheadAt(steps ...spec.Step) Expr  { return at(Ahead, steps...) }

// allAt is how many of all processes are at one of the steps.
func allAt(steps ...spec.Step) Expr { return Expr{op: opCount, group: Groups, steps: steps} }

// ref is the named term.
func ref(d *Definition) Expr { return Expr{op: opDefined, def: d} }

// The formulas.

func eq(a, b Expr) Expr          { return Expr{op: opEqual, args: []Expr{a, b}} }
func le(a, b Expr) Expr          { return Expr{op: opAtMost, args: []Expr{a, b}} }
func eqConst(t Expr, k int) Expr { return eq(t, num(k)) }
func positive(t Expr) Expr       { return le(num(1), t) }
func zero(t Expr) Expr           { return eqConst(t, 0) }
func not(f Expr) Expr            { return Expr{op: opNot, args: []Expr{f}} }
func and(f ...Expr) Expr         { return Expr{op: opAnd, args: f} }
func or(f ...Expr) Expr          { return Expr{op: opOr, args: f} }
func implies(a, b Expr) Expr     { return Expr{op: opImplies, args: []Expr{a, b}} }
func within(t, lo, hi Expr) Expr { return and(le(lo, t), le(t, hi)) }

// withParties returns e with n + by in place of n.
func (e Expr) withParties(by int) Expr {
	if e.op == opParties {
		return plus(e, by)
	}
	e.args = slices.Clone(e.args)
	for i := range e.args {
		e.args[i] = e.args[i].withParties(by)
	}
	return e
}

// Eval returns the value of e in s.
func (e *Expr) Eval(s *State) int {
	switch e.op {
	case opConstant:
		return e.value
	case opParties:
		return int(s.N)
	case opLock:
		return int(s.Lock)
	case opWord:
		return int(*wordOf(&s.Words, e.word))
	case opCount:
		total := 0
		for _, g := range e.group {
			for _, step := range e.steps {
				total += int(s.At[g][step])
			}
		}
		return total
	case opDefined:
		return e.def.Term.Eval(s)
	case opSum:
		total := 0
		for i := range e.args {
			total += e.args[i].Eval(s)
		}
		return total
	case opTimes:
		return e.args[0].Eval(s) * e.args[1].Eval(s)
	case opEqual:
		return truth(e.args[0].Eval(s) == e.args[1].Eval(s))
	case opAtMost:
		return truth(e.args[0].Eval(s) <= e.args[1].Eval(s))
	case opNot:
		return 1 - e.args[0].Eval(s)
	case opAnd:
		for i := range e.args {
			if !e.args[i].True(s) {
				return 0
			}
		}
		return 1
	case opOr:
		for i := range e.args {
			if e.args[i].True(s) {
				return 1
			}
		}
		return 0
	case opImplies:
		return truth(!e.args[0].True(s) || e.args[1].True(s))
	}
	panic(fmt.Sprintf("proof: expression with op %d", e.op))
}

// True reports whether the formula e holds in s.
func (e *Expr) True(s *State) bool { return e.Eval(s) != 0 }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

func wordOf(w *spec.Words, which spec.Word) *int32 {
	return [...]*int32{spec.Enter: &w.Enter, spec.Exit: &w.Exit, spec.Flag: &w.Flag}[which]
}

// String returns e as it is written in PROOF.md.
func (e Expr) String() string {
	switch e.op {
	case opConstant:
		return strings.Replace(strconv.Itoa(e.value), "-", "−", 1)
	case opParties:
		return "n"
	case opLock:
		return "lock"
	case opWord:
		return e.word.String()
	case opCount:
		return e.countString()
	case opDefined:
		return e.def.Name
	case opNot:
		if a := e.args[0]; a.op == opEqual {
			return a.infix(" ≠ ")
		}
		return "not (" + e.args[0].String() + ")"
	}
	return strings.ReplaceAll(e.infix(operators[e.op].sign), "+ −", "− ")
}

func (e Expr) countString() string {
	name := "all"
	if len(e.group) == 1 {
		name = e.group[0].String()
	}
	if len(e.steps) == len(Steps) {
		return name + "[every step]"
	}
	labels := make([]string, len(e.steps))
	for i, step := range e.steps {
		labels[i] = step.String()
	}
	return name + "[" + strings.Join(labels, ", ") + "]"
}

// infix joins the arguments, in parentheses where they bind no tighter than e.
func (e Expr) infix(between string) string {
	if len(e.args) == 0 {
		return strconv.FormatBool(e.op == opAnd)
	}
	parts := make([]string, len(e.args))
	for i, a := range e.args {
		parts[i] = a.String()
		if operators[a.op].binds >= operators[e.op].binds {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, between)
}

// smt returns e in SMT-LIB, with the prefix of a state (empty or nextState)
// before the name of each part of it.
func (e Expr) smt(prefix string) string {
	switch e.op {
	case opConstant:
		if e.value < 0 {
			return fmt.Sprintf("(- %d)", -e.value)
		}
		return strconv.Itoa(e.value)
	case opParties:
		return "n" // no step changes it
	case opLock:
		return prefix + "lock"
	case opWord:
		return prefix + symbol(e.word)
	case opCount:
		var names []string
		for _, g := range e.group {
			for _, step := range e.steps {
				names = append(names, prefix+counter(g, step))
			}
		}
		return apply("+", names)
	case opDefined:
		return prefix + e.def.Name
	}
	args := make([]string, len(e.args))
	for i, a := range e.args {
		args[i] = a.smt(prefix)
	}
	switch {
	case e.op == opNot:
		return "(not " + args[0] + ")"
	case len(args) == 0:
		return strconv.FormatBool(e.op == opAnd)
	}
	return apply(operators[e.op].smt, args)
}

// apply returns the operator applied to the arguments, or a single argument
// alone.
func apply(operator string, args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "(" + operator + " " + strings.Join(args, " ") + ")"
}
