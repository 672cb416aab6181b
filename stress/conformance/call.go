//go:build linux

package conformance

import (
	"context"
	"errors"
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

// withdrawal has the first of two parties give up after it has been counted,
// call again, and then meet the second.
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
	// Both requests may come at once: the port must not leave one in a buffer.
	f.try(func() error {
		defer f.port.Continue()
		f.port.Stop() // one that cannot be stopped gets them one right after the other
		return errors.Join(f.port.Send("call 2"), f.port.Send("giveup"))
	})
	f.expect("giveup", port.Withdrawn)
	f.expectWords(spec.Words{Enter: 0, Exit: 2, Flag: spec.Down})
	if f.err != nil {
		return "", f.errorf("with giveup right behind its call")
	}
	f.send("call 2")
	f.meet("PROTOCOL.md, section 5")
	return "undone", f.errorf("after it gave up and called again")
}

// meet has package impl make a call of 2 as the peer of the port, which is in
// one, and expects the port to return too. An answer other than returned ends
// the wait.
func (f *fixture) meet(clause string) {
	f.try(func() error {
		ctx, end := context.WithCancel(f.subject.ctx)
		through := make(chan error, 1)
		go func() { through <- f.barrier.Wait(ctx, 2) }()
		waits, returned := true, false
		fail := func(err error) error {
			f.kill() // it may have the lock, for which the peer waits
			end()
			if waits {
				<-through
			}
			return err
		}
		defer end()
		for left := f.patience(); waits || !returned; {
			select {
			case err := <-through:
				if waits = false; err != nil {
					return fail(err)
				}
			case <-time.After(100 * time.Microsecond): // until the next look
			}
			answer, came, err := f.port.TryReceive()
			switch {
			case err != nil && waits:
				return fail(err)
			case err != nil:
				return fail(fmt.Errorf("%q did not come: %w", port.Returned, err))
			case came && (answer != port.Returned || returned):
				return fail(finding("PORTS.md, section 2", "it answers \"call 2\" with %.300q, want %q", answer, port.Returned))
			case came:
				returned = true
			case left.Spent() && waits:
				words := f.words()
				return fail(finding(clause, "its peer, package impl, does not return from a call of 2 in %v; the words are %v", f.subject.Limit, words))
			case left.Spent():
				return fail(finding(clause, "%q did not come in %v, and its peer has returned", port.Returned, f.subject.Limit))
			}
		}
		return nil
	})
}
