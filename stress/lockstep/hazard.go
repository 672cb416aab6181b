//go:build linux

package lockstep

import (
	"context"
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Hazard is a shortest schedule that refutes a property in a scenario, as the
// explorer of the model has found it.
type Hazard struct {
	Config   model.Config
	Property spec.Property
	Schedule Schedule
}

// hazardScenarios are those in which something goes wrong; fork is about
// handles and not the model's to decide.
var hazardScenarios = []spec.Scenario{
	spec.LateConstruction, spec.Shrinking, spec.Growing, spec.Disagreeing,
	spec.Surplus, spec.Crash, spec.AbandonWait, spec.SplitLock,
}

// hazardRounds bounds the calls of each process where the scenario wants a
// bound: the party count changes after the first round, and the third shows
// what comes of it. Elsewhere there is none, so that a process that does not
// call again, having made all its calls, never looks like the cause of a hang.
const hazardRounds = 3

// Hazards explores every scenario that is misuse, for 2 and for 3 processes,
// and returns one hazard for each property that fails there. It takes a second
// or so, and ends early with ctx.
func Hazards(ctx context.Context) ([]Hazard, error) {
	var list []Hazard
	for _, sc := range hazardScenarios {
		for _, procs := range []int{2, 3} {
			cfg := model.Config{Scenario: sc, Procs: procs}
			if model.NeedsBound(cfg) {
				cfg.Rounds = hazardRounds
			}
			for _, p := range spec.AllProperties {
				found := model.Explore(ctx, cfg, model.Options{Check: []spec.Property{p}, MaxStates: 1_000_000})
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				if found.Verdict != spec.Violated && found.Verdict != spec.Hang {
					continue
				}
				s, err := FromTrace(cfg, found.Trace)
				if err != nil {
					return nil, fmt.Errorf("scenario %v: %w", sc, err)
				}
				list = append(list, Hazard{cfg, p, s})
			}
		}
	}
	return list, nil
}

// Hazard replays the hazard. It is a difference if the property that fails in
// the model is not seen to fail for real, unless a party has refused.
func (r *Run) Hazard(ctx context.Context, h Hazard) (Report, error) {
	rep, err := r.Replay(ctx, h.Schedule)
	rep.Mode = h.Property.String()
	seen := slices.Contains(rep.Seen, h.Property.String()) || slices.Contains(rep.Seen, Refused)
	if err == nil && rep.Verdict == spec.Passed && !seen {
		rep.Verdict, rep.Why = spec.Violated, fmt.Sprintf("the schedule does not lead to a violation of %v", h.Property)
	}
	return rep, err
}

// CrashRounds is how many calls each process makes in a run of Crash: in the
// second the survivors meet what the dead one has left of the first.
const CrashRounds = 2

// CrashAt returns the shortest schedule by which process 0 of cfg dies at the
// step; false if it never gets there. The scenario of cfg must be Crash.
func CrashAt(cfg model.Config, step spec.Step) (Schedule, bool) {
	s, ok := nearest(cfg, 1_000_000, func(s model.State) bool { return s.Alive(0) && s.Step(0) == step })
	return append(s, Move{Proc: 0, Event: spec.Die}), ok
}

// Crash replays the schedule, by which a process is killed at the step, and
// then lets the others go on in turn, as the model does, until nobody can move.
func (r *Run) Crash(ctx context.Context, step spec.Step, s Schedule) (Report, error) {
	return r.drive("crash at "+step.String(), func(l *Lockstep, rep *Report) error {
		for _, m := range s {
			if _, err := l.Move(m); err != nil {
				return err
			}
		}
		for moved := true; moved; {
			before := l.state
			for p := range l.parties {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if _, err := l.Move(Move{Proc: p}); err != nil {
					return err
				}
				r.progress(l)
			}
			moved = l.state != before
		}
		stuck, err := l.Stuck()
		if err == nil {
			l.tell(rep, stuck)
		}
		return err
	})
}
