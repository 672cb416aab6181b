//go:build linux

package lockstep

import (
	"context"
	"slices"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// shortestSchedule returns a shortest schedule from the initial state to one
// that is wanted, after a look at no more than most states.
func shortestSchedule(cfg model.Config, most int, wanted func(model.State) bool) (s Schedule, ok bool) {
	var g explore.Graph[model.State, model.Action]
	for i := range g.Grow(model.NewMachine(cfg)) {
		if wanted(g.States[i]) {
			for _, a := range g.Path(i) {
				s = append(s, moveOf(a))
			}
			return s, true
		}
		if i == most {
			break
		}
	}
	return nil, false
}

// What a report adds to a difference that was seen once.
const (
	onlyOnce    = "; the same moves, made again, show no difference"
	notRepeated = "; the moves were not made again to their end"
)

// shorten returns the report of a shorter run that shows a difference too. It
// tries a shortest schedule to the state that the last move was made in. If
// that shows none, it makes all moves again; if that shows none, the report
// says so, and that is the end. Else it tries what came after one of the last
// visits to the initial state. Of the shortest that differs it leaves out what
// it can.
//
// It stops, with the shortest run so far, when ctx ends, after the limit, or
// when a party does not answer in time, as each such attempt would take that
// long. A difference that is a silence itself stays as it is.
func (d *driver) shorten(ctx context.Context, rep Report, limit time.Duration) Report {
	s, err := ParseSchedule(rep.Schedule)
	if err != nil || rep.Verdict != spec.Violated || len(s) == 0 || rep.silent {
		return rep
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	over := false // there is no sense in another attempt
	differs := func(candidate Schedule) bool {
		again, err := d.replay(ctx, rep.Mode, candidate)
		over = ctx.Err() != nil || again.silent || err != nil
		if over || again.Verdict != spec.Violated {
			return false
		}
		s, rep.Why, rep.Schedule, rep.timeline = candidate, again.Why, again.Schedule, again.timeline
		return true
	}
	path, ends := d.candidates(s)
	repeats := path != nil && differs(path)
	if !repeats && !over && differs(s) {
		repeats = true
		for i := 0; i < len(ends) && !over && !differs(ends[i]); i++ {
		}
	}
	switch {
	case !repeats && over:
		rep.Why += notRepeated
	case !repeats:
		rep.Why += onlyOnce
	}
	for part := len(s) / 2; part > 0; part /= 2 {
		for at := 0; at+part <= len(s) && repeats && !over; {
			if !differs(slices.Concat(s[:at], s[at+part:])) {
				at += part
			}
		}
	}
	return rep
}

// candidates returns schedules that end with the last move of s, in the state
// in which s makes it by the model: a shortest path there, or nil if that is
// not found, and ends of s, the shortest first.
func (d *driver) candidates(s Schedule) (path Schedule, ends []Schedule) {
	state, last := model.Init(d.cfg), len(s)-1
	var begins []int
	for i, m := range s[:last] {
		if state == model.Init(d.cfg) {
			begins = append(begins, i)
		}
		if a, ok := actionOf(d.cfg, state, m); ok {
			state = model.Apply(d.cfg, state, a)
		}
	}
	const most = 100_000 // states: more than those of a tour
	if found, ok := shortestSchedule(d.cfg, most, func(at model.State) bool { return at == state }); ok {
		path = append(found, s[last])
	}
	for back := 1; back < len(begins); back *= 2 { // the first is 0
		ends = append(ends, s[begins[len(begins)-back]:])
	}
	return path, ends
}
