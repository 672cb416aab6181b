package proof

import "sharedbarrier/spec"

// A Condition is a proof obligation about all states: if Given holds in a
// state, Goal holds in it, or in its successor if there is a Next. A nil Given
// or Goal is the invariant.
type Condition struct {
	Name  string
	Doc   string
	Given *Clause
	Next  *Successor
	Goal  *Clause
	inv   Invariant
}

// Conditions returns the proof obligations of the table: the first state
// satisfies the invariant (initiation), each move of each group keeps it
// (step), and it implies each safety property (safety). If all are valid, every
// property holds in every state that any number of processes can reach.
func Conditions(t Table) []Condition { return ConditionsOf(t, TheInvariant()) }

// ConditionsOf is Conditions for another invariant.
func ConditionsOf(t Table, inv Invariant) []Condition {
	list := []Condition{{Name: "initiation", Doc: "before the first call the invariant holds", Given: &start}}
	for _, r := range t.Rules() {
		list = append(list, Condition{Name: "step." + r.Name, Doc: r.Doc + " keeps the invariant", Next: &r.Successor})
	}
	for _, p := range Properties(t) {
		list = append(list, Condition{Name: "safety." + p.Name, Doc: "the invariant implies: " + p.Doc, Goal: &p})
	}
	for i := range list {
		list[i].inv = inv
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
	case c.Goal == nil && !c.inv.Holds(judged):
		return after, c.inv.Broken(judged), true
	case c.Goal != nil && !c.Goal.Holds.True(judged):
		return after, []string{c.Goal.Name}, true
	}
	return nil, nil, false
}
