package model

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// TestHazard_EveryScenarioIsDecided asks every question, each failure beside
// its control that passes, and compares with what spec says once it has decided.
func TestHazard_EveryScenarioIsDecided(t *testing.T) {
	asked := map[spec.Scenario]map[spec.Property]bool{}
	table := "| scenario | n | rounds | checked | expected | found | states | depth |\n|---|---|---|---|---|---|---|---|\n"
	for _, q := range Questions() {
		r := Explore(context.Background(), q.Config, Options{Check: q.Check, Liveness: q.Liveness, Symmetry: q.Symmetry})
		if !q.Expected(r) {
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
	golden.Part(t, "README.md", "table", "scenarios", table)
}

// TestHazard_SmallestSizes: a property that fails in a scenario holds at every size
// below that of its question, and hazards show it there.
func TestHazard_SmallestSizes(t *testing.T) {
	for _, d := range decisions {
		for p, at := range d.fails {
			for procs := 1; procs <= at.procs; procs++ {
				for rounds := range max(at.rounds, 3) + 1 {
					cfg := Config{Scenario: d.scenario, Procs: procs, Rounds: rounds}
					if cfg.Validate() != nil || NeedsBound(cfg) != (rounds > 0) || procs == at.procs && rounds >= at.rounds {
						continue
					}
					r := Explore(context.Background(), cfg, Options{Check: []spec.Property{p}})
					if r.Verdict != spec.Verified {
						t.Errorf("%v, %d processes, %d rounds: %s, though %v is asked for with %d processes and %d rounds", d.scenario, procs, rounds, brief(r.Result), p, at.procs, at.rounds)
					}
				}
			}
			if h := hazards[d.scenario]; h.property == p && (size{h.procs, h.rounds}) != at {
				t.Errorf("HAZARDS.md shows %v in %v with %d processes and %d rounds, and %v is the smallest", p, d.scenario, h.procs, h.rounds, at)
			}
		}
	}
}

func evidence(q Question, r Report) string {
	name, rounds, checked := "`"+q.Config.Scenario.String()+"`", "any", "all"
	if q.Config.Control {
		name += ", but " + ControlOf(q.Config.Scenario)
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
