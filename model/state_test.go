package model

import (
	"slices"
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
		for s, edges := range States(cfg) {
			for _, e := range edges {
				a, to := e.Action, e.To
				if a.Event != spec.NoEvent {
					continue
				}
				next := to.Step(a.Proc)
				taken[a.Step] = true
				wentTo[[2]spec.Step{a.Step, next}] = true
				checkWrites(t, a, s.words, to.words)
				checkLock(t, a, s, to)
				if !slices.ContainsFunc(a.Step.Next(), func(b spec.Branch) bool { return b.To == next }) {
					t.Fatalf("Apply(%v) in %v: next step %v, want one of %v", a, s, next, a.Step.Next())
				}
			}
		}
	}
	for _, step := range spec.AllSteps {
		if me := (proc{step: step}); me.critical() != step.Holds() {
			t.Errorf("%v is between acquire and release: %v, the table says %v", step, me.critical(), step.Holds())
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

// TestSafety_ReuseAndWithdraw explores small sizes and finds nothing wrong.
// One round more than the lag of the slowest reader, two, shows every overlap of
// rounds; without a bound the rounds are relative and every overlap is there.
func TestSafety_ReuseAndWithdraw(t *testing.T) {
	for _, cfg := range []Config{
		{Scenario: spec.Single, Procs: 1},
		{Scenario: spec.Reuse, Procs: 2},
		{Scenario: spec.Reuse, Procs: 3},
		{Scenario: spec.Reuse, Procs: 3, Rounds: 2},
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Withdraw, Procs: 3},
	} {
		states := 0
		for s := range States(cfg) {
			states++
			for _, p := range spec.AllProperties {
				if Violates(cfg, s, p) {
					t.Errorf("%+v: %v violates %v", cfg, s, p)
				}
			}
			if Stuck(cfg, s) {
				t.Errorf("%+v: stuck in %v", cfg, s)
			}
		}
		t.Logf("%+v: %d states", cfg, states)
	}
}

func TestApply_PanicsWhenNotEnabled(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 2}
	s := Apply(cfg, Init(cfg), Action{Proc: 0, Step: spec.Call, Parties: 2})
	s = Apply(cfg, s, Action{Proc: 0, Step: spec.LockInit})
	s = Apply(cfg, s, Action{Proc: 1, Step: spec.Call, Parties: 7}) // any count, for lockstep
	for name, a := range map[string]Action{
		"lock taken":      {Proc: 1, Step: spec.LockInit},
		"wrong step":      {Proc: 0, Step: spec.LockInit},
		"no such process": {Proc: 2, Step: spec.Call, Parties: 2},
		"other scenario":  {Proc: 1, Event: spec.GiveUp},
		"no relink":       {Proc: -1, Event: spec.Relink},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("Apply(%v) in %v: no panic, want one", a, s)
				}
			}()
			Apply(cfg, s, a)
		})
	}
}
