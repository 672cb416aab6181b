//go:build linux

package inspect

import (
	"context"
	"slices"
	"time"

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
	HeldUp  Status = "held up" // nothing moves, and may go on when a process is continued that is stopped or frozen
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
	causes []Cause // the likeliest first
	model  *Cause  // the likeliest of those that the model has; nil: it was not asked, or has none
}

// diagnose says what the barrier does, and why nothing moves.
func (v *seen) diagnose(ctx context.Context, o Options) (diagnosis, error) {
	c := v.cast(o)
	switch {
	case v.moved():
		return diagnosis{status: Moving}, nil
	}
	if d, is := v.ofGroup(); is {
		return d, nil
	}
	switch {
	case !c.waits && v.underWay() && v.hidesParty():
		return diagnosis{status: Unclear}, nil
	case !c.waits:
		return v.idle(), nil
	}
	e := v.explain(ctx, c)
	if err := ctx.Err(); err != nil {
		return diagnosis{}, err
	}
	d := v.judge(v.obstacles(c.elsewhere), e)
	d.causes = append(v.split(), d.causes...)
	if len(e.causes) > 0 {
		d.model = &e.causes[0]
	}
	return d, nil
}

// idle is the diagnosis of a barrier at which no process waits.
func (v *seen) idle() diagnosis {
	d := diagnosis{status: Idle}
	if len(v.last.mappers()) == 0 && v.underWay() {
		d.causes = []Cause{{
			Why: "no process has the segment mapped, and a round is under way by the words: all its parties have ended",
			Do:  "construct again before the next call, or remove the segment (go run ./stress clean lists what dead runs have left)",
		}}
	}
	return d
}

// underWay reports whether some process is counted, by the words.
func (v *seen) underWay() bool { return v.last.Words.Enter != 0 || v.last.Words.Flag != spec.Up }

// judge weighs the obstacles against the causes that the model has. The first
// line that applies counts. A hang is confirmed if each cause that is left is
// one.
func (v *seen) judge(o obstacles, e explanation) diagnosis {
	obstructed := len(o.causes) > 0
	switch {
	case obstructed && e.nothingWrong: // it needs no cause but the obstacle
		return diagnosis{status: o.status, causes: o.causes}
	case obstructed && !(o.outsiders && len(e.causes) > 0): // those who may be outside: it would not be enough if they called
		return diagnosis{status: o.status, causes: append(o.causes, e.causes...)}
	case slices.ContainsFunc(e.causes, Cause.isWait):
		return diagnosis{status: Waiting, causes: e.causes}
	case len(e.causes) > 0:
		return diagnosis{status: Hangs, causes: e.causes}
	case e.complete && !v.hidesParty() && len(v.split()) == 0:
		return diagnosis{status: Foreign, causes: []Cause{foreign}}
	default:
		return diagnosis{status: Unclear}
	}
}

// foreign is the cause of words that no state of the model has.
var foreign = Cause{
	Why: "no state of the model fits: something that is no party wrote these words, or more parties died under the lock than the model follows",
	Do:  "find out which other program writes the segment (the table has those that have it mapped); then end all parties, construct again and start them",
}

// An explanation is what the model says of what was seen.
type explanation struct {
	causes       []Cause // that have gone wrong, the likeliest first, without the unlikely ones
	nothingWrong bool    // states fit in which nothing has gone wrong
	complete     bool    // all of the model was looked at
}

// explain asks the model. A process that does nothing may be a party that is
// outside, or none.
func (v *seen) explain(ctx context.Context, c cast) explanation {
	q := question{words: v.last.Words, parties: slices.Concat(c.parties, c.quiet)}
	found, complete := q.explain(ctx, c.counts, c.evidence)
	if len(c.quiet) > 0 {
		q.parties = c.parties
		without, all := q.explain(ctx, c.counts, c.evidence)
		for _, cause := range without {
			found = add(found, cause)
		}
		complete = complete && all
	}
	e := explanation{nothingWrong: slices.ContainsFunc(found, Cause.isNothing), complete: complete}
	e.causes = best(slices.DeleteFunc(found, Cause.isNothing))
	for i := range e.causes {
		v.nameOtherBarriers(&e.causes[i])
	}
	return e
}

// A cast is what is known of each process that may be a party.
type cast struct {
	parties   []party // that take part
	quiet     []party // that do nothing, and need not be parties
	waits     bool    // a process waits in a call, or may
	elsewhere []int   // parties that are there, and have not the segment mapped
	counts    []int   // numbers of parties, the likeliest first
	evidence  evidence
}

// cast finds out who takes part: from the parties themselves if they are known,
// or from what the processes do.
func (v *seen) cast(o Options) (c cast) {
	c.evidence = v.evidence(o)
	if o.Parties != nil {
		c.parties, c.waits, c.elsewhere = v.known(o.Parties)
		c.counts = []int{len(o.Parties)}
		return c
	}
	for _, pid := range v.last.mappers() {
		p := v.party(pid)
		if v.acts[pid] == Quiet && !p.holds {
			c.quiet = append(c.quiet, p)
			continue
		}
		c.parties = append(c.parties, p)
		c.waits = true
	}
	c.counts = v.counts(o.Procs, len(c.parties), len(c.quiet))
	if o.Procs > 0 && len(c.parties) > o.Procs {
		c.evidence.broken[spec.Surplus] = true
	}
	return c
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
	case Stopped, Frozen, Starved:
		return party{rests: anyStep}
	default:
		return party{rests: outside}
	}
}

// held reports whether any process holds the lock.
func (v *seen) held() bool { return len(v.last.Lock.Holders) > 0 || v.last.Lock.Abroad }

// evidence returns what tells of something that has gone wrong, besides the
// words.
func (v *seen) evidence(o Options) evidence {
	e := evidence{broken: map[spec.Scenario]bool{
		spec.SplitLock: len(v.with(func(p Process) bool { return p.OldLock })) > 0,
		spec.Fork:      len(v.with(func(p Process) bool { return len(p.Shares) > 0 && p.Maps })) > 1,
	}}
	e.deaths = len(v.with(func(p Process) bool { return p.Sibling }))
	e.staggered = v.staggered()
	for _, scenario := range o.Broken {
		e.broken[scenario] = true
	}
	for _, p := range o.Parties {
		switch {
		case p.Gone && p.Inside:
			e.deaths++
		case p.Gone:
			e.ended++
		}
	}
	return e
}

// apart is how long after the first process another one starts that does not
// start with it.
const apart = time.Second

// staggered reports whether the processes that have the segment mapped started
// one after the other.
func (v *seen) staggered() bool {
	var first, last time.Time
	for _, pid := range v.last.mappers() {
		at := v.last.process(pid).Started
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(first) >= apart
}

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
