package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// hazards are the counterexamples that HAZARDS.md shows: one property of each
// scenario, at the smallest size at which it fails.
var hazards = map[spec.Scenario]struct {
	procs, rounds int
	property      spec.Property
}{
	spec.LateConstruction: {2, 0, spec.NoEarlyExit},
	spec.Shrinking:        {2, 2, spec.NoHang},
	spec.Growing:          {3, 2, spec.NoEarlyExit},
	spec.Disagreeing:      {2, 0, spec.NoEarlyExit},
	spec.Surplus:          {2, 0, spec.NoHang},
	spec.Crash:            {2, 0, spec.NoHang},
	spec.AbandonWait:      {2, 0, spec.NoEarlyExit},
	spec.SplitLock:        {2, 0, spec.NoHang},
}

// TestGolden_Hazards compares what HAZARDS.md shows of each hazard with what
// the explorer finds.
func TestGolden_Hazards(t *testing.T) {
	shown := golden.Parts(t, "../../spec/HAZARDS.md", "hazard", func(name string) string {
		sc, err := spec.ParseScenario(name)
		h, ok := hazards[sc]
		if err != nil || !ok {
			t.Fatalf("HAZARDS.md: hazard %q is not one of the model's", name)
		}
		cfg := model.Config{Scenario: sc, Procs: h.procs, Rounds: h.rounds}
		r := Explore(context.Background(), cfg, Options{Check: []spec.Property{h.property}})
		if r.Property != h.property.String() {
			t.Fatalf("Explore(%v): %s, want a violation of %v", cfg, brief(r.Result), h.property)
		}
		return outcome(sc) + schedule(cfg, r)
	})
	for sc := range hazards {
		if !slices.Contains(shown, sc.String()) {
			t.Errorf("HAZARDS.md does not show hazard %v", sc)
		}
	}
}

// outcome says which properties fail in a scenario, and what its control is.
func outcome(sc spec.Scenario) string {
	var fail []string
	for _, p := range spec.AllProperties {
		if sc.Expect(p) == spec.Fails {
			fail = append(fail, fmt.Sprintf("`%v`", p))
		}
	}
	return fmt.Sprintf("- *Fails*: %s.\n- *Control*: %s.\n- *Step by step, in a browser*: [states/%v.html](states/%[3]v.html).\n",
		strings.Join(fail, ", "), model.ControlOf(sc), sc)
}

// schedule prints a counterexample, and the command that finds it.
func schedule(cfg model.Config, r Report) string {
	rounds := ""
	if cfg.Rounds > 0 {
		rounds = fmt.Sprintf(" --rounds %d", cfg.Rounds)
	}
	return fmt.Sprintf("- *Shortest schedule* against `%s`, %d steps:\n  `go run ./model/check --scenario %v --procs %d%s --property %[1]s`\n\n%[6]s",
		r.Property, len(r.Trace), cfg.Scenario, cfg.Procs, rounds, golden.Table(r.Trace.Schedule()))
}

// TestHazard_EventsAreNoWayOut: what may happen to a process need not happen,
// so a state in which nothing else can is stuck. It is not where a step can be
// taken too, and not where everybody rests, as dying and Relink still may.
func TestHazard_EventsAreNoWayOut(t *testing.T) {
	for event, sc := range map[spec.Event]spec.Scenario{
		spec.GiveUp: spec.Withdraw, spec.Die: spec.Crash, spec.Abandon: spec.AbandonWait, spec.Relink: spec.SplitLock,
	} {
		var stuck, moving, resting int
		for _, m := range []*model.Mutant{nil, model.MutantNamed("no-raise")} {
			cfg := model.Config{Scenario: sc, Procs: 2, Rounds: 2, Mutant: m}
			machine := model.NewMachine(cfg)
			for _, s := range NewGraph(machine).States {
				actions := model.Enabled(cfg, s)
				happens := slices.ContainsFunc(actions, func(a model.Action) bool { return a.Event == event })
				steps := slices.ContainsFunc(actions, func(a model.Action) bool { return a.Event == spec.NoEvent })
				rest := machine.Rests(&s)
				switch {
				case !happens:
					continue
				case steps:
					moving++
				case rest:
					resting++
				default:
					stuck++
				}
				if got, want := model.Stuck(cfg, s), !steps && !rest; got != want {
					t.Errorf("%v: model.Stuck(%v) = %v where a step can be taken: %v, all rest: %v; want %v", cfg, s, got, steps, rest, want)
				}
			}
		}
		mayRest := event == spec.Die || event == spec.Relink
		if stuck == 0 || moving == 0 || (resting > 0) != mayRest {
			t.Errorf("%v can happen in %d states that are stuck, %d in which a step can be taken, %d of rest; some are missing", event, stuck, moving, resting)
		}
	}
}

// TestHazard_SafetyIsLookedFor: of each property that fails in a small space the
// explorer finds a shortest counterexample, alone and among all, and a deadlock
// too.
func TestHazard_SafetyIsLookedFor(t *testing.T) {
	for sc, h := range hazards {
		cfg := model.Config{Scenario: sc, Procs: h.procs, Rounds: h.rounds}
		alone := Explore(t.Context(), cfg, Options{Check: []spec.Property{h.property}})
		if alone.Property != h.property.String() || len(alone.Trace) == 0 {
			t.Errorf("Explore(%v), checking %v: got %s", cfg, h.property, brief(alone.Result))
			continue
		}
		states := replay(t, cfg, alone.Trace)
		if last := states[len(states)-1]; !model.Violates(cfg, last, h.property) && !model.Stuck(cfg, last) {
			t.Errorf("Explore(%v), checking %v: its counterexample ends in %v", cfg, h.property, last)
		}
		all := Explore(t.Context(), cfg, Options{})
		if all.Verdict == spec.Verified || len(all.Trace) == 0 || len(all.Trace) > len(alone.Trace) {
			t.Errorf("Explore(%v): got %s after %d steps, want a violation after %d at most", cfg, brief(all.Result), len(all.Trace), len(alone.Trace))
		}
	}
}
