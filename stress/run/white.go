//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/port"
)

// A whitePort is a port in white-box mode, run at full speed: it announces each
// step, and may take it once the hook has returned. So a worker can pause,
// stop or die before each step, as one that uses package impl.
type whitePort struct {
	*port.Port
	hook func(spec.Step)
}

// openWhite has the port open the barrier in white-box mode.
func openWhite(p *port.Port, a assignment, hook func(spec.Step)) (barrier, error) {
	if answer, err := p.Ask("white"); err != nil || answer != port.OK {
		return nil, errors.Join(err, unexpected(a.Port, "white", answer))
	}
	b := &whitePort{p, hook}
	answer, err := b.follow(context.Background(), "open "+a.Segment+" "+a.LockPath)
	if err == nil && answer != port.Opened {
		err = unexpected(a.Port, "open", answer)
	}
	return b, err
}

func unexpected(name, request, answer string) error {
	return fmt.Errorf("port %s: it answers %q to %q", name, answer, request)
}

// Wait makes one call. It returns errWalkedAway when the hook has panicked with
// it, and the error of ctx when the call has withdrawn.
func (b *whitePort) Wait(ctx context.Context, parties int) error {
	answer, err := b.follow(ctx, fmt.Sprintf("call %d", parties))
	switch {
	case err != nil:
		return err
	case answer == port.Returned:
		return nil
	case answer == port.Withdrawn && ctx.Err() != nil:
		return ctx.Err()
	case answer == port.Abandoned:
		return errWalkedAway
	default:
		return unexpected(b.Name(), "call", answer)
	}
}

// follow sends a request, lets the port take each step that it announces, and
// returns the first other answer.
func (b *whitePort) follow(ctx context.Context, request string) (string, error) {
	gaveUp := false
	for tries, last := 0, spec.Call; ; {
		answer, err := b.Ask(request)
		step, announced := port.Announced(answer)
		if err != nil || !announced {
			return answer, err
		}
		if tries++; step != last {
			tries, last = 0, step
		}
		retry(tries)
		switch {
		case b.announce(step):
			request = "abandon"
		case !gaveUp && ctx.Err() != nil && fault.GivesUpAt(step):
			gaveUp, request = true, "giveup"
		default:
			request = "go"
		}
	}
}

// announce calls the hook, and reports whether the call is to be abandoned.
func (b *whitePort) announce(s spec.Step) (walksAway bool) {
	if b.hook == nil {
		return false
	}
	defer func() {
		switch r := recover(); r {
		case nil:
		case errWalkedAway:
			walksAway = true
		default:
			panic(r)
		}
	}()
	b.hook(s)
	return false
}

// retry waits before another attempt at a step that has blocked so many times:
// a port in white-box mode tries once and does not wait.
func retry(tries int) {
	const (
		atOnce  = 4
		longest = time.Millisecond
	)
	if tries > atOnce {
		nap(min(time.Duration(tries)*20*time.Microsecond, longest))
	}
}
