//go:build linux

package lockstep

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// conform has rapid draw schedules for r and holds the real barrier against
// the model. With anyCount, the calls pass any party count from 1 to Procs.
func conform(r Driver, anyCount bool) func(*rapid.T) {
	return func(t *rapid.T) {
		l, err := New(r.Config, r.Start)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Repeat(map[string]func(*rapid.T){"move": func(t *rapid.T) {
			m := Move{Proc: rapid.IntRange(0, r.Config.Procs-1).Draw(t, "proc")}
			if rapid.IntRange(0, 9).Draw(t, "event") == 9 {
				m.Event = eventOf(r.Config.Scenario)
			} else if anyCount {
				m.Parties = rapid.IntRange(1, r.Config.Procs).Draw(t, "parties")
			}
			if _, err := l.Move(m); err != nil {
				t.Fatal(r.shortest(t.Context(), l, err))
			}
		}})
		if _, err := l.Stuck(); err != nil {
			t.Fatal(r.shortest(t.Context(), l, err))
		}
	}
}

// shortest says what was wrong in the end, and the shortest way there.
func (r *Driver) shortest(ctx context.Context, l *Session, err error) string {
	rep := r.report("random")
	if err := rep.conclude(ctx, l, err); err != nil {
		return err.Error()
	}
	rep = r.Shorten(ctx, rep)
	return fmt.Sprintf("%s\n\n%sAgain: %s", rep.Why, rep.table, rep.Again())
}

// eventOf is what may happen to a waiter in the scenario.
func eventOf(sc spec.Scenario) spec.Event {
	switch sc {
	case spec.Withdraw:
		return spec.GiveUp
	case spec.AbandonWait:
		return spec.Abandon
	case spec.Crash:
		return spec.Die
	default:
		return spec.NoEvent
	}
}

func TestConform_Random(t *testing.T) {
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
		{Scenario: spec.Crash, Procs: 3},
		{Scenario: spec.AbandonWait, Procs: 3},
	} {
		t.Run(fmt.Sprintf("scenario=%v/procs=%d", cfg.Scenario, cfg.Procs), func(t *testing.T) {
			rapid.Check(t, conform(Driver{Config: cfg, Start: coroutines(cfg.Scenario, nil)}, false))
		})
	}
}

func TestConform_AnyPartyCount(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 3}
	rapid.Check(t, conform(Driver{Config: cfg, Start: coroutines(cfg.Scenario, nil)}, true))
}

// TestConform_Mutants: each wrong barrier is caught, where the right one
// passes (TestConform_Random), and the schedule that is left catches it again,
// and only it.
func TestConform_Mutants(t *testing.T) {
	for name, value := range map[string]string{"rapid.nofailfile": "true", "rapid.shrinktime": "1ms"} {
		was := flag.Lookup(name).Value.String()
		flag.Set(name, value)
		defer flag.Set(name, was)
	}
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			wrong := Driver{Config: cfg, Start: coroutines(cfg.Scenario, &m)}
			heard := &listener{name: t.Name()}
			heard.run(func() { rapid.Check(heard, conform(wrong, false)) })
			found := regexp.MustCompile(`--moves '([^']*)'`).FindStringSubmatch(heard.text.String())
			if !heard.failed || found == nil {
				t.Fatalf("rapid.Check of mutant %s: got failed=%v and\n%s\nwant a failure with a schedule", m.name, heard.failed, heard.text.String())
			}
			s, err := ParseSchedule(found[1])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("caught in %d moves: %v", len(s), s)
			right := Driver{Config: cfg, Start: coroutines(cfg.Scenario, nil)}
			if rep, err := wrong.Replay(t.Context(), s); err != nil || rep.Verdict != spec.Violated {
				t.Errorf("Replay of %v with mutant %s: got %v, %v, want violated", s, m.name, rep.Verdict, err)
			}
			if rep, err := right.Replay(t.Context(), s); err != nil || rep.Verdict != spec.Passed {
				t.Errorf("Replay of %v without the mutant: got %v, %v, want passed\n%s", s, rep.Verdict, err, rep.table)
			}
		})
	}
}

// TestLockstep_PartyThatFails: a party that fails otherwise than by its answer is
// reported as what it is, and is no difference of the barrier.
func TestLockstep_PartyThatFails(t *testing.T) {
	broken := errors.New("broken")
	r := Driver{Config: model.Config{Scenario: spec.Reuse, Procs: 2}, Start: func(int, bool) (Party, error) { return nil, broken }}
	if _, err := r.Replay(t.Context(), nil); !errors.Is(err, broken) {
		t.Errorf("Replay with parties that cannot start: got %v, want %v", err, broken)
	}
}
