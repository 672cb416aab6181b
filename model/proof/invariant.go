package proof

import "sharedbarrier/spec"

// A Clause is one part of the invariant, or a property, as a formula over a
// State.
type Clause struct {
	Name  string
	Says  string
	Holds Expr
}

// The terms that have names.
var (
	behind = &Definition{"behind", "how many are behind", behindAt(Steps...)}
	ahead  = &Definition{"ahead", "how many are ahead", aheadAt(Steps...)}

	holders = &Definition{"holders", "how many are between an acquire and its release", allAt(holding()...)}

	counted = &Definition{"counted", "while a round gathers: how many have counted themselves in",
		behindAt(spec.ResetEnter, spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter, spec.AwaitFlag,
			spec.LockWithdraw, spec.TestFlag, spec.UncountEnter)}

	left = &Definition{"left", "while a round drains: how many have counted themselves out",
		add(the(ahead), behindAt(spec.ClearExit, spec.UnlockExit))}
)

// Definitions lists the named terms, each after those that it uses.
var Definitions = []*Definition{behind, ahead, holders, counted, left}

func holding() (list []spec.Step) {
	for _, s := range Steps {
		if s.Holds() {
			list = append(list, s)
		}
	}
	return list
}

// An Invariant is what the proof claims of every reachable state: the clauses
// of Always, and those of one of the two phases.
type Invariant struct {
	Always    []Clause
	Gathering []Clause // a round is filling: nobody has left it
	Draining  []Clause // all n have entered the round, and not all have left it
}

// TheInvariant returns the invariant of Protocol.
func TheInvariant() Invariant {
	return Invariant{
		Always: []Clause{
			{"Counters", "every counter is at least 0", all(counters()...)},
			{"Parties", "there are n processes, and n is at least 1",
				all(le(num(1), n), eq(add(the(behind), the(ahead)), n))},
			{"Lock", "the lock is held exactly when one process is at a step that holds it, and never by two",
				all(within(theLock, num(0), num(1)), eq(the(holders), theLock))},
		},
		Gathering: []Clause{
			{"NobodyAhead", "nobody has left this round", none(the(ahead))},
			{"NobodyLeaves", "nobody is on the way out",
				none(behindAt(spec.LockExit, spec.CountExit, spec.ClearExit, spec.UnlockExit))},
			{"EnterCounts", "enter is the number of those counted, until the last one resets it",
				either(
					all(none(behindAt(spec.ResetExit, spec.RaiseFlag)), eq(enter, the(counted))),
					all(some(behindAt(spec.ResetExit, spec.RaiseFlag)), is(enter, 0)))},
			{"ExitRests", "exit is −1 or n, until the last one resets it",
				either(
					all(none(behindAt(spec.RaiseFlag)), either(is(exit, -1), eq(exit, n))),
					all(some(behindAt(spec.RaiseFlag)), is(exit, 0)))},
			{"FlagIsFlag", "the flag is up or down", within(flag, num(0), num(1))},
			{"FlagDown", "the flag is down once anyone is counted or about to be",
				given(some(add(the(counted), behindAt(spec.CountEnter))), is(flag, 0))},
			{"AllCounted", "whoever resets the words knows that all n are counted",
				given(some(behindAt(spec.ResetEnter, spec.ResetExit, spec.RaiseFlag)), eq(the(counted), n))},
		},
		Draining: []Clause{
			{"SomeoneBehind", "not all have left", some(the(behind))},
			{"BehindLeave", "those behind are on the way out",
				eq(the(behind), behindAt(spec.UnlockEnter, spec.AwaitFlag, spec.LockExit, spec.CountExit, spec.ClearExit,
					spec.UnlockExit, spec.LockWithdraw, spec.TestFlag))},
			{"AheadWait", "those ahead are outside, or have got no further into the next round than LockFirst",
				eq(the(ahead), aheadAt(spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter,
					spec.TestFirst, spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst))},
			{"FlagUp", "the flag is up", is(flag, 1)},
			{"EnterZero", "enter is 0", is(enter, 0)},
			{"ExitCounts", "exit is the number of those who have left, until all have",
				either(eq(exit, the(left)), all(eq(the(left), n), is(exit, -1)))},
			{"LastClears", "whoever clears exit knows that all n have left",
				given(some(behindAt(spec.ClearExit)), eq(the(left), n))},
			{"DrainedFirst", "nobody ahead gets past AwaitDrain before all n have left",
				given(some(aheadAt(spec.LockFirst)), eq(the(left), n))},
		},
	}
}

func counters() (list []Expr) {
	for _, g := range Groups {
		for _, step := range Steps {
			list = append(list, le(num(0), at(g, step)))
		}
	}
	return list
}

// Properties lists the safety properties of the design as predicates of one
// state. NeverTwoAhead is the part of NoEarlyExit that a State cannot express,
// and depends on the table: who is ahead cannot complete another call.
func Properties(t Table) []Clause {
	var returning []Expr
	for _, m := range t {
		if m.Return {
			returning = append(returning, no(all(m.common(Ahead).Guard...)))
		}
	}
	return []Clause{
		{spec.NoEarlyExit.String(), "when anyone is ahead, nobody behind is still at Call",
			given(some(the(ahead)), none(behindAt(spec.Call)))},
		{"NeverTwoAhead", "nobody who is ahead completes another call", all(returning...)},
		{spec.WordsInRange.String(), spec.WordsInRange.Doc(),
			all(within(enter, num(0), n), within(exit, num(-1), n), within(flag, num(0), num(1)))},
		{spec.LockExclusive.String(), spec.LockExclusive.Doc(), le(the(holders), num(1))},
		{spec.Quiescent.String(), spec.Quiescent.Doc(),
			given(eq(allAt(spec.Call), n), all(is(enter, 0), either(is(exit, -1), eq(exit, n))))},
	}
}

// Phase returns Gathering or Draining, or nothing if s belongs to neither. No
// state that satisfies the invariant belongs to both.
func (inv Invariant) Phase(s *State) string {
	switch {
	case hold(inv.Gathering, s):
		return "Gathering"
	case hold(inv.Draining, s):
		return "Draining"
	default:
		return ""
	}
}

func hold(clauses []Clause, s *State) bool {
	for _, c := range clauses {
		if !c.Holds.True(s) {
			return false
		}
	}
	return true
}

// Holds reports whether s satisfies the invariant.
func (inv Invariant) Holds(s *State) bool { return hold(inv.Always, s) && inv.Phase(s) != "" }

// Broken lists the names of the clauses that s breaks: those of Always, and, if
// s belongs to neither phase, those of the phase of which it breaks the fewest,
// or of both if it breaks as many of both. Those of a phase have its name and a
// dot before them.
func (inv Invariant) Broken(s *State) []string {
	broken := brokenOf("", inv.Always, s)
	gathering := brokenOf("Gathering.", inv.Gathering, s)
	draining := brokenOf("Draining.", inv.Draining, s)
	fewest := min(len(gathering), len(draining))
	if fewest == 0 {
		return broken
	}
	for _, phase := range [][]string{gathering, draining} {
		if len(phase) == fewest {
			broken = append(broken, phase...)
		}
	}
	return broken
}

func brokenOf(phase string, clauses []Clause, s *State) (list []string) {
	for _, c := range clauses {
		if !c.Holds.True(s) {
			list = append(list, phase+c.Name)
		}
	}
	return list
}
