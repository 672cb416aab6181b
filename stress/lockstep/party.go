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

// A Party is one user of the barrier that stops before each of its steps, as a
// port does in white-box mode: requests and answers are those of
// spec/PORTS.md, section 3, the party being in white-box mode already.
type Party interface {
	Ask(request string) (answer string, err error)
	Kill()                               // die at once, and be gone on return
	Close() error                        // asked for only while outside
	Holds(lockPath string) (bool, error) // whether the kernel says that the party holds the lock
	Lines() int                          // how many lines it has said
	Can() port.Capabilities              // SplitRMW: it does announce reads and writes each for itself
}

// A Starter starts a party that is to be process p of a run. With splitRMW, it is to
// announce the read and the write of a step each for itself, if it can.
type Starter func(p int, splitRMW bool) (Party, error)

// process is a party that is a port's process.
type process struct {
	*port.Port
	splitRMW bool
}

// StartPort starts the port with the name (registry.Start) and puts it into white-box
// mode (NewProcess).
func StartPort(ctx context.Context, name string, splitRMW bool) (Party, error) {
	started, err := registry.Start(ctx, name)
	if err != nil {
		return nil, err
	}
	return NewProcess(started, splitRMW)
}

// NewProcess puts a port, which has just been started, into white-box mode: the
// splitRMW one if that is asked for and the port can. The port is killed if it fails.
func NewProcess(p *port.Port, splitRMW bool) (Party, error) {
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

// Holds asks for the port's process or one that it has started: a shell may
// stand between the runner and the program that locks.
func (p process) Holds(lockPath string) (bool, error) {
	holder, err := lockprobe.Holder(lockPath)
	if err != nil {
		return false, err
	}
	return procgroup.Has(p.PID(), holder)
}
