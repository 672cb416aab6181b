//go:build linux

package lockstep

import (
	"fmt"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Line is one request and the answer that it must have (spec/PORTS.md,
// section 5). Kill and Relink, which are no requests of a port, have none.
type Line struct {
	Proc            int // -1: nobody (Relink)
	Request, Answer string
}

// Dialogue returns what makes a happen with white-box ports, and what they must
// say, where a has led the model to the state.
func Dialogue(after model.State, a model.Action) []Line {
	line := func(request, answer string) Line { return Line{a.Proc, request, answer} }
	switch a.Event {
	case spec.Relink:
		return []Line{line(Relink, "")}
	case spec.Die:
		return []Line{line(Kill, "")}
	}
	next := "at " + after.Step(a.Proc).String()
	switch {
	case a.Event == spec.Abandon:
		return []Line{line("abandon", "abandoned")}
	case a.Event == spec.GiveUp && a.Step == spec.AwaitFlag:
		return []Line{line("giveup", next)}
	case a.Event == spec.GiveUp:
		return []Line{line("giveup", "withdrawn")}
	case a.Step == spec.Call:
		return []Line{line(fmt.Sprintf("call %d", a.Parties), "at "+spec.Call.String()), line("go", next)}
	case a.Step == spec.UnlockExit:
		return []Line{line("go", "returned")}
	case a.Step == spec.UnlockWithdraw:
		return []Line{line("go", "withdrawn")}
	case a.Step == spec.MakeFlag:
		return []Line{line("go", "opened")}
	default:
		return []Line{line("go", next)}
	}
}
