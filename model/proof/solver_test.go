package proof_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/solver"
	"sharedbarrier/spec"
)

// limit is far more than a condition needs on a slow machine.
const limit = 5 * time.Minute

var found = sync.OnceValues(func() (list []solver.Solver, err error) {
	for _, k := range solver.Kinds {
		s, err := k.Find(context.Background(), func(line string) { os.Stderr.WriteString(line + "\n") })
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
})

var (
	mu      sync.Mutex
	decided = map[string]*proof.Result{} // by script
)

// prove decides the conditions and returns the results of those that are not
// valid.
func prove(t *testing.T, conditions ...proof.Condition) map[string]*proof.Result {
	t.Helper()
	invalid := map[string]*proof.Result{}
	for _, r := range decide(t, conditions...) {
		switch r.Verdict {
		case spec.Verified:
		case spec.Violated:
			invalid[r.Condition] = r
		default:
			t.Fatalf("%s: %s by %v", r.Condition, r.Verdict, r.Decided)
		}
	}
	return invalid
}

// decide has a certificate or a search decide each condition, and both solvers,
// which must agree. It does so once for each script. Without the solvers it
// skips the test; with -short it asks none.
func decide(t *testing.T, conditions ...proof.Condition) (list []*proof.Result) {
	t.Helper()
	var solvers []solver.Solver
	if !testing.Short() {
		var err error
		solvers, err = found()
		toolcache.Require(t, err)
	}
	mu.Lock()
	defer mu.Unlock()
	var fresh []proof.Condition
	scripts := make([]string, len(conditions))
	for i, c := range conditions {
		scripts[i] = c.SMT()
		if decided[scripts[i]] == nil {
			decided[scripts[i]] = ours(t, c)
			fresh = append(fresh, c)
		}
	}
	for _, s := range solvers {
		verdicts, err := s.Decide(t.Context(), fresh, limit, func(int) {})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range verdicts {
			if err := decided[fresh[i].SMT()].Add(proof.Decision{By: s.Name, Verdict: v}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, script := range scripts {
		list = append(list, decided[script])
	}
	return list
}

// ours decides a condition without a solver.
func ours(t *testing.T, c proof.Condition) *proof.Result {
	t.Helper()
	r, by := proof.Result{Condition: c.Name, Verdict: spec.Verified}, "certificate"
	if c.Verify() != nil {
		by = "search"
		_, example, err := c.Decide(t.Context())
		if err != nil {
			t.Fatalf("%s: Decide: %v", c.Name, err)
		}
		if r.Counterexample = example; example != nil {
			r.Verdict = spec.Violated
		}
	}
	r.Decided = []proof.Decision{{By: by, Verdict: r.Verdict}}
	return &r
}

// TestUnit_Proof is the proof: certificates and both solvers decide all
// conditions.
func TestUnit_Proof(t *testing.T) {
	t.Parallel()
	for _, sc := range []spec.Scenario{spec.Withdraw, spec.Reuse, spec.Single} {
		table, err := proof.Scenario(sc)
		if err != nil {
			t.Fatal(err)
		}
		conditions := proof.Conditions(table)
		for name, r := range prove(t, conditions...) {
			t.Errorf("scenario %v: condition %s is %s, want %s\n%v", sc, name, r.Verdict, spec.Verified, r.Counterexample)
		}
		for _, c := range conditions {
			if err := c.Verify(); err != nil {
				t.Errorf("scenario %v: condition %s: Verify: %v", sc, c.Name, err)
			}
		}
	}
}

// mostProcs is the number of processes up to which a mutant is run. Those that
// break a property do so with three at most.
const mostProcs = 4

// TestHazard_Mutants: running a mutant breaks a property, and the proof of it
// fails. Running one that has a reason why it is harmless breaks none. With
// -short it tries an eighth of them.
func TestHazard_Mutants(t *testing.T) {
	t.Parallel()
	broken := [][]string{{"mutant", "mistake", "breaks", "n", "moves", "conditions that are not valid"}}
	harmless := [][]string{{"mutant", "mistake", "why it is harmless", "conditions that are not valid"}}
	small := refutedBySmall(proof.TheInvariant())
	for i, m := range proof.Mutants() {
		if testing.Short() && i%8 != 0 {
			continue
		}
		r := proof.SearchUpTo(m.Table(), mostProcs)
		if found := r.Property != ""; found == (m.Why != "") {
			t.Errorf("%s: breaks %q after %v; the table of mutants says %q", m.Name, r.Property, r.Schedule(), m.Why)
		}
		conditions := proof.Conditions(m.Table())
		invalid := prove(t, conditions...)
		safe := true
		for _, c := range conditions {
			result, found := invalid[c.Name]
			safe = safe && !(found && c.Kind == spec.Safety)
			if !found && small(c) {
				t.Errorf("%s: %s is proved, but a state of one or two processes refutes it", m.Name, c.Name)
			}
			if found && result.Counterexample == nil {
				t.Errorf("%s: condition %s is not valid, and has no counterexample", m.Name, c.Name)
			}
		}
		names := "none"
		if len(invalid) > 0 {
			names = code(strings.Join(slices.Sorted(maps.Keys(invalid)), "`, `"))
		}
		if m.Why != "" {
			harmless = append(harmless, []string{code(m.Name), m.Doc, m.Why, names})
			continue
		}
		if len(invalid) == 0 {
			t.Errorf("%s: all conditions are valid, but it breaks %s after %v", m.Name, r.Property, r.Schedule())
		}
		if safe && r.Property != spec.NoHang.String() {
			t.Errorf("%s: all conditions of safety are valid, but it breaks %s after %v", m.Name, r.Property, r.Schedule())
		}
		last := r.States[len(r.States)-1]
		broken = append(broken, []string{code(m.Name), m.Doc, code(r.Property), fmt.Sprint(last.N), fmt.Sprint(len(r.Schedule())), names})
	}
	if !testing.Short() {
		goldenTable(t, "mutants", broken)
		goldenTable(t, "harmless", harmless)
	}
}

// A part is a clause of the invariant, and the invariant without it.
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

// weakSpot returns the name of a condition that is not valid if inv is the
// invariant, or nothing. It tries all states of one and two processes first, and
// prove must agree; if they refute no condition, prove decides all.
func weakSpot(t *testing.T, inv proof.Invariant) string {
	t.Helper()
	conditions := proof.ConditionsOf(proof.Protocol(), inv, proof.TheRank())
	if i := slices.IndexFunc(conditions, refutedBySmall(inv)); i >= 0 {
		conditions = conditions[i : i+1]
	}
	for _, c := range conditions {
		if len(prove(t, c)) > 0 {
			return c.Name
		}
	}
	return ""
}

// refutedBySmall returns a function that reports whether a state of one or two
// processes that satisfies inv refutes a condition.
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

// TestHazard_InvariantWithoutAClause: without any one of its clauses the
// invariant proves nothing.
func TestHazard_InvariantWithoutAClause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("TestHazard_Mutants asks for conditions that are not valid")
	}
	rows := [][]string{{"phase", "clause", "in words", "formula", "without it, not valid"}}
	for _, p := range parts() {
		weak := weakSpot(t, p.rest)
		if weak == "" {
			t.Errorf("without %s all conditions are valid, want one that is not", p.clause.Name)
		}
		formula := code(p.clause.Holds.String())
		if p.clause.Name == "Counters" {
			formula = "`0 ≤ behind[s]` and `0 ≤ ahead[s]` for each step s"
		}
		rows = append(rows, []string{p.phase, code(p.clause.Name), p.clause.Doc, formula, code(weak)})
	}
	goldenTable(t, "invariant", rows)
}
