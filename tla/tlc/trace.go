package tlc

import (
	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A transition is what led to a state: the action's name, empty for the
// initial state, and the state.
type transition struct {
	action string
	to     State
}

// entries turns TLC's counterexample, initial state first, into the trace
// format of all engines.
func entries(c Config, behaviour []transition) []model.Entry {
	var trace []model.Entry
	for i := 1; i < len(behaviour); i++ {
		from, t := behaviour[i-1].to, behaviour[i]
		entry := model.Entry{Proc: from.mover(t.to), Label: t.action, Words: t.to.Words}
		if t.action == spec.Call.String() {
			entry.Parties = c.parties(entry.Proc, from.Rounds[entry.Proc]+1)
		}
		trace = append(trace, entry)
	}
	return trace
}

// parties is Count of SharedBarrier.tla: the party count that process p passes
// in its call of round r. TLC prints variables only, and the count is none.
func (c Config) parties(p, r int) int {
	n := c.Procs
	switch {
	case c.Scenario == spec.Shrinking && r > 1,
		c.Scenario == spec.Growing && r == 1,
		c.Scenario == spec.Disagreeing && !c.Kept && p == 0,
		c.Scenario == spec.Surplus && !c.Kept:
		return n - 1
	default:
		return n
	}
}
