//go:build linux

package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sharedbarrier/spec"
)

// Every is the time between two ticks of Watch.
const Every = 500 * time.Millisecond

// A Tick is what Watch has seen since the tick before.
type Tick struct {
	Version int        `json:"version"` // of the JSON form; tick.schema.json describes it
	Time    time.Time  `json:"time"`
	Words   spec.Words `json:"words"`
	Holders []int      `json:"lock_holders"`
	Waiters []int      `json:"lock_waiters"` // in flock(2)
	Mapped  []int      `json:"mapped"`       // processes that have the segment mapped
	Rate    float64    `json:"rounds_per_second"`
	Changed []string   `json:"changed"`
}

// Watch looks at the barrier again and again, and calls show with what it has
// seen, until ctx ends or show returns false. It counts the rounds by the rises
// of the flag that it sees: a rate of more than some hundred is too low. It
// fails with ErrNoBarrier, or the error of the system; the end of ctx is none.
func Watch(ctx context.Context, t Target, show func(Tick) bool) error {
	s, err := openSegment(t.SegmentPath())
	if err != nil {
		return err
	}
	defer s.close()
	last, err := t.look(s)
	if err != nil {
		return err
	}
	for {
		v := &seen{Target: t, first: last, last: last}
		if err := v.sample(ctx, s, Every); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if v.last, err = t.look(s); err != nil {
			return err
		}
		v.classify()
		if last = v.last; !show(v.tick()) {
			return nil
		}
	}
}

func (v *seen) tick() Tick {
	l := v.last
	return Tick{
		Version: version, Time: l.At, Words: l.Words, Holders: notNil(l.Lock.Holders), Waiters: notNil(l.Lock.Waiters), Mapped: notNil(l.mappers()),
		Rate: float64(v.rounds) / v.sampled.Seconds(), Changed: notNil(v.changed()),
	}
}

// changed says in words what is different in the last look.
func (v *seen) changed() (list []string) {
	if v.changes > 0 || v.first.Words != v.last.Words {
		list = append(list, fmt.Sprintf("words %d times", max(1, v.changes)))
	}
	if !slices.Equal(v.first.Lock.Holders, v.last.Lock.Holders) {
		list = append(list, "lock")
	}
	was, is := v.first.mappers(), v.last.mappers()
	for _, pid := range is {
		if !slices.Contains(was, pid) {
			list = append(list, fmt.Sprintf("process %d came", pid))
		}
	}
	for _, pid := range was {
		if !slices.Contains(is, pid) {
			list = append(list, fmt.Sprintf("process %d went", pid))
		}
	}
	for _, pid := range is {
		if p, before := v.last.process(pid), v.first.process(pid); before != nil && p.suspended() != before.suspended() {
			list = append(list, fmt.Sprintf("process %d is %s", pid, map[bool]string{true: "stopped", false: "continued"}[p.suspended()]))
		}
	}
	if v.last.Unlinked != v.first.Unlinked {
		list = append(list, "the name of the segment")
	}
	return list
}

// JSON writes the tick as one line.
func (t Tick) JSON(out io.Writer) error { return json.NewEncoder(out).Encode(t) }

// Text writes the tick as one line for people.
func (t Tick) Text(out io.Writer) error {
	lock := "free"
	if len(t.Holders) > 0 {
		lock = "held by " + list(t.Holders)
	}
	if len(t.Waiters) > 0 {
		lock += ", awaited by " + list(t.Waiters)
	}
	changed := "nothing changed"
	if len(t.Changed) > 0 {
		changed = "changed: " + strings.Join(t.Changed, ", ")
	}
	_, err := fmt.Fprintf(out, "%s  %v  lock %s  mapped by %d  %.0f rounds/s  %s\n", t.Time.Format("15:04:05.0"), t.Words, lock, len(t.Mapped), t.Rate, changed)
	return err
}
