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

// traceOf turns TLC's counterexample, initial state first, into the trace of
// all engines.
func traceOf(q Question, behaviour []transition) (trace model.Trace) {
	for i := 1; i < len(behaviour); i++ {
		from, t := behaviour[i-1].to, behaviour[i]
		entry := model.Entry{Proc: from.mover(t.to), Label: t.action, Words: t.to.Words}
		if t.action == spec.Call.String() {
			entry.Parties = q.parties(entry.Proc, from.Rounds[entry.Proc]+1)
		}
		trace = append(trace, entry)
	}
	return trace
}

// parties is MCCount of MCSharedBarrier.tla: the party count that process p
// passes in its call of round r. TLC prints variables, and the count is none.
func (q Question) parties(p, r int) int {
	switch scenario := q.ModelConfig().Scenario; {
	case scenario == spec.Shrinking && r > 1,
		scenario == spec.Growing && r == 1,
		scenario == spec.Disagreeing && !q.Control && p == 0,
		scenario == spec.Surplus && !q.Control:
		return q.Procs - 1
	default:
		return q.Procs
	}
}
