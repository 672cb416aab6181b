//go:build linux

package conformance

import (
	"context"
	"fmt"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// alone has the port call as the only party.
func alone(s *subject) (string, error) {
	f := s.opened()
	defer f.close()
	for range 3 {
		f.ask("call 1", port.Returned)
	}
	f.expectWords(spec.Initial)
	return "as specified", f.err
}

// withdrawal has the first of two parties give up after it has been counted, call
// again, and then meet the second.
func withdrawal(s *subject) (string, error) {
	if !s.can.Withdraw {
		return "", errUnable
	}
	f := s.waiting()
	defer f.close()
	f.ask("giveup", port.Withdrawn)
	f.expectWords(spec.Words{Enter: 0, Exit: 2, Flag: spec.Down})
	if f.err != nil {
		return "", f.errorf("when it gives up")
	}
	f.send("call 2")
	f.try(func() error {
		limit, end := context.WithTimeout(s.ctx, s.Limit)
		defer end()
		if err := f.barrier.Wait(limit, 2); err != nil {
			return fmt.Errorf("its peer: %w", err)
		}
		return nil
	})
	f.expect("call 2", port.Returned)
	return "undone", f.errorf("after it gave up and called again")
}

// noWake has the port meet a peer that writes its words and wakes no process, as
// the original does. In each round the port waits first until the peer has left
// the round before, and then until the peer completes this one. A port that sleeps
// too long does not get through the rounds within the limit.
func noWake(s *subject) (string, error) {
	limit, end := context.WithTimeout(s.ctx, s.Limit)
	defer end()
	limited := *s
	limited.ctx = limit
	f := limited.opened()
	defer f.close()
	const rounds = 10
	for round := range rounds {
		f.roundWithoutWake()
		if limit.Err() != nil {
			return "", fmt.Errorf("with a peer that wakes no process it has completed %d rounds in %v, want %d", round, s.Limit, rounds)
		}
	}
	return "noticed", f.err
}

func (f *fixture) roundWithoutWake() {
	// The peer is slow, so that the port falls asleep. If the port does not, the
	// check finds less and nothing wrong.
	dawdle := func() { time.Sleep(spec.Tick) }
	f.set(spec.Exit, 1)
	f.send("call 2")
	dawdle()
	f.set(spec.Exit, 2) // the peer has left, and called again
	f.awaitCounted()
	dawdle()
	// The peer completes the round and leaves it. The port waits at its poll and
	// writes nothing, so the lock is not needed.
	f.setAll(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
	f.expect("call 2", port.Returned)
	f.expectWords(spec.Initial)
}
