package group

import (
	"context"
	"runtime/debug"

	"sharedbarrier/spec"
)

// call takes the steps of one call, with one case for each in the order of
// GROUP.md, section 4. lockRound takes those of a section.
func (g *Group) call(ctx context.Context) (err error) {
	defer g.catch(debug.SetPanicOnFault(true), &err)
	h, own := g.head, g.own
	t := thread{Group: g, role: caller}
	p := pause{thread: &t, ctx: ctx}
	defer p.stop()
	for step := spec.Begin; ; {
		if step != spec.LockRound { // lockRound calls the hook
			t.at(step)
		}
		switch step {

		case spec.Begin:
			turn := h.turn.Load() // the stores of Turn, TurnBroken, Mend
			r := turn >> 1
			if turn&1 != 0 || g.mine < r {
				g.mine = r
				return g.brokenError(r - 1)
			}
			own.since.Store(now())
			t.round = r
			step = spec.Arrive

		case spec.Arrive:
			own.arrival.Store(t.round<<2 | arrived) // for Gather, Take
			step = spec.Gather

		case spec.Gather:
			step = p.gather()

		case spec.LockRound:
			t.ended = false
			took, err := t.lockRound()
			if p.attempted(took); err != nil && own.arrival.CompareAndSwap(t.round<<2|arrived, t.round<<2|outside) {
				own.since.Store(now())
				own.step.Store(uint32(spec.Begin))
				return err
			}
			step = spec.Gather

		case spec.Return:
			own.arrival.Store(t.round<<2 | outside)
			own.since.Store(now())
			g.mine = t.round + 1
			own.step.Store(uint32(spec.Begin))
			if h.completed.Load() < t.round { // the store of Complete
				return g.brokenError(t.round)
			}
			return nil

		case spec.Retract:
			if own.arrival.CompareAndSwap(t.round<<2|arrived, t.round<<2|outside) { // or Take's
				own.since.Store(now())
				own.step.Store(uint32(spec.Begin))
				return g.missing(ctx, t.round)
			}
			step = spec.Gather
		}
	}
}
