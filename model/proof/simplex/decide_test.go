package simplex_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/model/proof/certificate"
	"sharedbarrier/model/proof/simplex"
)

// The formulas of these tests have some variables, which are all within most of
// 0, so that every assignment can be tried.
const (
	variables = 3
	most      = 3
)

// formulas generates formulas whose parts nest to the depth.
func formulas(depth int) *rapid.Generator[certificate.Formula] {
	return rapid.Custom(func(t *rapid.T) certificate.Formula {
		kind := certificate.Kind(rapid.IntRange(0, 2).Draw(t, "kind"))
		if depth == 0 {
			kind = certificate.Inequality
		}
		if kind != certificate.Inequality {
			return certificate.Formula{Kind: kind, Parts: rapid.SliceOfN(formulas(depth-1), 0, 4).Draw(t, "parts")}
		}
		f := certificate.Formula{Kind: kind, Bound: rapid.Int64Range(-6, 6).Draw(t, "bound")}
		for v := range variables {
			if k := rapid.Int64Range(-3, 3).Draw(t, "factor"); k != 0 {
				f.Sum = append(f.Sum, certificate.Term{Variable: v, Factor: k})
			}
		}
		return f
	})
}

// bounded is f, and that each variable is within most of 0.
func bounded(f certificate.Formula) certificate.Formula {
	all := certificate.Formula{Kind: certificate.All, Parts: []certificate.Formula{f}}
	for v := range variables {
		for _, sign := range []int64{-1, 1} {
			all.Parts = append(all.Parts, certificate.Formula{Kind: certificate.Inequality,
				Sum: []certificate.Term{{Variable: v, Factor: sign}}, Bound: most})
		}
	}
	return all
}

// solvable tries all integers.
func solvable(f certificate.Formula) bool {
	x := make([]int64, variables)
	var try func(v int) bool
	try = func(v int) bool {
		if v == variables {
			return f.True(x)
		}
		for x[v] = -most; x[v] <= most; x[v]++ {
			if try(v + 1) {
				return true
			}
		}
		return false
	}
	return try(0)
}

// TestConform_Decide compares Decide and Check with trying all integers.
func TestConform_Decide(t *testing.T) {
	decided := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		f := bounded(formulas(3).Draw(t, "formula"))
		proof, x, err := simplex.Decide(t.Context(), f, variables)
		switch {
		case errors.Is(err, simplex.ErrUndecided):
			return // fractions
		case err != nil:
			t.Fatal(err)
		case x != nil && !f.True(x):
			t.Fatalf("Decide: the formula is not true of %v", x)
		case x == nil && certificate.Check(f, proof) != nil:
			t.Fatalf("Decide: %v", certificate.Check(f, proof))
		}
		if want := solvable(f); want != (x != nil) {
			t.Fatalf("Decide: got a solution %v, want %v", x, want)
		}
		decided[x != nil]++
	})
	if decided[true] == 0 || decided[false] == 0 {
		t.Errorf("%d formulas with a solution and %d without, want some of each", decided[true], decided[false])
	}
}

// TestHazard_CertificateOfAnother: a certificate of a formula is rejected for
// one that is like it and has a solution.
func TestHazard_CertificateOfAnother(t *testing.T) {
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		f := formulas(3).Draw(t, "formula")
		extra := formulas(1).Draw(t, "extra")
		// both number what they assume in the same way
		with := bounded(certificate.Formula{Kind: certificate.All, Parts: []certificate.Formula{extra, f}})
		without := bounded(certificate.Formula{Kind: certificate.All, Parts: []certificate.Formula{{}, f}})
		if extra.Kind == certificate.Inequality {
			without.Parts[0].Parts[0] = certificate.Formula{Kind: certificate.Inequality, Sum: extra.Sum, Bound: extra.Bound + 1}
		}
		proof, x, err := simplex.Decide(t.Context(), with, variables)
		if err != nil || x != nil || !solvable(without) {
			return
		}
		tried++
		if err := certificate.Check(without, proof); !errors.Is(err, certificate.ErrRejected) {
			t.Fatalf("Check: got %v, want ErrRejected", err)
		}
	})
	if tried == 0 {
		t.Error("no certificate was tried")
	}
}

// TestUnit_DecideGivesUp: numbers that are too large, fractions, and the end of
// the context.
func TestUnit_DecideGivesUp(t *testing.T) {
	inequality := func(bound int64, factors ...int64) certificate.Formula {
		f := certificate.Formula{Kind: certificate.Inequality, Bound: bound}
		for v, k := range factors {
			f.Sum = append(f.Sum, certificate.Term{Variable: v, Factor: k})
		}
		return f
	}
	all := func(parts ...certificate.Formula) certificate.Formula {
		return certificate.Formula{Kind: certificate.All, Parts: parts}
	}
	half := all(inequality(1, 2), inequality(-1, -2))                           // 2x = 1
	large := all(inequality(-1<<40, 1<<30, 1), inequality(-1<<40, 1, -(1<<30))) // beyond what it computes with
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		f    certificate.Formula
		want error
	}{
		{"half", t.Context(), half, simplex.ErrUndecided},
		{"large", t.Context(), large, simplex.ErrUndecided},
		{"ended", ended, all(), context.Canceled},
	} {
		if proof, x, err := simplex.Decide(tc.ctx, tc.f, 2); !errors.Is(err, tc.want) || proof != nil || x != nil {
			t.Errorf("%s: Decide: got %v, %v, %v, want %v", tc.name, proof, x, err, tc.want)
		}
	}
}
