//go:build linux

// Package inspect looks at a barrier from outside, whoever uses it: at the
// words, at the lock, and at the processes that have to do with either. It says
// whether the barrier hangs, and why: it compares what it sees with the states
// of the model.
//
//	barrier := inspect.Target{Segment: name, LockPath: path}
//	r, err := inspect.Inspect(ctx, barrier, inspect.Options{})
//	r.Text(os.Stdout)
//
// It reads, and nothing else. It writes no word, takes no lock, and neither
// traces nor stops a process. All it knows of processes comes from /proc.
package inspect

import (
	"context"
	"slices"
	"time"

	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
)

// Options say how to look.
type Options struct {
	Procs   int           // the party count; 0: find it out
	Parties []Party       // all parties by number, if the caller knows them; nil: it does not
	For     time.Duration // the time between the first look and the last; 0: DefaultFor

	Broken []spec.Scenario // of HAZARDS.md, that the caller knows to take place
}

// DefaultFor is the time between two looks at which nothing has moved that are
// enough: a waiter reads its word some hundred times.
const DefaultFor = 2 * time.Second

const (
	sampling = 2 * time.Millisecond // between two readings of the words
	patience = 5                    // how many times as long it looks while a process waits for a processor
)

// seen is what two looks, and the readings between them, have shown.
type seen struct {
	Target
	first, last *Look
	samples     int
	sampled     time.Duration // the time that they took
	changes     int           // readings that differ from the one before
	rounds      int           // rises of the flag, at least
	lastChange  time.Time
	began       *group.Status // of the barrier, at the first look; nil: it had none
	group       *group.Status // at the last one
	acts        map[int]Activity
	wchans      map[int]string
}

// Inspect looks at the barrier for a while and says what it sees. It fails with
// ErrNoBarrier, the error of ctx, or that of the system.
func Inspect(ctx context.Context, t Target, o Options) (*Report, error) {
	s, err := openSegment(t.SegmentPath())
	if err != nil {
		return nil, err
	}
	defer s.close()
	if o.For == 0 {
		o.For = DefaultFor
	}
	for look := 1; ; look++ {
		v, err := t.observe(ctx, s, o.For)
		if err != nil {
			return nil, err
		}
		r, err := v.report(ctx, o)
		if accuses := err == nil && (r.Status == Hangs || r.Status == Foreign); !accuses || look == patience || !v.pressed() {
			return r, err
		}
	}
}

// pressed reports whether a process that has the segment mapped waited for a
// processor for most of the time, and does so now. It may have slept at the lock
// while that was held, and be on its way to its next word: what accuses a
// barrier must be seen again.
func (v *seen) pressed() bool {
	return slices.ContainsFunc(v.last.mappers(), func(pid int) bool {
		before, after := v.first.process(pid), v.last.process(pid)
		for tid, now := range after.threads {
			if before != nil && now.state == "R" && now.pressed(before.threads[tid], after.at.Sub(before.at)) {
				return true
			}
		}
		return false
	})
}

// observe looks twice and reads the words in between. While nothing moves and a
// process waits for a processor it goes on.
func (t Target) observe(ctx context.Context, s *segment, length time.Duration) (*seen, error) {
	first, err := t.look(s)
	if err != nil {
		return nil, err
	}
	v := &seen{Target: t, first: first, last: first}
	v.began, _ = t.lookAtGroup()
	for range patience {
		if err := v.sample(ctx, s, length); err != nil {
			return nil, err
		}
		if v.last, err = t.look(s); err != nil {
			return nil, err
		}
		var limit string
		if v.group, limit = t.lookAtGroup(); limit != "" {
			v.last.Limits = append(v.last.Limits, limit)
		}
		v.classify()
		if v.moved() || !v.any(Starved) {
			break
		}
	}
	return v, nil
}

// sample reads the words until the time is over.
func (v *seen) sample(ctx context.Context, s *segment, length time.Duration) error {
	ticker := time.NewTicker(sampling)
	defer ticker.Stop()
	words := v.last.Words
	start := time.Now()
	defer func() { v.sampled += time.Since(start) }()
	for time.Since(start) < length || v.samples < enough {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		now, err := s.words()
		if err != nil {
			return err
		}
		v.samples++
		if now != words {
			v.changes++
			v.lastChange = time.Now()
			if words.Flag == spec.Down && now.Flag != spec.Down {
				v.rounds++
			}
		}
		words = now
	}
	return nil
}

// classify finds out what each process did between the two looks.
func (v *seen) classify() {
	v.acts, v.wchans = map[int]Activity{}, map[int]string{}
	for _, l := range []*Look{v.first, v.last} {
		for _, p := range l.Processes {
			before, after := v.first.process(p.PID), v.last.process(p.PID)
			if before != nil && after != nil && before.start != after.start {
				before = nil // another process has the number now
			}
			v.acts[p.PID], v.wchans[p.PID] = v.activity(before, after)
		}
	}
}

func (v *seen) activity(before, after *Process) (Activity, string) {
	late := v.sampled/time.Duration(v.samples) - sampling
	return activity(before, after, max(0, late))
}

// moved reports whether the words, the lock or the round of the group changed,
// or a process came or went. Members that wait for a foreign party take the lock
// again and again, which is no move.
func (v *seen) moved() bool {
	if v.began != nil && v.group != nil {
		if v.began.Round != v.group.Round {
			return true
		}
	} else if !slices.Equal(v.first.Lock.Holders, v.last.Lock.Holders) {
		return true
	}
	return v.changes > 0 || v.first.Torn || v.last.Torn || v.first.Words != v.last.Words || !slices.Equal(v.first.mappers(), v.last.mappers())
}

func (v *seen) any(a Activity) bool {
	return slices.ContainsFunc(v.last.mappers(), func(pid int) bool { return v.acts[pid] == a })
}
