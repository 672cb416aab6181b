package proof

import (
	"fmt"
	"slices"

	"sharedbarrier/spec"
)

// A Condition is a proof obligation about all states: if Given holds in a
// state, Goal holds in it, or in its successor if there is a Next. A nil Given
// or Goal is the invariant. If there is a Change, the goal is that the rank of
// the successor differs like this.
type Condition struct {
	Name   string
	Doc    string
	Kind   spec.Kind // of the properties for which it is needed; Liveness needs both kinds
	Given  *Clause
	Next   *Successor
	Goal   *Clause
	Change *Change
	inv    Invariant
}

// Conditions returns the proof obligations of the table. If those of safety are
// valid, every safety property holds in every state that any number of
// processes can reach: the first state satisfies the invariant (initiation),
// each move of each group keeps it (step), and it implies each property
// (safety). If the others are valid too, no process hangs: in every state some
// step is possible (deadlock), and each step but the last of a round lowers the
// rank, which is bounded and to which a call that gives up adds little (rank).
func Conditions(t Table) []Condition { return ConditionsOf(t, TheInvariant(), TheRank()) }

// ConditionsOf is Conditions for another invariant and rank.
func ConditionsOf(t Table, inv Invariant, rank Rank) []Condition {
	if absent := t.absent(); len(absent) > 0 {
		inv.Always = append(slices.Clip(inv.Always),
			Clause{"Absent", "no process is at a step that the scenario lacks", zero(allAt(absent...))})
	}
	list := safety(t)
	for i := range list {
		list[i].Kind = spec.Safety
	}
	for _, c := range liveness(t, rank) {
		c.Kind = spec.Liveness
		list = append(list, c)
	}
	for i := range list {
		list[i].inv = inv
	}
	return list
}

func safety(t Table) []Condition {
	list := []Condition{{Name: "initiation", Doc: "before the first call the invariant holds", Given: &start}}
	for _, r := range t.Rules() {
		list = append(list, Condition{Name: "step." + r.Name, Doc: r.Doc + " keeps the invariant", Next: &r.Successor})
	}
	for _, p := range Properties(t) {
		list = append(list, Condition{Name: "safety." + p.Name, Doc: "the invariant implies: " + p.Doc, Goal: &p})
	}
	return list
}

func liveness(t Table, rank Rank) []Condition {
	alive := NoDeadlock(t)
	fresh := &Clause{"Start", "the rank is at most " + rank.Start.String(), rank.atMost(rank.Start)}
	list := []Condition{
		{Name: "deadlock", Doc: "the invariant implies: " + alive.Doc, Goal: &alive},
		{Name: "rank.initiation", Doc: "before the first call " + fresh.Doc, Given: &start, Goal: fresh},
	}
	for _, r := range t.Rules() {
		c := Condition{Name: "rank." + r.Name, Next: &r.Successor}
		switch {
		case r.Move.event():
			c.Doc, c.Change = fmt.Sprintf("%s adds at most %d to the rank", r.Doc, rank.GiveUp), &Change{rank, rank.GiveUp}
		case r.EndsRound:
			c.Doc, c.Goal = "after "+r.Doc+" "+fresh.Doc, fresh
		default:
			c.Doc, c.Change = r.Doc+" lowers the rank", &Change{rank, -1}
		}
		list = append(list, c)
	}
	for _, p := range []Clause{
		{"Most", "the rank is at most " + rank.Most.String(), rank.atMost(rank.Most)},
		{"Least", fmt.Sprintf("the rank is at least %d", rank.Least), rank.atLeast(rank.Least)},
	} {
		list = append(list, Condition{Name: "rank." + p.Name, Doc: "the invariant implies: " + p.Doc, Goal: &p})
	}
	return list
}

var start = Clause{"Initial", "n processes are at Call, the words are initial, the lock is free", and(
	le(num(1), n),
	eq(behindAt(spec.Call), n), zero(behindAt(Steps[1:]...)), zero(ref(ahead)), and(counters()...),
	eqConst(enter, int(spec.Initial.Enter)), eqConst(exit, int(spec.Initial.Exit)), eqConst(flag, int(spec.Initial.Flag)),
	eqConst(theLock, 0),
)}

// Refuted reports whether s shows that the condition is not valid. If it does,
// after is the state after the move, or nil if there is no move, and breaks has
// the names of the clauses that fail.
func (c Condition) Refuted(s *State) (after *State, breaks []string, refuted bool) {
	if c.Given == nil && !c.inv.Holds(s) || c.Given != nil && !c.Given.Holds.True(s) {
		return nil, nil, false
	}
	judged := s
	if c.Next != nil {
		if !c.Next.Possible(s) {
			return nil, nil, false
		}
		t := c.Next.Eval(s)
		after, judged = &t, &t
	}
	switch {
	case c.Change != nil:
		before, now := c.Change.Of(s), c.Change.Of(judged)
		return after, []string{fmt.Sprintf("Rank (%d, then %d)", before, now)}, now > before+c.Change.By
	case c.Goal == nil && !c.inv.Holds(judged):
		return after, c.inv.Broken(judged), true
	case c.Goal != nil && !c.Goal.Holds.True(judged):
		return after, []string{c.Goal.Name}, true
	}
	return nil, nil, false
}
