//go:build linux

package run

import (
	"context"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// A barrier is what a worker waits at: an *impl.Barrier or a *port.Port.
type barrier interface {
	Wait(ctx context.Context, parties int) error
	Close() error
}

// open opens the barrier of the assignment. The barrier of package impl calls
// hook, unless it is nil, before each step.
func open(a assignment, hook func(spec.Step)) (barrier, error) {
	if a.Port != "" {
		return openPort(a)
	}
	b, err := impl.Attach(context.Background(), a.Segment, a.LockPath)
	if err != nil {
		return nil, err
	}
	b.SetHook(hook)
	return b, nil
}

// openPort starts the port of the assignment, in black-box mode, as a child of
// this process and in its group, so that killing the group ends both. The
// worker writes the ledger before it asks the port to call and reads it after
// the answer: the port has no part in the verdict.
func openPort(a assignment) (barrier, error) {
	cmd, err := registry.Command(context.Background(), a.Port)
	if err != nil {
		return nil, err
	}
	p, err := port.StartInGroup(context.Background(), a.Port, cmd, port.Limit)
	if err != nil {
		return nil, err
	}
	if err := p.Open(a.Segment, a.LockPath); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}
