package browse

import (
	"sharedbarrier/model"
	"sharedbarrier/spec"
)

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
