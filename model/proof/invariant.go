package proof

import "sharedbarrier/spec"

// A Clause is a part of the invariant, or a property.
type Clause struct {
	Name  string
	Doc   string
	Holds Expr
}

// The terms that have names.
var (
	behind = &Definition{"behind", "processes behind", behindAt(Steps...)}
	ahead  = &Definition{"ahead", "processes ahead", aheadAt(Steps...)}

	holders = &Definition{"holders", "processes between an acquire and its release", allAt(holding()...)}

	counted = &Definition{"counted", "while a round gathers: processes that have counted themselves in",
		behindAt(spec.ResetEnter, spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter, spec.AwaitFlag,
			spec.LockWithdraw, spec.TestFlag, spec.UncountEnter)}

	leaving = &Definition{"leaving", "while a round drains: processes behind on their way out",
		behindAt(spec.UnlockEnter, spec.AwaitFlag, spec.LockExit, spec.CountExit, spec.ClearExit, spec.UnlockExit,
			spec.LockWithdraw, spec.TestFlag)}

	left = &Definition{"left", "while a round drains: processes that have counted themselves out",
		add(ref(ahead), behindAt(spec.ClearExit, spec.UnlockExit))}
)

// Definitions lists the named terms, each after those that it uses.
var Definitions = []*Definition{behind, ahead, holders, counted, leaving, left}

func holding() (list []spec.Step) {
	for _, s := range Steps {
		if s.Holds() {
			list = append(list, s)
		}
	}
	return list
}

// An Invariant holds in a state in which all clauses of Always hold, and all
// clauses of one of the two phases.
type Invariant struct {
	Always    []Clause
	Gathering []Clause // not all n have entered the round, and no process has left it
	Draining  []Clause // all n have entered the round, and not all have left it
}

// TheInvariant returns the invariant of Protocol.
func TheInvariant() Invariant {
	return Invariant{
		Always: []Clause{
			{"Parties", "there are n processes, and n is at least 1",
				and(le(num(1), n), eq(add(ref(behind), ref(ahead)), n))},
			{"Lock", "the lock is held if and only if one process is at a step that holds it, and no two are",
				and(within(theLock, num(0), num(1)), eq(ref(holders), theLock))},
			{"Counters", "every counter is at least 0", and(counters()...)},
		},
		Gathering: []Clause{
			{"NoneAhead", "no process has left this round", zero(ref(ahead))},
			{"NoneLeaves", "no process is on its way out",
				zero(behindAt(spec.LockExit, spec.CountExit, spec.ClearExit, spec.UnlockExit))},
			{"EnterCounts", "enter is the number of processes counted, until the last one resets it",
				or(
					and(zero(behindAt(spec.ResetExit, spec.RaiseFlag)), eq(enter, ref(counted))),
					and(positive(behindAt(spec.ResetExit, spec.RaiseFlag)), eqConst(enter, 0)))},
			{"ExitRests", "exit is −1 or n, until the last one resets it",
				or(
					and(zero(behindAt(spec.RaiseFlag)), or(eqConst(exit, -1), eq(exit, n))),
					and(positive(behindAt(spec.RaiseFlag)), eqConst(exit, 0)))},
			{"FlagInRange", "the flag is up or down", within(flag, num(0), num(1))},
			{"FlagDown", "the flag is down while a process is counted or about to be",
				implies(positive(add(ref(counted), behindAt(spec.CountEnter))), eqConst(flag, 0))},
			{"AllCounted", "all n are counted while a process resets the words",
				implies(positive(behindAt(spec.ResetEnter, spec.ResetExit, spec.RaiseFlag)), eq(ref(counted), n))},
			{"SomeUncounted", "not all n are counted while no process resets the words",
				implies(zero(behindAt(spec.ResetEnter, spec.ResetExit, spec.RaiseFlag)), le(plus(ref(counted), 1), n))},
			{"InitExitComes", "while exit is −1, a process is about to set it",
				implies(eqConst(exit, -1), positive(behindAt(spec.Call, spec.LockInit, spec.InitExit)))},
		},
		Draining: []Clause{
			{"SomeBehind", "not all have left", positive(ref(behind))},
			{"BehindLeave", "the processes behind are on their way out", eq(ref(behind), ref(leaving))},
			{"AheadWait", "the processes ahead are outside, or in the next round no further than LockFirst",
				eq(ref(ahead), aheadAt(spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter,
					spec.TestFirst, spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst))},
			{"FlagUp", "the flag is up", eqConst(flag, 1)},
			{"EnterZero", "enter is 0", eqConst(enter, 0)},
			{"ExitCounts", "exit is the number of processes that have left, until all have",
				or(eq(exit, ref(left)), and(eq(ref(left), n), eqConst(exit, -1)))},
			{"LastClears", "exit is n while a process clears it",
				implies(positive(behindAt(spec.ClearExit)), eq(exit, n))},
			{"DrainedFirst", "no process ahead passes AwaitDrain before all n have left",
				implies(positive(aheadAt(spec.LockFirst)), eq(ref(left), n))},
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

// Properties lists the safety properties as predicates of one state.
// NeverTwoAhead is the part of NoEarlyExit that a State cannot express: a
// process ahead cannot complete another call. It depends on the table.
func Properties(t Table) []Clause {
	var returning []Expr
	for _, m := range t {
		if m.Return {
			returning = append(returning, not(and(m.common(Ahead).Guard...)))
		}
	}
	return []Clause{
		{spec.NoEarlyExit.String(), "while a process is ahead, no process behind is at Call",
			implies(positive(ref(ahead)), zero(behindAt(spec.Call)))},
		{"NeverTwoAhead", "no process ahead completes another call", and(returning...)},
		{spec.WordsInRange.String(), spec.WordsInRange.Doc(),
			and(within(enter, num(0), n), within(exit, num(-1), n), within(flag, num(0), num(1)))},
		{spec.LockExclusive.String(), spec.LockExclusive.Doc(), le(ref(holders), num(1))},
		{spec.Quiescent.String(), spec.Quiescent.Doc(),
			implies(eq(allAt(spec.Call), n), and(eqConst(enter, 0), or(eqConst(exit, -1), eq(exit, n))))},
	}
}

// NoDeadlock says that a process can take a step. It does not rely on those
// ahead to call again: a round ends without their next call.
func NoDeadlock(t Table) Clause {
	var steps []Expr
	for _, m := range t {
		for _, g := range Groups {
			relied := !m.event() && (g == Behind || m.From != spec.Call && !m.Return)
			if relied {
				steps = append(steps, and(m.common(g).Guard...))
			}
		}
	}
	return Clause{"NoDeadlock", "a process can take a step, other than Call by one ahead", or(steps...)}
}

// Phase returns Gathering or Draining, or "" if s belongs to neither. A state
// that satisfies the invariant belongs to one.
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
	for i := range clauses {
		if !clauses[i].Holds.True(s) {
			return false
		}
	}
	return true
}

// Holds reports whether s satisfies the invariant.
func (inv Invariant) Holds(s *State) bool { return hold(inv.Always, s) && inv.Phase(s) != "" }

// Broken returns the names of the clauses that s breaks. If s belongs to
// neither phase, they include the broken clauses of the phase that has fewer of
// them, or of both phases if these have equally many. The name of a phase and a
// dot precede the name of its clause.
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
