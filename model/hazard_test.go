package model

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/page"
)

// hazards are the counterexamples that section 15 of PROTOCOL.md shows: the
// most telling property of each scenario, at the smallest size that fails.
var hazards = map[spec.Scenario]struct {
	procs, rounds int
	property      spec.Property
}{
	spec.LateConstruction: {2, 0, spec.NoEarlyExit},
	spec.Shrinking:        {2, 2, spec.NoHang},
	spec.Growing:          {3, 2, spec.NoEarlyExit},
	spec.Disagreeing:      {3, 0, spec.NoEarlyExit},
	spec.Surplus:          {2, 0, spec.NoHang},
	spec.Crash:            {2, 0, spec.NoHang},
	spec.AbandonWait:      {2, 0, spec.NoEarlyExit},
	spec.SplitLock:        {2, 0, spec.NoHang},
}

// TestHazard_Catalogue holds the schedules in PROTOCOL.md against what the
// explorer finds.
func TestHazard_Catalogue(t *testing.T) {
	shown := page.Parts(t, "../spec/PROTOCOL.md", "hazard", func(name string) string {
		sc, err := spec.ParseScenario(name)
		h, ok := hazards[sc]
		if err != nil || !ok {
			t.Fatalf("PROTOCOL.md: hazard %q is not one of the model's", name)
		}
		cfg := Config{Scenario: sc, Procs: h.procs, Rounds: h.rounds}
		r := Explore(context.Background(), cfg, Options{Check: []spec.Property{h.property}})
		if r.Property != h.property.String() {
			t.Fatalf("Explore(%v): %s, want a violation of %v", cfg, brief(r.Result), h.property)
		}
		return schedule(cfg, r)
	})
	for sc := range hazards {
		if !slices.Contains(shown, sc.String()) {
			t.Errorf("PROTOCOL.md does not show hazard %v", sc)
		}
	}
}

// schedule prints a counterexample, the steps that one process takes in a row
// on one line.
func schedule(cfg Config, r Report) string {
	rounds := ""
	if cfg.Rounds > 0 {
		rounds = fmt.Sprintf(" --rounds %d", cfg.Rounds)
	}
	text := fmt.Sprintf("`go run ./model/check --scenario %v --procs %d%s --property %s` (%d steps)\n\n",
		cfg.Scenario, cfg.Procs, rounds, r.Property, len(r.Trace))
	text += "| who | steps | words after |\n|---|---|---|\n"
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

// TestHazard_AbandonHangsWithAllCalling: that a wait can be abandoned again is
// no way out of a hang, since it need not be. So abandon is stuck in states in
// which nobody rests: the bound on rounds has no part in them. Its twin never is.
func TestHazard_AbandonHangsWithAllCalling(t *testing.T) {
	stuck := func(cfg Config) (calling int) {
		for s := range States(cfg) {
			if Stuck(cfg, s) && !s.rests(cfg, 0) && !s.rests(cfg, 1) {
				calling++
			}
		}
		return calling
	}
	cfg := Config{Scenario: spec.AbandonWait, Procs: 2, Rounds: 3}
	twin := cfg
	twin.Twin = true
	if got, kept := stuck(cfg), stuck(twin); got == 0 || kept != 0 {
		t.Errorf("abandon: stuck with nobody at rest in %d states, and in %d of the twin; want some and none", got, kept)
	}
}
