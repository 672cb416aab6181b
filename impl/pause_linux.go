package impl

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A blocked step first tries again at once, for a peer that runs on another
// processor; then yields, for a peer that waits for this processor; then
// sleeps. An attempt at the lock is a system call, hence fewer spins.
const (
	wordSpins = 16
	lockSpins = 4
	yields    = 6

	// A waiter for the lock sleeps for so long between attempts: each nap is
	// longer than the last one by lockNapMin. In the kernel's own queue for
	// flock(2) it could not notice the end of its context. That queue measured
	// no faster.
	lockNapMin = 50 * time.Microsecond
	lockNapMax = 5 * time.Millisecond
)

// A waiter notices the end of its context within a tick. A negative constant
// does not compile.
const _ = uint(spec.Tick - lockNapMax)

// A pause counts the failed attempts at the current step of a call.
type pause struct {
	b     *Barrier
	step  spec.Step
	tries int
}

// failed counts one more failed attempt at step and returns their number.
func (p *pause) failed(step spec.Step) int {
	if p.step != step {
		p.step, p.tries = step, 0
	}
	p.tries++
	return p.tries
}

// word waits for at most a tick, or until the word that held v changes. It
// fails with ErrSize.
func (p *pause) word(step spec.Step, word spec.Word, v int32) error {
	switch tries := p.failed(step); {
	case tries <= wordSpins:
	case tries <= wordSpins+yields:
		yield()
	default:
		if woken := p.b.segment.Sleep(word, v); !woken {
			return p.b.segment.CheckSize()
		}
	}
	return nil
}

// acquire makes one attempt at the lock. It returns step held if it succeeds,
// and step wait, after a pause, if another process holds the lock. It fails
// with the error of ctx or of the lock file, and with ErrSize.
func (p *pause) acquire(ctx context.Context, wait, held spec.Step) (spec.Step, error) {
	if err := ctx.Err(); err != nil {
		return wait, err
	}
	acquired, err := p.b.lock.Try()
	if acquired || err != nil {
		return held, err
	}
	switch tries := p.failed(wait); {
	case tries <= lockSpins:
	case tries <= lockSpins+yields:
		yield()
	default:
		nap(lockNap(tries - lockSpins - yields))
		return wait, p.b.segment.CheckSize()
	}
	return wait, nil
}

// lockNap returns the length of a waiter's k-th nap.
func lockNap(k int) time.Duration {
	return min(time.Duration(k)*lockNapMin, lockNapMax)
}

// yield lets other processes run; runtime.Gosched lets other goroutines run.
func yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// nap sleeps in the kernel, since the runtime's timers round up to a
// millisecond.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil)
}
