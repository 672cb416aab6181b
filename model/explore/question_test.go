package explore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestHazard_EveryScenarioIsDecided asks every question, each failure and its
// control that passes, and compares with what spec says once it has decided.
func TestHazard_EveryScenarioIsDecided(t *testing.T) {
	asked := map[spec.Scenario]map[spec.Property]bool{}
	table := "| scenario | n | rounds | checked | expected | found | states | depth |\n|---|---|---|---|---|---|---|---|\n"
	for _, q := range model.Questions() {
		r := Explore(context.Background(), q.Config, Options{Check: q.Check, Liveness: q.Liveness, Symmetry: q.Symmetry})
		if !q.Expected(r.Result) {
			t.Errorf("%v, checking %v: %s, want it to be that each %s", q.Config, q.Check, brief(r.Result), q.Expect)
		}
		table += evidence(q, r)
		if q.Config.Control {
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
	golden.Part(t, "../README.md", "table", "scenarios", table)
}

// TestHazard_SmallestSizes: a property that fails in a scenario holds at every
// size below that of its question, and hazards show it there.
func TestHazard_SmallestSizes(t *testing.T) {
	for _, q := range model.Questions() {
		if q.Expect != spec.Fails {
			continue
		}
		at := q.Config
		for procs := 1; procs <= at.Procs; procs++ {
			for rounds := range max(at.Rounds, 3) + 1 {
				cfg := model.Config{Scenario: at.Scenario, Procs: procs, Rounds: rounds}
				if cfg.Validate() != nil || model.NeedsBound(cfg) != (rounds > 0) || procs == at.Procs && rounds >= at.Rounds {
					continue
				}
				if r := Explore(t.Context(), cfg, Options{Check: q.Check}); r.Verdict != spec.Verified {
					t.Errorf("Explore(%s), checking %v: got %s, want verified, as %s is asked for", cfg, q.Check, brief(r.Result), at)
				}
			}
		}
		if h := hazards[at.Scenario]; h.property == q.Check[0] && (h.procs != at.Procs || h.rounds != at.Rounds) {
			t.Errorf("HAZARDS.md shows %v in %v with %d processes and %d rounds, and %s is the smallest", h.property, at.Scenario, h.procs, h.rounds, at)
		}
	}
}

func evidence(q model.Question, r Report) string {
	name, rounds, checked := "`"+q.Config.Scenario.String()+"`", "unbounded", "all"
	if q.Config.Control {
		name += ", but " + model.ControlOf(q.Config.Scenario)
	}
	if q.Config.Rounds > 0 {
		rounds = fmt.Sprint(q.Config.Rounds)
	}
	states := fmt.Sprint(r.Distinct)
	if q.Symmetry {
		states += " orbits"
	}
	if len(q.Check) < len(spec.AllProperties) {
		checked = strings.Trim(fmt.Sprint(q.Check), "[]")
	}
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %s | %s | %d |\n", name, q.Config.Procs, rounds, checked, q.Expect, r.Verdict, states, r.Depth)
}
