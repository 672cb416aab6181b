package simplex

import (
	"encoding/binary"
	"slices"

	"sharedbarrier/model/proof/certificate"
)

// encode writes the certificate that refutes f.
func encode(f *certificate.Formula, root *node) []byte {
	e := encoder{numbers: make(map[*certificate.Formula]uint64)}
	e.node(f, root)
	return e.bytes
}

// An encoder numbers what is assumed in the order of a certificate.
type encoder struct {
	bytes        []byte
	numbers      map[*certificate.Formula]uint64
	inequalities uint64
	choices      uint64
}

func (e *encoder) assume(f *certificate.Formula) {
	switch f.Kind {
	case certificate.Inequality:
		e.numbers[f] = e.inequalities
		e.inequalities++
	case certificate.Any:
		e.numbers[f] = e.choices
		e.choices++
	default:
		for i := range f.Parts {
			e.assume(&f.Parts[i])
		}
	}
}

func (e *encoder) number(k uint64) { e.bytes = binary.AppendUvarint(e.bytes, k) }

func (e *encoder) node(f *certificate.Formula, n *node) {
	inequalities, choices := e.inequalities, e.choices
	e.assume(f)
	if n.sum != nil {
		e.sum(n.sum)
	} else {
		e.number(certificate.Split)
		e.number(e.numbers[n.choice])
		for i, part := range n.parts {
			e.node(&n.choice.Parts[i], part)
		}
	}
	e.inequalities, e.choices = inequalities, choices
}

// sum writes multipliers that are integers without a common factor.
func (e *encoder) sum(list []summand) {
	denominator := int64(1)
	for _, s := range list {
		denominator *= s.by.den / gcd(denominator, s.by.den)
	}
	factor := int64(0)
	for _, s := range list {
		factor = gcd(factor, s.by.num*(denominator/s.by.den))
	}
	slices.SortFunc(list, func(a, b summand) int { return int(e.numbers[a.of]) - int(e.numbers[b.of]) })
	e.number(certificate.Sum)
	e.number(uint64(len(list)))
	for _, s := range list {
		e.number(e.numbers[s.of])
		e.number(uint64(s.by.num * (denominator / s.by.den) / factor))
	}
}
