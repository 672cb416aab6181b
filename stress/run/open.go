//go:build linux

package run

import (
	"context"
	"fmt"
	"os"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// A barrier is what a worker waits at: an *impl.Barrier, a *port.Port or a
// *whitePort.
type barrier interface {
	Wait(ctx context.Context, parties int) error
	Close() error
}

// An opener opens the barrier of an assignment. The barrier calls hook, unless
// it is nil, before each step. The end of ctx kills a port.
type opener func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error)

// open is the opener of every run outside the tests. A port in black-box mode
// calls no hook.
func open(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
	if a.Port != "" {
		return openPort(ctx, a, hook)
	}
	b, err := impl.Attach(ctx, a.Segment, a.LockPath)
	if err != nil {
		return nil, err
	}
	b.SetHook(hook)
	if a.late { // what its constructor does
		return b, b.Reset()
	}
	return b, nil
}

// openPort starts the port of the assignment as a child of this process and in
// its group, so that killing the group ends both. The worker writes the ledger
// before it asks the port to call and reads it after the answer: the port has
// no part in the verdict.
func openPort(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
	cmd, err := registry.Command(ctx, a.Port)
	if err != nil {
		return nil, err
	}
	if a.Echo {
		cmd.Stderr = &echo{worker: a.Worker, out: os.Stderr}
	}
	p, err := port.StartInGroup(ctx, a.Port, cmd, port.Limit)
	if err != nil {
		return nil, err
	}
	b, err := barrier(p), a.refuse(p.Can())
	switch {
	case err != nil:
	case a.White && p.Can().White:
		b, err = openWhite(p, a, hook)
	default:
		err = p.Open(a.Segment, a.LockPath)
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	return b, nil
}

// refuse returns an error if a port with the capabilities cannot do what the
// faults of the assignment need.
func (a assignment) refuse(can port.Capabilities) error {
	if a.Trace && !can.White {
		return fmt.Errorf("port %s has not the capability white: it does not announce its steps, so they cannot be traced; leave out --trace, or take a port that has it: %s (spec/PORTS.md, section 1)", a.Port, whitePorts)
	}
	for _, need := range []struct {
		has        bool
		capability string
		needs      func(fault.Fault) bool
		instead    string
	}{
		{can.White, "white", fault.Fault.Steps, "name no step, as in kill:one"},
		{can.Withdraw, "withdraw", func(f fault.Fault) bool { return f.Kind == fault.GiveUp }, "name a worker that can, as in give-up:0:5%"},
		{can.Abandon, "abandon", func(f fault.Fault) bool { return f.Kind == fault.WalkAway }, "name a worker that can, as in walk-away:0"},
	} {
		for _, f := range a.plan.Hitting(a.Worker) {
			if !need.has && need.needs(f) {
				return fmt.Errorf("port %s has not the capability %s, which fault %s needs; %s, or a port that has it (spec/PORTS.md, section 1)", a.Port, need.capability, f, need.instead)
			}
		}
	}
	return nil
}
