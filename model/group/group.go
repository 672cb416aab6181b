// Package group is the machine of a group of members (spec/GROUP.md), for
// package explore: members and foreign parties at one barrier, members that
// die at any step, and the rounds that others repair.
//
//	o := explore.Run(ctx, group.NewMachine(group.Config{Members: 2, Foreign: 1, Rounds: 2, Deaths: 1}), explore.Options{Liveness: true})
//
// It is written from the text, and shares no code with package impl/group. It
// does no I/O.
package group

import (
	"fmt"

	"sharedbarrier/spec"
)

// MaxParties is the largest number of parties of a Config.
const MaxParties = 4

// A Config says who meets, and what may happen to them.
type Config struct {
	Members int // ranks 0 to Members-1, which have all joined
	Foreign int // parties that follow PROTOCOL.md alone
	Rounds  int // how many rounds are to be completed, from 1 to 3
	Deaths  int // how many members may die, one after the other, from 0 to 3

	GiveUps bool // the context of a call may end
	Joins   bool // a process may take the rank of a dead member, or one that has left
	Resets  bool // a member may reset a broken group
	Leaves  bool // a member may leave between two calls

	Mutant *Mutant // what is wrong; nil: nothing
}

// Validate returns an error that says what to change when the question makes no
// sense.
func (cfg Config) Validate() error {
	switch n := cfg.parties(); {
	case cfg.Members < 1 || cfg.Foreign < 0 || n > MaxParties:
		return fmt.Errorf("%d members and %d foreign parties: give 1 member or more, and up to %d parties", cfg.Members, cfg.Foreign, MaxParties)
	case cfg.Rounds < 1 || cfg.Rounds > 3:
		return fmt.Errorf("%d rounds: give from 1 to 3", cfg.Rounds)
	case cfg.Deaths < 0 || cfg.Deaths > 3:
		return fmt.Errorf("%d deaths: give from 0 to 3", cfg.Deaths)
	}
	return nil
}

func (cfg *Config) parties() int { return cfg.Members + cfg.Foreign }

// ThreadName returns the name of a thread: m0 is the one of member 0 that calls,
// g0 its guardian, and f0 a foreign party.
func (cfg *Config) ThreadName(thread int) string {
	switch p := thread / 2; {
	case p >= cfg.Members:
		return fmt.Sprintf("f%d", thread-2*cfg.Members)
	case thread%2 == 0:
		return fmt.Sprintf("m%d", p)
	default:
		return fmt.Sprintf("g%d", p)
	}
}

// A State is what is true between two steps. States are small values and
// compare with ==; unused parts are zero.
type State struct {
	words spec.Words
	lock  int8 // the thread that holds the lock; free: none

	turn      uint8 // the round that has not ended
	broken    bool
	completed uint8
	owed      int8

	phase uint8 // the journal
	taken int8
	round uint8
	old   spec.Words

	slots   [MaxParties]slot
	calls   [MaxParties]thread // of members: they call, join, leave and reset
	guards  [MaxParties]thread // of members
	foreign [MaxParties]party

	// What no process sees, for the properties.
	deaths    int8
	done      uint8 // rounds that were committed
	committed uint8 // which, as bits
	told      uint8 // rounds of which a call has returned the error
	early     bool  // a round was committed without one of its parties
	torn      bool  // of one round, one call returned nil and another one the error
}

type slot struct {
	owner   owner
	round   uint8 // of arrival
	arrival arrival
	broken  uint8 // the round that the death of the owner has broken; 0: none
}

type owner uint8

const (
	vacant owner = iota
	live
	died // the kernel has set FUTEX_OWNER_DIED
)

type arrival uint8

const (
	outside arrival = iota
	arrived
	taken
)

// A thread is one of the two of a member.
type thread struct {
	role   role
	at     spec.MemberStep
	round  uint8 // that the call is of
	mine   uint8 // that the member calls in next; of a guardian: the first that it has not handled
	ended  bool  // its section has ended a round
	asleep bool
	final  bool // the end of the context does not end this call any more
}

// A role is what a thread takes sections for.
type role uint8

const (
	absent role = iota // the process does not exist
	caller
	guardian
	joiner
	leaver
	resetter
)

// A party is a foreign one.
type party struct {
	at     spec.Step
	rounds uint8 // completed
}

const free int8 = -1

// Words returns the three words of the barrier.
func (s *State) Words() spec.Words { return s.words }

// String shows what differs from a group at rest.
func (s State) String() string {
	text := fmt.Sprintf("%v holder=%d turn=%d", s.words, s.lock, s.turn)
	if s.broken {
		text += " broken"
	}
	text += fmt.Sprintf(" completed=%d owed=%d", s.completed, s.owed)
	if s.phase != 0 {
		text += fmt.Sprintf(" journal=%d taken=%d round=%d %v", s.phase, s.taken, s.round, s.old)
	}
	for p, me := range s.calls {
		if me.role != absent || s.slots[p] != (slot{}) {
			text += fmt.Sprintf(" m%d@%v/%d mine=%d", p, me.at, me.round, me.mine)
			if me.role == absent {
				text += " gone"
			}
			if me.asleep {
				text += " asleep"
			}
			if g := s.guards[p]; g.at != spec.Watch {
				text += fmt.Sprintf(" g%d@%v", p, g.at)
			}
			text += fmt.Sprintf(" slot=%v", s.slots[p])
		}
	}
	for p, me := range s.foreign {
		if me != (party{}) {
			text += fmt.Sprintf(" f%d@%v/%d", p, me.at, me.rounds)
		}
	}
	return text
}
