package group

import "sharedbarrier/spec"

// A Snapshot is a state spelled out, with the names of tla/Group.tla. Equal
// snapshots are equal states.
type Snapshot struct {
	Words     spec.Words
	Lock      int // the thread or foreign party, as in Action; -1: free
	Turn      int
	Broken    bool
	Completed int
	Owed      int
	Journal   Journal
	Slots     []Slot    // of members
	Threads   []Thread  // of members, as in Action
	Foreign   []Foreign // the other parties
	Died      int
	Done      int
	Committed []int // rounds, ascending
	Told      []int
}

// A Journal is that of the group's segment.
type Journal struct {
	Phase, Taken, Round int
	Words               spec.Words
}

// A Slot is that of a member.
type Slot struct {
	Owner   string // vacant, live or died
	Round   int
	Arrival string // outside, arrived or taken
	Broken  int
}

// A Thread is one of the two of a member.
type Thread struct {
	Role                 string // absent, caller, guardian, joiner, leaver or resetter
	At                   spec.MemberStep
	Round, Mine          int
	Ended, Asleep, Final bool
}

// A Foreign is a foreign party.
type Foreign struct {
	At     spec.Step
	Rounds int
}

var (
	ownerNames   = [...]string{vacant: "vacant", live: "live", died: "died"}
	arrivalNames = [...]string{outside: "outside", arrived: "arrived", taken: "taken"}
	roleNames    = [...]string{absent: "absent", caller: "caller", guardian: "guardian", joiner: "joiner", leaver: "leaver", resetter: "resetter"}
)

// Snapshot spells s out.
func (s State) Snapshot(cfg Config) Snapshot {
	all := Snapshot{
		Words: s.words, Lock: int(s.lock), Turn: int(s.turn), Broken: s.broken, Completed: int(s.completed), Owed: int(s.owed),
		Journal: Journal{int(s.phase), int(s.taken), int(s.round), s.old},
		Died:    int(s.deaths), Done: int(s.done), Committed: bits(s.committed), Told: bits(s.told),
	}
	for p := range cfg.Members {
		o := s.slots[p]
		all.Slots = append(all.Slots, Slot{ownerNames[o.owner], int(o.round), arrivalNames[o.arrival], int(o.broken)})
		all.Threads = append(all.Threads, s.calls[p].spelled(), s.guards[p].spelled())
	}
	for _, f := range s.foreign[:cfg.Foreign] {
		all.Foreign = append(all.Foreign, Foreign{f.at, int(f.rounds)})
	}
	return all
}

func (t thread) spelled() Thread {
	return Thread{roleNames[t.role], t.at, int(t.round), int(t.mine), t.ended, t.asleep, t.final}
}

// bits lists the bits that are set.
func bits(set uint8) (list []int) {
	for b := range 8 {
		if set>>b&1 != 0 {
			list = append(list, b)
		}
	}
	return list
}

// Label returns the label of the step that a is in s, or the name of the event.
func (s State) Label(cfg Config, a Action) string {
	p := int(a.Thread) / 2
	switch {
	case a.Event != NoEvent:
		return events[a.Event]
	case p >= cfg.Members:
		return s.foreign[int(a.Thread)-2*cfg.Members].at.String()
	case a.Thread%2 == 0:
		return s.calls[p].at.String()
	default:
		return s.guards[p].at.String()
	}
}
