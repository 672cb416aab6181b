package impl

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// How a blocked step passes the time between its attempts: first not at all,
// then by giving up the processor, then asleep. Spinning is for a peer that
// runs on another processor right now, yielding for one that waits for this
// one. An attempt at the lock is a system call already, hence the fewer spins.
const (
	wordSpins = 16
	lockSpins = 4
	yields    = 6

	// Nobody can be woken when the lock is free: flock(2) has a queue of its own,
	// but whoever sleeps in it cannot leave it when the context ends. Asking
	// again this often measured no slower than that queue.
	lockNapMin = 50 * time.Microsecond
	lockNapMax = time.Millisecond
)

// The end of a context is noticed within a tick. (A negative constant does not
// compile.)
const _ = uint(spec.Tick - lockNapMax)

// A pause counts the attempts that have failed at the step of a call that
// blocks.
type pause struct {
	b     *Barrier
	step  spec.Step
	tries int
}

// failed counts one more failed attempt at step.
func (p *pause) failed(step spec.Step) int {
	if p.step != step {
		p.step, p.tries = step, 0
	}
	p.tries++
	return p.tries
}

// word passes some time, at most a tick, in which word, which held v, may
// change.
func (p *pause) word(step spec.Step, word spec.Word, v int32) {
	switch tries := p.failed(step); {
	case tries <= wordSpins:
	case tries <= wordSpins+yields:
		yield()
	default:
		p.b.segment.sleep(word, v)
	}
}

// acquire makes one attempt at the lock. It returns the step held when it has
// succeeded, and the step wait, after a pause, when another has the lock.
func (p *pause) acquire(ctx context.Context, wait, held spec.Step) (spec.Step, error) {
	if err := ctx.Err(); err != nil {
		return wait, err
	}
	acquired, err := p.b.lock.try()
	if acquired || err != nil {
		return held, err
	}
	switch tries := p.failed(wait); {
	case tries <= lockSpins:
	case tries <= lockSpins+yields:
		yield()
	default:
		naps := tries - lockSpins - yields
		nap(min(time.Duration(naps)*lockNapMin, lockNapMax))
	}
	return wait, nil
}

// yield lets other processes run. (runtime.Gosched only lets other goroutines.)
func yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// nap sleeps in the kernel: the timers of the runtime round up to a
// millisecond.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil)
}
