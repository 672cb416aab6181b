package proof

import (
	"slices"

	"sharedbarrier/spec"
)

// A Reached has the states that n processes can reach, in the order in which a
// breadth-first search finds them.
type Reached struct {
	States   []State
	from     []int32 // the state that led to States[i]; -1: none
	by       []string
	index    map[State]int32
	Property string // the property that the last of States breaks; empty: none
}

// Search runs the table for n processes from Initial, until it finds no new
// state or one that breaks a safety property.
func Search(t Table, n int) Reached {
	r := Reached{index: make(map[State]int32)}
	properties := Properties(t)
	rules := t.Rules()
	if !r.add(Initial(n), -1, "", properties) {
		return r
	}
	for i := int32(0); int(i) < len(r.States); i++ {
		s := r.States[i]
		for k := range rules {
			if rule := &rules[k]; rule.Possible(&s) && !r.add(rule.Eval(&s), i, rule.Doc, properties) {
				return r
			}
		}
	}
	return r
}

// SearchUpTo runs the table for 1, 2, … most processes until a safety property
// breaks. If none does, it runs the table again until it hangs. It returns the
// result of the last search.
func SearchUpTo(t Table, most int) (r Reached) {
	for _, hangs := range []bool{false, true} {
		for n := 1; n <= most && r.Property == ""; n++ {
			r = Search(t, n)
			if hangs {
				r.hang(t)
			}
		}
	}
	return r
}

// hang looks for a state after which the round does not end, even if no call
// gives up any more: the first in which no step is possible, or if there is
// none, the first from which no schedule of steps ends the round. This breaks
// NoHang. A round that some schedules end and others do not is not looked for.
func (r *Reached) hang(t Table) {
	ends := make([]bool, len(r.States)) // a schedule ends the round
	next := make([][]int32, len(r.States))
	rules := slices.DeleteFunc(t.Rules(), func(r Rule) bool { return r.Move.event() })
	for i := range r.States {
		for k := range rules {
			if s, rule := &r.States[i], &rules[k]; rule.Possible(s) {
				next[i] = append(next[i], r.index[rule.Eval(s)])
				ends[i] = ends[i] || rule.EndsRound
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for i := len(next) - 1; i >= 0; i-- {
			for _, to := range next[i] {
				if !ends[i] && ends[to] {
					ends[i], changed = true, true
				}
			}
		}
	}
	at := slices.IndexFunc(next, func(steps []int32) bool { return len(steps) == 0 })
	if at < 0 {
		at = slices.Index(ends, false)
	}
	if at >= 0 {
		r.States, r.Property = r.States[:at+1], spec.NoHang.String()
	}
}

// add adds a state if it is new. It returns false if the state breaks a
// property.
func (r *Reached) add(s State, from int32, by string, properties []Clause) bool {
	if _, known := r.index[s]; known {
		return true
	}
	r.index[s] = int32(len(r.States))
	r.States, r.from, r.by = append(r.States, s), append(r.from, from), append(r.by, by)
	for i := range properties {
		if p := &properties[i]; !p.Holds.True(&s) {
			r.Property = p.Name
			return false
		}
	}
	return true
}

// Has reports whether the state was reached.
func (r *Reached) Has(s State) bool {
	_, ok := r.index[s]
	return ok
}

// Schedule returns the shortest sequence of moves that leads to the last of
// States.
func (r *Reached) Schedule() (moves []string) {
	for i := int32(len(r.States) - 1); r.from[i] >= 0; i = r.from[i] {
		moves = append([]string{r.by[i]}, moves...)
	}
	return moves
}
