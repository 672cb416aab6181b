//go:build linux

package run

import (
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/lockprobe"
)

// isHolding reports whether the injection happens before step s, which tells
// whether the worker holds the lock there: at the first such step of most calls,
// by its moment at one of the next ones.
func (i *injector) isHolding(s spec.Step, in fault.Injection) bool {
	if !s.Holds() {
		return false
	}
	i.held++
	return i.held > int(in.Moment*6)
}

// whenHolding lets the injection happen when the port, which announces no steps,
// holds the lock: it stops the port again and again until it finds it holding
// the lock, or the call has ended. Then the injection is due in the next call.
func (i *injector) whenHolding(in fault.Injection) {
	for {
		select {
		case <-i.over:
			i.mu.Lock()
			i.missed = append(i.missed, in)
			i.mu.Unlock()
			return
		default:
		}
		family := i.victims()
		send(family, unix.SIGSTOP)
		if procgroup.AwaitStopped(family) && holdsLock(i.LockPath, family) {
			i.happen(in, false)
			return
		}
		send(family, unix.SIGCONT)
		nap(rand.N(200 * time.Microsecond)) // what it does meanwhile depends on the machine, not on the seed
	}
}

// holdsLock reports whether one of the processes holds the lock.
func holdsLock(path string, pids []int) bool {
	for holder, err := range lockprobe.Holders(path, pids...) {
		return err == nil && slices.Contains(pids, holder)
	}
	return false
}
