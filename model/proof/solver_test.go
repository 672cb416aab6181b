package proof_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/z3"
	"sharedbarrier/spec"
)

// limit is far more than any condition needs on a slow machine.
const limit = 5 * time.Minute

var found = sync.OnceValues(func() (z3.Solver, error) {
	return z3.Find(context.Background(), func(line string) { os.Stderr.WriteString(line + "\n") })
})

// solver returns Z3, or skips the test, or in strict mode fails it.
func solver(t *testing.T) z3.Solver {
	t.Helper()
	s, err := found()
	switch {
	case err == nil:
		return s
	case errors.Is(err, z3.ErrMissing) && os.Getenv("SHAREDBARRIER_STRICT") != "1":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
	return s
}

var decided sync.Map // the verdict on each script that was asked about

// prove decides the conditions and returns those that are not valid, with their
// results. What was decided before is not asked again.
func prove(t *testing.T, conditions []proof.Condition) map[string]proof.Result {
	t.Helper()
	var fresh []proof.Condition
	for _, c := range conditions {
		if _, known := decided.Load(c.SMT()); !known {
			fresh = append(fresh, c)
		}
	}
	i := 0
	err := solver(t).Prove(t.Context(), fresh, limit, func(r proof.Result) {
		if r.Verdict == spec.Unfinished {
			t.Fatalf("%s: %s after %v s", r.Condition, r.Verdict, r.Seconds)
		}
		decided.Store(fresh[i].SMT(), r)
		i++
	})
	if err != nil {
		t.Fatal(err)
	}
	invalid := map[string]proof.Result{}
	for _, c := range conditions {
		r, _ := decided.Load(c.SMT())
		if r := r.(proof.Result); r.Verdict != spec.Verified {
			invalid[c.Name] = r
		}
	}
	return invalid
}

// TestProof is the proof.
func TestProof(t *testing.T) {
	for _, sc := range []spec.Scenario{spec.Withdraw, spec.Reuse, spec.Single} {
		table, err := proof.Scenario(sc)
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range prove(t, proof.Conditions(table)) {
			t.Errorf("scenario %v: condition %s is %s, want %s\n%v", sc, name, r.Verdict, spec.Verified, r.Counterexample)
		}
	}
}

// mostProcs is how many processes Search tries a mutant with. One or two are
// enough for those that are unsafe.
const mostProcs = 4

// search returns what the first number of processes finds that breaks anything.
func search(m proof.Mutant) (r proof.Reached) {
	for n := 1; n <= mostProcs && r.Property == ""; n++ {
		r = proof.Search(m.Table(), n)
	}
	return r
}

// TestHazard_Mutants: the proof fails for each mutant that is unsafe, which is
// decided by running it. For those that are said to be safe nothing is found.
func TestHazard_Mutants(t *testing.T) {
	if len(proof.Mutants) < 10 {
		t.Errorf("%d mutants, want at least 10", len(proof.Mutants))
	}
	for _, m := range proof.Mutants {
		t.Run(m.Name, func(t *testing.T) {
			r := search(m)
			if safe := r.Property == ""; safe != (m.Safe != "") {
				t.Errorf("Search: breaks %q after %v; the table of mutants says: %q", r.Property, r.Schedule(), m.Safe)
			}
			invalid := prove(t, proof.Conditions(m.Table()))
			if len(invalid) == 0 && m.Safe == "" {
				t.Errorf("all conditions are valid, but the mutant breaks %s after %v", r.Property, r.Schedule())
			}
			for name, result := range invalid {
				if result.Counterexample == nil {
					t.Errorf("condition %s is not valid, and has no counterexample", name)
				}
			}
		})
	}
}

// without returns the invariant without one of its clauses, for each of them.
func without() (names []string, invariants []proof.Invariant) {
	inv := proof.TheInvariant()
	for _, part := range []struct {
		phase   string
		clauses *[]proof.Clause
	}{{"", &inv.Always}, {"Gathering.", &inv.Gathering}, {"Draining.", &inv.Draining}} {
		all := *part.clauses
		for i, c := range all {
			*part.clauses = append(append([]proof.Clause(nil), all[:i]...), all[i+1:]...)
			names, invariants = append(names, part.phase+c.Name), append(invariants, inv)
		}
		*part.clauses = all
	}
	return names, invariants
}

// weakSpot returns a condition that is not valid if inv is the invariant, or
// nothing. All states of one and two processes are tried for one, and the solver
// must agree; where they refute none, the solver is asked about all.
func weakSpot(t *testing.T, inv proof.Invariant) string {
	t.Helper()
	conditions := proof.ConditionsOf(proof.Protocol(), inv)
	if i := slices.IndexFunc(conditions, refutedBySmall(inv)); i >= 0 {
		conditions = conditions[i : i+1]
	}
	for _, c := range conditions {
		if len(prove(t, []proof.Condition{c})) > 0 {
			return c.Name
		}
	}
	return ""
}

// refutedBySmall tells of a condition whether a state of one or two processes
// that satisfies inv refutes it.
func refutedBySmall(inv proof.Invariant) func(proof.Condition) bool {
	var admitted []proof.State
	for n := 1; n <= 2; n++ {
		everyState(n, func(s *proof.State) {
			if inv.Holds(s) {
				admitted = append(admitted, *s)
			}
		})
	}
	return func(c proof.Condition) bool {
		return slices.ContainsFunc(admitted, func(s proof.State) bool {
			_, _, refuted := c.Refuted(&s)
			return refuted
		})
	}
}

// TestInvariant_EachClauseCounts: without any one of its clauses the invariant
// proves nothing.
func TestInvariant_EachClauseCounts(t *testing.T) {
	names, invariants := without()
	for i, name := range names {
		if weakSpot(t, invariants[i]) == "" {
			t.Errorf("without %s all conditions are valid: the clause says nothing", name)
		}
	}
}
