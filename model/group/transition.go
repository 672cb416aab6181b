package group

import "sharedbarrier/spec"

// A Transition is a kind of edge: a step or an event, where it finds a thread,
// and where it leads it.
type Transition struct {
	At    string `json:"at"`              // a step of GROUP.md, or of PROTOCOL.md; Begin where there is no process yet
	Event string `json:"event,omitempty"` // empty: the step itself
	Next  string `json:"next,omitempty"`  // empty: the thread is no more
	Times int64  `json:"times"`           // how often it was taken
}

// Numbers of steps.
var (
	memberSteps  = len(spec.AllMemberSteps)
	foreignSteps = len(spec.AllSteps)
)

// Kind returns the kind of the edge by which a led to s.
func (m *Machine) Kind(a Action, s *State) int {
	p := int(a.Thread) / 2
	if p >= m.cfg.Members {
		next := s.foreign[int(a.Thread)-2*m.cfg.Members].at
		return int(numEvents)*memberSteps*(memberSteps+1) + int(a.at)*foreignSteps + int(next)
	}
	me := &s.calls[p]
	if a.Thread%2 == 1 {
		me = &s.guards[p]
	}
	next := int(me.at)
	if me.role == absent {
		next = memberSteps
	}
	return (int(a.Event)*memberSteps+int(a.at))*(memberSteps+1) + next
}

// Kinds returns a number that is greater than each kind.
func (m *Machine) Kinds() int {
	return int(numEvents)*memberSteps*(memberSteps+1) + foreignSteps*foreignSteps
}

// Transitions spells out how often each kind of edge was taken, in the order of
// GROUP.md, and without those that never were.
func Transitions(taken []int64) (list []Transition) {
	of := func(kind int) Transition {
		if foreign := kind - int(numEvents)*memberSteps*(memberSteps+1); foreign >= 0 {
			return Transition{At: spec.Step(foreign / foreignSteps).String(), Next: spec.Step(foreign % foreignSteps).String()}
		}
		at, next := kind/(memberSteps+1), kind%(memberSteps+1)
		t := Transition{At: spec.MemberStep(at % memberSteps).String(), Event: events[at/memberSteps]}
		if next < memberSteps {
			t.Next = spec.MemberStep(next).String()
		}
		return t
	}
	for kind, times := range taken {
		if times > 0 {
			t := of(kind)
			t.Times = times
			list = append(list, t)
		}
	}
	return list
}
