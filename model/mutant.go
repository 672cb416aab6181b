package model

import "sharedbarrier/spec"

// A Mutant is the protocol with one mistake in it, as data: a checker that
// accepts it is worth nothing. The zero Mutant has none.
type Mutant struct {
	Name  string
	Doc   string // the mistake, in words
	Turns []Turn // steps that are left out or done in another order
	Off   Off    // a party count that is off
	Put   Put    // a word that gets another value
	Why   string // why it is no mistake while the party count stays; empty: it is one
}

// A Turn is a wrong turn: the step From goes on to Instead where it should go
// on to To.
type Turn struct{ From, To, Instead spec.Step }

// An Off has the step At count with n + By instead of n.
type Off struct {
	At spec.Step // spec.Call: none
	By int32
}

// A Put has the step At leave the word at the value, instead of what it wrote.
type Put struct {
	At    spec.Step // spec.Call: none
	Word  spec.Word
	Value int32
	OrN   bool // the party count instead of Value
}

// Mutants lists the mistakes, by the step that they are about. Each but those
// with a Why is caught by a property; model/README.md has the table.
var Mutants = []Mutant{
	{Name: "no-lock-init", Doc: "InitExit without the lock", Turns: []Turn{{spec.Call, spec.LockInit, spec.InitExit}}},
	{Name: "no-init-exit", Doc: "no InitExit", Turns: []Turn{{spec.LockInit, spec.InitExit, spec.UnlockInit}}},
	{Name: "init-exit-always", Doc: "InitExit does not look whether exit is −1", Put: Put{At: spec.InitExit, Word: spec.Exit, OrN: true}},
	{Name: "keep-lock-init", Doc: "no UnlockInit", Turns: []Turn{{spec.InitExit, spec.UnlockInit, spec.LockEnter}}},
	{Name: "no-lock-enter", Doc: "TestFirst and CountEnter without the lock", Turns: []Turn{{spec.UnlockInit, spec.LockEnter, spec.TestFirst}}},
	{Name: "never-first", Doc: "TestFirst never finds enter = 0", Turns: []Turn{{spec.TestFirst, spec.UnlockFirst, spec.CountEnter}}},
	{Name: "always-first", Doc: "TestFirst always finds enter = 0", Turns: []Turn{{spec.TestFirst, spec.CountEnter, spec.UnlockFirst}},
		Why: "while a round gathers, exit is n, since no process counts out before all have counted in: AwaitDrain goes on at once, and the flag is down already"},
	{Name: "drain-locked", Doc: "AwaitDrain under the lock", Turns: []Turn{
		{spec.TestFirst, spec.UnlockFirst, spec.AwaitDrain}, {spec.AwaitDrain, spec.LockFirst, spec.LowerFlag}}},
	{Name: "no-drain", Doc: "no AwaitDrain", Turns: []Turn{{spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst}}},
	{Name: "test-again", Doc: "LockEnter and TestFirst again instead of AwaitDrain", Turns: []Turn{{spec.UnlockFirst, spec.AwaitDrain, spec.LockEnter}}},
	{Name: "no-lock-first", Doc: "LowerFlag and CountEnter without the lock", Turns: []Turn{{spec.AwaitDrain, spec.LockFirst, spec.LowerFlag}}},
	{Name: "lower-unlocked", Doc: "LowerFlag before LockFirst", Turns: []Turn{
		{spec.AwaitDrain, spec.LockFirst, spec.LowerFlag}, {spec.LowerFlag, spec.CountEnter, spec.LockFirst}, {spec.LockFirst, spec.LowerFlag, spec.CountEnter}}},
	{Name: "no-lower", Doc: "no LowerFlag", Turns: []Turn{{spec.LockFirst, spec.LowerFlag, spec.CountEnter}}},
	{Name: "count-enter-early", Doc: "CountEnter takes n − 1 for n", Off: Off{spec.CountEnter, -1}},
	{Name: "count-enter-late", Doc: "CountEnter takes n + 1 for n", Off: Off{spec.CountEnter, 1}},
	{Name: "no-reset-enter", Doc: "no ResetEnter", Turns: []Turn{{spec.CountEnter, spec.ResetEnter, spec.ResetExit}}},
	{Name: "no-reset-exit", Doc: "no ResetExit", Turns: []Turn{{spec.ResetEnter, spec.ResetExit, spec.RaiseFlag}}},
	{Name: "reset-exit-one", Doc: "ResetExit sets exit to 1", Put: Put{At: spec.ResetExit, Word: spec.Exit, Value: 1}},
	{Name: "no-raise", Doc: "no RaiseFlag", Turns: []Turn{{spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter}}},
	{Name: "raise-two", Doc: "RaiseFlag sets flag to 2", Put: Put{At: spec.RaiseFlag, Word: spec.Flag, Value: 2}},
	{Name: "raise-before-reset", Doc: "RaiseFlag before ResetExit", Turns: []Turn{
		{spec.ResetEnter, spec.ResetExit, spec.RaiseFlag}, {spec.RaiseFlag, spec.UnlockEnter, spec.ResetExit}, {spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter}},
		Why: "both are in one critical section, and a process that sees the flag up too early must take the lock next"},
	{Name: "keep-lock-enter", Doc: "no UnlockEnter", Turns: []Turn{
		{spec.CountEnter, spec.UnlockEnter, spec.AwaitFlag}, {spec.RaiseFlag, spec.UnlockEnter, spec.AwaitFlag}}},
	{Name: "no-await-flag", Doc: "no AwaitFlag", Turns: []Turn{{spec.UnlockEnter, spec.AwaitFlag, spec.LockExit}}},
	{Name: "no-lock-exit", Doc: "CountExit without the lock", Turns: []Turn{{spec.AwaitFlag, spec.LockExit, spec.CountExit}}},
	{Name: "count-exit-early", Doc: "CountExit takes n − 1 for n", Off: Off{spec.CountExit, -1}},
	{Name: "no-count-exit", Doc: "no CountExit", Turns: []Turn{{spec.LockExit, spec.CountExit, spec.UnlockExit}}},
	{Name: "no-clear-exit", Doc: "no ClearExit", Turns: []Turn{{spec.CountExit, spec.ClearExit, spec.UnlockExit}},
		Why: "the n that stays there is the one that the next InitExit would write"},
	{Name: "clear-to-zero", Doc: "ClearExit sets exit to 0", Put: Put{At: spec.ClearExit, Word: spec.Exit, Value: 0}},
	{Name: "no-lock-withdraw", Doc: "TestFlag and UncountEnter without the lock", Turns: []Turn{{spec.AwaitFlag, spec.LockWithdraw, spec.TestFlag}}},
	{Name: "no-test-flag", Doc: "no TestFlag", Turns: []Turn{{spec.LockWithdraw, spec.TestFlag, spec.UncountEnter}}},
	{Name: "withdraw-anyway", Doc: "TestFlag finds the flag up and withdraws all the same, without UncountEnter",
		Turns: []Turn{{spec.TestFlag, spec.CountExit, spec.UnlockWithdraw}}},
	{Name: "no-uncount", Doc: "no UncountEnter", Turns: []Turn{{spec.TestFlag, spec.UncountEnter, spec.UnlockWithdraw}}},
	{Name: "uncount-to-zero", Doc: "UncountEnter sets enter to 0", Put: Put{At: spec.UncountEnter, Word: spec.Enter, Value: 0}},
}

// MutantNamed returns the mutant of that name, or nil.
func MutantNamed(name string) *Mutant {
	for i := range Mutants {
		if Mutants[i].Name == name {
			return &Mutants[i]
		}
	}
	return nil
}

// move makes process p take its step, with the mistake if there is one.
func (s *State) move(cfg *Config, p int, parties int32) {
	m, me := cfg.Mutant, &s.procs[p]
	at := me.step
	if m == nil || at == spec.Call {
		s.take(cfg, p, parties)
		m.turn(at, me)
		return
	}
	off := int32(0)
	if m.Off.At == at {
		off = m.Off.By
	}
	me.parties += off
	s.take(cfg, p, parties)
	me.parties -= off
	if me.read {
		return // halfway through the step
	}
	if m.Put.At == at {
		s.put(m.Put, me.parties)
	}
	m.turn(at, me)
}

// turn makes the wrong turn, if m has one there, of a process that was at a
// step.
func (m *Mutant) turn(at spec.Step, me *proc) {
	if m == nil {
		return
	}
	for _, t := range m.Turns {
		if t.From == at && t.To == me.step {
			me.step = t.Instead
			return
		}
	}
}

func (s *State) put(u Put, n int32) {
	value := u.Value
	if u.OrN {
		value = n
	}
	switch u.Word {
	case spec.Enter:
		s.words.Enter = value
	case spec.Exit:
		s.words.Exit = value
	case spec.Flag:
		s.words.Flag = value
	}
}
