package proof

import (
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Mutant is Protocol with one mistake in it. Most break a property: the proof
// must fail for them.
type Mutant struct {
	Name string
	Doc  string // the mistake
	With []Move // moves that replace those of the same name, or are added
	Why  string // why the mutant breaks no property; empty: it breaks one
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
	return Mutant{}, fmt.Errorf("proof: no mutant is named %q; model/proof/PROOF.md lists the names", name)
}

// Mutants lists the mutants: those of model.Mutants, with each mistake made in
// the table of moves, and then those that the proof alone has.
func Mutants() (list []Mutant) {
	for _, m := range model.Mutants {
		list = append(list, Mutant{m.Name, m.Doc, mistaken(m), m.Why})
	}
	return append(list, own...)
}

// mistaken returns the moves of Protocol that the mistake changes, changed.
func mistaken(m model.Mutant) (list []Move) {
	for _, move := range Protocol() {
		step := !move.event()
		off, put := step && m.Off.At == move.From && m.Off.By != 0, step && m.Put.At == move.From && m.Put.At != spec.Call
		if off {
			move.When = move.When.withParties(int(m.Off.By))
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

// own lists mistakes that a model.Mutant cannot express, in the order of the
// steps. The last one breaks no property.
var own = []Mutant{
	{
		Name: "drain-early", Doc: "AwaitDrain waits until one process has left, not until all have",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: not(eqConst(exit, 0)), To: spec.LockFirst}},
	},
	{
		Name: "lower-late", Doc: "every process lowers the flag, after UnlockEnter and without the lock",
		With: []Move{
			{Name: "LockFirst", From: spec.LockFirst, Lock: spec.Acquire, To: spec.CountEnter},
			{Name: "UnlockEnter", From: spec.UnlockEnter, Lock: spec.Release, To: spec.LowerFlag},
			{Name: "LowerFlag", From: spec.LowerFlag, Set: set(spec.Flag, num(0)), To: spec.AwaitFlag},
		},
	},
	{
		Name: "reset-late", Doc: "RaiseFlag comes before ResetExit and releases; ResetExit runs without the lock",
		With: []Move{
			{Name: "ResetEnter", From: spec.ResetEnter, Lock: spec.Held, Set: set(spec.Enter, num(0)), To: spec.RaiseFlag},
			{Name: "RaiseFlag", From: spec.RaiseFlag, Lock: spec.Release, Set: set(spec.Flag, num(1)), To: spec.ResetExit},
			{Name: "ResetExit", From: spec.ResetExit, Set: set(spec.Exit, num(0)), To: spec.AwaitFlag},
		},
	},
	{
		Name: "count-exit-twice", Doc: "CountExit adds 2",
		With: []Move{
			{Name: "CountExit.last", From: spec.CountExit, Lock: spec.Held, When: eq(plus(exit, 2), n), Set: set(spec.Exit, plus(exit, 2)), To: spec.ClearExit},
			{Name: "CountExit.more", From: spec.CountExit, Lock: spec.Held, When: not(eq(plus(exit, 2), n)), Set: set(spec.Exit, plus(exit, 2)), To: spec.UnlockExit},
		},
	},
	{
		Name: "give-up-late", Doc: "a call gives up at LockExit too, though it has seen the flag up",
		With: []Move{{Name: "GiveUp.LockExit", From: spec.LockExit, To: spec.Call}},
	},
	{
		Name: "abandon", Doc: "a call gives up at AwaitFlag without withdrawing",
		With: []Move{{Name: "GiveUp.AwaitFlag", From: spec.AwaitFlag, To: spec.Call}},
	},
	{
		Name: "uncount-twice", Doc: "UncountEnter subtracts 2",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Enter, plus(enter, -2)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "uncount-exit", Doc: "UncountEnter counts exit down instead of enter",
		With: []Move{{Name: "UncountEnter", From: spec.UncountEnter, Lock: spec.Held, Set: set(spec.Exit, plus(exit, -1)), To: spec.UnlockWithdraw}},
	},
	{
		Name: "return-withdrawn", Doc: "a withdrawn call returns success",
		With: []Move{{Name: "UnlockWithdraw", From: spec.UnlockWithdraw, Lock: spec.Release, To: spec.Call, Return: true}},
	},
	{
		Name: "await-cleared", Doc: "AwaitDrain waits until exit is −1",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: eqConst(exit, -1), To: spec.LockFirst}},
	},
	{
		Name: "keep-lock-exit", Doc: "UnlockExit keeps the lock",
		With: []Move{{Name: "UnlockExit", From: spec.UnlockExit, To: spec.Call, Return: true}},
	},
	{
		Name: "drain-cleared", Doc: "AwaitDrain takes −1 for n too",
		With: []Move{{Name: "AwaitDrain", From: spec.AwaitDrain, When: or(eqConst(exit, -1), eq(exit, n)), To: spec.LockFirst}},
		Why:  "while a round drains, exit is −1 only when all have left it, so a process that reads −1 is not too early",
	},
}
