package group

import (
	"fmt"
	"strings"
	"testing"

	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// small lists configurations that take seconds together.
func small() []Config {
	return []Config{
		{Members: 1, Rounds: 2},
		{Members: 2, Rounds: 2, Deaths: 1},
		{Members: 1, Foreign: 1, Rounds: 2, Deaths: 1, Joins: true},
		{Members: 2, Rounds: 2, Deaths: 1, GiveUps: true, Joins: true},
		{Members: 3, Rounds: 1, Deaths: 1},
		{Members: 2, Foreign: 1, Rounds: 2},
		{Members: 1, Foreign: 2, Rounds: 2, Deaths: 1, Joins: true},
		{Members: 2, Rounds: 1, Deaths: 1, Joins: true, Resets: true, Leaves: true},
		{Members: 2, Rounds: 1, Deaths: 2, Joins: true},
		{Members: 2, Foreign: 1, Rounds: 1, Deaths: 1, Joins: true},
	}
}

// trace writes the states along a path.
func trace(cfg Config, path []Action) string {
	m := NewMachine(cfg)
	s := m.Init()
	var b strings.Builder
	for _, a := range path {
		var to State
		m.Next(&s, a, &to)
		fmt.Fprintln(&b, a, to)
		s = to
	}
	return b.String()
}

// TestConform_Group: no property is violated.
func TestConform_Group(t *testing.T) {
	for _, cfg := range small() {
		o := explore.Run(t.Context(), NewMachine(cfg), explore.Options{Liveness: true})
		if o.Verdict != spec.Verified {
			t.Errorf("%+v: %v %v\n%s", cfg, o.Verdict, o.Property, trace(cfg, o.Path))
		}
	}
}

// TestHazard_Mutants: each mistake is found, by the explorer or by the schedule.
func TestHazard_Mutants(t *testing.T) {
	for i := range Mutants {
		found := false
		// The last one is too large to be explored whole.
		for _, cfg := range append(small(), Config{Members: 3, Rounds: 1, Deaths: 2, Joins: true}) {
			cfg.Mutant = &Mutants[i]
			o := explore.Run(t.Context(), NewMachine(cfg), explore.Options{Liveness: true, MaxStates: 2e6})
			if o.Verdict == spec.Violated || o.Verdict == spec.Hang || o.Verdict == spec.Verified && firstMismatch(cfg) != nil {
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s: not found", Mutants[i].Name)
		}
	}
}
