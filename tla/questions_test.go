package tla_test

import (
	"context"
	"os"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/tla/tlc"
)

// TLC answers every short question as questions.json says, figures included,
// and its counterexamples are runs of the model that end in a violation there,
// too. With -short it does so for reuse-n2.
func TestConform_Questions(t *testing.T) {
	groups := shortGroups(t)
	if testing.Short() {
		groups = append(graphs(t), groupOf(t, "crash-n3-NoDeadlock"))
	}
	for _, group := range groups {
		t.Run(group[0].Name(), func(t *testing.T) {
			t.Parallel()
			a := askGroup(t, group)
			for i, want := range group {
				outcome := a.outcomes[i]
				if differs := want.Differs(outcome.Result, true); differs != "" {
					t.Errorf("CheckAll(%s): %s", want.Name(), differs)
				}
				if wrong := behaves(want.ModelConfig(), outcome.Result); wrong != "" {
					t.Errorf("the counterexample to %s is no run of the model: %s", want.Name(), wrong)
				}
			}
			if last := len(a.progress) - 1; group[len(group)-1].Liveness() && (last < 1 || a.progress[0].Temporal || !a.progress[last].Temporal) {
				t.Errorf("CheckAll(%s) reports %+v; want temporal properties checked in the end, and not at first", group[0].Name(), a.progress)
			}
		})
	}
}

// What TLC answered is what spec expects of each scenario, once it expects
// something, and TLC answers for every property.
func TestConform_Spec(t *testing.T) {
	verdicts := verdictsByRow(t)
	for _, s := range spec.AllScenarios {
		for _, p := range spec.AllProperties {
			if s == spec.Fork {
				continue
			}
			got := verdicts[scenarioName(tlc.Question{Scenario: s.String()})][p.String()]
			if want := s.Expect(p); got != want && want != spec.Undecided || got == "" {
				t.Errorf("%v in scenario %v: TLC finds that it %q, spec expects that it %q", p, s, got, want)
			}
		}
	}
}

// What TLC answered (questions.json) is what the explorer of the model answers
// now: the verdict, and where all states were visited, their number, that of
// the edges, and their depth. This is where n = 4, 5 and 6 are compared.
func TestConform_Explorer(t *testing.T) {
	for _, want := range questions(t) {
		properties, ok := modelProperties(want)
		if !ok || want.Class == tlc.Long && os.Getenv("SHAREDBARRIER_STRICT") != "1" || testing.Short() && want.Distinct > 100_000 {
			continue // up to millions of states
		}
		t.Run(want.Name(), func(t *testing.T) {
			cfg := want.ModelConfig()
			got := explore.Explore(context.Background(), cfg, explore.Options{Check: properties})
			if got.Verdict != want.Verdict || got.Property != want.Property {
				t.Fatalf("Explore(%s, %v) = %s %s, and TLC found %s %s", name(cfg), properties, got.Verdict, got.Property, want.Verdict, want.Property)
			}
			if len(got.Trace) > 0 && len(got.Trace) != want.Depth-1 {
				t.Errorf("Explore(%s, %v): the shortest counterexample has %d steps, and TLC's %d", name(cfg), properties, len(got.Trace), want.Depth-1)
			}
			if want.Verdict == spec.Verified && (got.Distinct != want.Distinct || got.Generated != want.Generated || got.Depth != want.Depth) {
				t.Errorf("Explore(%s): %d distinct of %d states, depth %d; and TLC found %d of %d, depth %d", name(cfg),
					got.Distinct, got.Generated, got.Depth, want.Distinct, want.Generated, want.Depth)
			}
		})
	}
}

// modelProperties are the properties that the question asks about, if it is one
// about states that the explorer of the model can answer too.
func modelProperties(q tlc.Question) (list []spec.Property, ok bool) {
	if q.Liveness() {
		return nil, false
	}
	for _, name := range q.Invariants {
		if name == "NoDeadlock" {
			name = spec.NoHang.String()
		}
		property, err := spec.ParseProperty(name)
		if err != nil {
			return nil, false
		}
		list = append(list, property)
	}
	return list, true
}
