//go:build linux

package lockstep

import (
	"context"
	"errors"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// A party is one user of the barrier that stops before each of its steps. Its
// requests and answers are those of a port in white-box mode (spec/PORTS.md,
// section 3), in which it is already.
type party interface {
	Ask(request string) (answer string, err error)
	Kill()                               // dies at once, and is gone on return
	Close() error                        // ends in order; only outside of a call
	Holds(lockPath string) (bool, error) // whether the kernel says that the party holds the lock
	Lines() int                          // how many lines it has written
	Can() port.Capabilities              // SplitRMW: it does announce the read and the write of a step separately
}

// errUnable is the error of a party that lacks a capability.
var errUnable = errors.New("capability missing")

// A starter starts the party that is process p of a run. With splitRMW it
// announces the read and the write of a step separately, if it can.
type starter func(p int, splitRMW bool) (party, error)

// process is a party that is a port's process.
type process struct {
	*port.Port
	splitRMW bool
}

// startPort starts the port with the name (see registry.Start) and puts it into
// white-box mode. With splitRMW it announces the read and the write of a step
// separately, if it can. The end of ctx kills it.
func startPort(ctx context.Context, name string, splitRMW bool) (party, error) {
	started, err := registry.Start(ctx, name)
	if err != nil {
		return nil, err
	}
	return newProcess(started, splitRMW)
}

// newProcess puts a port that has just been started into white-box mode. It
// kills the port on an error.
func newProcess(p *port.Port, splitRMW bool) (party, error) {
	can := p.Can()
	splitRMW = splitRMW && can.SplitRMW
	mode := "white"
	switch {
	case !can.White:
		p.Kill()
		return nil, errors.New("port " + p.Name() + " is not white box, which lockstep needs (spec/PORTS.md, section 3)")
	case splitRMW:
		mode = "splitRMW"
	}
	answer, err := p.Ask(mode)
	if err == nil && answer != "ok" {
		err = errors.New("port " + p.Name() + ": it answers " + mode + " with " + answer)
	}
	if err != nil {
		p.Kill()
		return nil, err
	}
	return process{p, splitRMW}, nil
}

func (p process) Can() port.Capabilities {
	can := p.Port.Can()
	can.SplitRMW = p.splitRMW
	return can
}

// Holds reports whether the port's process or one that it has started holds the
// lock: a shell may stand between the runner and the program that locks.
func (p process) Holds(lockPath string) (bool, error) {
	for pid, err := range lockprobe.Holders(lockPath, p.PID()) {
		if err != nil {
			return false, err
		}
		if has, err := procgroup.Has(p.PID(), pid); has || err != nil {
			return has, err
		}
	}
	return false, nil
}
