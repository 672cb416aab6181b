package group

import (
	"fmt"
	"time"
)

// A State is what a rank is doing.
type State string

// The states of a rank.
const (
	NeverJoined State = "never joined" // or it is that of a foreign party
	Left        State = "left"         // as NeverJoined, but it had a member
	Outside     State = "outside"      // its member is not in a call of the round
	Arrived     State = "arrived"      // its member is in a call of the round
	Stopped     State = "stopped"      // Outside or Arrived, and a signal has stopped the process
	Dead        State = "dead"
)

// A Status is what a group looks like. The ranks are read one after the other.
type Status struct {
	Name    string `json:"name"` // of the barrier
	Parties int    `json:"parties"`
	Round   uint64 `json:"round"`  // that has not ended, counted from 1
	Broken  bool   `json:"broken"` // a member is dead, and nobody has replaced it
	Ranks   []Rank `json:"ranks"`
}

// A Rank is the part of one rank in a Status. Of a rank that never had a member
// only Rank and State are set.
type Rank struct {
	Rank    int       `json:"rank"`
	State   State     `json:"state"`
	Arrived bool      `json:"arrived"`         // in the round of the Status
	Round   uint64    `json:"round,omitempty"` // of its last call
	Step    string    `json:"step,omitempty"`  // that it takes next (GROUP.md)
	Since   time.Time `json:"since,omitzero"`  // since when it has been in this call, or outside
	Pid     int       `json:"pid,omitempty"`   // in its own namespace
	Label   string    `json:"label,omitempty"`
	Asleep  bool      `json:"asleep,omitempty"` // it waits without using a processor
}

// String is one line for people.
func (r Rank) String() string {
	switch r.State {
	case NeverJoined:
		return fmt.Sprintf("rank %d (never joined)", r.Rank)
	case Left:
		return fmt.Sprintf("rank %d (left; was %s)", r.Rank, who(r.Label, r.Pid))
	}
	state := string(r.State)
	if r.Round > 0 {
		state += fmt.Sprintf(", last call in round %d", r.Round)
	}
	return fmt.Sprintf("rank %d (%s; %s, at %s since %s)", r.Rank, who(r.Label, r.Pid), state, r.Step, r.Since.Format(time.RFC3339))
}
