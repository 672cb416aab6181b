//go:build linux

package lockstep

import (
	"context"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// nearest returns a shortest schedule from the initial state to one that is
// wanted, after a look at no more than most states.
func nearest(cfg model.Config, most int, wanted func(model.State) bool) (Schedule, bool) {
	type step struct {
		from   model.State
		action model.Action
	}
	came := map[model.State]step{}
	first := model.Init(cfg)
	looked := 0
	for s, edges := range model.States(cfg) {
		if wanted(s) {
			var way Schedule
			for s != first {
				way = append(way, moveOf(came[s].action))
				s = came[s].from
			}
			slices.Reverse(way)
			return way, true
		}
		if looked++; looked > most {
			break
		}
		for _, e := range edges {
			if _, known := came[e.To]; !known {
				came[e.To] = step{s, e.Action}
			}
		}
	}
	return nil, false
}

// Shorten returns a shorter run that shows a difference too: the shortest way to
// the state that the last move was made in, or else what came after one of the
// last moments at which everything was as in the beginning; of that, what cannot
// be left out. It gives up, with the shortest that it has, when ctx ends or a party
// does not answer in time, as each such attempt would take that long; a difference
// that is a silence itself stays as it is. What cannot be played again, for whatever
// reason, is no shorter run.
func (r *Driver) Shorten(ctx context.Context, rep Report) Report {
	s, err := ParseSchedule(rep.Schedule)
	if err != nil || rep.Verdict != spec.Violated || len(s) == 0 {
		return rep
	}
	silent := rep.silent
	fails := func(candidate Schedule) bool {
		if ctx.Err() != nil || silent || len(candidate) >= len(s) {
			return false
		}
		shorter, err := r.Replay(ctx, candidate)
		silent = shorter.silent
		if err != nil || silent || shorter.Verdict != spec.Violated {
			return false
		}
		s, rep.Why, rep.Schedule, rep.table = candidate, shorter.Why, shorter.Schedule, shorter.table
		return true
	}
	for _, candidate := range r.candidates(s) {
		if fails(candidate) {
			break
		}
	}
	for part := len(s) / 2; part > 0; part /= 2 {
		for at := 0; at+part <= len(s); {
			if !fails(slices.Concat(s[:at], s[at+part:])) {
				at += part
			}
		}
	}
	return rep
}

// candidates lists schedules that end with the last move of s, in the state in
// which s makes it by the model, the shortest first.
func (r *Driver) candidates(s Schedule) (list []Schedule) {
	state, last := model.Init(r.Config), len(s)-1
	var begins []int
	for i, m := range s[:last] {
		if state == model.Init(r.Config) {
			begins = append(begins, i)
		}
		if a, ok := enabled(r.Config, state, m); ok {
			state = model.Apply(r.Config, state, a)
		}
	}
	const most = 100_000 // states: more than those of a tour
	if way, ok := nearest(r.Config, most, func(at model.State) bool { return at == state }); ok {
		list = append(list, append(way, s[last]))
	}
	for back := 1; back <= len(begins); back *= 2 {
		list = append(list, s[begins[len(begins)-back]:])
	}
	return list
}
