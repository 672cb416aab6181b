package timeline

import (
	"fmt"
	"strings"

	"sharedbarrier/model/group"
	"sharedbarrier/spec"
)

// OfGroup returns the timeline of a path through the machine of a group, with a
// lane for each thread. With loop > 0 the path goes on with that step, without
// end. Stuck says that no thread can move after the last one: the timeline has
// a place more, in which they wait.
func OfGroup(cfg group.Config, path []group.Action, loop int, stuck bool) Timeline {
	m := group.NewMachine(cfg)
	t := Timeline{Title: "group of " + cfg.Parties(), Axis: Order, Loop: int64(loop), Words: []Change{{0, spec.Initial}}}
	for i := range m.Procs() {
		t.Lanes = append(t.Lanes, Lane{Name: cfg.ThreadName(i)})
	}
	dead := make([]bool, cfg.Members)
	states := m.Along(path)
	for i, a := range path {
		s, to, at := states[i], states[i+1], int64(i+1)
		item := Item{Kind: Step, From: at, To: at, Label: s.Label(cfg, a), Note: groupNote(s.Snapshot(cfg), to.Snapshot(cfg))}
		if step, err := spec.ParseMemberStep(item.Label); err == nil {
			item.Doc = step.Doc()
		}
		if a.Event != group.NoEvent {
			item.Kind = Event
			dead[a.Thread/2] = a.Event == group.Die || dead[a.Thread/2] && a.Event != group.Join
		}
		t.addThreads(cfg, at, s, to, false)
		for p := range dead {
			if dead[p] && !(a.Event == group.Die && int(a.Thread)/2 == p) {
				t.Lanes[2*p].span(Item{Kind: Dead, From: at, To: at})
				t.Lanes[2*p+1].span(Item{Kind: Dead, From: at, To: at})
			}
		}
		lane := &t.Lanes[a.Thread]
		lane.Items = append(lane.Items, item)
		t.Words = append(t.Words, Change{at, to.Words()})
	}
	if stuck {
		end := states[len(path)]
		t.addThreads(cfg, int64(len(path)+1), end, end, true)
	} else if loop == 0 {
		t.MarkLast()
	}
	return t
}

// addThreads adds, at the place between two states, who holds the lock and who
// cannot take its step. If the place is the end, these waits are wrong.
func (t *Timeline) addThreads(cfg group.Config, at int64, before, after group.State, end bool) {
	moves := map[int8]bool{}
	for _, a := range group.NewMachine(cfg).Actions(&before, nil) {
		moves[a.Thread] = moves[a.Thread] || a.Event == group.NoEvent
	}
	was, is := before.Snapshot(cfg), after.Snapshot(cfg)
	for i := range t.Lanes {
		if was.Lock == i || is.Lock == i {
			t.Lanes[i].span(Item{Kind: Lock, From: at, To: at})
		}
		if label, why := groupReason(cfg, was, i); why != "" && !moves[int8(i)] {
			t.Lanes[i].span(Item{Kind: Wait, From: at, To: at, Label: label, Doc: why, Open: end, Wrong: end})
		}
	}
}

// groupReason says what a thread in a call or a section waits for if it cannot
// take its step.
func groupReason(cfg group.Config, s group.Snapshot, thread int) (label, why string) {
	if f := thread - 2*cfg.Members; f >= 0 {
		at := s.Foreign[f].At
		switch {
		case at.Lock() == spec.Acquire:
			why = "waits until the lock is free"
		case at == spec.AwaitDrain:
			why = fmt.Sprintf("waits until exit = %d; exit is %d", cfg.Members+cfg.Foreign, s.Words.Exit)
		case at == spec.AwaitFlag:
			why = "waits until flag ≠ 0; flag is 0"
		}
		return at.String(), why
	}
	me := s.Threads[thread]
	switch {
	case me.Role == "absent":
	case me.At.Lock() == spec.Acquire:
		why = "waits until the lock is free"
	case me.Asleep:
		why = "sleeps until a member wakes it"
	}
	return me.At.String(), why
}

// groupNote says what a step changes in the group's header.
func groupNote(before, after group.Snapshot) string {
	var parts []string
	if before.Turn != after.Turn || before.Broken != after.Broken {
		text := fmt.Sprintf("turn %d", after.Turn)
		if after.Broken {
			text += " broken"
		}
		parts = append(parts, text)
	}
	for _, field := range []struct {
		name        string
		before, now int
	}{
		{"completed", before.Completed, after.Completed},
		{"owed", before.Owed, after.Owed},
		{"phase", before.Journal.Phase, after.Journal.Phase},
	} {
		if field.before != field.now {
			parts = append(parts, fmt.Sprintf("%s %d", field.name, field.now))
		}
	}
	return strings.Join(parts, ", ")
}
