package tla_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// A mutant is SharedBarrier.tla with one text in the place of another, and the
// property that TLC must find broken by it, under one scenario of two or three
// processes and any number of rounds.
type mutant struct {
	name     string
	old, new string
	scenario spec.Scenario
	procs    int
	rejects  string
}

var mutants = []mutant{
	{"no wait at AwaitDrain", "    /\\ exit = n(p)\n", "", spec.Reuse, 2, "NoDeadlock"},
	{"no wait at AwaitFlag", "    /\\ flag # 0\n", "", spec.Reuse, 2, "NoEarlyExit"},
	{"LowerFlag leaves it up", "/\\ flag' = 0", "/\\ flag' = flag", spec.Reuse, 2, "NoEarlyExit"},
	{"nobody is first", `IF enter = 0 THEN "UnlockFirst"`, `IF enter < 0 THEN "UnlockFirst"`, spec.Reuse, 2, "NoEarlyExit"},
	{"released one party early", `Goto(p, IF x + 1 = n(p) THEN "ResetEnter"`, `Goto(p, IF x + 1 = n(p) - 1 THEN "ResetEnter"`, spec.Reuse, 3, "NoEarlyExit"},
	{"no UncountEnter", "/\\ enter' = enter - 1", "/\\ enter' = enter", spec.Withdraw, 2, "NoEarlyExit"},
	{"ResetEnter forgets", "    /\\ enter' = 0\n    /\\ Goto(p, \"ResetExit\")", "    /\\ enter' = enter\n    /\\ Goto(p, \"ResetExit\")", spec.Reuse, 2, "WordsInRange"},
	{"ResetExit forgets", "/\\ exit' = 0", "/\\ exit' = exit", spec.Reuse, 2, "WordsInRange"},
	{"TestFlag does not look", `IF flag # 0 THEN "CountExit"`, `IF flag < 0 THEN "CountExit"`, spec.Withdraw, 2, "WordsInRange"},
	{"the lock is given to two", "Acquire(p) == lock = None /\\ lock' = p", "Acquire(p) == lock' = p", spec.Reuse, 2, "LockExclusive"},
	{"the calls' count for the number of processes", "enter \\in 0 .. N /\\ exit \\in -1 .. N /", "enter \\in 0 .. N - 1 /\\ exit \\in -1 .. N - 1 /", spec.Surplus, 3, "WordsInRange"},
	{"GiveUp at AwaitFlag just leaves", `          /\ Goto(p, "LockWithdraw")`, `          /\ Goto(p, "Call")`, spec.Withdraw, 2, "Quiescent"},
	{"the last one out sets exit to 0", "/\\ exit' = NotSet\n    /\\ Goto(p, \"UnlockExit\")", "/\\ exit' = 0\n    /\\ Goto(p, \"UnlockExit\")", spec.Reuse, 2, "Quiescent"},
	{"RaiseFlag leaves it down", "/\\ flag' = 1\n    /\\ Goto(p, \"UnlockEnter\")", "/\\ flag' = flag\n    /\\ Goto(p, \"UnlockEnter\")", spec.Reuse, 2, "NoDeadlock"},
	{"UnlockFirst keeps the lock", "    /\\ At(p, \"UnlockFirst\")\n    /\\ Release(p)\n", "    /\\ At(p, \"UnlockFirst\")\n    /\\ UNCHANGED <<lock, orphan>>\n", spec.Reuse, 2, "NoDeadlock"},
	{"RaiseFlag leaves it down, for ever", "/\\ flag' = 1\n    /\\ Goto(p, \"UnlockEnter\")", "/\\ flag' = flag\n    /\\ Goto(p, \"UnlockEnter\")", spec.Reuse, 2, "NoHang"},
	{"a process need not go on", "WF_vars(Step(p))", "TRUE", spec.Reuse, 2, "NoHang"},
	{"LowerFlag leaves it up, against Barrier", "/\\ flag' = 0", "/\\ flag' = flag", spec.Reuse, 2, "RefinesBarrier"},
	{"RaiseFlag leaves it down, against Barrier", "/\\ flag' = 1\n    /\\ Goto(p, \"UnlockEnter\")", "/\\ flag' = flag\n    /\\ Goto(p, \"UnlockEnter\")", spec.Reuse, 2, "RefinesBarrier"},
	{"TestFlag does not look, against Barrier", `IF flag # 0 THEN "CountExit"`, `IF flag < 0 THEN "CountExit"`, spec.Withdraw, 2, "RefinesBarrier"},
	{"a withdrawn call counts as a round", "    /\\ At(p, \"UnlockWithdraw\")\n    /\\ Release(p)\n    /\\ Goto(p, \"Call\")\n    /\\ UNCHANGED <<words, rounds,",
		"    /\\ At(p, \"UnlockWithdraw\")\n    /\\ Release(p)\n    /\\ rounds' = Rebase([rounds EXCEPT ![p] = @ + 1])\n    /\\ Goto(p, \"Call\")\n    /\\ UNCHANGED <<words,", spec.Withdraw, 2, "RefinesBarrier"},
	{"nobody may quit the barrier", "Quitting  <- \\E p \\in Procs : MayGiveUp(p)", "Quitting  <- FALSE", spec.Withdraw, 2, "RefinesBarrier"},
}

// TLC rejects each mutant for the reason given; and asked the same of the true
// module, it does not: that is what the questions of the manifest say.
func TestHazard_Mutants(t *testing.T) {
	tools := findTools(t)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			asks := "INVARIANTS " + m.rejects
			cfg := model.Config{Scenario: m.scenario, Procs: m.procs}
			config := configFor(t, cfg, asks)
			if m.rejects == "NoHang" || m.rejects == "RefinesBarrier" {
				config = livenessConfigFor(t, cfg, m.rejects)
			}
			run := tlc.Run{Tools: tools, Files: m.files(t), Config: config, Small: true, Limit: tlc.Short.Limit()}
			outcome, err := run.Check(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			want := m.rejects
			if want == "NoDeadlock" {
				want = spec.NoHang.String()
			}
			if outcome.Property != want || len(outcome.Trace) == 0 {
				t.Errorf("Check(%s) refutes %q with a trace of %d, want %s with a trace", name(cfg), outcome.Property, len(outcome.Trace), want)
			}
		})
	}
}

// Every property that the module is held to has a mutant that breaks it.
func TestHazard_EveryPropertyHasAMutant(t *testing.T) {
	rejected := map[string]bool{}
	for _, m := range mutants {
		rejected[m.rejects] = true
	}
	for _, p := range spec.AllProperties {
		if !rejected[p.String()] {
			t.Errorf("no mutant breaks %v", p)
		}
	}
	if !rejected["NoDeadlock"] || !rejected["RefinesBarrier"] {
		t.Error("no mutant breaks NoDeadlock or RefinesBarrier")
	}
}

// files are the modules with the mutation made.
func (m mutant) files(t *testing.T) fs.FS {
	t.Helper()
	text := moduleText(t)
	if strings.Count(text, m.old) != 1 {
		t.Fatalf("SharedBarrier.tla has %d places to mutate, want 1: %q", strings.Count(text, m.old), m.old)
	}
	barrier, err := fs.ReadFile(tla.Files, "Barrier.tla")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"Barrier.tla":       {Data: barrier},
		"SharedBarrier.tla": {Data: []byte(strings.Replace(text, m.old, m.new, 1))},
	}
}
