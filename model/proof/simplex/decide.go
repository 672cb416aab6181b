// Package simplex decides formulas of linear integer arithmetic. It finds
// integers of which a formula is true, or a certificate that there are none.
//
// Nothing that it does needs to be right: package certificate checks a
// certificate, and Formula.True checks integers.
package simplex

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"sharedbarrier/model/proof/certificate"
)

// ErrUndecided says that Decide found fractions of which the formula is true,
// or that its numbers became too large.
var ErrUndecided = errors.New("simplex: neither integers nor a certificate found")

// Decide returns a certificate that f is true of no integers, or integers of
// which it is true, one for each of the variables. The same formula always has
// the same result.
//
// Decide blocks until it has found either. It fails with ErrUndecided, or with
// the error of ctx.
func Decide(ctx context.Context, f certificate.Formula, variables int) (proof []byte, x []int64, err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case tooLarge{}:
			err = ErrUndecided
		default:
			panic(r)
		}
	}()
	s := newSearch(ctx, &f, variables)
	root := s.refute(s.assume(&f))
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if root != nil {
		return encode(&f, root), nil, nil
	}
	x, err = s.solution()
	return nil, x, err
}

// A search refutes what it has assumed, or finds a solution of it.
type search struct {
	ctx       context.Context
	variables int
	t         *tableau
	limits    map[*certificate.Formula]limit // of the inequalities in the formula
	choices   []*certificate.Formula         // assumed, and not split yet
}

// newSearch makes a tableau that has a variable for each sum in f.
func newSearch(ctx context.Context, f *certificate.Formula, variables int) *search {
	s := &search{ctx: ctx, variables: variables, limits: make(map[*certificate.Formula]limit)}
	forms, index := [][]rational(nil), make(map[string]int)
	visit(f, func(f *certificate.Formula) {
		factors := make([]int64, variables)
		for _, t := range f.Sum {
			factors[t.Variable] += t.Factor
		}
		l := limit{side: upper, bound: bound{f.Bound, f}}
		first := slices.IndexFunc(factors, func(k int64) bool { return k != 0 })
		if first >= 0 && factors[first] < 0 {
			l.side, l.at = lower, -f.Bound
			for v := range factors {
				factors[v] = -factors[v]
			}
		}
		key := keyOf(factors)
		v, known := index[key]
		switch {
		case known:
			l.variable = v
		case first >= 0 && factors[first] == 1 && !slices.ContainsFunc(factors[first+1:], func(k int64) bool { return k != 0 }):
			l.variable = first
		default:
			l.variable = variables + len(forms)
			row := make([]rational, variables)
			for v, k := range factors {
				row[v] = whole(k)
			}
			index[key], forms = l.variable, append(forms, row)
		}
		s.limits[f] = l
	})
	s.t = newTableau(variables, forms)
	return s
}

func keyOf(factors []int64) string {
	var key []byte
	for _, k := range factors {
		key = binary.AppendVarint(key, k)
	}
	return string(key)
}

// visit calls do with each inequality in f.
func visit(f *certificate.Formula, do func(*certificate.Formula)) {
	if f.Kind == certificate.Inequality {
		do(f)
	}
	for i := range f.Parts {
		visit(&f.Parts[i], do)
	}
}

// A node is a certificate in the making. It uses only what is in needs of what
// is assumed.
type node struct {
	sum    []summand            // Sum
	choice *certificate.Formula // Split
	parts  []*node              // Split
	needs  map[*certificate.Formula]bool
}

// assume assumes f. It returns a refutation if bounds contradict each other.
func (s *search) assume(f *certificate.Formula) *node {
	switch f.Kind {
	case certificate.Inequality:
		return leaf(s.t.assert(s.limits[f]))
	case certificate.Any:
		s.choices = append(s.choices, f)
	default:
		for i := range f.Parts {
			if refuted := s.assume(&f.Parts[i]); refuted != nil {
				return refuted
			}
		}
	}
	return nil
}

func leaf(sum []summand) *node {
	if sum == nil {
		return nil
	}
	n := &node{sum: sum, needs: make(map[*certificate.Formula]bool)}
	for _, s := range sum {
		n.needs[s.of] = true
	}
	return n
}

// refute returns a refutation of what is assumed, or nil if the values of the
// tableau are a solution. At the end of the context, too, it returns nil.
func (s *search) refute(refuted *node) *node {
	if refuted != nil {
		return refuted
	}
	if n := leaf(s.t.solve()); n != nil {
		return n
	}
	if s.ctx.Err() != nil {
		return nil
	}
	if choice := s.hardest(); choice != nil {
		return s.split(choice)
	}
	return nil
}

// with calls do while f is assumed, too.
func (s *search) with(f *certificate.Formula, do func(refuted *node)) {
	undo, choices := len(s.t.undo), slices.Clone(s.choices)
	do(s.assume(f))
	s.t.retract(undo)
	s.choices = choices
}

// split refutes each part of the choice. If the refutation of a part does not
// need the part, it is the whole.
func (s *search) split(choice *certificate.Formula) *node {
	n := &node{choice: choice, needs: map[*certificate.Formula]bool{choice: true}}
	s.choices = slices.DeleteFunc(slices.Clone(s.choices), func(c *certificate.Formula) bool { return c == choice })
	for i := range choice.Parts {
		part, found := &choice.Parts[i], (*node)(nil)
		s.with(part, func(refuted *node) { found = s.refute(refuted) })
		if found == nil {
			return nil
		}
		needed := len(found.needs)
		forget(found.needs, part)
		if len(found.needs) == needed {
			return found
		}
		n.parts = append(n.parts, found)
		maps.Copy(n.needs, found.needs)
	}
	return n
}

// forget removes what is assumed with f.
func forget(needs map[*certificate.Formula]bool, f *certificate.Formula) {
	delete(needs, f)
	if f.Kind == certificate.All {
		for i := range f.Parts {
			forget(needs, &f.Parts[i])
		}
	}
}

// hardest returns a choice of which no part is true of the values: the one that
// has the fewest parts that are not refuted at once. It returns nil if there is
// no such choice.
func (s *search) hardest() (best *certificate.Formula) {
	var open []*certificate.Formula
	for _, choice := range s.choices {
		if !s.satisfied(choice) {
			open = append(open, choice)
		}
	}
	fewest := 0
	for _, choice := range open {
		remain := 0
		for i := range choice.Parts {
			s.with(&choice.Parts[i], func(refuted *node) {
				if refuted == nil && s.t.solve() == nil {
					remain++
				}
			})
			if best != nil && remain >= fewest {
				break
			}
		}
		if best == nil || remain < fewest {
			best, fewest = choice, remain
		}
		if fewest == 0 {
			break
		}
	}
	return best
}

// satisfied reports whether f is true of the values.
func (s *search) satisfied(f *certificate.Formula) bool {
	if f.Kind == certificate.Inequality {
		l := s.limits[f]
		return !past(l.side, s.t.value[l.variable], l.bound)
	}
	for i := range f.Parts {
		if s.satisfied(&f.Parts[i]) == (f.Kind == certificate.Any) {
			return f.Kind == certificate.Any
		}
	}
	return f.Kind == certificate.All
}

// solution returns the values. It fails if one is no integer.
func (s *search) solution() (x []int64, err error) {
	for _, value := range s.t.value[:s.variables] {
		if value.den != 1 {
			return nil, ErrUndecided
		}
		x = append(x, value.num)
	}
	return x, nil
}
