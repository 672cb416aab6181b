package impl

import (
	"flag"
	"fmt"
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// conform has rapid draw schedules for cfg and holds the real barrier, or a
// mutant of it, against the model. With anyCount, the calls pass any party
// count from 1 to cfg.Procs.
func conform(cfg model.Config, mutant *mutant, anyCount bool) func(*rapid.T) {
	return func(t *rapid.T) {
		l, err := newLockstep(cfg, mutant)
		if err != nil {
			t.Fatalf("newLockstep: %v", err)
		}
		defer l.close()
		t.Repeat(map[string]func(*rapid.T){"move": func(t *rapid.T) {
			m := move{proc: rapid.IntRange(0, cfg.Procs-1).Draw(t, "proc")}
			if rapid.IntRange(0, 19).Draw(t, "event") == 19 {
				m.event = eventOf(cfg.Scenario)
			} else if anyCount {
				m.parties = rapid.IntRange(1, cfg.Procs).Draw(t, "parties")
			}
			if err := l.move(m); err != nil {
				t.Fatalf("%v", shortest(l, err))
			}
		}})
		if _, err := l.stuck(); err != nil {
			t.Fatalf("%v", shortest(l, err))
		}
	}
}

// eventOf is what may happen to a waiter in the scenario.
func eventOf(sc spec.Scenario) spec.Event {
	switch sc {
	case spec.Withdraw:
		return spec.GiveUp
	case spec.AbandonWait:
		return spec.Abandon
	default:
		return spec.NoEvent
	}
}

func TestConform_Lockstep(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Single, Procs: 1},
		{Scenario: spec.Reuse, Procs: 3},
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Withdraw, Procs: 3},
		{Scenario: spec.Withdraw, Procs: 5},
		{Scenario: spec.LateConstruction, Procs: 3},
		{Scenario: spec.Shrinking, Procs: 3, Rounds: 3},
		{Scenario: spec.Growing, Procs: 3, Rounds: 3},
		{Scenario: spec.Disagreeing, Procs: 3},
		{Scenario: spec.Surplus, Procs: 3},
		{Scenario: spec.AbandonWait, Procs: 3},
	} {
		t.Run(fmt.Sprintf("scenario=%v/procs=%d", cfg.Scenario, cfg.Procs), func(t *testing.T) {
			rapid.Check(t, conform(cfg, nil, false))
		})
	}
}

func TestConform_AnyPartyCount(t *testing.T) {
	rapid.Check(t, conform(model.Config{Scenario: spec.Withdraw, Procs: 3}, nil, true))
}

// TestConform_Mutants: each wrong barrier is caught, where the right one
// passes (TestConform_Lockstep), and the schedule that rapid is left with
// catches it again when it is replayed.
func TestConform_Mutants(t *testing.T) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "1ms"} {
		was := flag.Lookup(name).Value.String()
		flag.Set(name, value)
		defer flag.Set(name, was)
	}
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			heard := &listener{name: t.Name()}
			heard.run(func() { rapid.Check(heard, conform(cfg, &m, false)) })
			found := regexp.MustCompile(`-mutant (\S+) -schedule '([^']*)'`).FindStringSubmatch(heard.text.String())
			if !heard.failed || found == nil || found[1] != m.name {
				t.Fatalf("rapid.Check of mutant %s: got failed=%v and\n%s\nwant a failure with a schedule", m.name, heard.failed, heard.text.String())
			}
			s, err := parseSchedule(found[2])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("caught in %d moves: %v", len(s), s)
			if replay(cfg, &m, s) == nil {
				t.Errorf("replay of %v with mutant %s: got no difference, want one", s, m.name)
			}
			if f := replay(cfg, nil, s); f != nil {
				t.Errorf("replay of %v without the mutant: got a difference, want none:\n%v", s, f)
			}
		})
	}
}
