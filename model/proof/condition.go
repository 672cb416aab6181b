package proof

import "sharedbarrier/spec"

// A Condition is one proof obligation about all states: if Given holds in a
// state, then Goal holds in it, or, if there is a Next, in its successor. Where
// Given or Goal is nil the invariant is meant.
type Condition struct {
	Name  string
	Says  string
	Given *Clause
	Next  *Successor
	Goal  *Clause
	inv   Invariant
}

// Conditions returns everything that must be shown for the table: that the
// first state satisfies the invariant (initiation), that each move of each
// group keeps it (step), and that it implies each safety property (safety).
// When all are valid, every property holds in every state that any number of
// processes can reach.
func Conditions(t Table) []Condition { return ConditionsOf(t, TheInvariant()) }

// ConditionsOf is Conditions for another invariant.
func ConditionsOf(t Table, inv Invariant) []Condition {
	list := []Condition{{Name: "initiation", Says: "before the first call the invariant holds", Given: &start}}
	for _, m := range t {
		list = append(list, consecution(m)...)
	}
	for _, p := range Properties(t) {
		list = append(list, Condition{Name: "safety." + p.Name, Says: "the invariant implies: " + p.Says, Goal: &p})
	}
	for i := range list {
		list[i].inv = inv
	}
	return list
}

func consecution(m Move) (list []Condition) {
	add := func(suffix, who string, next Successor) {
		list = append(list, Condition{
			Name: "step." + m.Name + "." + suffix,
			Says: m.Name + " by " + who + " keeps the invariant",
			Next: &next,
		})
	}
	if m.Return { // by one ahead: safety.NeverTwoAhead
		add("behind", "one behind, not the last,", m.After(Behind))
		add("renormalise", "the last one behind, after which those ahead are behind,", m.AfterLast())
		return list
	}
	for _, g := range Groups {
		add(g.String(), "one "+g.String(), m.After(g))
	}
	return list
}

var start = Clause{"Initial", "n processes are at Call, the words are initial, the lock is free", all(
	le(num(1), n),
	eq(behindAt(spec.Call), n), none(behindAt(Steps[1:]...)), none(the(ahead)), all(counters()...),
	is(enter, int(spec.Initial.Enter)), is(exit, int(spec.Initial.Exit)), is(flag, int(spec.Initial.Flag)),
	is(theLock, 0),
)}

// Refuted reports whether s shows that the condition is not valid, and if so,
// the state after the move, if there is one, and the clauses that it breaks.
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
	case c.Goal == nil && !c.inv.Holds(judged):
		return after, c.inv.Broken(judged), true
	case c.Goal != nil && !c.Goal.Holds.True(judged):
		return after, []string{c.Goal.Name}, true
	}
	return nil, nil, false
}
