package explore

import (
	"testing"

	"sharedbarrier/spec"
)

// A mutex is another small machine: two processes that enter a critical section
// again and again, by Peterson's algorithm or by one of those that do not work.
type mutex struct{ waits wait }

// A wait is what a process that wants to enter does while the other one wants
// to.
type wait string

const (
	peterson wait = "until the turn is its own"
	never    wait = "nothing"
	stubborn wait = "until the other one gives up"
	polite   wait = "gives up and tries again"
)

type mutexState struct {
	at    [2]mutexStep
	wants [2]bool
	turn  uint8
}

type mutexStep uint8

const (
	outside mutexStep = iota // to want
	want                     // to give the turn away
	give                     // to look
	enter                    // to leave
	yield                    // to want again
)

// A mutexAction is the process that takes its step.
type mutexAction = int

func (m mutex) Init() mutexState { return mutexState{} }

func (m mutex) Actions(s *mutexState, list []mutexAction) []mutexAction {
	for p := range 2 {
		blocked := s.wants[1-p] && (m.waits == stubborn || m.waits == peterson && int(s.turn) != p)
		if s.at[p] != give || !blocked {
			list = append(list, p)
		}
	}
	return list
}

func (m mutex) Next(s *mutexState, p mutexAction, to *mutexState) {
	*to = *s
	switch s.at[p] {
	case outside, yield:
		to.at[p], to.wants[p] = want, true
	case want:
		to.at[p], to.turn = give, uint8(1-p)
	case give:
		to.at[p] = enter
		if m.waits == polite && s.wants[1-p] {
			to.at[p], to.wants[p] = yield, false
		}
	case enter:
		to.at[p], to.wants[p] = outside, false
	}
}

func (m mutex) Procs() int             { return 2 }
func (m mutex) Proc(p mutexAction) int { return p }
func (m mutex) Rests(*mutexState) bool { return false }

func (m mutex) Waiting(s *mutexState) (procs uint16) {
	for p, at := range s.at {
		if at != outside {
			procs |= 1 << p
		}
	}
	return procs
}

func (m mutex) Violations(s *mutexState) uint8 {
	if s.at == [2]mutexStep{enter, enter} {
		return 1 << spec.LockExclusive
	}
	return 0
}

func (m mutex) Words() int { return 1 }

func (m mutex) Pack(s *mutexState, to []uint64) bool {
	to[0] = uint64(s.turn)
	for p := range 2 {
		to[0] = to[0]<<4 | uint64(s.at[p])<<1
		if s.wants[p] {
			to[0]++
		}
	}
	return true
}

func (m mutex) Repack(_ mutexAction, s *mutexState, to []uint64) bool { return m.Pack(s, to) }

func (m mutex) Unpack(from []uint64, s *mutexState) {
	s.turn = uint8(from[0] >> 8)
	for p := range 2 {
		field := from[0] >> (4 * (1 - p))
		s.at[p], s.wants[p] = mutexStep(field>>1&7), field&1 != 0
	}
}

func (m mutex) Kinds() int                            { return int(yield) + 1 }
func (m mutex) Kind(p mutexAction, s *mutexState) int { return int(s.at[p]) }

// TestUnit_Mutex: a machine that holds, and three that fail each in another
// way.
func TestUnit_Mutex(t *testing.T) {
	for _, c := range []struct {
		waits    wait
		verdict  spec.Verdict
		property spec.Property
		distinct int64
		path     int // length of the counterexample
		loop     int
	}{
		{peterson, spec.Verified, 0, 20, 0, 0},
		{never, spec.Violated, spec.LockExclusive, 26, 6, 0},
		{stubborn, spec.Hang, spec.NoHang, 19, 4, 0},
		{polite, spec.Violated, spec.NoHang, 40, 8, 2},
	} {
		m := mutex{c.waits}
		got := Run(t.Context(), m, Options{Liveness: true})
		if got.Verdict != c.verdict || got.Property != c.property || got.Distinct != c.distinct || len(got.Path) != c.path || got.Loop != c.loop {
			t.Errorf("waits %q: got %s %v, %d states, %d steps, loop from %d; want %+v", c.waits, got.Verdict, got.Property, got.Distinct, len(got.Path), got.Loop, c)
		}
		if g := NewGraph(m); c.verdict == spec.Verified && int64(len(g.States)) != got.Distinct {
			t.Errorf("waits %q: the graph has %d states, Run finds %d", c.waits, len(g.States), got.Distinct)
		}
	}
}
