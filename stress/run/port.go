//go:build linux

package run

import (
	"context"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// openPort starts the port of the assignment, in black-box mode, as a child of
// this process and in its group, so that what ends the group ends both. The
// witness is written here, before the port is asked to call, and read after it
// has answered: the port has no part in the verdict on it.
func openPort(a assignment) (Barrier, error) {
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
