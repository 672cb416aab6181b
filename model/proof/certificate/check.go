// Package certificate checks proofs that a formula of linear integer arithmetic
// is true of no integers.
//
// A certificate is a tree, as bytes. Each node of it refutes what is assumed on
// the path to it. At the root that is the formula. To assume a formula is to
// assume its parts if it is All, to note an inequality, and to note the choice
// between its parts if it is Any. Both are numbered from 0 in the order in
// which they are noted, and forgotten when the node is left. A node is
//
//   - sum: positive multiples of inequalities. Their sum must be 0 ≤ a negative
//     number;
//   - split: a choice. For each of its parts, in order, a node refutes that
//     too.
//
// Since a node's assumptions are true of no integers if they are true of none
// in each of its cases, the formula is not, either.
//
// Check is the only part of the proof that must be right for a certificate to
// be worth something. It uses the standard library alone, and shares nothing
// with the package that finds certificates but Formula.
package certificate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// The kinds of nodes. A node begins with its kind. All numbers in a certificate
// are unsigned varints of encoding/binary.
const (
	Sum   = 0 // how many inequalities; for each its number and its multiplier
	Split = 1 // the number of the choice; the nodes of its parts
)

// ErrRejected says that a certificate proves nothing about the formula.
var ErrRejected = errors.New("certificate rejected")

// Check returns nil if the certificate proves that the formula is true of no
// integers, and otherwise an error that wraps ErrRejected.
func Check(f Formula, certificate []byte) error {
	c := checker{rest: certificate}
	c.refute(f)
	if len(c.rest) > 0 {
		c.reject("%d bytes follow the proof", len(c.rest))
	}
	return c.err
}

type checker struct {
	rest         []byte
	inequalities []Formula
	choices      [][]Formula
	err          error // the first
}

func (c *checker) reject(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrRejected}, args...)...)
	}
}

// refute reads a node that refutes f and all that is assumed.
func (c *checker) refute(f Formula) {
	inequalities, choices := len(c.inequalities), len(c.choices)
	c.assume(f)
	switch kind := c.number(); kind {
	case Sum:
		c.sum()
	case Split:
		c.split()
	default:
		c.reject("no node is of kind %d", kind)
	}
	c.inequalities, c.choices = c.inequalities[:inequalities], c.choices[:choices]
}

func (c *checker) assume(f Formula) {
	switch f.Kind {
	case Inequality:
		c.inequalities = append(c.inequalities, f)
	case Any:
		c.choices = append(c.choices, f.Parts)
	default:
		for _, part := range f.Parts {
			c.assume(part)
		}
	}
}

func (c *checker) sum() {
	factors, bound := map[int]*big.Int{}, new(big.Int)
	for n := c.number(); n > 0 && c.err == nil; n-- {
		i, by := c.number(), new(big.Int).SetUint64(c.number())
		if i >= uint64(len(c.inequalities)) {
			c.reject("inequality %d of %d", i, len(c.inequalities))
			return
		}
		add := func(to *big.Int, k int64) { to.Add(to, new(big.Int).Mul(by, big.NewInt(k))) }
		for _, t := range c.inequalities[i].Sum {
			if factors[t.Variable] == nil {
				factors[t.Variable] = new(big.Int)
			}
			add(factors[t.Variable], t.Factor)
		}
		add(bound, c.inequalities[i].Bound)
	}
	for _, factor := range factors {
		if factor.Sign() != 0 {
			c.reject("a variable remains in a sum")
		}
	}
	if bound.Sign() >= 0 {
		c.reject("a sum is 0 ≤ %v", bound)
	}
}

func (c *checker) split() {
	i := c.number()
	if i >= uint64(len(c.choices)) {
		c.reject("choice %d of %d", i, len(c.choices))
		return
	}
	for _, part := range c.choices[i] {
		c.refute(part)
	}
}

// number reads a number, or returns 0 if there is none.
func (c *checker) number() uint64 {
	k, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.reject("it ends in a number")
		c.rest = nil
		return 0
	}
	c.rest = c.rest[n:]
	return k
}
