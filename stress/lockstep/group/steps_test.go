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
	wakes := snap.Threads[a.Thread^1].At == spec.Wake // and the process keeps the other thread out until it has
	own := wakes || snap.Lock >= 0 && snap.Lock/2 == int(a.Thread)/2
	switch {
	case m.leaves(s, snap, a):
		return true
	case a.Event == group.Die && me.Role == "joiner" && snap.Slots[a.Thread/2].Owner == "live":
		return true // no guardian may watch it yet: those who wait notice the death
	case me.Role == "guardian" && snap.Threads[a.Thread-1].Role == "joiner":
		return true // it begins when the section of Join has ended
	case a.Event == group.GiveUp && snap.Turn != me.Round:
		return true
	case a.Event == group.GiveUp && me.At == spec.LockRound:
		return snap.Lock < 0 || own
	case a.Event == group.NoEvent && me.At == spec.LockRound && wakes:
		return true
	case a.Event == group.NoEvent && me.Role == "caller" && me.At == spec.Gather && !me.Asleep && snap.Turn == me.Round && own &&
		(snap.Slots[a.Thread/2].Arrival == "taken" || vacant(snap)):
		return true // its attempt would wait for the guardian
	case a.Event == group.NoEvent && me.At == spec.Gather && me.Final:
		var to group.State
		m.Machine.Next(s, a, &to)
		return to.Snapshot(m.cfg).Threads[a.Thread].At == spec.LockRound
	}
	return false
}

func vacant(snap group.Snapshot) bool {
	return slices.ContainsFunc(snap.Slots, func(o group.Slot) bool { return o.Owner == "vacant" })
}

// leaves reports whether the edge would make the segment another one, since the
// last member leaves, or is a death while a member leaves: its guardian ends
// later than the machine's, and handles that.
func (m *steps) leaves(s *group.State, snap group.Snapshot, a group.Action) bool {
	me := int(a.Thread) / 2
	others, leaving := 0, false // alive; that stay
	for p, o := range snap.Slots {
		role := snap.Threads[2*p].Role
		if p != me && o.Owner == "live" && role != "leaver" {
			others++
		}
		leaving = leaving || p != me && role == "leaver"
	}
	switch {
	case a.Event == group.Leave:
		return others == 0
	case a.Event == group.Die:
		return leaving
	case a.Event == group.NoEvent && snap.Threads[a.Thread].Role == "leaver" && snap.Threads[a.Thread].At == spec.LockRound:
		return slices.ContainsFunc(m.Machine.Actions(s, nil), func(b group.Action) bool { return b.Thread == a.Thread+1 }) ||
			snap.Threads[a.Thread+1].At != spec.Watch
	}
	return false
}
