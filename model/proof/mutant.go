package proof

import (
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Mutant is Protocol with one small change. Most make it unsafe, and the
// proof must fail for them.
type Mutant struct {
	Name string
	Says string // what is changed
	With []Move // moves that take the place of those of the same name, or are added
	Safe string // why the mutant is safe nevertheless; empty: it is not
}

// Table returns the mutated table.
func (m Mutant) Table() Table {
	t := Protocol()
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
	for _, m := range Mutants() {
		if m.Name == name {
			return m, nil
		}
	}
	return Mutant{}, fmt.Errorf("proof: no mutant is named %q; the names stand in model/proof/PROOF.md", name)
}

// Mutants lists the mutants: those of the explorer, their mistakes made in the
// table of moves, and then those that are only here.
func Mutants() (list []Mutant) {
	for _, m := range model.Mutants {
		list = append(list, Mutant{m.Name, m.Says, mistaken(m), harmless[m.Name]})
	}
	return append(list, own...)
}

// mistaken returns the moves of Protocol that the mistake changes, changed.
func mistaken(m model.Mutant) (list []Move) {
	for _, move := range Protocol() {
		step := !move.event()
		off, put := step && m.Off.At == move.From && m.Off.By != 0, step && m.Put.At == move.From && m.Put.At != spec.Call
		if off {
			move.When = move.When.counting(int(m.Off.By))
		}
		if put {
			value := num(int(m.Put.Value))
			if m.Put.OrN {
				value = n
			}
			others := slices.DeleteFunc(slices.Clone(move.Set), func(w Write) bool { return w.Word == m.Put.Word })
			move.Set = append(others, Write{m.Put.Word, value})
		}
		i := slices.IndexFunc(m.Turns, func(t model.Turn) bool { return t.From == move.From && t.To == move.To })
		if i >= 0 {
			move.To = m.Turns[i].Instead
		}
		if off || put || i >= 0 {
			list = append(list, move)
		}
	}
	return list
}

// harmless says why some of the explorer's mistakes break no safety property: they
// are none while the party count stays, or they are a hang, and NoHang is the
// explorer's.
var harmless = map[string]string{
	"no-init-exit":       "nobody ever gets past AwaitDrain: a hang.",
	"keep-lock-init":     "nobody ever gets past LockEnter: a hang. It breaks the invariant all the same, which says that a held lock has a holder.",
	"always-first":       "whoever is not the first waits for a drain that is over, and lowers a flag that is down.",
	"drain-locked":       "whoever waits for the drain keeps those out who are to leave: a hang. It breaks the invariant all the same, which has nobody at AwaitDrain hold the lock.",
	"test-again":         "AwaitDrain is never come to, so that whoever is the first asks again for ever: a hang.",
	"count-enter-late":   "nobody ever is the last to enter: a hang.",
	"raise-before-reset": "whoever sees the flag early must lock before it can do anything, and finds exit reset. It breaks the invariant all the same, which has the flag rise last.",
	"keep-lock-enter":    "nobody ever gets past LockExit: a hang. It breaks the invariant all the same, which says that a held lock has a holder.",
	"no-clear-exit":      "exit stays n, which is what InitExit would make of −1 as long as all calls have one party count. Clearing lets the count change between rounds.",
	"uncount-to-zero":    "those who were counted and wait on are forgotten, so that their round is never complete: a hang. It breaks the invariant all the same, which has enter count them.",
}

// own are mistakes that the explorer's data cannot express, in the order of the
// steps; the last two are safe.
var own = []Mutant{
	{
		Name: "drain-too-soon", Says: "AwaitDrain waits until someone has left, not until all have",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: no(is(exit, 0)), To: spec.LockFirst}},
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
		Name: "reset-late", Says: "RaiseFlag comes before ResetExit and releases; ResetExit runs without the lock",
		With: []Move{
			{Name: "ResetEnter", From: spec.ResetEnter, Lock: spec.Held, Set: set(spec.Enter, num(0)), To: spec.RaiseFlag},
			{Name: "RaiseFlag", From: spec.RaiseFlag, Lock: spec.Release, Set: set(spec.Flag, num(1)), To: spec.ResetExit},
			{Name: "ResetExit", From: spec.ResetExit, Set: set(spec.Exit, num(0)), To: spec.AwaitFlag},
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
		Name: "uncount-twice", Says: "UncountEnter subtracts 2",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Enter, plus(enter, -2)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "uncount-exit", Says: "UncountEnter counts exit down instead of enter",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Exit, plus(exit, -1)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "withdrawn-is-done", Says: "a withdrawn call returns success",
		With: []Move{{Name: "UnlockWithdraw", From: spec.UnlockWithdraw, Lock: spec.Release, To: spec.Call, Return: true}},
	},
	{
		Name: "drain-cleared", Says: "AwaitDrain takes −1 for n too",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: either(is(exit, -1), eq(exit, n)), To: spec.LockFirst}},
		Safe: "while a round drains, exit is −1 only when all have left it, so whoever reads it is not too early.",
	},
	{
		Name: "keep-lock-exit", Says: "UnlockExit keeps the lock",
		With: []Move{{Name: "UnlockExit", From: spec.UnlockExit, To: spec.Call, Return: true}},
		Safe: "nobody moves any more: a hang. It breaks the invariant all the same, which says that a held lock has a holder.",
	},
}
