package proof

import (
	"fmt"
	"slices"

	"sharedbarrier/spec"
)

// A Mutant is Protocol with one small change. Most make it unsafe, and the
// proof must fail for them.
type Mutant struct {
	Name    string
	Says    string   // what is changed
	Without []string // names of the moves that are taken out
	With    []Move   // moves that take the place of those of the same name, or are added
	Safe    string   // why the mutant is safe nevertheless; empty: it is not
}

// Table returns the mutated table.
func (m Mutant) Table() Table {
	t := slices.DeleteFunc(Protocol(), func(move Move) bool { return slices.Contains(m.Without, move.Name) })
	for _, move := range m.With {
		i := slices.IndexFunc(t, func(old Move) bool { return old.Name == move.Name })
		if i >= 0 {
			t[i] = move
		} else {
			t = append(t, move)
		}
	}
	return t
}

// FindMutant returns the mutant that has the name.
func FindMutant(name string) (Mutant, error) {
	for _, m := range Mutants {
		if m.Name == name {
			return m, nil
		}
	}
	return Mutant{}, fmt.Errorf("proof: no mutant is named %q; the names stand in model/proof/PROOF.md", name)
}

// Mutants lists the mutants: those of a call in the order of its steps, then
// those of withdrawal, then those that are safe.
var Mutants = []Mutant{
	{
		Name: "init-exit-always", Says: "InitExit writes n whatever exit is",
		Without: []string{"InitExit.keep"},
		With:    []Move{{Name: "InitExit.set", From: spec.InitExit, Lock: spec.Held, Set: set(spec.Exit, n), To: spec.UnlockInit}},
	},
	{
		Name: "never-first", Says: "TestFirst goes to CountEnter whatever enter is",
		Without: []string{"TestFirst.first"},
		With:    []Move{{Name: "TestFirst.later", From: spec.TestFirst, Lock: spec.Held, To: spec.CountEnter}},
	},
	{
		Name: "no-drain", Says: "AwaitDrain does not wait",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, To: spec.LockFirst}},
	},
	{
		Name: "drain-too-soon", Says: "AwaitDrain waits until someone has left, not until all have",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: no(is(exit, 0)), To: spec.LockFirst}},
	},
	{
		Name: "no-lock-first", Says: "LockFirst does not lock, so LowerFlag and CountEnter run without",
		With: []Move{{Name: "LockFirst", From: spec.LockFirst, To: spec.LowerFlag}},
	},
	{
		Name: "no-lower", Says: "LowerFlag leaves the flag alone",
		With: []Move{{Name: "LowerFlag", From: spec.LowerFlag, Lock: spec.Held, To: spec.CountEnter}},
	},
	{
		Name: "lower-late", Says: "everyone lowers the flag, after UnlockEnter and without the lock",
		With: []Move{
			{Name: "LockFirst", From: spec.LockFirst, Lock: spec.Acquire, To: spec.CountEnter},
			{Name: "UnlockEnter", From: spec.UnlockEnter, Lock: spec.Release, To: spec.LowerFlag},
			{Name: "LowerFlag", From: spec.LowerFlag, Set: set(spec.Flag, num(0)), To: spec.AwaitFlag},
		},
	},
	{
		Name: "count-enter-early", Says: "CountEnter takes n − 1 for all",
		With: []Move{
			{Name: "CountEnter.last", From: spec.CountEnter, Lock: spec.Held, When: eq(plus(enter, 2), n), Set: set(spec.Enter, plus(enter, 1)), To: spec.ResetEnter},
			{Name: "CountEnter.more", From: spec.CountEnter, Lock: spec.Held, When: no(eq(plus(enter, 2), n)), Set: set(spec.Enter, plus(enter, 1)), To: spec.UnlockEnter},
		},
	},
	{
		Name: "no-reset-enter", Says: "ResetEnter leaves enter alone",
		With: []Move{{Name: "ResetEnter", From: spec.ResetEnter, Lock: spec.Held, To: spec.ResetExit}},
	},
	{
		Name: "no-reset-exit", Says: "ResetExit leaves exit alone",
		With: []Move{{Name: "ResetExit", From: spec.ResetExit, Lock: spec.Held, To: spec.RaiseFlag}},
	},
	{
		Name: "reset-late", Says: "RaiseFlag comes before ResetExit and releases; ResetExit runs without the lock",
		With: []Move{
			{Name: "ResetEnter", From: spec.ResetEnter, Lock: spec.Held, Set: set(spec.Enter, num(0)), To: spec.RaiseFlag},
			{Name: "RaiseFlag", From: spec.RaiseFlag, Lock: spec.Release, Set: set(spec.Flag, num(1)), To: spec.ResetExit},
			{Name: "ResetExit", From: spec.ResetExit, Set: set(spec.Exit, num(0)), To: spec.AwaitFlag},
		},
	},
	{
		Name: "no-await-flag", Says: "AwaitFlag does not wait",
		With: []Move{{Name: "AwaitFlag", From: spec.AwaitFlag, To: spec.LockExit}},
	},
	{
		Name: "no-lock-exit", Says: "LockExit does not lock, so CountExit runs without",
		With: []Move{{Name: "LockExit", From: spec.LockExit, To: spec.CountExit}},
	},
	{
		Name: "count-exit-early", Says: "CountExit clears at n − 1",
		With: []Move{
			{Name: "CountExit.last", From: spec.CountExit, Lock: spec.Held, When: eq(plus(exit, 2), n), Set: set(spec.Exit, plus(exit, 1)), To: spec.ClearExit},
			{Name: "CountExit.more", From: spec.CountExit, Lock: spec.Held, When: no(eq(plus(exit, 2), n)), Set: set(spec.Exit, plus(exit, 1)), To: spec.UnlockExit},
		},
	},
	{
		Name: "exit-twice", Says: "CountExit adds 2",
		With: []Move{
			{Name: "CountExit.last", From: spec.CountExit, Lock: spec.Held, When: eq(plus(exit, 2), n), Set: set(spec.Exit, plus(exit, 2)), To: spec.ClearExit},
			{Name: "CountExit.more", From: spec.CountExit, Lock: spec.Held, When: no(eq(plus(exit, 2), n)), Set: set(spec.Exit, plus(exit, 2)), To: spec.UnlockExit},
		},
	},
	{
		Name: "give-up-late", Says: "a call gives up at LockExit too, though it has seen the flag up",
		With: []Move{{Name: "GiveUp.LockExit", From: spec.LockExit, To: spec.Call}},
	},
	{
		Name: "abandon", Says: "a call gives up at AwaitFlag without withdrawing",
		With: []Move{{Name: "GiveUp.AwaitFlag", From: spec.AwaitFlag, To: spec.Call}},
	},
	{
		Name: "no-test-flag", Says: "TestFlag withdraws whatever the flag is",
		Without: []string{"TestFlag.up"},
		With:    []Move{{Name: "TestFlag.down", From: spec.TestFlag, Lock: spec.Held, To: spec.UncountEnter}},
	},
	{
		Name: "no-uncount", Says: "UncountEnter leaves enter alone",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, To: spec.UnlockWithdraw}},
	},
	{
		Name: "uncount-twice", Says: "UncountEnter subtracts 2",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Enter, plus(enter, -2)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "uncount-exit", Says: "UncountEnter counts exit down instead of enter",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Exit, plus(exit, -1)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "no-lock-withdraw", Says: "LockWithdraw does not lock",
		With: []Move{{Name: "LockWithdraw", From: spec.LockWithdraw, To: spec.TestFlag}},
	},
	{
		Name: "withdrawn-is-done", Says: "a withdrawn call returns success",
		With: []Move{{Name: "UnlockWithdraw", From: spec.UnlockWithdraw, Lock: spec.Release, To: spec.Call, Return: true}},
	},

	{
		Name: "no-clear-exit", Says: "ClearExit leaves exit alone",
		With: []Move{{Name: "ClearExit", From: spec.ClearExit, Lock: spec.Held, To: spec.UnlockExit}},
		Safe: "exit stays n, which is what InitExit would make of −1 as long as all calls have one party count. Clearing lets the count change between rounds.",
	},
	{
		Name: "always-first", Says: "TestFirst goes to UnlockFirst whatever enter is",
		Without: []string{"TestFirst.later"},
		With:    []Move{{Name: "TestFirst.first", From: spec.TestFirst, Lock: spec.Held, To: spec.UnlockFirst}},
		Safe:    "whoever is not the first waits for a drain that is over, and lowers a flag that is down.",
	},
	{
		Name: "drain-cleared", Says: "AwaitDrain takes −1 for n too",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: either(is(exit, -1), eq(exit, n)), To: spec.LockFirst}},
		Safe: "while a round drains, exit is −1 only when all have left it, so whoever reads it is not too early.",
	},
	{
		Name: "no-init-exit", Says: "InitExit leaves exit alone",
		Without: []string{"InitExit.set"},
		With:    []Move{{Name: "InitExit.keep", From: spec.InitExit, Lock: spec.Held, To: spec.UnlockInit}},
		Safe:    "nobody ever gets past AwaitDrain: that is a hang, and the proof is of safety alone. NoHang is the explorer's.",
	},
	{
		Name: "raise-before-reset", Says: "RaiseFlag comes before ResetExit, in the same critical section",
		With: []Move{
			{Name: "ResetEnter", From: spec.ResetEnter, Lock: spec.Held, Set: set(spec.Enter, num(0)), To: spec.RaiseFlag},
			{Name: "RaiseFlag", From: spec.RaiseFlag, Lock: spec.Held, Set: set(spec.Flag, num(1)), To: spec.ResetExit},
			{Name: "ResetExit", From: spec.ResetExit, Lock: spec.Held, Set: set(spec.Exit, num(0)), To: spec.UnlockEnter},
		},
		Safe: "whoever sees the flag early must lock before it can do anything, and finds exit reset. It breaks the invariant all the same, which has the flag rise last.",
	},
	{
		Name: "keep-lock-exit", Says: "UnlockExit keeps the lock",
		With: []Move{{Name: "UnlockExit", From: spec.UnlockExit, To: spec.Call, Return: true}},
		Safe: "nobody moves any more: a hang. It breaks the invariant all the same, which says that a held lock has a holder.",
	},
}
