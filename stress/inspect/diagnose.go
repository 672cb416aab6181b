//go:build linux

package inspect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Status says what the barrier does.
type Status string

// The statuses.
const (
	Moving  Status = "moving"  // words changed, or the lock did
	Idle    Status = "idle"    // no process waits
	Waiting Status = "waiting" // nothing moves, and a process that is there may still call, or release the lock
	HeldUp  Status = "held up" // nothing moves, and may go on when a process is continued that is stopped
	Starves Status = "starves" // nothing moves, and may go on when a process gets a processor
	Hangs   Status = "hang"    // nothing moves, and by the model nothing can
	Foreign Status = "foreign" // no state of the model fits
	Unclear Status = "unclear" // no state fits, and not all was seen
)

// Verdict returns the verdict for the status.
func (s Status) Verdict() spec.Verdict {
	switch s {
	case Moving, Idle:
		return spec.Passed
	case Hangs:
		return spec.Hang
	case Foreign:
		return spec.Violated
	default:
		return spec.Unfinished
	}
}

// A diagnosis is what is made of what was seen.
type diagnosis struct {
	status Status
	causes []Cause
}

// diagnose says what the barrier does, and why nothing moves.
func (v *seen) diagnose(ctx context.Context, o Options) (d diagnosis, err error) {
	parties, quiet, waits := v.parties()
	var elsewhere []int
	if o.Parties != nil {
		quiet, o.Procs = nil, len(o.Parties)
		parties, waits, elsewhere = v.known(o.Parties)
	}
	switch {
	case v.moved():
		d.status = Moving
	case !waits:
		d.status = Idle
	default:
		found, complete := v.explain(ctx, parties, quiet, o.Procs)
		if err := ctx.Err(); err != nil {
			return d, err
		}
		ended := endedOutside(o.Parties)
		for i := range found {
			found[i].ended = ended > 0 && found[i].Missing == ended
		}
		d = v.conclude(found, complete, v.obstacles(elsewhere))
		d.addOthers(v.others())
	}
	return d, nil
}

// endedOutside returns how many parties have ended outside a call.
func endedOutside(parties []Party) (n int) {
	for _, p := range parties {
		if p.Gone && !p.Inside {
			n++
		}
	}
	return n
}

// explain returns the causes that the model has, and whether all of it was
// looked at. A process that does nothing may be a party that is outside, or
// none.
func (v *seen) explain(ctx context.Context, parties, quiet []party, procs int) (found []Cause, complete bool) {
	counts := v.counts(procs, len(parties), len(quiet))
	q := question{words: v.last.Words, parties: append(slices.Clone(parties), quiet...)}
	found, complete = q.explain(ctx, counts)
	if len(quiet) > 0 {
		q.parties = parties
		without, all := q.explain(ctx, counts)
		for _, c := range without {
			c.score += strangerScore
			found = add(found, c)
		}
		complete = complete && all
	}
	for i := range found {
		switch c := &found[i]; {
		case c.kind == spec.Crash && v.sawDeath():
			c.score -= crashScore + 0.1
		case c.kind == spec.Surplus && procs > 0 && len(parties) > procs:
			c.score -= surplusScore
		}
	}
	return found, complete
}

// conclude weighs the causes that the model has against the obstacles, which it
// does not know.
func (v *seen) conclude(found []Cause, complete bool, o obstacles) (d diagnosis) {
	kept := slices.ContainsFunc(found, Cause.nothing) // what is seen needs no cause but the obstacles
	d.causes = best(slices.DeleteFunc(found, Cause.nothing))
	if o.outsiders && !kept && len(d.causes) > 0 {
		o.causes = nil // it would not be enough if they called
	}
	switch {
	case len(o.causes) > 0 && kept:
		return diagnosis{o.status, o.causes}
	case len(o.causes) > 0:
		return diagnosis{o.status, append(o.causes, d.causes...)}
	case len(d.causes) > 0 && d.causes[0].idle > 0:
		d.status = Waiting
	case len(d.causes) > 0:
		d.status = Hangs
	case complete && !v.hidesParty() && len(v.others()) == 0:
		d.status = Foreign
		d.causes = []Cause{{Why: "no state of the model fits: something that is no party wrote these words, or more parties died under the lock than the model follows",
			Do: "find out which other program writes the segment; then end all parties, construct again and start them"}}
	default:
		d.status = Unclear
	}
	return d
}

// addOthers puts first that there are two segments of the name, if there are.
func (d *diagnosis) addOthers(pids []int) {
	if len(pids) > 0 {
		d.causes = slices.Insert(d.causes, 0, Cause{
			Why: fmt.Sprintf("two segments have the name: %s another one mapped, which was unlinked", listed("process", pids, "has", "have")),
			Do:  "let no process unlink the segment while others use it: in Python, its creator does when it exits; then end all parties and start them",
		})
	}
}

// nothing reports whether the cause says no more than that callers keep the
// rules and all are there.
func (c Cause) nothing() bool {
	return c.kind == spec.Reuse && c.Missing == 0 && len(c.Died) == 0 && c.idle == 0
}

// sawDeath reports whether a process that is dead, and not waited for, has the
// parent and the name of a party.
func (v *seen) sawDeath() bool {
	return slices.ContainsFunc(v.last.Processes, func(p Process) bool { return p.Sibling })
}

// hidesParty reports whether a process that may be a party could not be seen.
func (v *seen) hidesParty() bool {
	return slices.ContainsFunc(v.last.hidden, func(p Process) bool {
		before := slices.IndexFunc(v.first.hidden, func(b Process) bool { return b.PID == p.PID })
		if before < 0 {
			return true
		}
		act, _ := v.activity(&v.first.hidden[before], &p)
		return act != Quiet && act != Gone
	})
}

// parties returns what is known of each process that has the segment mapped:
// those that take part, and those that do nothing and need not be parties. It
// reports whether any process waits, or may.
func (v *seen) parties() (active, quiet []party, waits bool) {
	for _, pid := range v.last.mappers() {
		p := v.party(pid)
		if v.acts[pid] == Quiet && !p.holds {
			quiet = append(quiet, p)
			continue
		}
		active = append(active, p)
		waits = waits || v.acts[pid] != Stopped || p.holds
	}
	return active, quiet, waits
}

// party returns where a process may be that has the segment mapped.
func (v *seen) party(pid int) party {
	if v.last.process(pid).Holds {
		return party{rests: critical, holds: true}
	}
	atPoll := polls
	if v.held() {
		atPoll |= acquires
	}
	switch v.acts[pid] {
	case Polls, Naps: // on a slow machine a tick is long
		return party{at: atPoll, less: outside}
	case Blocked:
		return party{at: acquires}
	case Runs:
		return party{at: atPoll, rests: outside}
	case Stopped, Starved:
		return party{rests: anyStep}
	default:
		return party{rests: outside}
	}
}

// held reports whether any process holds the lock.
func (v *seen) held() bool { return len(v.last.Lock.Holders) > 0 || v.last.Lock.Abroad }

// counts returns the party counts that are worth asking about. While a round
// gathers, exit is the count that a caller has passed.
func (v *seen) counts(given, active, quiet int) (counts []int) {
	try := func(n int) {
		if n >= 1 && (n <= model.MaxProcs || given > 0 || n <= active+quiet+2) && !slices.Contains(counts, n) {
			counts = append(counts, n)
		}
	}
	all := active + quiet
	if given > 0 {
		try(given)
		if active > given {
			try(active)
		}
		return counts
	}
	w := v.last.Words
	if w.Flag == spec.Down && w.Exit >= 1 {
		try(int(w.Exit))
	}
	try(all)
	try(active)
	if w.Exit >= 1 {
		try(int(w.Exit))
	}
	for n := max(all, int(w.Exit), int(w.Enter)); len(counts) < 4 && n <= all+2; n++ {
		try(n)
	}
	return counts
}

// Obstacles are causes that the model does not know, because they are no hang:
// all goes on as soon as a process does.
type obstacles struct {
	status    Status
	causes    []Cause
	outsiders bool // they are only processes that may be outside
}

func (o *obstacles) add(status Status, why, do string) {
	o.status = status
	o.causes = append(o.causes, Cause{Why: why, Do: do})
}

// obstacles returns what the processes wait for that needs no model. The
// parties elsewhere are there, and have not the segment mapped.
func (v *seen) obstacles(elsewhere []int) (o obstacles) {
	if v.addHolders(&o); len(o.causes) > 0 {
		return o
	}
	if pids := v.those(Starved); len(pids) > 0 {
		o.add(Starves, listed("process", pids, "waits", "wait")+" for a processor",
			"wait, or look for what keeps the processors busy: a slow machine is no hang")
	}
	if pids := v.those(Stopped); len(pids) > 0 {
		o.add(HeldUp, listed("process", pids, "is", "are")+" stopped", "continue: kill -CONT "+join(pids)+" (or end the debugger)")
	}
	if len(elsewhere) > 0 {
		o.add(Waiting, fmt.Sprintf("party %s is there, and has not this segment mapped", Ranges(elsewhere)),
			"look at which segment it has opened, and whether it has opened one at all")
	}
	if len(o.causes) > 0 {
		return o
	}
	if pids := slices.Sorted(slices.Values(append(v.those(Quiet), v.those(Runs)...))); len(pids) > 0 {
		o.outsiders = true
		o.add(Waiting, listed("process", pids, "has", "have")+" the segment mapped and may be outside: the others wait for "+it(pids),
			fmt.Sprintf("find out what it does: py-spy dump --pid %d, or gdb -p %[1]d", pids[0]))
	}
	return o
}

// addHolders adds the processes that hold the lock: none does for long while it
// goes on.
func (v *seen) addHolders(o *obstacles) {
	l := v.last
	for _, pid := range l.Lock.Holders {
		holds := fmt.Sprintf("process %d holds the lock and ", pid)
		switch p := l.process(pid); {
		case v.acts[pid] == Stopped:
			o.add(HeldUp, holds+"is stopped", fmt.Sprintf("continue it: kill -CONT %d (or end the debugger)", pid))
		case v.acts[pid] == Starved:
			o.add(Starves, holds+"waits for a processor", "wait, or give it a processor: this is no hang")
		case p == nil || !p.Maps:
			o.add(Waiting, holds+"has not the segment mapped: it is no party, or a child that inherited the descriptor",
				fmt.Sprintf("find out what it is: ps -fp %d; the lock is free when it has closed the lock file", pid))
		default:
			o.add(Waiting, holds+"does not go on", fmt.Sprintf("find out what it does under the lock: py-spy dump --pid %d, or gdb -p %[1]d", pid))
		}
	}
	if len(l.Lock.Holders) == 0 && l.Lock.Abroad {
		o.add(Waiting, "a process outside of this PID namespace holds the lock", "run inspect on the host")
	}
}

// those returns the processes that have the segment mapped and did what a says.
func (v *seen) those(a Activity) (pids []int) {
	for _, pid := range v.last.mappers() {
		if v.acts[pid] == a {
			pids = append(pids, pid)
		}
	}
	return pids
}

// others returns the processes that have another segment of the name mapped.
func (v *seen) others() (pids []int) {
	for _, p := range v.last.Processes {
		if p.MapsOther {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

func it(pids []int) string {
	if len(pids) == 1 {
		return "it"
	}
	return "them"
}

// listed returns "process 3 is" or "processes 3, 5 are".
func listed(noun string, pids []int, one, several string) string {
	if len(pids) == 1 {
		return fmt.Sprintf("%s %d %s", noun, pids[0], one)
	}
	return fmt.Sprintf("%ses %s %s", noun, list(pids), several)
}

// list returns "3, 5"; join returns "3 5".
func list(pids []int) string { return strings.ReplaceAll(join(pids), " ", ", ") }

func join(pids []int) string { return strings.Trim(fmt.Sprint(pids), "[]") }
