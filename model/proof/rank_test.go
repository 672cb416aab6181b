package proof_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// TestHazard_RankOffByOne: if any one weight, what a stage adds, or a bound is
// lower or higher by one, a state of one or two processes refutes a condition. A
// bound that is looser is no mistake, so it has only one direction.
func TestHazard_RankOffByOne(t *testing.T) {
	t.Parallel()
	refuted := refutedBySmall(proof.TheInvariant())
	rank := proof.TheRank()
	// off names a condition that is not valid when *number is off by so much.
	off := func(number *int, by int) string {
		*number += by
		defer func() { *number -= by }()
		changed := rank
		changed.Stages = slices.Clone(rank.Stages)
		conditions := slices.DeleteFunc(proof.ConditionsOf(proof.Protocol(), proof.TheInvariant(), changed),
			func(c proof.Condition) bool { return c.Kind == spec.Safety })
		i := slices.IndexFunc(conditions, refuted)
		if i < 0 {
			return ""
		}
		return conditions[i].Name
	}
	both := func(what string, number *int) []string {
		less, more := off(number, -1), off(number, 1)
		if less == "" || more == "" {
			t.Errorf("%s = %d: not valid with one less: %q, with one more: %q; want a condition for each", what, *number, less, more)
		}
		return []string{fmt.Sprint(*number), code(less), code(more)}
	}

	weights := [][]string{{"place", "weight", "one less: not valid", "one more: not valid"}}
	for _, g := range []proof.Group{proof.Behind, proof.Ahead} {
		for _, step := range proof.Steps {
			weight, place := &rank.Weights[g][step], fmt.Sprintf("%v[%v]", g, step)
			if *weight != 0 || place == "ahead[LockFirst]" {
				weights = append(weights, slices.Concat([]string{code(place)}, both(place, weight)))
			}
		}
	}
	stages := [][]string{{"stage", "in words", "formula", "adds", "one less: not valid", "one more: not valid"}}
	for i := range rank.Stages {
		st := &rank.Stages[i]
		formula := code(st.When.String())
		if i == len(rank.Stages)-1 {
			formula = "otherwise"
		}
		stages = append(stages, slices.Concat([]string{st.Name, st.Doc, formula}, both(st.Name, &st.Adds)))
	}
	for _, b := range []struct {
		what   string
		number *int
		by     int
	}{
		{"Start.Each", &rank.Start.Each, -1}, {"Start.Plus", &rank.Start.Plus, -1}, {"Least", &rank.Least, 1},
		{"Most.Each", &rank.Most.Each, -1}, {"Most.Plus", &rank.Most.Plus, -1}, {"GiveUp", &rank.GiveUp, -1},
	} {
		if off(b.number, b.by) == "" {
			t.Errorf("with %s off by %d all conditions are valid for one and two processes, want one that is not", b.what, b.by)
		}
	}
	goldenTable(t, "weights", weights)
	goldenTable(t, "stages", stages)
}

// TestUnit_ObligationsOfLiveness: a step is to be possible, each move of each
// group is to change the rank as its kind may, and the rank is to be bounded: no
// condition is missing, and all but one start from the whole invariant.
func TestUnit_ObligationsOfLiveness(t *testing.T) {
	table := proof.Protocol()
	want := map[string]int{"deadlock": 0, "rank.initiation": 0, "rank.Most": 0, "rank.Least": 0} // by what it changes the rank
	for _, r := range table.Rules() {
		want["rank."+r.Name] = -1
		switch {
		case r.EndsRound:
			want["rank."+r.Name] = 0
		case strings.HasPrefix(r.Name, "GiveUp"):
			want["rank."+r.Name] = 16
		}
	}
	got := map[string]int{}
	for _, c := range proof.Conditions(table) {
		if c.Kind != spec.Liveness {
			continue
		}
		got[c.Name] = 0
		if c.Change != nil {
			got[c.Name] = c.Change.By
		}
		if given := c.Given != nil; given != (c.Name == "rank.initiation") || (c.Goal == nil) != (c.Change != nil) {
			t.Errorf("condition %s: given %v, goal %v, change %v", c.Name, given, c.Goal != nil, c.Change != nil)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("conditions of liveness: got %v, want %v", got, want)
	}
}

// TestUnit_NoDeadlock holds the goal against the moves themselves in every state
// of one and two processes, reachable or not: a step is possible that is not
// Call by a process ahead.
func TestUnit_NoDeadlock(t *testing.T) {
	table := proof.Protocol()
	goal, rules := proof.NoDeadlock(table), table.Rules()
	stuck := 0
	for n := 1; n <= 2; n++ {
		everyState(n, func(s *proof.State) {
			want := slices.ContainsFunc(rules, func(r proof.Rule) bool {
				return !strings.HasPrefix(r.Name, "GiveUp") && r.Name != "Call.ahead" && r.Possible(s)
			})
			if !want {
				stuck++
			}
			if got := goal.Holds.True(s); got != want {
				t.Fatalf("%v: the goal says that a step is possible: %v, want %v", s, got, want)
			}
		})
	}
	if stuck == 0 {
		t.Error("a step is possible in every state, want some outside the invariant in which none is")
	}
}
