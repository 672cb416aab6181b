//go:build linux

package lockstep

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port"
)

// conform has rapid draw schedules of cfg, with the event now and then, and
// holds the real barrier against the model. With anyCount, calls pass any party
// count from 1 to Procs.
func conform(cfg model.Config, event spec.Event, anyCount bool) func(*rapid.T) {
	return func(t *rapid.T) {
		s, err := newSession(cfg, coroutines(cfg.Scenario, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		fail := func(err error) { t.Fatalf("%v\n\n%s\n--moves '%v'", err, s.timeline(false).Text(), movesOf(s.trace)) }
		t.Repeat(map[string]func(*rapid.T){"move": func(t *rapid.T) {
			m := Move{Proc: rapid.IntRange(0, cfg.Procs-1).Draw(t, "proc")}
			if rapid.IntRange(0, 9).Draw(t, "event") == 9 {
				m.Event = event
			} else if anyCount {
				m.Parties = rapid.IntRange(1, cfg.Procs).Draw(t, "parties")
			}
			if err := s.move(m); err != nil {
				fail(err)
			}
		}})
		if _, err := s.stuck(); err != nil {
			fail(err)
		}
	}
}

func TestConform_Random(t *testing.T) {
	for _, c := range []struct {
		scenario      spec.Scenario
		procs, rounds int
		event         spec.Event
		anyCount      bool
	}{
		{scenario: spec.Single, procs: 1},
		{scenario: spec.Reuse, procs: 3},
		{scenario: spec.Withdraw, procs: 2, event: spec.GiveUp},
		{scenario: spec.Withdraw, procs: 3, event: spec.GiveUp},
		{scenario: spec.Withdraw, procs: 3, event: spec.GiveUp, anyCount: true},
		{scenario: spec.Withdraw, procs: 5, event: spec.GiveUp},
		{scenario: spec.LateConstruction, procs: 3},
		{scenario: spec.Shrinking, procs: 3, rounds: 3},
		{scenario: spec.Growing, procs: 3, rounds: 3},
		{scenario: spec.Disagreeing, procs: 3},
		{scenario: spec.Surplus, procs: 3},
		{scenario: spec.Crash, procs: 3, event: spec.Die},
		{scenario: spec.AbandonWait, procs: 3, event: spec.Abandon},
	} {
		t.Run(fmt.Sprintf("scenario=%v/procs=%d/any=%v", c.scenario, c.procs, c.anyCount), func(t *testing.T) {
			rapid.Check(t, conform(model.Config{Scenario: c.scenario, Procs: c.procs, Rounds: c.rounds}, c.event, c.anyCount))
		})
	}
}

// TestConform_Tour takes every edge of the original protocol and of withdrawal,
// within this process.
func TestConform_Tour(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Reuse, Procs: 2}, {Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Reuse, Procs: 3}, {Scenario: spec.Withdraw, Procs: 3},
	} {
		runTour(t, driver{cfg: cfg, start: coroutines(cfg.Scenario, nil)})
	}
}

// TestProc_Tour takes every edge with processes of package impl.
func TestProc_Tour(t *testing.T) {
	for _, cfg := range []model.Config{
		{Scenario: spec.Single, Procs: 1}, {Scenario: spec.Withdraw, Procs: 2}, {Scenario: spec.Withdraw, Procs: 3},
	} {
		if cfg.Procs == 3 && testing.Short() {
			continue // 96159 steps: TestConform_Tour takes them too
		}
		runTour(t, driver{cfg: cfg, start: ports(t, "go", cfg)})
	}
}

// edges is how many the state graphs have.
var edges = map[model.Config]int{
	{Scenario: spec.Single, Procs: 1}:   20,
	{Scenario: spec.Reuse, Procs: 2}:    350,
	{Scenario: spec.Withdraw, Procs: 2}: 1040,
	{Scenario: spec.Reuse, Procs: 3}:    4035,
	{Scenario: spec.Withdraw, Procs: 3}: 14913,
}

func runTour(t *testing.T, d driver) {
	t.Helper()
	rep := tourOf(t, d)
	if rep.Verdict != spec.Passed || rep.Covered != rep.Edges || rep.Edges != edges[d.cfg] {
		t.Errorf("tour of %v, %d processes: got %v, %d of %d edges; want passed and all %d edges\n%s\n%s",
			d.cfg.Scenario, d.cfg.Procs, rep.Verdict, rep.Covered, rep.Edges, edges[d.cfg], rep.Why, rep.timeline.Text())
	}
	t.Logf("%v, %d processes: %d edges, %d steps, %d of them blocked, %.0f steps/s",
		d.cfg.Scenario, d.cfg.Procs, rep.Covered, rep.Steps, rep.Blocked, rep.Rate)
}

func tourOf(t *testing.T, d driver) Report {
	t.Helper()
	g := explore.NewGraph(model.NewMachine(d.cfg))
	tour, err := CoveringTour(g)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := d.tour(t.Context(), g, tour)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestHazard_Mutants: random moves catch each wrong barrier, and the schedule
// that shorten leaves catches it again, and only it.
func TestHazard_Mutants(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	right := driver{cfg: cfg, start: coroutines(cfg.Scenario, nil)}
	const steps = 12500 // 50 schedules of 250
	if rep, err := right.random(t.Context(), 1, steps); err != nil || rep.Verdict != spec.Passed {
		t.Fatalf("random moves without a mistake: got %v, %v, want passed\n%s\n%s", rep.Verdict, err, rep.Why, rep.timeline.Text())
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			wrong := driver{cfg: cfg, start: coroutines(cfg.Scenario, &m)}
			rep, err := wrong.random(t.Context(), 1, steps)
			if err != nil || rep.Verdict != spec.Violated {
				t.Fatalf("random moves: got %v, %v, want violated", rep.Verdict, err)
			}
			rep = wrong.shorten(t.Context(), rep, time.Hour)
			s, err := ParseSchedule(rep.Schedule)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("caught in %d moves: %v", len(s), s)
			if rep, err := wrong.replay(t.Context(), "schedule", s); err != nil || rep.Verdict != spec.Violated {
				t.Errorf("replay of %v with mutant %s: got %v, %v, want violated", s, m.name, rep.Verdict, err)
			}
			if rep, err := right.replay(t.Context(), "schedule", s); err != nil || rep.Verdict != spec.Passed {
				t.Errorf("replay of %v without the mutant: got %v, %v, want passed\n%s", s, rep.Verdict, err, rep.timeline.Text())
			}
		})
	}
}

// TestHazard_WrongPorts: a wrong port in a process of its own fails the tour
// beside one that is right. The same program without the mistake passes.
func TestHazard_WrongPorts(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	start := func(name string) starter {
		return func(p int, splitRMW bool) (party, error) {
			if p == 0 {
				return ports(t, "go", cfg)(p, splitRMW)
			}
			started, err := port.StartInGroup(t.Context(), "wrong", reexec.Command(context.Background(), "mutant", name), port.Limit)
			if err != nil {
				return nil, err
			}
			return newProcess(started, splitRMW)
		}
	}
	runTour(t, driver{cfg: cfg, start: start("")})
	for i, m := range mutants {
		if testing.Short() && i%8 > 0 {
			continue // TestHazard_Mutants has them too
		}
		t.Run("mutant="+m.name, func(t *testing.T) {
			rep := tourOf(t, driver{cfg: cfg, start: start(m.name)})
			if rep.Verdict != spec.Violated {
				t.Errorf("tour: got %v, %d edges; want violated", rep.Verdict, rep.Covered)
			}
			t.Logf("caught after %d of %d edges: %s", rep.Covered, rep.Edges, rep.Why)
		})
	}
}
