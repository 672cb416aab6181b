//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/scratch"
)

// A driver runs sessions of one question with the same parties.
type driver struct {
	cfg      model.Config
	start    starter
	ports    []string        // names of the parties, for the report
	progress func(steps int) // called after each move; nil: never
}

// drive runs one session under play and reports about it. A difference that
// play returns is a verdict; drive returns any other error. Once ctx has ended
// the verdict is unfinished: that parties die with their context is no
// difference.
func (d *driver) drive(ctx context.Context, mode string, play func(s *session, rep *Report) error) (rep Report, err error) {
	rep = Report{
		Version: Version, Mode: mode, Scenario: d.cfg.Scenario.String(), Procs: d.cfg.Procs,
		Rounds: d.cfg.Rounds, Ports: d.ports, Verdict: spec.Passed, Observed: []string{},
	}
	if d.progress == nil {
		d.progress = func(int) {}
	}
	start := time.Now()
	defer func() { rep.Seconds = time.Since(start).Seconds() }()
	s, err := newSession(d.cfg, d.start)
	if err != nil {
		err = rep.conclude(ctx, nil, err)
		return rep, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	begin := time.Now()
	err = play(s, &rep)
	rep.Rate = float64(s.steps) / time.Since(begin).Seconds()
	err = rep.conclude(ctx, s, err)
	return rep, err
}

// environmental are errors of the system that no party causes.
var environmental = []error{
	lockprobe.ErrUnseen, unix.ENOLCK, unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOSPC, unix.EDQUOT,
}

// conclude fills in the verdict. It returns err unless that is a verdict: a
// difference, a party that failed in the course of the run, or the end of ctx.
// s is nil when the run has not begun.
func (r *Report) conclude(ctx context.Context, s *session, err error) error {
	var diff *difference
	switch {
	case err != nil && ctx.Err() != nil:
		r.Verdict, r.Why, err = spec.Unfinished, "interrupted", nil
	case slices.ContainsFunc(environmental, func(of error) bool { return errors.Is(err, of) }):
		r.Verdict = spec.Unfinished
	case errors.As(err, &diff), s != nil && s.differs():
		if lacks := scratch.Check(""); lacks != nil {
			r.Verdict, err = spec.Unfinished, fmt.Errorf("%w, so this is no difference: %w", lacks, err)
			break
		}
		r.silent = errors.Is(err, port.ErrSilent)
		r.Verdict, r.Why, err = spec.Violated, s.explain(err), nil
	}
	if s != nil {
		r.Steps, r.Blocked = s.steps, s.blocked
		if r.Verdict == spec.Violated || len(r.Observed) > 0 {
			r.Schedule, r.timeline = movesOf(s.trace).String(), s.timeline(slices.Contains(r.Observed, spec.NoHang.String()))
		}
	}
	return err
}

// advance makes the moves in turn, unless ctx has ended.
func (d *driver) advance(ctx context.Context, s *session, moves ...Move) error {
	for _, m := range moves {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.move(m); err != nil {
			return err
		}
		d.progress(s.steps)
	}
	return nil
}

// tour takes every edge of the state graph, along a covering tour of it. In
// each state it has every party try that is blocked.
func (d *driver) tour(ctx context.Context, g *explore.Graph[model.State, model.Action], tour []explore.Edge[model.Action]) (Report, error) {
	return d.drive(ctx, "tour", func(s *session, rep *Report) error {
		type edge struct {
			from   int
			action model.Action
		}
		rep.Edges = len(slices.Concat(g.Edges...))
		covered := map[edge]bool{}
		tried := make([]bool, len(g.States))
		at := 0
		for _, e := range tour {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !tried[at] {
				tried[at] = true
				if err := s.tryAll(); err != nil {
					return err
				}
			}
			if err := s.take(e.Action); err != nil {
				return err
			}
			covered[edge{at, e.Action}] = true
			rep.Covered = len(covered)
			at = e.To
			d.progress(s.steps)
		}
		if rep.Covered != rep.Edges {
			return fmt.Errorf("lockstep: the tour takes %d edges of %d", rep.Covered, rep.Edges)
		}
		return nil
	})
}

// random makes as many moves, drawn from seed: mostly steps, blocked ones
// included, now and then an event. It ends early where no process can move.
func (d *driver) random(ctx context.Context, seed uint64, steps int) (Report, error) {
	return d.drive(ctx, "random", func(s *session, rep *Report) error {
		rep.Seed = seed
		draw := rand.New(rand.NewPCG(seed, 0))
		for s.steps < steps && s.refused == "" {
			if stuck, err := s.stuck(); stuck || err != nil {
				s.observe(rep, stuck)
				return err
			}
			actions := model.Enabled(s.cfg, s.state)
			if len(actions) == 0 {
				return nil // all have made their calls
			}
			m := Move{Proc: draw.IntN(s.cfg.Procs)}
			if a := actions[draw.IntN(len(actions))]; a.Event != spec.NoEvent && draw.IntN(4) == 0 {
				m = moveOf(a)
			}
			if err := d.advance(ctx, s, m); err != nil {
				return err
			}
		}
		if s.refused != "" {
			s.observe(rep, false)
		}
		return nil
	})
}

// replay makes the moves of the schedule and then reports what the real side
// shows. Where no process can move any more, every party tries.
func (d *driver) replay(ctx context.Context, mode string, moves Schedule) (Report, error) {
	return d.drive(ctx, mode, func(s *session, rep *Report) error {
		if err := d.advance(ctx, s, moves...); err != nil {
			return err
		}
		return s.finish(rep)
	})
}

// refute replays a counterexample. It is a difference if the property does not
// fail for real, unless a party refuses. A lasso, or what refutes no property
// of package spec, is only replayed.
func (d *driver) refute(ctx context.Context, mode string, c Counterexample) (Report, error) {
	rep, err := d.replay(ctx, mode, c.Schedule)
	if _, unknown := spec.ParseProperty(c.Property); unknown != nil || c.Lasso || err != nil || rep.Verdict != spec.Passed {
		return rep, err
	}
	if !slices.Contains(rep.Observed, c.Property) && !slices.Contains(rep.Observed, Refused) {
		rep.Verdict, rep.Why = spec.Violated, fmt.Sprintf("the schedule does not lead to a violation of %v", c.Property)
	}
	return rep, nil
}

// finish reports what the end of a run shows. Every party tries to move where
// none should be able to.
func (s *session) finish(rep *Report) error {
	stuck, err := s.stuck()
	if err == nil {
		s.observe(rep, stuck)
	}
	return err
}
