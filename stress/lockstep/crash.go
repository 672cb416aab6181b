//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// crashRounds is how many calls each process makes in a run of crash: in the
// second the survivors meet what the dead one has left of the first.
const crashRounds = 2

// CrashSchedule returns a shortest schedule by which process 0 comes to the
// step, at which it is to die, and its question: scenario Withdraw if the step
// is one of withdrawal, else Crash. ok is false if it cannot come there.
func CrashSchedule(procs int, step spec.Step) (cfg model.Config, s Schedule, ok bool) {
	cfg = model.Config{Scenario: spec.Crash, Procs: procs, Rounds: crashRounds}
	if slices.Contains(spec.WithdrawalSteps, step) {
		cfg.Scenario = spec.Withdraw
	}
	if cfg.Validate() != nil {
		return cfg, nil, false
	}
	s, ok = shortestSchedule(cfg, 1_000_000, func(s model.State) bool { return s.Alive(0) && s.Step(0) == step })
	return cfg, s, ok
}

// crash replays the schedule, kills process 0, which has come to the step, and
// then lets the others go on in turn until none can move. Their steps are
// compared with the model's. The model does not know a death in a withdrawal:
// there the words must stay as they were, the lock be free, and no call return
// early.
func (d *driver) crash(ctx context.Context, step spec.Step, moves Schedule) (Report, error) {
	return d.drive(ctx, "crash at "+step.String(), func(s *session, rep *Report) error {
		if err := d.advance(ctx, s, moves...); err != nil {
			return err
		}
		if s.cfg.Scenario != spec.Crash {
			return s.surviveUnmodelled(ctx, rep)
		}
		turn := Schedule{{Proc: 0, Event: spec.Die}}
		for before := (model.State{}); before != s.state; {
			before = s.state
			if err := d.advance(ctx, s, turn...); err != nil {
				return err
			}
			turn = nil
			for p := range s.parties {
				turn = append(turn, Move{Proc: p})
			}
		}
		return s.finish(rep)
	})
}

// surviveUnmodelled kills process 0 and lets the others go on, with no model to
// compare them with.
func (s *session) surviveUnmodelled(ctx context.Context, rep *Report) error {
	s.alone = true
	if _, err := s.Ask(0, Kill); err != nil {
		return err
	}
	holder := s.state.Holder()
	if holder == 0 {
		holder = -1
	}
	if err := s.check(s.state.Words(), holder); err != nil {
		return err
	}
	answers := make([]string, len(s.parties))
	for p := range answers {
		if answers[p] = "returned"; s.state.Inside(p) {
			answers[p] = "at " + s.state.Step(p).String()
		}
	}
	const most = 1000 // turns: many more than the steps of a call
	for turn, before := 0, []string(nil); !slices.Equal(answers, before); turn++ {
		if turn == most {
			return &difference{"the end of the calls", fmt.Sprintf("%q after %d steps of each", answers[1:], most), "a return, or a step that blocks"}
		}
		before = slices.Clone(answers)
		for p := 1; p < len(answers); p++ {
			if err := errors.Join(ctx.Err(), s.goOn(p, answers)); err != nil {
				return err
			}
		}
	}
	for p := 1; p < len(answers); p++ {
		if strings.HasPrefix(answers[p], "at ") {
			rep.Observed = []string{spec.NoHang.String()}
			rep.Why += fmt.Sprintf("p%d is blocked %s, ", p, answers[p])
		}
	}
	rep.Why += "p0 is dead"
	return nil
}

// goOn has party p take its next step, or call again unless it has made its
// calls. It judges without the model whether the call may return.
func (s *session) goOn(p int, answers []string) (err error) {
	switch {
	case strings.HasPrefix(answers[p], "at "):
		answers[p], err = s.Ask(p, "go")
	case s.returned[p] < crashRounds:
		answers[p], err = s.Ask(p, fmt.Sprintf("call %d", len(s.parties)))
		s.begun[p]++
		if want := "at " + spec.Call.String(); err == nil && answers[p] != want {
			err = &difference{s.answerOf(p), quoted(answers[p]), quoted(want)}
		}
	default:
		return nil
	}
	s.steps++
	switch {
	case err != nil || strings.HasPrefix(answers[p], "at "):
		return err
	case answers[p] != "returned":
		return &difference{s.answerOf(p), quoted(answers[p]), `a step, or "returned"`}
	}
	if s.returned[p]++; s.returned[p] > slices.Min(s.begun) {
		return &difference{"calls begun", fmt.Sprint(s.begun), fmt.Sprintf("at least %d of each, as p%d has returned from so many", s.returned[p], p)}
	}
	return nil
}
