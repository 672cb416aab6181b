package model

import (
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// TestConform_StepsFollowTheTable holds take against the tables of spec, of
// which it uses nothing: what each step writes, where it goes, and what it does
// with the lock.
func TestConform_StepsFollowTheTable(t *testing.T) {
	taken := map[spec.Step]bool{}
	wentTo := map[[2]spec.Step]bool{}
	for _, cfg := range []Config{
		{Scenario: spec.Withdraw, Procs: 3},
		{Scenario: spec.LateConstruction, Procs: 2, Control: true},
	} {
		for _, s := range reachable(t, cfg) {
			for _, a := range Enabled(cfg, s) {
				if a.Event != spec.NoEvent {
					continue
				}
				to := Apply(cfg, s, a)
				next := to.Step(a.Proc)
				taken[a.Step] = true
				wentTo[[2]spec.Step{a.Step, next}] = true
				checkWrites(t, a, s.words, to.words)
				checkLock(t, a, s, to)
				if !slices.ContainsFunc(a.Step.Next(), func(b spec.Branch[spec.Step]) bool { return b.To == next }) {
					t.Fatalf("Apply(%v) in %v: next step %v, want one of %v", a, s, next, a.Step.Next())
				}
			}
		}
	}
	for _, step := range spec.AllSteps {
		if critical := stepsCritical>>step&1 != 0; critical != step.Holds() {
			t.Errorf("%v is between acquire and release: %v, the table says %v", step, critical, step.Holds())
		}
		if !taken[step] {
			t.Errorf("no state reaches step %v", step)
		}
		for _, b := range step.Next() {
			if b.To != step && !wentTo[[2]spec.Step{step, b.To}] {
				t.Errorf("no state takes %v to %v", step, b.To)
			}
		}
	}
}

func checkWrites(t *testing.T, a Action, before, after spec.Words) {
	t.Helper()
	changed := map[spec.Word]bool{
		spec.Enter: before.Enter != after.Enter,
		spec.Exit:  before.Exit != after.Exit,
		spec.Flag:  before.Flag != after.Flag,
	}
	for _, w := range spec.AllWords {
		if changed[w] && !slices.Contains(a.Step.Writes(), w) {
			t.Fatalf("Apply(%v): %v becomes %v, want %v untouched", a, before, after, w)
		}
	}
}

func checkLock(t *testing.T, a Action, s, to State) {
	t.Helper()
	var want [2]int // the holder before and after
	switch a.Step.Lock() {
	case spec.Acquire:
		want = [2]int{-1, a.Proc}
	case spec.Held:
		want = [2]int{a.Proc, a.Proc}
	case spec.Release:
		want = [2]int{a.Proc, -1}
	case spec.Outside:
		want = [2]int{s.Holder(), s.Holder()}
	}
	if got := [2]int{s.Holder(), to.Holder()}; got != want {
		t.Fatalf("Apply(%v) in %v: holder before and after %v, want %v", a, s, got, want)
	}
}

// reachable lists the states that cfg reaches.
func reachable(t *testing.T, cfg Config) []State {
	t.Helper()
	const most = 20_000 // a wrong model may have no end
	list := []State{Init(cfg)}
	known := map[State]bool{list[0]: true}
	for i := 0; i < len(list); i++ {
		for _, a := range Enabled(cfg, list[i]) {
			if to := Apply(cfg, list[i], a); !known[to] {
				known[to] = true
				list = append(list, to)
			}
		}
		if len(list) > most {
			t.Fatalf("%s: more than %d states", cfg, most)
		}
	}
	return list
}

func TestUnit_Apply_PanicsWhenNotEnabled(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 2}
	s := Apply(cfg, Init(cfg), Action{Proc: 0, Step: spec.Call, Parties: 2})
	s = Apply(cfg, s, Action{Proc: 0, Step: spec.LockInit})
	s = Apply(cfg, s, Action{Proc: 1, Step: spec.Call, Parties: 7}) // any count, for lockstep
	for name, a := range map[string]Action{
		"lock taken":      {Proc: 1, Step: spec.LockInit},
		"wrong step":      {Proc: 0, Step: spec.LockInit},
		"no such process": {Proc: 2, Step: spec.Call, Parties: 2},
		"no process":      {Proc: -1, Step: spec.Call, Parties: 2},
		"no party count":  {Proc: 1, Step: spec.Call},
		"a party count":   {Proc: 0, Step: spec.InitExit, Parties: 2},
		"other scenario":  {Proc: 1, Event: spec.GiveUp},
		"no relink":       {Proc: -1, Event: spec.Relink},
	} {
		t.Run(name, func(t *testing.T) {
			if text, _ := panicOf(func() { Apply(cfg, s, a) }).(string); !strings.Contains(text, "is not enabled") {
				t.Errorf("Apply(%v) in %v: got panic %q, want that it is not enabled", a, s, text)
			}
		})
	}
	withdraws := Config{Scenario: spec.Withdraw, Procs: 2}
	for name, a := range map[string]Action{
		"outside":             {Proc: 1, Event: spec.GiveUp},
		"another's event":     {Proc: 0, Step: spec.LockInit, Event: spec.Die},
		"holds and gives up":  {Proc: 0, Step: spec.InitExit, Event: spec.GiveUp},
		"no process gives up": {Proc: -1, Step: spec.InitExit, Event: spec.GiveUp},
	} {
		s := Apply(withdraws, Init(withdraws), Action{Proc: 0, Step: spec.Call, Parties: 2})
		s = Apply(withdraws, s, Action{Proc: 0, Step: spec.LockInit})
		if text, _ := panicOf(func() { Apply(withdraws, s, a) }).(string); !strings.Contains(text, "is not enabled") {
			t.Errorf("%s: Apply(%v) in %v: got panic %q, want that it is not enabled", name, a, s, text)
		}
	}
}

// TestHazard_MutantsPut holds each mutant that gives a word another value
// against its description, in a state that shows the mistake.
func TestHazard_MutantsPut(t *testing.T) {
	right := Config{Scenario: spec.Withdraw, Procs: 3}
	for i := range Mutants {
		put, wrong := Mutants[i].Put, right
		if put.At == spec.Call {
			continue
		}
		wrong.Mutant = &Mutants[i]
		s := Init(right)
		s.words = spec.Words{Enter: 2, Exit: 2}
		s.locks[0] = 0
		s.procs[0] = proc{step: put.At, parties: 3}
		a := Action{Proc: 0, Step: put.At}
		control := Apply(right, s, a).words
		want, value := control, put.Value
		if put.OrN {
			value = 3
		}
		switch put.Word {
		case spec.Enter:
			want.Enter = value
		case spec.Exit:
			want.Exit = value
		case spec.Flag:
			want.Flag = value
		}
		if got := Apply(wrong, s, a).words; got != want || got == control {
			t.Errorf("%s: Apply(%v) in %v: words %v, want %v; without the mistake %v", wrong.Mutant.Name, a, s, got, want, control)
		}
	}
}

// TestHazard_WordsOutOfRange: a word beyond either end of its range violates
// WordsInRange, and one at the end does not.
func TestHazard_WordsOutOfRange(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 2}
	for words, want := range map[spec.Words]bool{
		{Enter: 0, Exit: spec.NotSet, Flag: spec.Down}: false,
		{Enter: 2, Exit: 2, Flag: spec.Up}:             false,
		{Enter: -1}:                                    true,
		{Enter: 3}:                                     true,
		{Exit: spec.NotSet - 1}:                        true,
		{Exit: 3}:                                      true,
		{Flag: spec.Down - 1}:                          true,
		{Flag: spec.Up + 1}:                            true,
	} {
		s := Init(cfg)
		s.words = words
		if got := Violates(cfg, s, spec.WordsInRange); got != want {
			t.Errorf("Violates, of WordsInRange with words %v: got %v, want %v", words, got, want)
		}
	}
}
