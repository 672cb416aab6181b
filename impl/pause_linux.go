package impl

import (
	"context"
	"time"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// A blocked step first yields, for a peer that waits for this processor, and
// looks again after each; then it sleeps. If no process waits for this
// processor, a yield takes a fifth of a microsecond, so that a waiter also spins
// for a peer that runs on another one. A step that waits for the lock first
// tries again at once: another process holds it for less than it takes to
// switch to a third.
const (
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
	case tries <= yields:
		shm.Yield()
	default:
		if woken := p.b.segment.Sleep(word, v); !woken {
			return p.b.segment.CheckSize()
		}
	}
	return nil
}

// letDrain delays a call, by a few yields at most, while exit shows that the
// last round drains: now the call could only take the lock twice, and wait at
// AwaitDrain in between. What it reads has no other effect (section 8).
func (b *Barrier) letDrain(n int32) {
	for range yields {
		if exit := b.segment.Load(spec.Exit); exit == spec.NotSet || exit == n { // any store
			return
		}
		shm.Yield()
	}
}

// acquire makes one attempt at the lock. It returns step held if it succeeds,
// or if release kept the lock, and step wait, after a pause, if another process
// holds the lock. It fails with the error of ctx or of the lock file, and with
// ErrSize.
func (p *pause) acquire(ctx context.Context, wait, held spec.Step) (spec.Step, error) {
	if err := ctx.Err(); err != nil {
		return wait, err
	}
	if p.b.lock.Held {
		return held, nil
	}
	acquired, err := p.b.lock.Try()
	if acquired || err != nil {
		return held, err
	}
	switch tries := p.failed(wait); {
	case tries <= lockSpins:
	case tries <= lockSpins+yields:
		shm.Yield()
	default:
		shm.Nap(lockNap(tries - lockSpins - yields))
		return wait, p.b.segment.CheckSize()
	}
	return wait, nil
}

// lockNap returns the length of a waiter's k-th nap.
func lockNap(k int) time.Duration {
	return min(time.Duration(k)*lockNapMin, lockNapMax)
}
