package browse

import (
	"fmt"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// reason says why process p cannot take its step in the state with the number.
// It is empty if the process can.
func reason(v View, state, p int) string {
	for _, e := range v.Graph.Edges[state] {
		if e.Action.Proc == p && e.Action.Event == spec.NoEvent {
			return ""
		}
	}
	s, cfg := v.Graph.States[state], v.Config
	step := s.Step(p)
	switch {
	case !s.Alive(p):
		return "is dead"
	case step == spec.Call && !model.Rests(cfg, s, p):
		return "does not call yet: " + model.ControlOf(cfg.Scenario)
	case step == spec.Call:
		return "has made all its calls"
	case step.Lock() == spec.Acquire:
		return fmt.Sprintf("waits for the lock, which p%d holds", s.Holder())
	}
	return fmt.Sprintf("waits until %s; %s", condition(step, s.Parties(p)), value(step.Reads()[0], s.Words()))
}

// condition returns what the poll waits for, with the party count for n.
func condition(step spec.Step, n int) string {
	return strings.ReplaceAll(step.Next()[0].If, "= n", fmt.Sprintf("= %d", n))
}

// value returns a word and its value.
func value(word spec.Word, w spec.Words) string {
	return fmt.Sprintf("%v is %s", word, number([]int32{spec.Enter: w.Enter, spec.Exit: w.Exit, spec.Flag: w.Flag}[word]))
}

// number returns v with a true minus sign.
func number(v int32) string { return strings.ReplaceAll(fmt.Sprint(v), "-", "−") }

// lostStates returns, by state, whether a call is under way and none that is
// returns any more, whatever happens.
func lostStates(v View) []bool {
	before := make([][]int, len(v.Graph.States))
	var todo []int
	hope := make([]bool, len(v.Graph.States)) // from here on a call can return
	for i, edges := range v.Graph.Edges {
		for _, e := range edges {
			before[e.To] = append(before[e.To], i)
			a := e.Action
			if a.Event == spec.NoEvent && v.Graph.States[i].Inside(a.Proc) && !v.Graph.States[e.To].Inside(a.Proc) && !hope[i] {
				hope[i] = true
				todo = append(todo, i)
			}
		}
	}
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, from := range before[i] {
			if !hope[from] {
				hope[from] = true
				todo = append(todo, from)
			}
		}
	}
	for i, s := range v.Graph.States {
		hope[i] = !hope[i] && inCall(v.Config, s)
	}
	return hope
}

// inCall reports whether a process that is alive is in a call.
func inCall(cfg model.Config, s model.State) bool {
	for p := range cfg.Procs {
		if s.Alive(p) && s.Inside(p) {
			return true
		}
	}
	return false
}
