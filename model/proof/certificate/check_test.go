package certificate

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
)

func all(parts ...Formula) Formula    { return Formula{Kind: All, Parts: parts} }
func choice(parts ...Formula) Formula { return Formula{Kind: Any, Parts: parts} }

// atMost is factors[0]·x[0] + factors[1]·x[1] + … ≤ bound.
func atMost(bound int64, factors ...int64) Formula {
	f := Formula{Kind: Inequality, Bound: bound}
	for v, k := range factors {
		if k != 0 {
			f.Sum = append(f.Sum, Term{v, k})
		}
	}
	return f
}

func numbers(list ...uint64) (b []byte) {
	for _, k := range list {
		b = binary.AppendUvarint(b, k)
	}
	return b
}

// sum is the node that adds inequalities: pairs of a number and a multiplier.
func sum(pairs ...uint64) []byte {
	return append(numbers(Sum, uint64(len(pairs)/2)), numbers(pairs...)...)
}

func split(choice uint64, nodes ...[]byte) []byte {
	return append(numbers(Split, choice), slices.Concat(nodes...)...)
}

var (
	apart    = all(atMost(0, 1), atMost(-1, -1))                   // x ≤ 0, x ≥ 1
	multiple = all(atMost(0), atMost(1, 2, -3), atMost(-3, -4, 6)) // 2x − 3y ≤ 1, 4x − 6y ≥ 3

	// x ≤ 0 or x ≥ 5; 1 ≤ x ≤ 4 or x + y ≥ 6; y ≤ 0; x ≤ 5
	nested = all(choice(atMost(0, 1), atMost(-5, -1)),
		choice(all(atMost(4, 1), atMost(-1, -1)), atMost(-6, -1, -1)),
		atMost(0, 0, 1), atMost(5, 1))
	nestedProof = split(1, split(0, sum(3, 1, 4, 1), sum(2, 1, 4, 1)), sum(0, 1, 1, 1, 2, 1))
)

func TestUnit_CheckAccepts(t *testing.T) {
	for name, tc := range map[string]struct {
		f     Formula
		proof []byte
	}{
		"a sum":              {apart, sum(0, 1, 1, 1)},
		"multipliers":        {multiple, sum(1, 2, 2, 1)},
		"large multipliers":  {apart, sum(0, math.MaxUint64, 1, math.MaxUint64)},
		"splits":             {nested, nestedProof},
		"no parts to choose": {choice(), split(0)},
		"false alone":        {atMost(-1), sum(0, 1)},
	} {
		if err := Check(tc.f, tc.proof); err != nil {
			t.Errorf("%s: Check: got %v, want nil", name, err)
		}
	}
}

// wrong has a certificate for each comparison of Check, and for what it does
// when it leaves a node. Each would be accepted, or would crash Check, without.
// The last one would make Check run on.
var wrong = []struct {
	name  string
	f     Formula
	proof []byte
}{
	{"a variable remains", all(atMost(0, 1), atMost(-1, -1, 1)), sum(0, 1, 1, 1)},
	{"0 ≤ 0", all(atMost(1, 1), atMost(-1, -1)), sum(0, 1, 1, 1)},
	{"a sum of nothing", apart, sum()},
	{"wrong multipliers", multiple, sum(1, 1, 2, 1)},
	{"a negative multiplier", atMost(1), sum(0, math.MaxUint64)},
	{"more than int64 holds", atMost(-1, 1<<62), sum(0, 4)},
	{"no such inequality", apart, sum(0, 1, 2, 1)},
	{"no such choice", apart, split(0)},
	{"no such kind", choice(), numbers(2, 0)},
	{"nothing", apart, nil},
	{"ends in a sum", atMost(-1), numbers(Sum, 2, 0, 1)},
	{"an endless number", apart, slices.Repeat([]byte{0xff}, 11)},
	{"bytes follow", apart, append(sum(0, 1, 1, 1), 0)},
	{"a part is missing", choice(apart, apart), split(0, sum(0, 1, 1, 1))},
	{"the second part holds", choice(apart, all()), split(0, sum(0, 1, 1, 1), sum(0, 1))},
	{"branches swapped", nested, split(1, sum(0, 1, 1, 1, 2, 1), split(0, sum(3, 1, 4, 1), sum(2, 1, 4, 1)))},
	{"an inequality of another part", choice(all(apart, atMost(0, 0, 1)), atMost(-1, 0, -1)), split(0, sum(0, 1, 1, 1), sum(2, 1, 3, 1))},
	{"a choice of another part", choice(all(apart, choice()), all()), split(0, sum(0, 1, 1, 1), split(1))},
	{"the parts of a choice together", choice(atMost(0, 1), atMost(-1, -1)), sum(0, 1, 1, 1)},
	{"an endless sum", atMost(-1), numbers(Sum, math.MaxUint64, 0, 1)},
}

func TestHazard_CheckRejects(t *testing.T) {
	for _, tc := range wrong {
		if err := Check(tc.f, tc.proof); !errors.Is(err, ErrRejected) {
			t.Fatalf("%s: Check: got %v, want ErrRejected", tc.name, err)
		}
	}
}
