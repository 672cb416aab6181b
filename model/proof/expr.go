package proof

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/spec"
)

// An Expr is a term or a formula of linear integer arithmetic over the parts of
// a State. It can be evaluated on a state and printed, for people and for
// solvers; that both come from one value is what makes the tests that evaluate
// speak for what the solver is asked. A formula evaluates to 1 or 0.
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
	and op = iota // the zero Expr is the empty conjunction, which is true
	constant
	parties // n
	lock    // 1: held
	word    // one of the three words
	count   // how many of the groups are at the steps
	defined // the value of a Definition
	sum
	equal
	atMost
	not
	or
	implies
)

// A Definition gives a term a name.
type Definition struct {
	Name string
	Says string
	Term Expr
}

// The terms.
var (
	n       = Expr{op: parties}
	theLock = Expr{op: lock}
	enter   = Expr{op: word, word: spec.Enter}
	exit    = Expr{op: word, word: spec.Exit}
	flag    = Expr{op: word, word: spec.Flag}
)

func num(k int) Expr { return Expr{op: constant, value: k} }

// plus is t + k.
func plus(t Expr, k int) Expr { return add(t, num(k)) }

func add(terms ...Expr) Expr { return Expr{op: sum, args: terms} }

// at is how many of the group are at one of the steps.
func at(g Group, steps ...spec.Step) Expr {
	return Expr{op: count, group: []Group{g}, steps: steps}
}

func behindAt(steps ...spec.Step) Expr { return at(Behind, steps...) }
func aheadAt(steps ...spec.Step) Expr  { return at(Ahead, steps...) }

// allAt is how many of all processes are at one of the steps.
func allAt(steps ...spec.Step) Expr { return Expr{op: count, group: Groups, steps: steps} }

func the(d *Definition) Expr { return Expr{op: defined, def: d} }

// The formulas.

func eq(a, b Expr) Expr          { return Expr{op: equal, args: []Expr{a, b}} }
func le(a, b Expr) Expr          { return Expr{op: atMost, args: []Expr{a, b}} }
func is(t Expr, k int) Expr      { return eq(t, num(k)) }
func some(t Expr) Expr           { return le(num(1), t) }
func none(t Expr) Expr           { return is(t, 0) }
func no(f Expr) Expr             { return Expr{op: not, args: []Expr{f}} }
func all(f ...Expr) Expr         { return Expr{op: and, args: f} }
func either(f ...Expr) Expr      { return Expr{op: or, args: f} }
func given(if_, f Expr) Expr     { return Expr{op: implies, args: []Expr{if_, f}} }
func within(t, lo, hi Expr) Expr { return all(le(lo, t), le(t, hi)) }

// counting returns e with n + by in place of n.
func (e Expr) counting(by int) Expr {
	if e.op == parties {
		return plus(e, by)
	}
	e.args = slices.Clone(e.args)
	for i := range e.args {
		e.args[i] = e.args[i].counting(by)
	}
	return e
}

// Eval returns the value of e in s.
func (e Expr) Eval(s *State) int {
	switch e.op {
	case constant:
		return e.value
	case parties:
		return int(s.N)
	case lock:
		return int(s.Lock)
	case word:
		return int(*wordOf(&s.Words, e.word))
	case count:
		total := 0
		for _, g := range e.group {
			for _, step := range e.steps {
				total += int(s.At[g][step])
			}
		}
		return total
	case defined:
		return e.def.Term.Eval(s)
	case sum:
		total := 0
		for _, a := range e.args {
			total += a.Eval(s)
		}
		return total
	case equal:
		return truth(e.args[0].Eval(s) == e.args[1].Eval(s))
	case atMost:
		return truth(e.args[0].Eval(s) <= e.args[1].Eval(s))
	case not:
		return 1 - e.args[0].Eval(s)
	case and:
		for _, a := range e.args {
			if !a.True(s) {
				return 0
			}
		}
		return 1
	case or:
		for _, a := range e.args {
			if a.True(s) {
				return 1
			}
		}
		return 0
	case implies:
		return truth(!e.args[0].True(s) || e.args[1].True(s))
	}
	panic(fmt.Sprintf("proof: expression with op %d", e.op))
}

// True reports whether the formula e holds in s.
func (e Expr) True(s *State) bool { return e.Eval(s) != 0 }

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
	case constant:
		return strings.Replace(strconv.Itoa(e.value), "-", "−", 1)
	case parties:
		return "n"
	case lock:
		return "lock"
	case word:
		return e.word.String()
	case count:
		return e.countString()
	case defined:
		return e.def.Name
	case sum:
		return strings.ReplaceAll(e.infix(" + "), "+ −", "− ")
	case equal:
		return e.infix(" = ")
	case atMost:
		return e.infix(" ≤ ")
	case not:
		if a := e.args[0]; a.op == equal {
			return a.infix(" ≠ ")
		}
		return "not (" + e.args[0].String() + ")"
	case and:
		return e.infix(" and ")
	case or:
		return e.infix(" or ")
	case implies:
		return e.infix(" ⇒ ")
	}
	panic(fmt.Sprintf("proof: expression with op %d", e.op))
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
		return strconv.FormatBool(e.op == and)
	}
	parts := make([]string, len(e.args))
	for i, a := range e.args {
		parts[i] = a.String()
		if binds(a.op) >= binds(e.op) {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, between)
}

// binds says how loosely an operator binds its arguments, 0 for what has none.
func binds(o op) int {
	return [...]int{sum: 1, equal: 2, atMost: 2, and: 3, or: 4, implies: 5}[o]
}

// smt returns e in SMT-LIB. The prefix is put before the name of everything
// that belongs to a state: it is empty, or says which state is meant.
func (e Expr) smt(prefix string) string {
	switch e.op {
	case constant:
		if e.value < 0 {
			return fmt.Sprintf("(- %d)", -e.value)
		}
		return strconv.Itoa(e.value)
	case parties:
		return "n" // no step changes it
	case lock:
		return prefix + "lock"
	case word:
		return prefix + symbol(e.word)
	case count:
		var names []string
		for _, g := range e.group {
			for _, step := range e.steps {
				names = append(names, prefix+counter(g, step))
			}
		}
		return apply("+", names)
	case defined:
		return prefix + e.def.Name
	}
	args := make([]string, len(e.args))
	for i, a := range e.args {
		args[i] = a.smt(prefix)
	}
	switch e.op {
	case sum:
		return apply("+", args)
	case equal:
		return apply("=", args)
	case atMost:
		return apply("<=", args)
	case not:
		return "(not " + args[0] + ")"
	case and:
		if len(args) == 0 {
			return "true"
		}
		return apply("and", args)
	case or:
		if len(args) == 0 {
			return "false"
		}
		return apply("or", args)
	case implies:
		return apply("=>", args)
	}
	panic(fmt.Sprintf("proof: expression with op %d", e.op))
}

// apply is the application of an operator of one or more arguments, or the
// argument itself when there is only one.
func apply(operator string, args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "(" + operator + " " + strings.Join(args, " ") + ")"
}
