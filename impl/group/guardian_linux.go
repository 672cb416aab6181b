package group

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// A guardian is the thread of a member that sleeps on the owner of another one.
// Its own death, which is that of the process, is the death of the member: the
// kernel then marks the owner of its slot and wakes the guardian that sleeps
// there (GROUP.md, section 6).
type guardian struct {
	list   robustList
	thread uint32 // its number in its own namespace
	claim  chan *Group
	leave  atomic.Bool
	done   chan struct{}
	member *Group
	joined uint64 // the round in which the member has joined
}

// startGuardian starts the thread. It waits until it has a member.
func startGuardian() (*guardian, error) {
	w := &guardian{claim: make(chan *Group, 1), done: make(chan struct{})}
	started := make(chan error)
	go w.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("register a robust list, which a group needs: %w", err)
	}
	return w, nil
}

func (w *guardian) run(started chan<- error) {
	defer close(w.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, size, err := w.list.register()
	w.thread = uint32(unix.Gettid())
	started <- err
	if err != nil {
		return
	}
	defer restore(old, size)
	if g := <-w.claim; g != nil {
		w.watch(g)
	}
}

// guard gives the guardian its member, after that has claimed its rank.
func (w *guardian) guard(g *Group) {
	w.member, w.joined = g, g.mine
	w.claim <- g
}

// end ends the thread. The member's rank is vacant, or it has none.
func (w *guardian) end() {
	w.leave.Store(true)
	if w.member == nil {
		w.claim <- nil
	}
	for {
		if w.member != nil { // it may be about to sleep: until it does not
			w.wake()
		}
		select {
		case <-w.done:
			return
		case <-time.After(100 * time.Microsecond):
			// Where a peer has truncated the segment no wake comes, and the
			// kernel does not let it sleep again after a signal.
			unix.Tgkill(os.Getpid(), int(w.thread), unix.SIGURG)
		}
	}
}

// wake wakes the guardian. Another one that sleeps there looks again, too.
func (w *guardian) wake() {
	var ignored error // a peer has truncated the segment
	g := w.member
	defer g.catch(debug.SetPanicOnFault(true), &ignored)
	g.slots[g.own.watches.Load()].wakeOwner()
}

// watch guards the next rank until the member leaves.
func (w *guardian) watch(g *Group) {
	var err error
	defer g.catch(debug.SetPanicOnFault(true), &err)
	t := thread{Group: g, role: guarding}
	handled := w.joined
	for naps := time.Duration(1); !w.leave.Load(); {
		rank, owner, dead := g.next(handled)
		if dead && g.cfg.Hook != nil {
			t.at(spec.Watch)
			rank, owner, dead = g.next(handled) // the hook may have taken long
		}
		if !dead {
			g.own.watches.Store(uint32(rank)) // for meet
			if again, same, dead := g.next(handled); again == rank && same == owner && !dead {
				g.slots[rank].sleepOwner(owner)
			}
			continue
		}
		if took, err := t.lockRound(); took && err == nil {
			handled, naps = t.until, 1
		} else {
			shm.Nap(min(naps*20*time.Microsecond, spec.Tick))
			naps++
		}
	}
}

// next returns the next rank that has an owner, of those that are not dead and
// handled. It is the member's own if there is no other.
func (g *Group) next(handled uint64) (rank int, owner uint32, dead bool) {
	for i := range g.slots {
		rank = (g.cfg.Rank + 1 + i) % len(g.slots)
		o := &g.slots[rank]
		switch owner = o.owner.Load(); {
		case owner == vacant:
		case !died(owner):
			return rank, owner, false
		default:
			if broken := o.broken.Load(); broken == 0 || broken >= handled {
				return rank, owner, true
			}
		}
	}
	return g.cfg.Rank, g.own.owner.Load(), false
}

// meet wakes the guardian before this member until it watches the member, or
// for a second: a guardian may be stopped.
func (g *Group) meet(ctx context.Context) {
	for end := time.Now().Add(time.Second); time.Now().Before(end) && ctx.Err() == nil; shm.Nap(50 * time.Microsecond) {
		n, before := len(g.slots), g.cfg.Rank
		for i := 1; i < n; i++ {
			if rank := (g.cfg.Rank + n - i) % n; alive(g.slots[rank].owner.Load()) {
				before = rank
				break
			}
		}
		watches := int(g.slots[before].watches.Load())
		if before == g.cfg.Rank || watches == g.cfg.Rank {
			return
		}
		if watches < n {
			g.slots[watches].wakeOwner()
		}
	}
}
