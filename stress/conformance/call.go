//go:build linux

package conformance

import (
	"context"
	"fmt"

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
