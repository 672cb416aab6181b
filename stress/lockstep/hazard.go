//go:build linux

package lockstep

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
func (r *Driver) Hazard(ctx context.Context, h Hazard) (Report, error) {
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

// CrashConfig is the question whose process 0 dies at the step: a step of
// withdrawal is there only in scenario Withdraw.
func CrashConfig(procs int, step spec.Step) model.Config {
	if slices.Contains(spec.WithdrawalSteps, step) {
		return model.Config{Scenario: spec.Withdraw, Procs: procs, Rounds: CrashRounds}
	}
	return model.Config{Scenario: spec.Crash, Procs: procs, Rounds: CrashRounds}
}

// CrashAt returns the shortest schedule by which process 0 of cfg comes to the
// step, at which it is to die; false if it never gets there.
func CrashAt(cfg model.Config, step spec.Step) (Schedule, bool) {
	return nearest(cfg, 1_000_000, func(s model.State) bool { return s.Alive(0) && s.Step(0) == step })
}

// Crash replays the schedule, kills process 0, which has come to the step, and
// then lets the others go on in turn until nobody can move. Their steps are
// compared with the model's, but for a death in a withdrawal, which the model
// does not know: there the words must stay as they were and the lock be free,
// and after that nobody may be let go early.
func (r *Driver) Crash(ctx context.Context, step spec.Step, s Schedule) (Report, error) {
	return r.drive(ctx, "crash at "+step.String(), func(l *Session, rep *Report) error {
		for _, m := range s {
			if _, err := l.Move(m); err != nil {
				return err
			}
		}
		if l.cfg.Scenario != spec.Crash {
			return l.surviveUnmodelled(ctx, rep)
		}
		if _, err := l.Move(Move{Proc: 0, Event: spec.Die}); err != nil {
			return err
		}
		for before := (model.State{}); before != l.state; {
			before = l.state
			for p := range l.parties {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if _, err := l.Move(Move{Proc: p}); err != nil {
					return err
				}
				r.progress(l)
			}
		}
		return l.conclude(rep)
	})
}

// surviveUnmodelled kills process 0 and lets the others go on, with no model to
// compare them with.
func (l *Session) surviveUnmodelled(ctx context.Context, rep *Report) error {
	l.alone = true
	if _, err := l.Ask(0, Kill); err != nil {
		return err
	}
	holder := l.state.Holder()
	if holder == 0 {
		holder = -1
	}
	if err := l.Check(l.state.Words(), holder); err != nil {
		return err
	}
	says := make([]string, len(l.parties))
	for p := range says {
		if says[p] = "returned"; l.state.Inside(p) {
			says[p] = "at " + l.state.Step(p).String()
		}
	}
	for moved := true; moved; {
		moved = false
		for p := 1; p < len(l.parties); p++ {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			was := says[p]
			if err := l.goOn(p, says); err != nil {
				return err
			}
			moved = moved || says[p] != was
		}
	}
	for p := 1; p < len(says); p++ {
		if strings.HasPrefix(says[p], "at ") {
			rep.Seen = []string{spec.NoHang.String()}
			rep.Why += fmt.Sprintf("p%d is blocked %s, ", p, says[p])
		}
	}
	rep.Why += "p0 is dead"
	return nil
}

// goOn has party p take its next step, or call again unless it has made its
// calls, and judges an end of its call without the model.
func (l *Session) goOn(p int, says []string) (err error) {
	if strings.HasPrefix(says[p], "at ") {
		says[p], err = l.Ask(p, "go")
	} else if l.returned[p] < CrashRounds {
		says[p], err = l.Ask(p, fmt.Sprintf("call %d", len(l.parties)))
		l.begun[p]++
	}
	l.steps++
	if err != nil || says[p] != "returned" {
		return err
	}
	if l.returned[p]++; l.returned[p] > slices.Min(l.begun) {
		return &Difference{"calls begun", fmt.Sprint(l.begun), fmt.Sprintf("at least %d of each, as p%d has returned from so many", l.returned[p], p)}
	}
	return nil
}
