//go:build linux

package lockstep

import (
	"context"
	"slices"

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

// shorten returns the report of a shorter run that shows a difference too. It
// tries a shortest schedule to the state that the last move was made in, then
// what came after one of the last visits to the initial state, and of the first
// that differs it leaves out what it can. It stops, with the shortest run so
// far, when ctx ends or when a party does not answer in time, as each such
// attempt would take that long. A difference that is a silence itself stays as
// it is. A run that cannot be repeated, for whatever reason, does not count.
func (d *driver) shorten(ctx context.Context, rep Report) Report {
	s, err := ParseSchedule(rep.Schedule)
	if err != nil || rep.Verdict != spec.Violated || len(s) == 0 {
		return rep
	}
	silent := rep.silent
	differs := func(candidate Schedule) bool {
		if ctx.Err() != nil || silent || len(candidate) >= len(s) {
			return false
		}
		shorter, err := d.replay(ctx, rep.Mode, candidate)
		silent = shorter.silent
		if err != nil || silent || shorter.Verdict != spec.Violated {
			return false
		}
		s, rep.Why, rep.Schedule, rep.table = candidate, shorter.Why, shorter.Schedule, shorter.table
		return true
	}
	for _, candidate := range d.candidates(s) {
		if differs(candidate) {
			break
		}
	}
	for part := len(s) / 2; part > 0; part /= 2 {
		for at := 0; at+part <= len(s); {
			if !differs(slices.Concat(s[:at], s[at+part:])) {
				at += part
			}
		}
	}
	return rep
}

// candidates lists schedules that end with the last move of s, in the state in
// which s makes it by the model, the shortest first.
func (d *driver) candidates(s Schedule) (list []Schedule) {
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
	if path, ok := shortestSchedule(d.cfg, most, func(at model.State) bool { return at == state }); ok {
		list = append(list, append(path, s[last]))
	}
	for back := 1; back <= len(begins); back *= 2 {
		list = append(list, s[begins[len(begins)-back]:])
	}
	return list
}
