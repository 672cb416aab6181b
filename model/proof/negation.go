package proof

import (
	"sharedbarrier/model/proof/certificate"
)

// Negation returns the formula that is true of the states that refute the
// condition, and of no others: what Refuted evaluates. Its variables are the
// parts of a State, in the order of Symbols. The condition is valid if the
// formula is true of no integers.
func (c Condition) Negation() certificate.Formula {
	given, goal := c.inv.formula(), c.inv.formula()
	if c.Given != nil {
		given = c.Given.Holds
	}
	if c.Goal != nil {
		goal = c.Goal.Holds
	}
	facts := []Expr{given}
	switch {
	case c.Change != nil:
		facts, goal = append(facts, c.Next.Guard...), c.Change.bounded(c.Next)
	case c.Next != nil:
		facts, goal = append(facts, c.Next.Guard...), c.Next.after(goal)
	}
	return formula(and(append(facts, not(goal))...), true)
}

// formula returns the invariant as one formula.
func (inv Invariant) formula() Expr {
	all := func(clauses []Clause) (f Expr) {
		for _, c := range clauses {
			f.args = append(f.args, c.Holds)
		}
		return f
	}
	return and(all(inv.Always), or(all(inv.Gathering), all(inv.Draining)))
}

// formula returns e if it is positive, and otherwise the negation of e.
func formula(e Expr, positive bool) certificate.Formula {
	switch e.op {
	case opNot:
		return formula(e.args[0], !positive)
	case opImplies:
		return formula(or(not(e.args[0]), e.args[1]), positive)
	case opEqual:
		a, b := e.args[0], e.args[1]
		return formula(and(le(a, b), le(b, a)), positive)
	case opAtMost:
		a, b := e.args[0], e.args[1]
		if !positive { // b < a, which is b + 1 ≤ a for integers
			a, b = plus(b, 1), a
		}
		return inequality(linearOf(a).plus(-1, linearOf(b)))
	case opAnd, opOr:
		f := certificate.Formula{Kind: certificate.Any}
		if (e.op == opAnd) == positive {
			f.Kind = certificate.All
		}
		for _, a := range e.args {
			f.Parts = append(f.Parts, formula(a, positive))
		}
		return f
	}
	panic("proof: no formula: " + e.String())
}

// variables has the number of each symbol.
var variables = func() map[string]int {
	numbers := make(map[string]int)
	for i, name := range Symbols() {
		numbers[name] = i
	}
	return numbers
}()

// A linear is a constant and a multiple of each variable.
type linear struct {
	constant int
	factors  []int // by variable
}

// plus returns l + k·m. It changes l.
func (l *linear) plus(k int, m *linear) *linear {
	for v, factor := range m.factors {
		l.factors[v] += k * factor
	}
	l.constant += k * m.constant
	return l
}

// linearOf returns a term as a sum.
func linearOf(e Expr) *linear {
	sum := &linear{factors: make([]int, len(variables))}
	switch e.op {
	case opConstant:
		sum.constant = e.value
	case opParties:
		sum.factors[variables["n"]] = 1
	case opLock:
		sum.factors[variables["lock"]] = 1
	case opWord:
		sum.factors[variables[symbol(e.word)]] = 1
	case opCount:
		for _, g := range e.group {
			for _, step := range e.steps {
				sum.factors[variables[counter(g, step)]]++
			}
		}
	case opDefined:
		return linearOf(e.def.Term)
	case opSum:
		for _, a := range e.args {
			sum.plus(1, linearOf(a))
		}
	case opTimes:
		return sum.plus(e.args[0].value, linearOf(e.args[1]))
	default:
		panic("proof: no term: " + e.String())
	}
	return sum
}

// inequality is sum ≤ 0.
func inequality(sum *linear) certificate.Formula {
	f := certificate.Formula{Kind: certificate.Inequality, Bound: int64(-sum.constant)}
	for v, factor := range sum.factors {
		if factor != 0 {
			f.Sum = append(f.Sum, certificate.Term{Variable: v, Factor: int64(factor)})
		}
	}
	return f
}
