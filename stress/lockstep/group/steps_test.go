//go:build linux

package group

import (
	"slices"

	"sharedbarrier/model/group"
	"sharedbarrier/spec"
)

// again, as an event, is what leads from the end of a run to a new one: all
// leave, and as many join, with new processes for those that are dead.
const again = group.Event(255)

// steps is the machine of cfg without what real members never do, and with
// again where nothing is left to do.
type steps struct {
	*group.Machine
	cfg group.Config
}

func newSteps(cfg group.Config) *steps { return &steps{group.NewMachine(cfg), cfg} }

// Actions appends to list what is enabled in s and real members do.
func (m *steps) Actions(s *group.State, list []group.Action) []group.Action {
	from := len(list)
	list = m.Machine.Actions(s, list)
	if len(list) == from {
		return append(list, group.Action{Event: again})
	}
	snap := s.Snapshot(m.cfg)
	kept := slices.DeleteFunc(list[from:], func(a group.Action) bool { return m.omits(s, snap, a) })
	return list[:from+len(kept)]
}

// Next makes to the state after a.
func (m *steps) Next(s *group.State, a group.Action, to *group.State) {
	if a.Event == again {
		*to = m.Init()
		return
	}
	m.Machine.Next(s, a, to)
}

// omits reports whether real members do not take the edge, which GROUP.md
// allows. A call looks at turn first, then at its context, and at the slots
// last; it makes an attempt at the lock that it has begun; and one whose member
// is taken makes one too, where the machine has it sleep. Of the two threads of a
// member one takes a section, with its Wake, after the other.
func (m *steps) omits(s *group.State, snap group.Snapshot, a group.Action) bool {
	me := snap.Threads[a.Thread]
	switch {
	case a.Event == group.GiveUp && snap.Turn != me.Round:
		return true
	case a.Event == group.GiveUp && me.At == spec.LockRound:
		return snap.Lock < 0 || snap.Lock/2 == int(a.Thread)/2
	case a.Event == group.NoEvent && me.At == spec.LockRound && snap.Threads[a.Thread^1].At == spec.Wake:
		return true
	case a.Event == group.NoEvent && me.Role == "caller" && me.At == spec.Gather && !me.Asleep && snap.Turn == me.Round &&
		snap.Slots[a.Thread/2].Arrival == "taken" && snap.Lock/2 == int(a.Thread)/2 && snap.Lock >= 0:
		return true // the attempt waits for the guardian
	case a.Event == group.NoEvent && me.At == spec.Gather && me.Final:
		var to group.State
		m.Machine.Next(s, a, &to)
		return to.Snapshot(m.cfg).Threads[a.Thread].At == spec.LockRound
	}
	return false
}
