//go:build linux

package inspect

import (
	"time"

	"sharedbarrier/spec"
)

// An Activity is what a process did between two looks, as far as it matters to
// a barrier. A waiter at a poll must read its word once per tick, so a process
// that gives up the processor less often is at no poll.
type Activity string

// The activities.
const (
	Gone    Activity = "gone"    // it has ended, or is a zombie
	Stopped Activity = "stopped" // by a signal or a debugger: it does nothing until it is continued
	Frozen  Activity = "frozen"  // by its control group: it does nothing until that is thawed
	Starved Activity = "starved" // it waits for a processor, and has not had enough of one to show what it does
	Blocked Activity = "blocked" // it waits for the lock in flock(2)
	Polls   Activity = "polls"   // it sleeps for a tick, again and again, as a waiter at a poll does
	Naps    Activity = "naps"    // it sleeps for several ticks, again and again, as Python's filelock does at a held lock
	Runs    Activity = "runs"    // it keeps a processor busy: it spins at a poll, or works
	Quiet   Activity = "quiet"   // it does nothing: it waits for something else than the barrier
)

const (
	// longestPoll is the longest mean sleep of a process that polls, where
	// timers are late by less than a tick.
	longestPoll = 2*spec.Tick + time.Millisecond
	// longestNap is the longest mean sleep of one that tries the lock.
	longestNap = 150 * time.Millisecond
	// enough is how many sleeps show what a process does.
	enough = 3
	// busy is the part of the time that a process runs which does not sleep.
	busy = 0.5
	// some is the part of the time without which a process has not shown that
	// it works.
	some = 0.05
	// starving is the part of the time that a process waits for a processor
	// without which it might have shown more.
	starving = 0.5
)

// activity returns what the process did from the look before to that after,
// and the kernel's name for where it sleeps. This process was late by the given
// time on average when it slept; others may be, too. Either process may be nil.
func activity(before, after *Process, late time.Duration) (Activity, string) {
	switch {
	case after == nil || after.State == "Z" || after.State == "X":
		return Gone, ""
	case after.Frozen != "":
		return Frozen, ""
	case after.suspended():
		return Stopped, ""
	case after.Waits:
		return Blocked, after.wchan()
	case before == nil:
		return Starved, "" // it has just come
	}
	most, where := Quiet, after.wchan()
	elapsed := after.at.Sub(before.at)
	for tid, now := range after.threads {
		was, known := before.threads[tid]
		if !known {
			continue
		}
		if a := now.since(was, elapsed, late); weight[a] > weight[most] {
			most = a
			if now.wchan != "" {
				where = now.wchan
			}
		}
	}
	if most == Quiet && before.suspended() {
		return Starved, "" // it has just been continued
	}
	return most, where
}

// weight orders what the threads of one process do: what says most about a wait
// comes last.
var weight = map[Activity]int{Quiet: 0, Naps: 1, Runs: 2, Starved: 3, Polls: 4}

// since returns what the thread did since it was as in was.
func (t thread) since(was thread, elapsed, late time.Duration) Activity {
	sleeps := t.voluntary - was.voluntary
	ran, delayed := time.Duration(t.ran-was.ran), time.Duration(t.delayed-was.delayed)
	free := max(0, elapsed-delayed)
	switch {
	case sleeps >= enough && free/time.Duration(sleeps) <= longestPoll+2*late:
		return Polls
	case float64(ran) >= busy*float64(free) && float64(ran) >= some*float64(elapsed):
		return Runs
	case sleeps < enough && (t.state == "R" || t.pressed(was, elapsed)):
		return Starved // in R: a delay is counted when it has ended
	case sleeps >= enough && free/time.Duration(sleeps) <= longestNap+2*late:
		return Naps
	default:
		return Quiet
	}
}

// pressed reports whether the thread waited for a processor for most of the time
// since it was as in was.
func (t thread) pressed(was thread, elapsed time.Duration) bool {
	return float64(t.delayed-was.delayed) >= starving*float64(elapsed)
}

// wchan returns where the main thread of the process sleeps.
func (p *Process) wchan() string { return p.threads[p.PID].wchan }
