//go:build linux

package run

import (
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// pauses delays a worker at random, so that the schedules of a run differ from
// those that a machine at rest prefers. Most steps are not delayed at all: a
// run in which everybody always pauses is as regular as one in which nobody does.
type pauses struct {
	random *rand.Rand
}

func newPauses(seed uint64, worker int) pauses {
	return pauses{rand.New(rand.NewPCG(seed, uint64(worker)))}
}

// beforeCall pauses before one call in four, for up to 500 µs.
func (p pauses) beforeCall() {
	if p.random.IntN(4) == 0 {
		p.pause(500 * time.Microsecond)
	}
}

// beforeStep pauses before one step in 64, so in about every third call, for
// up to 100 µs; under the lock, too.
func (p pauses) beforeStep() {
	if p.random.IntN(64) == 0 {
		p.pause(100 * time.Microsecond)
	}
}

// pause gives up the processor, spins, or sleeps. Each meets other races:
// the first changes the order, the second keeps the processor away from the
// others, the third lets all of them overtake.
func (p pauses) pause(longest time.Duration) {
	length := p.random.Int64N(int64(longest))
	switch p.random.IntN(3) {
	case 0:
		unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // cannot fail
	case 1:
		for end := now() + length/10; now() < end; {
		}
	default:
		time.Sleep(time.Duration(length))
	}
}
