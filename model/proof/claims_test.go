package proof_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/rocq"
	"sharedbarrier/spec"
)

// A claim is a statement about scenario withdraw that the page makes.
type claim struct {
	name, says string
	property   spec.Property // name is its name
	holds      func(sizes, int) bool
}

// claims lists the properties, that the barrier refines an abstract one, and
// the bounds of a round. The last are checked against what compare measures.
func claims() (list []claim) {
	for _, p := range spec.AllProperties {
		list = append(list, claim{name: p.String(), says: p.Doc(), property: p})
	}
	rank := proof.TheRank()
	return append(list,
		claim{name: "RefinesBarrier", says: "it does what Barrier.tla, an abstract barrier, does"},
		claim{name: "round", says: "a round in which no call gives up has at most " + rank.StepsOfRound().String() + " steps",
			holds: func(got sizes, n int) bool { return got.round <= rank.StepsOfRound().Of(n) }},
		claim{name: "end", says: "once no call gives up any more, the round ends within " + rank.StepsToEnd().String() + " steps",
			holds: func(got sizes, n int) bool { return got.toEnd <= rank.StepsToEnd().Of(n) }},
	)
}

func (c claim) isProperty() bool { return c.property.String() == c.name }

// TestGolden_Claims asks each check about each claim.
func TestGolden_Claims(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the tests of each check ask it about smaller sizes")
	}
	checks := []struct {
		name   string
		decide func(*testing.T, claim) string // for which n the claim holds; empty: it is not asked
	}{
		{"explorer", explorerDecides},
		{"TLC", tlcDecides},
		{"certificate", provedBy("certificate")},
		{"Z3", provedBy("Z3")},
		{"cvc5", provedBy("cvc5")},
		{"Rocq", rocqProves},
	}
	rows := [][]string{{"claim", "in words"}}
	for _, check := range checks {
		rows[0] = append(rows[0], check.name)
	}
	for _, c := range claims() {
		row := []string{code(c.name), c.says}
		for _, check := range checks {
			row = append(row, check.decide(t, c))
		}
		if !slices.ContainsFunc(row[2:], func(cell string) bool { return cell != "" }) {
			t.Errorf("no check decides %s", c.name)
		}
		rows = append(rows, row)
	}
	goldenTable(t, "claims", rows)
}

// explorerDecides explores up to sizes that take about a second: up to symmetry
// for safety, with the search for fair loops for NoHang, and the whole graph for
// the bounds.
func explorerDecides(t *testing.T, c claim) string {
	ask := func(n int) bool {
		opt := explore.Options{Check: []spec.Property{c.property}, Symmetry: true}
		if c.property.Kind() == spec.Liveness {
			opt.Symmetry, opt.Liveness = false, true
		}
		return explore.Explore(t.Context(), model.Config{Scenario: spec.Withdraw, Procs: n}, opt).Verdict == spec.Verified
	}
	most := 8
	switch {
	case c.holds != nil:
		most = mostCompared
		ask = func(n int) bool {
			got, err := compared(spec.Withdraw, n)
			return err == nil && c.holds(got, n)
		}
	case !c.isProperty():
		return ""
	case c.property.Kind() == spec.Liveness:
		most = 4
	}
	for n := 1; n <= most; n++ {
		if !ask(n) {
			t.Errorf("the explorer refutes %s for n = %d", c.name, n)
		}
	}
	return fmt.Sprintf("n ≤ %d", most)
}

// tlcDecides reads what TLC has answered, without a bound on rounds.
func tlcDecides(t *testing.T, c claim) string {
	text, err := os.ReadFile("../../tla/questions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Questions []struct {
			Scenario, Kind, Spec, Verdict string
			Procs, Rounds                 int
			Invariants, Properties        []string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var verified []int
	for _, q := range file.Questions {
		asked := slices.Contains(q.Invariants, c.name) || slices.Contains(q.Properties, c.name)
		if asked && q.Scenario == spec.Withdraw.String() && q.Rounds == 0 && q.Spec == "" && q.Verdict == string(spec.Verified) {
			verified = append(verified, q.Procs)
		}
	}
	if len(verified) == 0 {
		return ""
	}
	least, most := slices.Min(verified), slices.Max(verified)
	if most-least+1 != len(verified) {
		t.Errorf("TLC has decided %s for n in %v, want a range", c.name, verified)
	}
	return fmt.Sprintf("%d ≤ n ≤ %d", least, most)
}

// rocqProves names the theorem. TestGolden_Theorems of package rocq has it
// proved.
func rocqProves(_ *testing.T, c claim) string {
	i := slices.IndexFunc(rocq.Theorems, func(t rocq.Theorem) bool { return t.Claim == c.name })
	if i < 0 {
		return ""
	}
	return "every n: " + code(rocq.Theorems[i].Name)
}

// needed lists the conditions that a claim follows from. NeverTwoAhead is one
// for each claim: without it a process can make a move that is not in Rules.
func needed(c claim) (list []proof.Condition) {
	live := c.holds != nil || c.isProperty() && c.property.Kind() == spec.Liveness
	if !live && !c.isProperty() {
		return nil
	}
	for _, condition := range proof.Conditions(proof.Protocol()) {
		var keep bool
		switch goal := condition.Goal; {
		case condition.Kind == spec.Liveness:
			keep = live
		case goal == nil: // the invariant
			keep = true
		default:
			keep = goal.Name == c.name || goal.Name == "NeverTwoAhead"
		}
		if keep {
			list = append(list, condition)
		}
	}
	return list
}

// provedBy counts the conditions that a check of the proof has verified.
func provedBy(check string) func(*testing.T, claim) string {
	return func(t *testing.T, c claim) string {
		list := needed(c)
		if len(list) == 0 {
			return ""
		}
		for i, r := range decide(t, list...) {
			if !slices.Contains(r.Decided, proof.Decision{By: check, Verdict: spec.Verified}) {
				t.Errorf("%s does not prove %s, which %s needs", check, list[i].Name, c.name)
			}
		}
		return fmt.Sprintf("every n: %d conditions", len(list))
	}
}
