//go:build linux

package port

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
)

// slice is the longest time that a Patience counts between two looks. A runner
// that was suspended, or that got no processor, has not watched for longer.
const slice = 50 * time.Millisecond

// A Patience is a limit on the time in which both the runner and the port ran.
// Time in which the runner was suspended does not count. Time in which a
// process of the port was stopped counts a tenth, since a port may stop itself
// for good.
type Patience struct {
	port *Port
	left time.Duration
	last time.Time
}

// Patience returns a limit that begins now.
func (p *Port) Patience(limit time.Duration) *Patience {
	return &Patience{port: p, left: limit, last: time.Now()}
}

// Spent reports whether the limit is over. The caller asks more often than
// every 50 ms: of a longer time between two calls only that much counts.
func (w *Patience) Spent() bool {
	now := time.Now()
	passed := min(now.Sub(w.last), slice)
	w.last = now
	if w.left > 0 && w.port.stopped() {
		passed /= 10
	}
	w.left -= passed
	return w.left <= 0
}

// stopped reports whether a process of the port is stopped or frozen.
func (p *Port) stopped() bool {
	return slices.ContainsFunc(p.Processes(), func(pid int) bool {
		is, err := procgroup.Stopped(pid)
		return err == nil && is
	})
}

// Stop stops the port as SIGSTOP does, with the rest of its process group, and
// waits for a moment until that has happened. It reports whether it has.
// Continue lets the port go on.
func (p *Port) Stop() bool {
	if !p.leads || unix.Kill(-p.PID(), unix.SIGSTOP) != nil {
		return false
	}
	return procgroup.AwaitStopped(p.Processes())
}

// Continue undoes Stop.
func (p *Port) Continue() {
	if p.leads {
		unix.Kill(-p.PID(), unix.SIGCONT) // fails only if it is gone
	}
}

// Processes lists the process that was started and its descendants that live.
// Those whose parent has ended are missing.
func (p *Port) Processes() []int { return procgroup.Family(p.PID()) }
