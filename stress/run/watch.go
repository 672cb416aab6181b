//go:build linux

package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/oracle"
)

// watch waits until the run is over. It returns its state if it hangs, or was
// interrupted and does not end.
func (r *run) watch(ctx context.Context) *Hang {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	var timeUp <-chan time.Time
	if r.For > 0 {
		timer := time.NewTimer(r.For)
		defer timer.Stop()
		timeUp = timer.C
	}
	interrupt := ctx.Done()
	idle := idleness{entries: r.entries(), looked: time.Now()}
	for r.exited < r.Procs {
		select {
		case <-timeUp:
			r.disturb.cancel()
			r.ledger.RequestStop()
		case <-interrupt:
			interrupt, r.interrupted = nil, true
			r.ledger.RequestStop()
			idle = idleness{entries: r.entries(), looked: time.Now()}
		case p := <-r.exits:
			r.exited++
			h, over := r.ended(ctx, p)
			if h != nil || over {
				return h
			}
		case <-ticker.C:
			if hang, over := r.tick(ctx, &idle); hang != nil || over {
				return hang
			}
		}
	}
	return nil
}

// ended judges the end of a worker. It returns the state of the run if the
// worker has died, and no fault has killed it, and whether the run is over. A
// worker that a fault or the guide has killed ends nothing: the others go on for
// as long as they can.
func (r *run) ended(ctx context.Context, p *process) (hang *Hang, over bool) {
	if p.cmd.ProcessState.Success() || r.ledger.Over() && p.found == nil {
		return nil, false
	}
	if by := r.wasKilled(p); by != "" {
		r.deaths = append(r.deaths, r.death(p, by))
		return nil, false
	}
	if r.KeepGoing && p.found != nil && p.found.Failure != "" {
		return nil, true
	}
	r.isInterrupt(ctx, p) // ctx may end while it waits, or while hang looks
	h := r.hang(ctx, fmt.Sprintf("%v died: %v", p, p.failure()))
	r.interrupted = r.interrupted || p.signalled() && ctx.Err() != nil
	return h, true
}

// tick looks at the ledger. It returns the state of the run if it hangs, and
// whether it is over.
func (r *run) tick(ctx context.Context, idle *idleness) (hang *Hang, over bool) {
	if r.violated() && !r.KeepGoing {
		return nil, true
	}
	r.look(idle)
	if r.Progress != nil {
		r.Progress(r.ledger.Rounds())
	}
	if r.Enough != nil && r.Enough(r.ledger) {
		return nil, true
	}
	r.suspect(idle)
	if r.ledger.Over() {
		return nil, idle.steps > r.ending
	}
	if r.dying() {
		return nil, false
	}
	why := r.overdue(idle)
	early := why == "" && r.looksEarly(idle)
	if why == "" && !early {
		return nil, false
	}
	h := r.hang(ctx, r.because(why))
	stuck := idle.calls/livelock > r.Stall && slices.EqualFunc(idle.entries, r.entries(), sameCalls)
	switch {
	case r.ledger.Over() || r.dying():
	case stuck && !h.starves():
		return h, false
	case !slices.Equal(idle.entries, r.entries()) || h.Status == inspect.Moving:
	case early && h.Status != inspect.Hangs:
		idle.early = 0 // look again later
	case h.starves() && idle.calls/livelock <= r.Stall:
		idle.steps = 0 // a slow machine is no hang
	default:
		return h, false
	}
	return nil, false
}

// dying reports whether a worker is about to die on purpose, or has ended, and
// watch has not seen it.
func (r *run) dying() bool {
	died, gone := 0, 0
	for i, e := range r.entries() {
		if e.Dead {
			died++
		}
		if r.workers[i].isGone() {
			gone++
		}
	}
	return died > len(r.deaths) || gone > r.exited
}

// looksEarly reports whether it is time for a look from outside before the
// stall limit: a fault makes a hang likely. Such a look ends the run only if it
// confirms a hang.
func (r *run) looksEarly(idle *idleness) bool {
	return (len(r.Faults) > 0 || r.KeepGoing) && idle.early > r.between/2
}

// because says why the run hangs.
func (r *run) because(why string) string {
	if why == "" {
		why = "no worker makes progress"
	}
	for _, d := range r.deaths {
		why += "; " + d
	}
	return why
}

// isInterrupt reports whether an interrupting signal has ended the process, and
// ends ctx too: such a signal may be for the whole run, and the worker the
// first to get it.
func (r *run) isInterrupt(ctx context.Context, p *process) bool {
	if !p.signalled() {
		return false
	}
	select {
	case <-ctx.Done():
		return true
	case <-time.After(r.spread):
		return false
	}
}

// overdue says what takes too long although calls are left; empty: nothing.
func (r *run) overdue(idle *idleness) string {
	limit := r.Stall
	if r.interrupted {
		limit = min(limit, r.lastCall)
	}
	switch {
	case idle.steps > limit:
		return fmt.Sprintf("no worker made progress for %v", limit)
	case idle.calls/livelock > limit:
		return fmt.Sprintf("no call began or returned for %d times %v", livelock, limit)
	}
	return ""
}

// livelock is how many times as long as without a step the workers may be
// without a call.
const livelock = 10

// idleness is for how long the workers have made no progress.
type idleness struct {
	entries      []oracle.Entry
	looked       time.Time     // the last look
	steps, calls time.Duration // since the last step, and since the last call
	early        time.Duration // since the last step, and since the last early look
	rounds       time.Duration // since the last round
	returned     int64         // rounds at the last look
	suspected    bool          // since the last round
}

// look brings idle up to date with the ledger. Time in which a fault has stopped
// a process does not count. See Config.Lenient.
func (r *run) look(idle *idleness) {
	now := time.Now()
	if r.disturb != nil && r.disturb.held.Load() > 0 {
		idle.looked = now
	}
	if r.Lenient && idle.steps > 0 && r.stopped() {
		idle.looked = now.Add(-idle.passed(now) / 10)
	}
	entries := r.entries()
	r.moved.note(now, entries)
	idle.look(entries, now)
}

// stopped reports whether a process of a worker is stopped.
func (r *run) stopped() bool {
	return slices.ContainsFunc(r.workers, func(p *process) bool {
		return slices.ContainsFunc(procgroup.Family(p.pid()), func(pid int) bool {
			is, err := procgroup.Stopped(pid)
			return err == nil && is
		})
	})
}

// passed is how much counts of the time since the last look: no more than ten
// times the usual time. If it was longer this process did not run, and perhaps
// no other.
func (i *idleness) passed(now time.Time) time.Duration { return min(now.Sub(i.looked), 10*look) }

// sameCalls reports whether a worker has begun and left no call.
func sameCalls(a, b oracle.Entry) bool {
	a.Step = b.Step
	return a == b
}

// look brings i up to date.
func (i *idleness) look(entries []oracle.Entry, now time.Time) {
	elapsed := i.passed(now)
	i.steps, i.early, i.calls, i.rounds = i.steps+elapsed, i.early+elapsed, i.calls+elapsed, i.rounds+elapsed
	for w, e := range entries {
		switch was := i.entries[w]; {
		case e.Begun != was.Begun || e.Returned != was.Returned:
			i.steps, i.early, i.calls = 0, 0, 0
		case e.Step != was.Step:
			i.steps, i.early = 0, 0
		}
	}
	i.entries, i.looked = entries, now
	returned := entries[0].Returned
	for _, e := range entries {
		returned = min(returned, e.Returned)
	}
	if returned != i.returned {
		i.returned, i.rounds, i.suspected = returned, 0, false
	}
}

// suspect says so when no round was completed for half of the stall limit. The
// state of a run that only may hang is as it is seen, without a cause.
func (r *run) suspect(idle *idleness) {
	if r.Suspect == nil || idle.suspected || idle.rounds <= r.Stall/2 || r.ledger.Over() {
		return
	}
	idle.suspected = true
	r.Suspect(r.state(fmt.Sprintf("no round was completed for %v", r.Stall/2)).String())
}
