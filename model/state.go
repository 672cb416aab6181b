package model

import (
	"fmt"

	"sharedbarrier/spec"
)

// MaxProcs is the largest number of processes that a State holds.
const MaxProcs = 16

// free is the holder of a lock that no process holds.
const free int8 = -1

// A State is everything that is true between two steps: who holds the lock,
// the words, and for each process its step, its rounds and the party count of
// its call. States are small values and compare with ==.
//
// Unused parts are always zero (processes beyond Config.Procs, the party count
// of a process that is outside), so equal states are equal values.
type State struct {
	words  spec.Words
	locks  [2]int8 // holder of the lock file, and of the one that Relink puts in its place
	linked uint8   // which of the two the path names
	procs  [MaxProcs]proc
}

type proc struct {
	step    spec.Step
	dead    bool
	read    bool  // has read the word that its step is about to write (split-lock's finer grain)
	noticed bool  // the awaited value has been there since the poll began (Config.WeakReads)
	value   int32 // what it read; 0 unless read
	parties int32 // party count of its call; 0 outside
	rounds  int32 // calls completed; relative when rounds are unbounded
}

// Words returns the three words of the segment.
func (s State) Words() spec.Words { return s.words }

// Holder returns the process that holds the lock, or -1 if it is free. After
// Relink that is the lock file that the path names now.
func (s State) Holder() int { return int(s.locks[s.linked]) }

// Step returns the step that process p is at: the one it will do next.
func (s State) Step(p int) spec.Step { return s.procs[p].step }

// Rounds returns how many calls process p has completed; with Config.Rounds 0,
// how many more than the process that has completed the fewest.
func (s State) Rounds(p int) int { return int(s.procs[p].rounds) }

// Parties returns the party count of the call that process p is in, or 0.
func (s State) Parties(p int) int { return int(s.procs[p].parties) }

// Alive reports whether process p has not died.
func (s State) Alive(p int) bool { return !s.procs[p].dead }

// Inside reports whether process p has begun a call that it has not completed.
func (s State) Inside(p int) bool { return s.procs[p].inside() }

func (me *proc) inside() bool { return stepsInside>>(me.step&31)&1 != 0 }

// String returns the words, the holder and, for each process up to the last
// that has moved, its step and rounds.
func (s State) String() string {
	last := 0
	for p := range MaxProcs {
		if s.procs[p] != (proc{}) {
			last = p
		}
	}
	text := fmt.Sprintf("%v holder=%d", s.words, s.Holder())
	for p := range last + 1 {
		text += fmt.Sprintf(" p%d@%v/%d", p, s.procs[p].step, s.procs[p].rounds)
	}
	return text
}

// Init returns the state before anything has happened.
func Init(cfg Config) State {
	s := State{words: spec.Initial, locks: [2]int8{free, free}}
	switch cfg.Scenario {
	case spec.LateConstruction:
		s.procs[0].step = spec.MakeEnter
	case spec.Growing:
		s.procs[cfg.Procs-1].rounds = 1
	}
	return s
}

// subtractRounds makes rounds relative to the process that has the fewest.
func (s *State) subtractRounds(cfg *Config) {
	least := s.leastRounds(cfg)
	for p := range cfg.Procs {
		s.procs[p].rounds -= least
	}
}

func (s *State) leastRounds(cfg *Config) int32 {
	least := s.procs[0].rounds
	for p := range cfg.Procs {
		least = min(least, s.procs[p].rounds)
	}
	return least
}

// A Snapshot is a state spelled out. Equal snapshots are equal states.
type Snapshot struct {
	Words    spec.Words    `json:"words"`
	Lock     int           `json:"lock"`               // holder, -1 if free
	Relinked bool          `json:"relinked,omitempty"` // the lock file was made again, and
	OldLock  *int          `json:"old_lock,omitempty"` // this is the holder of the one that was unlinked
	Procs    []ProcSummary `json:"procs"`
}

// A ProcSummary is one process of a Snapshot.
type ProcSummary struct {
	Step    spec.Step `json:"step"`
	Rounds  int       `json:"rounds"`
	Parties int       `json:"parties,omitempty"` // of the call that it is in
	Dead    bool      `json:"dead,omitempty"`
	Read    *int32    `json:"read,omitempty"`    // the value that it has read and its step is about to write back
	Noticed bool      `json:"noticed,omitempty"` // Config.WeakReads: its poll may return the awaited value
}

// Snapshot spells s out.
func (s State) Snapshot(cfg Config) Snapshot {
	all := Snapshot{Words: s.words, Lock: s.Holder(), Relinked: s.linked == 1}
	if all.Relinked {
		old := int(s.locks[0])
		all.OldLock = &old
	}
	for _, me := range s.procs[:cfg.Procs] {
		p := ProcSummary{Step: me.step, Rounds: int(me.rounds), Parties: int(me.parties), Dead: me.dead, Noticed: me.noticed}
		if me.read {
			p.Read = &me.value
		}
		all.Procs = append(all.Procs, p)
	}
	return all
}
