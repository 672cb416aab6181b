//go:build linux

package run

import (
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// pauses delays a worker at random: the machine alone repeats a few schedules.
// Most steps have no pause. A run in which every worker pauses at each step is
// as regular as one in which none does.
type pauses struct{ random *rand.Rand }

func newPauses(seed uint64, worker int) pauses {
	return pauses{rand.New(rand.NewPCG(seed, uint64(worker)))}
}

// beforeCall pauses before one call in four, for up to 500 µs.
func (p pauses) beforeCall() {
	if p.random.IntN(4) == 0 {
		p.pause(500 * time.Microsecond)
	}
}

// beforeStep pauses before one step in 64, about one call in three, for up to
// 100 µs. The pause can be under the lock.
func (p pauses) beforeStep() {
	if p.random.IntN(64) == 0 {
		p.pause(100 * time.Microsecond)
	}
}

// pause yields the processor, spins, or sleeps. Yielding changes the order of
// the workers, spinning keeps a processor from them, and during a sleep all
// others can overtake.
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
