package impl

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// What a failure prints so that it can be seen again.
var (
	replaySchedule = flag.String("schedule", "", "for TestConform_Replay: the moves, such as '0:2 0 1:2 0!'")
	replayScenario = flag.String("scenario", "withdraw", "for TestConform_Replay")
	replayProcs    = flag.Int("procs", 2, "for TestConform_Replay")
	replayRounds   = flag.Int("rounds", 0, "for TestConform_Replay; 0: no bound")
	replayMutant   = flag.String("mutant", "", "for TestConform_Replay: a mutant of the barrier instead of the real one")
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

// TestConform_EveryEdge walks every edge of the model's graph for two
// processes that may give up, for any number of rounds, and tries every step
// that is blocked, in every state in which it is.
func TestConform_EveryEdge(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	graph := map[model.State][]model.Action{}
	for queue := []model.State{model.Init(cfg)}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if _, known := graph[s]; known {
			continue
		}
		graph[s] = model.Enabled(cfg, s)
		for _, a := range graph[s] {
			queue = append(queue, model.Apply(cfg, s, a))
		}
	}
	l, err := newLockstep(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	left := 0
	todo := map[model.State][]model.Action{}
	for s, edges := range graph {
		todo[s] = edges
		left += len(edges)
	}
	edges := left
	for left > 0 {
		path := nearest(cfg, l.state, todo)
		if path == nil {
			t.Fatalf("from %v no state with an edge left can be reached; %d of %d are left", l.state, left, edges)
		}
		for _, a := range path {
			before := l.state
			for p := range cfg.Procs { // those that are blocked stay where they are
				if _, enabled := l.enabled(p, spec.NoEvent); !enabled {
					if err := l.move(move{proc: p}); err != nil {
						t.Fatal(l.report(err))
					}
				}
			}
			if err := l.take(a); err != nil {
				t.Fatal(l.report(err))
			}
			if i := slices.Index(todo[before], a); i >= 0 {
				todo[before] = slices.Delete(slices.Clone(todo[before]), i, i+1)
				left--
			}
			l.trace = l.trace[max(0, len(l.trace)-100):]
		}
	}
	t.Logf("%d states, %d edges, %d moves", len(graph), edges, l.moves)
}

// take makes the real barrier do what the model calls a. The context of a call
// that gives up ends at once before its next step.
func (l *lockstep) take(a model.Action) error {
	if a.Event == spec.GiveUp {
		if err := l.move(move{proc: a.Proc, event: spec.GiveUp}); err != nil {
			return err
		}
	}
	return l.move(move{proc: a.Proc})
}

// nearest returns the shortest path from s that ends with an edge that is
// still to be taken; nil: there is none.
func nearest(cfg model.Config, s model.State, todo map[model.State][]model.Action) []model.Action {
	type node struct {
		state model.State
		path  []model.Action
	}
	seen := map[model.State]bool{s: true}
	for queue := []node{{s, nil}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if edges := todo[at.state]; len(edges) > 0 {
			return append(at.path, edges[0])
		}
		for _, a := range model.Enabled(cfg, at.state) {
			next := model.Apply(cfg, at.state, a)
			if !seen[next] {
				seen[next] = true
				queue = append(queue, node{next, append(slices.Clip(at.path), a)})
			}
		}
	}
	return nil
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

// replay returns the first difference, and everything that led to it.
func replay(cfg model.Config, m *mutant, s schedule) *failure {
	l, err := newLockstep(cfg, m)
	if err != nil {
		return &failure{s, err.Error()}
	}
	defer l.close()
	err = l.run(s)
	if err == nil {
		_, err = l.stuck()
	}
	if err == nil {
		return nil
	}
	return &failure{l.schedule(), l.report(err)}
}

type failure struct {
	schedule schedule
	report   string
}

func (f *failure) String() string { return f.report }

// shortest shortens the schedule that has led l to a difference until no part
// of it can be left out, on top of what rapid does about it: rapid does not
// know that the moves of a schedule are independent of each other.
func shortest(l *lockstep, err error) *failure {
	found := &failure{l.schedule(), l.report(err)}
	for p := range l.actors {
		without := slices.DeleteFunc(slices.Clone(found.schedule), func(m move) bool { return m.proc == p })
		if shorter := replay(l.cfg, l.mutant, without); shorter != nil {
			found = shorter
		}
	}
	for part := len(found.schedule) / 2; part > 0; part /= 2 {
		for at := 0; at+part <= len(found.schedule); {
			without := slices.Concat(found.schedule[:at], found.schedule[at+part:])
			if shorter := replay(l.cfg, l.mutant, without); shorter != nil {
				found = shorter
			} else {
				at += part
			}
		}
	}
	return found
}

// TestConform_Replay replays the schedule that a failure printed, and without
// one those that are stored.
func TestConform_Replay(t *testing.T) {
	sc, err := spec.ParseScenario(*replayScenario)
	if err != nil {
		t.Fatal(err)
	}
	var m *mutant
	for i := range mutants {
		if mutants[i].name == *replayMutant {
			m = &mutants[i]
		}
	}
	if m == nil && *replayMutant != "" {
		t.Fatalf("-mutant %s: there is no such mutant", *replayMutant)
	}
	s, err := parseSchedule(*replaySchedule)
	if err != nil {
		t.Fatal(err)
	}
	cfg := model.Config{Scenario: sc, Procs: *replayProcs, Rounds: *replayRounds}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if f := replay(cfg, m, s); f != nil {
		t.Error(f)
	}
}

// A listener is a rapid.TB that hears of a failure instead of failing.
type listener struct {
	rapid.TB
	name   string
	text   strings.Builder
	failed bool
}

type failNow struct{}

func (l *listener) run(check func()) {
	defer func() {
		if p := recover(); p != nil && p != (failNow{}) {
			panic(p)
		}
	}()
	check()
}

func (l *listener) Helper()                           {}
func (l *listener) Name() string                      { return l.name }
func (l *listener) Logf(format string, args ...any)   { fmt.Fprintf(&l.text, format+"\n", args...) }
func (l *listener) Log(args ...any)                   { fmt.Fprintln(&l.text, args...) }
func (l *listener) Errorf(format string, args ...any) { l.Logf(format, args...); l.failed = true }
func (l *listener) Error(args ...any)                 { l.Log(args...); l.failed = true }
func (l *listener) Fatalf(format string, args ...any) { l.Errorf(format, args...); l.FailNow() }
func (l *listener) Fatal(args ...any)                 { l.Error(args...); l.FailNow() }
func (l *listener) Fail()                             { l.failed = true }
func (l *listener) FailNow()                          { l.failed = true; panic(failNow{}) }
func (l *listener) Failed() bool                      { return l.failed }

// BenchmarkLockstep lets three actors go in turn.
func BenchmarkLockstep(b *testing.B) {
	l, err := newLockstep(model.Config{Scenario: spec.Withdraw, Procs: 3}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer l.close()
	p := 0
	for b.Loop() {
		if err := l.move(move{proc: p % 3}); err != nil {
			b.Fatal(l.report(err))
		}
		p++
		l.trace = l.trace[:0]
	}
	b.ReportMetric(float64(l.moves)/b.Elapsed().Seconds(), "steps/s")
}
