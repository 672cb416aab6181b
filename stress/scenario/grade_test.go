//go:build linux

package scenario

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
)

// cases calls do for each scenario of the model and each control, with so many
// processes as it takes by default.
func cases(t *testing.T, do func(t *testing.T, sc spec.Scenario, control bool)) {
	for _, sc := range spec.AllScenarios {
		for _, control := range []bool{false, true} {
			if sc != spec.Fork && (!control || model.ControlOf(sc) != "") {
				t.Run(fmt.Sprintf("scenario=%v/control=%v", sc, control), func(t *testing.T) { do(t, sc, control) })
			}
		}
	}
}

func mustGrade(t *testing.T, s subject, sc spec.Scenario, control bool) *grading {
	t.Helper()
	g, err := s.grade(t.Context(), sc, control)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestConform_GradesAreTheSpecs: on a barrier that refuses nothing, and that can
// be driven through every step, an outcome is forbidden exactly where HAZARDS.md
// says that the property holds.
func TestConform_GradesAreTheSpecs(t *testing.T) {
	cases(t, func(t *testing.T, sc spec.Scenario, control bool) {
		g := mustGrade(t, subject{procs: procsOf(sc)}, sc, control)
		for _, p := range spec.AllProperties {
			forbidden := control || sc.Expect(p) == spec.Holds
			if got := g.grades[Outcome(p)]; (got == Forbidden) != forbidden {
				t.Errorf("%v: graded %s, and HAZARDS.md says that it %v", p, got, sc.Expect(p))
			}
		}
	})
}

// TestUnit_Grades has the outcomes that are not forbidden, for package impl.
func TestUnit_Grades(t *testing.T) {
	type grades map[Outcome]Grade
	early, words, lock, quiet := Outcome(spec.NoEarlyExit), Outcome(spec.WordsInRange), Outcome(spec.LockExclusive), Outcome(spec.Quiescent)
	for sc, want := range map[spec.Scenario]grades{
		spec.Reuse:            {},
		spec.Withdraw:         {},
		spec.LateConstruction: {early: Expected, words: Expected, quiet: Expected, Hang: Expected, Refusal: Expected},
		spec.Shrinking:        {quiet: Expected, Hang: Expected, Refusal: Expected},
		// A call is refused before anything else can go wrong.
		spec.Growing:     {early: Allowed, words: Allowed, quiet: Allowed, Hang: Expected, Refusal: Expected},
		spec.Disagreeing: {early: Expected, words: Expected, quiet: Expected, Hang: Expected, Refusal: Expected},
		spec.Surplus:     {early: Expected, quiet: Expected, Hang: Expected, Refusal: Expected},
		spec.Crash:       {Hang: Expected, Death: Expected},
		spec.AbandonWait: {early: Expected, quiet: Expected, Hang: Expected},
		// The rest takes a stop between a read and its write.
		spec.SplitLock: {lock: Expected, quiet: Allowed, Hang: Allowed},
	} {
		got := grades{}
		for o, g := range mustGrade(t, subject{procs: procsOf(sc)}, sc, false).grades {
			if g != Forbidden {
				got[o] = g
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v: %v, want %v", sc, got, want)
		}
	}
	python := subject{procs: 3, ports: []string{"python", "python", "python"}, can: make([]port.Capabilities, 3)}
	if got := mustGrade(t, python, spec.Growing, false).grades[early]; got != Expected {
		t.Errorf("growing, on the original, which refuses nothing: an early exit is %s, want expected", got)
	}
	if got := mustGrade(t, python, spec.Growing, false).grades[Refusal]; got != Allowed {
		t.Errorf("growing, on the original, which refuses nothing: a refusal is %s, want allowed", got)
	}
	if got := mustGrade(t, python, spec.Disagreeing, false).grades[words]; got != Allowed {
		t.Errorf("disagreeing, on a port that announces no step: words out of range are %s, want allowed", got)
	}
}

// TestHazard_GradesFollowTheModel: every mistake that breaks the protocol
// changes the grades where callers keep the rules, and each outcome but death
// becomes possible by some mistake.
func TestHazard_GradesFollowTheModel(t *testing.T) {
	possible := map[Outcome]string{}
	changes := func(m *model.Mutant, sc spec.Scenario, procs int) (any bool) {
		for o, g := range mustGrade(t, subject{procs: procs, mutant: m}, sc, false).grades {
			if g != Forbidden {
				any, possible[o] = true, m.Name
			}
		}
		return any
	}
	for i := range model.Mutants {
		m := &model.Mutants[i]
		got := changes(m, spec.Withdraw, 2) || changes(m, spec.Reuse, 3) || changes(m, spec.Withdraw, 3)
		// The processes of test-again move without end, and no call returns: that
		// is no state of the graph, but a loop.
		if want := m.Why == "" && m.Name != "test-again"; got != want {
			t.Errorf("mutant %s (%s): the grades change: %v, want %v", m.Name, m.Doc, got, want)
		}
	}
	for _, o := range AllOutcomes {
		if _, is := possible[o]; !is && o != Death {
			t.Errorf("no mutant makes %v possible", o)
		}
	}
}

// TestConform_GuidesLead: in each scenario the path to each goal ends in a state
// that shows it, and its guide has the steps of the path, in their order.
func TestConform_GuidesLead(t *testing.T) {
	cases(t, func(t *testing.T, sc spec.Scenario, control bool) {
		s := subject{procs: procsOf(sc)}
		g := mustGrade(t, s, sc, control)
		space := s.driven(g.cfg)
		for _, goal := range g.goals() {
			path, err := space.path(t.Context(), goal)
			if err != nil {
				t.Fatal(err)
			}
			state, steps := model.Init(g.cfg), make([]int, g.cfg.Procs)
			for _, a := range path {
				state = model.Apply(g.cfg, state, a)
				if a.Proc >= 0 && !readsOnly(g.cfg, state, a) && !(control && a.Step >= spec.MakeEnter) {
					steps[a.Proc]++
				}
			}
			if !space.shows(&state).has(goal) {
				t.Errorf("the path to goal %#x ends in %v, which does not show it", goal, state)
			}
			guide := guideOf(g.cfg, path)
			var numbers []int
			for p, turns := range guide.Workers {
				sum := 0
				for _, turn := range turns {
					sum += turn.Steps
					numbers = append(numbers, turn.Number)
				}
				if sum != steps[p] {
					t.Errorf("goal %#x: the guide has %d steps for worker %d, the path %d", goal, sum, p, steps[p])
				}
			}
			slices.Sort(numbers)
			for i, number := range numbers {
				if i != number {
					t.Fatalf("goal %#x: the turns are %v", goal, numbers)
				}
			}
		}
	})
}

// TestUnit_SituationsAreReachable: each situation is one that some scenario
// reaches, and some other does not.
func TestUnit_SituationsAreReachable(t *testing.T) {
	reached := map[oracle.Met]int{}
	cases(t, func(t *testing.T, sc spec.Scenario, control bool) {
		g := mustGrade(t, subject{procs: procsOf(sc)}, sc, control)
		for _, m := range oracle.AllMet {
			if g.shown.has(metGoal(m)) {
				reached[m]++
			}
		}
	})
	for _, m := range oracle.AllMet {
		if n := reached[m]; n == 0 || n == 2*len(spec.AllScenarios) {
			t.Errorf("%d scenarios and controls reach %v, want some", n, m)
		}
	}
}

func TestUnit_Bound(t *testing.T) {
	for _, c := range []struct {
		n    int64
		want float64
	}{{0, 1}, {1, 0.95}, {2, 1 - math.Sqrt(0.05)}, {1000, 3.0 / 1000}, {1_000_000, 3e-6}} {
		if got := Bound(c.n); math.Abs(got-c.want) > 0.003*c.want {
			t.Errorf("Bound(%d) = %v, want about %v", c.n, got, c.want)
		}
		// With this rate, n rounds show nothing in one case of 20.
		if c.n > 0 {
			if none := math.Pow(1-Bound(c.n), float64(c.n)); math.Abs(none-0.05) > 1e-9 {
				t.Errorf("with the bound of %d rounds, none of them shows it with probability %v, want 0.05", c.n, none)
			}
		}
	}
}
