package group

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// A thread takes steps: that of a call, the guardian, or one who joins, leaves
// or resets.
type thread struct {
	*Group
	role  role
	round uint64 // of the call
	ended bool   // the section has ended a round
	until uint64 // the round of turn when the section released the lock

	patient bool // a leaver: vacate only if no member is owed
	vacated bool // a leaver: done
	over    bool // a joiner: the group is to be removed, as that of a job that is over
	refusal error
}

type role uint8

const (
	caller role = iota
	guarding
	joiner
	leaver
	resetter
)

// at comes before each step.
func (t *thread) at(step spec.MemberStep) {
	if t.role != guarding {
		if t.own != nil && t.role != joiner {
			t.own.step.Store(uint32(step))
		}
		if t.hook != nil {
			t.hook(step)
		}
	}
	if t.cfg.Hook != nil {
		t.cfg.Hook(t.role == guarding, step)
	}
}

// lockRound makes one attempt at the lock (GROUP.md, section 5). If it succeeds
// it takes the steps of a section, and reports true. The caller catches faults.
func (t *thread) lockRound() (_ bool, err error) {
	t.at(spec.LockRound)
	t.section.Lock()
	defer t.section.Unlock()
	if held, err := t.lock.Try(); !held {
		return false, err
	}
	defer func() { // an error or a panic of the hook leaves the rest to the next section
		if t.lock.Held {
			t.lock.Release()
			t.head.wakeTurn()
		}
	}()
	return true, t.steps()
}

// untilTaken takes a section, however long that takes, or until ctx ends.
func (t *thread) untilTaken(ctx context.Context) (err error) {
	defer t.catch(debug.SetPanicOnFault(true), &err)
	for naps := time.Duration(1); ; naps++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for lock file %q: %w", t.cfg.LockPath, err)
		}
		if took, err := t.lockRound(); took || err != nil {
			if t.role == resetter {
				t.own.step.Store(uint32(spec.Begin)) // it is outside again
			}
			return err
		}
		shm.Nap(min(naps*50*time.Microsecond, 5*time.Millisecond))
	}
}

// steps takes the steps of a section, with one case for each in the order of
// GROUP.md. The lock is held.
func (t *thread) steps() (err error) {
	h, words, n := t.head, t.barrier.Words, int32(len(t.slots))
	r := h.turn.Load() >> 1
	step := spec.Repair
	if t.role == joiner && t.strange() {
		step, t.refusal = spec.UnlockRound, t.refuse()
	}
	for err == nil {
		t.at(step)
		switch step {

		// Section 5: a section.

		case spec.Repair:
			switch phase := h.phase.Load(); {
			case phase == 0:
				step = spec.Settle
			case phase == 2 && words.Load(spec.Flag) != spec.Down:
				step = spec.Owe
			default:
				step = spec.Reopen
			}

		case spec.Reopen:
			h.phase.Store(1)
			step = spec.UndoEnter

		case spec.UndoEnter:
			words.Store(spec.Enter, h.enter.Load())
			step = spec.UndoExit

		case spec.UndoExit:
			words.Store(spec.Exit, h.exit.Load())
			step = spec.UndoFlag

		case spec.UndoFlag:
			words.Store(spec.Flag, h.flag.Load())
			step = spec.Close

		case spec.Close:
			h.phase.Store(0)
			step = spec.Settle

		case spec.Settle:
			owed := int32(h.owed.Load())
			f := n - owed
			switch exit := words.Load(spec.Exit); {
			case owed == 0:
				step = spec.Break
			case exit == spec.NotSet || exit > f:
				step = spec.Settled
			case exit+owed > f:
				step = spec.CarryCountExit
			default:
				step = spec.Break
			}

		case spec.CarryCountExit:
			exit := words.Load(spec.Exit) + int32(h.owed.Load())
			if exit == n {
				exit = spec.NotSet
			}
			words.Store(spec.Exit, exit)
			step = spec.Settled

		case spec.Settled:
			h.owed.Store(0)
			step = spec.Break

		case spec.Break:
			step = t.broken(r)

		case spec.Mark:
			t.mark(r)
			step = spec.TurnBroken

		case spec.TurnBroken:
			r++
			h.turn.Store(r<<1 | 1) // for Begin, Gather
			t.ended = true
			step = t.ownPart()

		// A call's own part: it carries out a round.

		case spec.Judge:
			switch {
			case t.role == guarding || r != t.round:
				step = spec.UnlockRound
			case words.Load(spec.Exit) == spec.NotSet:
				step = spec.CarryInitExit
			default:
				step = spec.Take
			}

		case spec.CarryInitExit:
			words.Store(spec.Exit, n)
			if t.foreign() {
				words.Wake(spec.Exit)
			}
			step = spec.Take

		case spec.Take:
			step = t.take(r)

		case spec.Open:
			w := t.barrier.Snapshot()
			h.enter.Store(w.Enter)
			h.exit.Store(w.Exit)
			h.flag.Store(w.Flag)
			h.taken.Store(uint32(n - w.Enter))
			h.round.Store(r)
			h.phase.Store(1)
			if step = spec.Ready; w.Enter == 0 {
				step = spec.CarryLowerFlag
			}

		case spec.CarryLowerFlag:
			words.Store(spec.Flag, spec.Down)
			step = spec.Ready

		case spec.Ready:
			h.phase.Store(2)
			step = spec.CarryResetEnter

		case spec.CarryResetEnter:
			words.Store(spec.Enter, 0)
			step = spec.CarryResetExit

		case spec.CarryResetExit:
			words.Store(spec.Exit, 0)
			step = spec.CarryRaiseFlag

		case spec.CarryRaiseFlag:
			words.Store(spec.Flag, spec.Up)
			step = spec.Owe

		case spec.Owe:
			owed := h.taken.Load()
			h.owed.Store(owed)
			if int32(owed) < n {
				words.Wake(spec.Flag) // foreign parties
			}
			step = spec.Complete

		case spec.Complete:
			h.completed.Store(h.round.Load()) // for Return
			step = spec.Turn

		case spec.Turn:
			r = h.round.Load() + 1
			h.turn.Store(r << 1) // for Begin, Gather
			t.ended = true
			step = spec.Close

		// Section 7: membership.

		case spec.Claim:
			t.claimRank(r)
			step = spec.Mend

		case spec.Mend:
			if !t.anyOwner(died) {
				h.turn.Store(r << 1)
			}
			step = spec.UnlockRound

		case spec.Vacate:
			err = t.vacate()
			step = spec.UnlockRound

		case spec.Bury:
			for i := range t.slots {
				if o := &t.slots[i]; died(o.owner.Load()) {
					o.owner.Store(vacant)
				}
			}
			if step = spec.Mend; t.role == joiner {
				step = spec.Claim
			}

		case spec.UnlockRound:
			if err := t.lock.Release(); err != nil {
				return err
			}
			t.until = r
			if t.role == caller && !t.ended {
				return t.refusal
			}
			step = spec.Wake

		case spec.Wake:
			for i := range t.slots {
				if t.slots[i].asleep.Load() != 0 { // the store in doze
					h.wakeTurn()
					break
				}
			}
			return t.refusal
		}
	}
	return err
}

// broken returns the step after Break.
func (t *thread) broken(r uint64) spec.MemberStep {
	marked := false
	for i := range t.slots {
		if o := &t.slots[i]; died(o.owner.Load()) {
			switch o.broken.Load() {
			case 0:
				return spec.Mark
			case r:
				marked = true
			}
		}
	}
	if marked {
		return spec.TurnBroken
	}
	return t.ownPart()
}

// mark gives the dead the round. The header has one of them, for those who are
// told when the rank has a new member.
func (t *thread) mark(r uint64) {
	h := t.head
	for i := range t.slots {
		o := &t.slots[i]
		if !died(o.owner.Load()) || o.broken.Load() != 0 {
			continue
		}
		if h.brokenRound.Load() < r {
			h.brokenRound.Store(0) // for brokenError: the rest is being written
			h.brokenRank.Store(uint32(i))
			h.brokenStep.Store(o.step.Load())
			h.brokenSince.Store(now())
			h.brokenPid.Store(o.pid.Load())
			h.brokenLabel.set(o.label.String())
			h.brokenRound.Store(r) // for brokenError
		}
		o.broken.Store(r)
	}
}

// ownPart returns the first step of the thread's own part of the section.
func (t *thread) ownPart() spec.MemberStep {
	switch t.role {
	case joiner:
		if t.refusal = t.refuse(); t.refusal != nil || t.over {
			return spec.UnlockRound
		}
		if !t.anyOwner(alive) {
			return spec.Bury
		}
		return spec.Claim
	case leaver:
		if t.patient && t.head.owed.Load() != 0 {
			return spec.UnlockRound
		}
		return spec.Vacate
	case resetter:
		return spec.Bury
	default:
		return spec.Judge
	}
}

// take marks the members that have arrived as taken if the round is complete,
// or else none.
func (t *thread) take(r uint64) spec.MemberStep {
	w, n, a := t.barrier.Snapshot(), int32(len(t.slots)), int32(0)
	for i := range t.slots {
		if t.slots[i].arrivedIn(r) {
			a++
		}
	}
	switch {
	case corrupt(w, a, n):
		t.refusal = &impl.CorruptError{Name: t.cfg.Name, Words: w, Parties: int(n)}
		return spec.UnlockRound
	case a+w.Enter < n || w.Exit != n:
		return spec.UnlockRound
	}
	for i := range t.slots {
		switch o := &t.slots[i]; o.arrival.Load() {
		case r<<2 | taken:
			a--
		case r<<2 | arrived:
			if o.arrival.CompareAndSwap(r<<2|arrived, r<<2|taken) {
				a--
			}
		}
	}
	if a == 0 {
		return spec.Open
	}
	for i := range t.slots { // one has withdrawn
		t.slots[i].arrival.CompareAndSwap(r<<2|taken, r<<2|arrived)
	}
	return spec.UnlockRound
}

// corrupt reports whether no round of n parties, of which so many members have
// arrived, has the words.
func corrupt(w spec.Words, arrived, n int32) bool {
	return !shm.InRange(w, n) || arrived+w.Enter > n || w.Enter > 0 && w.Flag != spec.Down
}

func (t *thread) anyOwner(is func(uint32) bool) bool {
	for i := range t.slots {
		if is(t.slots[i].owner.Load()) {
			return true
		}
	}
	return false
}

// foreign reports whether a rank is vacant, so that foreign parties may wait.
func (t *thread) foreign() bool {
	return t.anyOwner(func(owner uint32) bool { return owner == vacant })
}
