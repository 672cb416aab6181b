package model

import (
	"context"
	"testing"

	"sharedbarrier/spec"
)

// TestHazard_EveryScenarioIsDecided asks every question, each failure beside
// its twin that passes, and compares with what spec says once it has decided.
func TestHazard_EveryScenarioIsDecided(t *testing.T) {
	asked := map[spec.Scenario]map[spec.Property]bool{}
	for _, q := range Questions() {
		r := Explore(context.Background(), q.Config, Options{Check: q.Check, Liveness: q.Liveness})
		if !q.Expected(r) {
			t.Errorf("%v, checking %v: %s, want it to be that each %s", q.Config, q.Check, brief(r.Result), q.Expect)
		}
		if q.Config.Twin {
			continue
		}
		for _, p := range q.Check {
			if asked[q.Config.Scenario] == nil {
				asked[q.Config.Scenario] = map[spec.Property]bool{}
			}
			asked[q.Config.Scenario][p] = true
			if e := q.Config.Scenario.Expect(p); e != spec.Undecided && e != q.Expect {
				t.Errorf("%v %v: the model finds that it %s, spec expects that it %s", q.Config.Scenario, p, q.Expect, e)
			}
		}
	}
	for _, sc := range spec.AllScenarios {
		for _, p := range spec.AllProperties {
			if sc != spec.Fork && !asked[sc][p] {
				t.Errorf("no question asks for %v in scenario %v", p, sc)
			}
		}
	}
}
