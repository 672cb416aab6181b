package model

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

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
	shown := golden.Parts(t, "../spec/HAZARDS.md", "hazard", func(name string) string {
		sc, err := spec.ParseScenario(name)
		h, ok := hazards[sc]
		if err != nil || !ok {
			t.Fatalf("HAZARDS.md: hazard %q is not one of the model's", name)
		}
		cfg := Config{Scenario: sc, Procs: h.procs, Rounds: h.rounds}
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
	return fmt.Sprintf("- *Fails*: %s.\n- *Control*: %s.\n", strings.Join(fail, ", "), ControlOf(sc))
}

// schedule prints a counterexample, the steps that one process takes in a row
// on one line.
func schedule(cfg Config, r Report) string {
	rounds := ""
	if cfg.Rounds > 0 {
		rounds = fmt.Sprintf(" --rounds %d", cfg.Rounds)
	}
	text := fmt.Sprintf("- *Shortest schedule* against `%s`, %d steps:\n  `go run ./model/check --scenario %v --procs %d%s --property %[1]s`\n\n",
		r.Property, len(r.Trace), cfg.Scenario, cfg.Procs, rounds)
	text += "| process | steps | words after |\n|---|---|---|\n"
	for i := 0; i < len(r.Trace); {
		j := i + 1
		for j < len(r.Trace) && r.Trace[j].Proc == r.Trace[i].Proc && startsNothing(r.Trace[j]) {
			j++
		}
		who := fmt.Sprintf("p%d", r.Trace[i].Proc)
		if r.Trace[i].Proc < 0 {
			who = ""
		}
		text += fmt.Sprintf("| %s | %s | %v |\n", who, span(r.Trace[i:j]), r.Trace[j-1].Words)
		i = j
	}
	return text
}

// startsNothing reports whether an entry may follow on the line of the one
// before: calls and events begin lines of their own.
func startsNothing(e Entry) bool {
	_, err := spec.ParseStep(e.Label)
	return err == nil && e.Parties == 0
}

// span names the first and the last of some steps.
func span(run []Entry) string {
	name := func(e Entry) string {
		if e.Parties > 0 {
			return fmt.Sprintf("`%s`(%d)", e.Label, e.Parties)
		}
		return "`" + e.Label + "`"
	}
	switch first, last := name(run[0]), name(run[len(run)-1]); len(run) {
	case 1:
		return first
	case 2:
		return first + ", " + last
	default:
		return strings.Join([]string{first, last}, " … ")
	}
}

// TestHazard_EventsAreNoWayOut: what may happen to a process need not happen, so
// a state in which nothing else can is stuck. It is not where a step can be taken
// too, and not where everybody rests, as dying and Relink still may.
func TestHazard_EventsAreNoWayOut(t *testing.T) {
	for event, sc := range map[spec.Event]spec.Scenario{
		spec.GiveUp: spec.Withdraw, spec.Die: spec.Crash, spec.Abandon: spec.AbandonWait, spec.Relink: spec.SplitLock,
	} {
		var stuck, moving, resting int
		for _, m := range []*Mutant{nil, MutantNamed("no-raise")} {
			cfg := Config{Scenario: sc, Procs: 2, Rounds: 2, Mutant: m}
			for s, edges := range States(cfg) {
				happens := slices.ContainsFunc(edges, func(e Edge) bool { return e.Action.Event == event })
				steps := slices.ContainsFunc(edges, func(e Edge) bool { return e.Action.Event == spec.NoEvent })
				rest := s.rests(cfg, 0) && s.rests(cfg, 1)
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
				if got, want := Stuck(cfg, s), !steps && !rest; got != want {
					t.Errorf("%v: Stuck(%v) = %v where a step can be taken: %v, all rest: %v; want %v", cfg, s, got, steps, rest, want)
				}
			}
		}
		mayRest := event == spec.Die || event == spec.Relink
		if stuck == 0 || moving == 0 || (resting > 0) != mayRest {
			t.Errorf("%v can happen in %d states that are stuck, %d in which a step can be taken, %d of rest; some are missing", event, stuck, moving, resting)
		}
	}
}
