package tla_test

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla/tlc"
)

// A mutant is SharedBarrier.tla with one text in a definition replaced, under
// one scenario of some processes and unbounded rounds. TLC must find each of
// the formulas broken by it. A mistake that model.Mutants has is named as
// there.
type mutant struct {
	name       string
	definition string
	old, new   string
	scenario   spec.Scenario
	procs      int
	breaks     []string
}

var mutants = []mutant{
	{"no-drain", "AwaitDrain(p)", "exit = n(p)", "TRUE", spec.Reuse, 2, []string{"NoDeadlock"}},
	{"no-await-flag", "AwaitFlag(p)", "flag # 0", "TRUE", spec.Reuse, 2, []string{"NoEarlyExit"}},
	{"no-lower", "LowerFlag(p)", "flag' = 0", "flag' = flag", spec.Reuse, 2, []string{"NoEarlyExit", "RefinesBarrier"}},
	{"never-first", "TestFirst(p)", "enter = 0", "FALSE", spec.Reuse, 2, []string{"NoEarlyExit"}},
	{"count-enter-early", "CountEnter(p)", "x + 1 = n(p)", "x + 1 = n(p) - 1", spec.Reuse, 3, []string{"NoEarlyExit"}},
	{"no-uncount", "UncountEnter(p)", "enter - 1", "enter", spec.Withdraw, 2, []string{"NoEarlyExit"}},
	{"no-reset-enter", "ResetEnter(p)", "enter' = 0", "enter' = enter", spec.Reuse, 2, []string{"WordsInRange"}},
	{"no-reset-exit", "ResetExit(p)", "exit' = 0", "exit' = exit", spec.Reuse, 2, []string{"WordsInRange"}},
	{"no-test-flag", "TestFlag(p)", "flag # 0", "FALSE", spec.Withdraw, 2, []string{"WordsInRange", "RefinesBarrier"}},
	{"share-lock", "Acquire(p)", `lock = None /\ `, "", spec.Reuse, 2, []string{"LockExclusive"}},
	{"bound-by-count", "WordsInRange", `0 .. N /\ exit \in -1 .. N /`, `0 .. N - 1 /\ exit \in -1 .. N - 1 /`, spec.Surplus, 3, []string{"WordsInRange"}},
	{"no-withdraw", "GiveUp(p)", `"LockWithdraw"`, `"Call"`, spec.Withdraw, 2, []string{"Quiescent"}},
	{"clear-to-zero", "ClearExit(p)", "NotSet", "0", spec.Reuse, 2, []string{"Quiescent"}},
	{"no-raise", "RaiseFlag(p)", "flag' = 1", "flag' = flag", spec.Reuse, 2, []string{"NoDeadlock", "NoHang", "RefinesBarrier"}},
	{"keep-lock-first", "UnlockFirst(p)", "Release(p)", "UNCHANGED lock", spec.Reuse, 2, []string{"NoDeadlock"}},
	{"no-fairness", "Fairness", "WF_vars(Step(p))", "TRUE", spec.Reuse, 2, []string{"NoHang"}},
	{"count-withdrawn", "UnlockWithdraw(p)", "UNCHANGED <<words, rounds, env>>",
		`rounds' = Rebase([rounds EXCEPT ![p] = @ + 1]) /\ UNCHANGED <<words, env>>`, spec.Withdraw, 2, []string{"RefinesBarrier"}},
	{"no-quitting", "Abstract", `\E p \in Procs : MayGiveUp(p)`, "FALSE", spec.Withdraw, 2, []string{"RefinesBarrier"}},
	{"release-to-stranger", "Release(p)", "THEN None", "THEN N", spec.Reuse, 2, []string{"TypeOK"}},
}

// TLC rejects each mutant for the reason given. What questions.json says of the
// true module is the control. With -short: the first mutant.
func TestHazard_Mutants(t *testing.T) {
	tools := findTools(t)
	chosen := mutants
	if testing.Short() {
		chosen = mutants[:1]
	}
	for _, m := range chosen {
		for _, formula := range m.breaks {
			t.Run(m.name+"/"+formula, func(t *testing.T) {
				t.Parallel()
				q, want := about(model.Config{Scenario: m.scenario, Procs: m.procs}, formula), formula
				switch formula {
				case "NoHang", "RefinesBarrier":
					q.Invariants, q.Properties = nil, []string{formula}
				case "NoDeadlock":
					want = spec.NoHang.String()
				case "TypeOK":
					q.Invariants = nil // every question asks it
				}
				run := tlc.Run{Tools: tools, Files: m.files(t), Question: q, Small: true, Limit: tlc.Short.Limit()}
				outcome, err := run.Check(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if outcome.Property != want || len(outcome.Trace) == 0 {
					t.Errorf("Check(%s) refutes %q with a trace of %d, want %s with a trace", q.Name(), outcome.Property, len(outcome.Trace), want)
				}
			})
		}
	}
}

// Every formula that the module must satisfy has a mutant that breaks it.
func TestUnit_EveryFormulaHasAMutant(t *testing.T) {
	want := []string{"TypeOK", "NoDeadlock", "RefinesBarrier"}
	for _, p := range spec.AllProperties {
		want = append(want, p.String())
	}
	for _, formula := range want {
		if !slices.ContainsFunc(mutants, func(m mutant) bool { return slices.Contains(m.breaks, formula) }) {
			t.Errorf("no mutant breaks %s", formula)
		}
	}
}

// files are the modules with the mutation made.
func (m mutant) files(t *testing.T) fs.FS {
	t.Helper()
	text := readFile(t, "SharedBarrier.tla")
	before, rest, found := strings.Cut(text, "\n"+m.definition+" ==")
	body, after, ended := strings.Cut(rest, "\n\n")
	if !found || !ended || strings.Count(body, m.old) != 1 {
		t.Fatalf("%s of SharedBarrier.tla has %d places to mutate, want 1: %q", m.definition, strings.Count(body, m.old), m.old)
	}
	mutated := before + "\n" + m.definition + " ==" + strings.Replace(body, m.old, m.new, 1) + "\n\n" + after
	return withModule(t, "SharedBarrier.tla", mutated)
}

// withModule returns the modules with one of them replaced.
func withModule(t *testing.T, name, text string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, module := range []string{"Barrier.tla", "SharedBarrier.tla", "MCSharedBarrier.tla"} {
		files[module] = &fstest.MapFile{Data: []byte(readFile(t, module))}
	}
	files[name] = &fstest.MapFile{Data: []byte(text)}
	return files
}
