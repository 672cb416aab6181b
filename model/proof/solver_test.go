package proof_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
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
	t.Parallel()
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

// mostProcs is how many processes a mutant is run with. One or two are enough
// for those that are unsafe.
const mostProcs = 4

// TestHazard_Mutants: the proof fails for each mutant that is unsafe, which is
// decided by running it. For those that are said to be safe nothing is found.
func TestHazard_Mutants(t *testing.T) {
	t.Parallel()
	unsafe := [][]string{{"mutant", "what is changed", "breaks", "n", "moves", "conditions that are not valid"}}
	safe := [][]string{{"mutant", "what is changed", "why it is safe", "conditions that are not valid"}}
	small := refutedBySmall(proof.TheInvariant())
	for _, m := range proof.Mutants() {
		r := proof.SearchUpTo(m.Table(), mostProcs)
		if found := r.Property != ""; found == (m.Safe != "") {
			t.Errorf("%s: breaks %q after %v; the table of mutants says %q", m.Name, r.Property, r.Schedule(), m.Safe)
		}
		conditions := proof.Conditions(m.Table())
		invalid := prove(t, conditions)
		for _, c := range conditions {
			if _, found := invalid[c.Name]; !found && small(c) {
				t.Errorf("%s: the solver says that %s is valid, but a state of one or two processes refutes it", m.Name, c.Name)
			}
		}
		for name, result := range invalid {
			if result.Counterexample == nil {
				t.Errorf("%s: condition %s is not valid, and has no counterexample", m.Name, name)
			}
		}
		names := "none"
		if len(invalid) > 0 {
			names = code(strings.Join(slices.Sorted(maps.Keys(invalid)), "`, `"))
		}
		if m.Safe != "" {
			safe = append(safe, []string{code(m.Name), m.Says, m.Safe, names})
			continue
		}
		if len(invalid) == 0 {
			t.Errorf("%s: all conditions are valid, but it breaks %s after %v", m.Name, r.Property, r.Schedule())
		}
		last := r.States[len(r.States)-1]
		unsafe = append(unsafe, []string{code(m.Name), m.Says, code(r.Property), fmt.Sprint(last.N), fmt.Sprint(len(r.Schedule())), names})
	}
	if got := len(unsafe) - 1; got < 10 {
		t.Errorf("%d mutants are unsafe, want at least 10", got)
	}
	goldenTable(t, "mutants", unsafe)
	goldenTable(t, "safe", safe)
}

// part is a clause of the invariant, and the invariant without it.
type part struct {
	phase  string
	clause proof.Clause
	rest   proof.Invariant
}

func parts() (list []part) {
	inv := proof.TheInvariant()
	for _, p := range []struct {
		name    string
		clauses *[]proof.Clause
	}{{"always", &inv.Always}, {"Gathering", &inv.Gathering}, {"Draining", &inv.Draining}} {
		all := *p.clauses
		for i, c := range all {
			*p.clauses = slices.Concat(all[:i], all[i+1:])
			list = append(list, part{p.name, c, inv})
		}
		*p.clauses = all
	}
	return list
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
	t.Parallel()
	rows := [][]string{{"phase", "clause", "in words", "formula", "without it, not valid"}}
	for _, p := range parts() {
		weak := weakSpot(t, p.rest)
		if weak == "" {
			t.Errorf("without %s all conditions are valid: the clause says nothing", p.clause.Name)
		}
		formula := code(p.clause.Holds.String())
		if p.clause.Name == "Counters" {
			formula = "`0 ≤ behind[s]` and `0 ≤ ahead[s]` for each step s"
		}
		rows = append(rows, []string{p.phase, code(p.clause.Name), p.clause.Says, formula, code(weak)})
	}
	goldenTable(t, "invariant", rows)
}
