package model

import (
	"iter"

	"sharedbarrier/spec"
)

// An Edge is an action that is enabled in a state, and where it leads.
type Edge struct {
	Action Action
	To     State
}

// States yields every state that cfg can reach, each once, breadth first from
// the initial one, with the edges that leave it in the order of Enabled. It is
// for looking at graphs: it remembers whole states, about 400 bytes each, where
// Explore takes 20. Where NoEarlyExit fails and rounds are not bounded it may
// never end, since the processes get ever further apart.
func States(cfg Config) iter.Seq2[State, []Edge] {
	return func(yield func(State, []Edge) bool) {
		first := Init(cfg)
		known := map[State]bool{first: true}
		for queue := []State{first}; len(queue) > 0; queue = queue[1:] {
			var edges []Edge
			for _, a := range Enabled(cfg, queue[0]) {
				to := Apply(cfg, queue[0], a)
				edges = append(edges, Edge{a, to})
				if !known[to] {
					known[to] = true
					queue = append(queue, to)
				}
			}
			if !yield(queue[0], edges) {
				return
			}
		}
	}
}

// A Snapshot is a state spelled out. Equal snapshots are equal states.
type Snapshot struct {
	Words    spec.Words    `json:"words"`
	Lock     int           `json:"lock"`               // holder, -1 if free
	Relinked bool          `json:"relinked,omitempty"` // the lock file was made anew, and
	OldLock  *int          `json:"old_lock,omitempty"` // this is the holder of the one that was unlinked
	Procs    []ProcSummary `json:"procs"`
}

// A ProcSummary is one process of a Snapshot.
type ProcSummary struct {
	Step    spec.Step `json:"step"`
	Rounds  int       `json:"rounds"`
	Parties int       `json:"parties,omitempty"` // of the call that it is in
	Dead    bool      `json:"dead,omitempty"`
	Read    *int32    `json:"read,omitempty"` // the value that it has read and its step is about to write back
	Seen    bool      `json:"seen,omitempty"` // Config.WeakReads: its poll may return the awaited value
}

// Snapshot spells s out.
func (s State) Snapshot(cfg Config) Snapshot {
	all := Snapshot{Words: s.words, Lock: s.Holder(), Relinked: s.linked == 1}
	if all.Relinked {
		old := int(s.locks[0])
		all.OldLock = &old
	}
	for _, me := range s.procs[:cfg.Procs] {
		p := ProcSummary{Step: me.step, Rounds: int(me.rounds), Parties: int(me.parties), Dead: me.dead, Seen: me.seen}
		if me.read {
			p.Read = &me.value
		}
		all.Procs = append(all.Procs, p)
	}
	return all
}
