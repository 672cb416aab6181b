//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// Version is the version of the JSON form of Report.
const Version = 1

// A Report is what one run has shown. Its JSON form is one line.
type Report struct {
	Version  int          `json:"version"`
	Mode     string       `json:"mode"` // tour, random, schedule, the property of a hazard, or crash at a label
	Scenario string       `json:"scenario"`
	Procs    int          `json:"procs"`
	Rounds   int          `json:"rounds"`
	Ports    []string     `json:"ports"`   // by process
	Verdict  spec.Verdict `json:"verdict"` // passed: the real thing did as the model; violated: it did not; unfinished: interrupted, or left out
	Seen     []string     `json:"seen"`    // what the run has really led to: properties violated, NoHang where nobody can move, or Refused
	Why      string       `json:"why"`     // the difference, or what shows what was seen, or why nothing could be
	Edges    int          `json:"edges"`   // of the state graph; 0: not a tour
	Covered  int          `json:"covered"` // edges that were taken for real
	Steps    int          `json:"steps"`   // steps and events, really taken or tried
	Blocked  int          `json:"blocked"` // of these, steps that had to block and did
	Seconds  float64      `json:"seconds"`
	Rate     float64      `json:"steps_per_second"`
	Seed     uint64       `json:"seed"`     // random: of the moves
	Schedule string       `json:"schedule"` // the moves that lead to a difference, or of a hazard; empty otherwise

	leftOut bool   // the port has not the capability
	table   string // the moves as a table, where Schedule is given
	silent  bool   // the difference is that a party did not answer in time
}

// A Driver is the question, the parties, and who wants to know how far it is.
type Driver struct {
	Config   model.Config
	Start    Starter
	Ports    []string        // names of the parties, for the report
	Progress func(steps int) // called after each move; nil: never
}

func (r *Driver) progress(l *Session) {
	if r.Progress != nil {
		r.Progress(l.steps)
	}
}

// drive runs one Session under play, which returns the difference that it has
// found, and reports about it. An error is one of the environment: nothing was
// shown. Once ctx has ended nothing is shown either: parties whose context it is are
// dead, which is no difference.
func (r *Driver) drive(ctx context.Context, mode string, play func(l *Session, rep *Report) error) (rep Report, err error) {
	rep = r.report(mode)
	start := time.Now()
	defer func() { rep.Seconds = time.Since(start).Seconds() }()
	l, err := New(r.Config, r.Start)
	if err != nil {
		err = rep.conclude(ctx, nil, err)
		return rep, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	begin := time.Now()
	err = play(l, &rep)
	rep.Rate = float64(l.steps) / time.Since(begin).Seconds()
	err = rep.conclude(ctx, l, err)
	return rep, err
}

func (r *Driver) report(mode string) Report {
	return Report{
		Version: Version, Mode: mode, Scenario: r.Config.Scenario.String(), Procs: r.Config.Procs,
		Rounds: r.Config.Rounds, Ports: r.Ports, Verdict: spec.Passed, Seen: []string{},
	}
}

// conclude fills in what the run has come to. It returns err unless that is a
// verdict: a difference, a party that failed in the course of the run, or the
// end of the context. l is nil when the run has not begun.
func (rep *Report) conclude(ctx context.Context, l *Session, err error) error {
	var d *Difference
	switch {
	case err != nil && ctx.Err() != nil:
		rep.Verdict, rep.Why, err = spec.Unfinished, "interrupted", nil
	case errors.As(err, &d), l != nil && l.differs():
		rep.silent = errors.Is(err, port.ErrSilent)
		rep.Verdict, rep.Why, err = spec.Violated, err.Error(), nil
	}
	if l != nil {
		rep.Steps, rep.Blocked = l.steps, l.blocked
		if rep.Verdict == spec.Violated || len(rep.Seen) > 0 {
			rep.Schedule, rep.table = l.Schedule().String(), l.table()
		}
	}
	return err
}

// Tour takes every edge of the state graph at least once, for real, and in each
// state has every party that is blocked try. walk must be one of g.Tour: it is an
// error if it leaves an edge out. Tour blocks until it is through, a difference
// is found, or ctx ends.
func (r *Driver) Tour(ctx context.Context, g *Graph, walk []Hop) (Report, error) {
	return r.drive(ctx, "tour", func(l *Session, rep *Report) error {
		rep.Edges = g.Edges
		covered := map[Hop]bool{}
		tried := make([]bool, len(g.States))
		for _, hop := range walk {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !tried[hop.From] {
				tried[hop.From] = true
				if err := l.tryAll(); err != nil {
					return err
				}
			}
			if err := l.take(g.Arcs[hop.From][hop.Arc].Action); err != nil {
				return err
			}
			covered[hop] = true
			rep.Covered = len(covered)
			r.progress(l)
		}
		if rep.Covered != rep.Edges {
			return fmt.Errorf("lockstep: the tour takes %d edges of %d", rep.Covered, rep.Edges)
		}
		return nil
	})
}

// Random makes so many moves that are drawn from seed: mostly steps, blocked
// ones included, now and then an event.
func (r *Driver) Random(ctx context.Context, seed uint64, steps int) (Report, error) {
	return r.drive(ctx, "random", func(l *Session, rep *Report) error {
		rep.Seed = seed
		draw := rand.New(rand.NewPCG(seed, 0))
		for l.steps < steps && l.refused == "" {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if stuck, err := l.Stuck(); stuck || err != nil {
				l.tell(rep, stuck)
				return err
			}
			actions := model.Enabled(l.cfg, l.state)
			if len(actions) == 0 {
				return nil // everyone rests
			}
			m := Move{Proc: draw.IntN(l.cfg.Procs)}
			if a := actions[draw.IntN(len(actions))]; a.Event != spec.NoEvent && draw.IntN(4) == 0 {
				m = moveOf(a)
			}
			if _, err := l.Move(m); err != nil {
				return err
			}
			r.progress(l)
		}
		if l.refused != "" {
			l.tell(rep, false)
		}
		return nil
	})
}

// Replay makes the moves of the schedule and then looks at what they have led
// to. Where nobody can move any more, everybody tries.
func (r *Driver) Replay(ctx context.Context, s Schedule) (Report, error) {
	return r.drive(ctx, "schedule", func(l *Session, rep *Report) error {
		for _, m := range s {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := l.Move(m); err != nil {
				return err
			}
			r.progress(l)
		}
		return l.conclude(rep)
	})
}

// conclude reports what can be seen at the end of a run, for which everybody
// tries to move where nobody should be able to.
func (l *Session) conclude(rep *Report) error {
	stuck, err := l.Stuck()
	if err == nil {
		l.tell(rep, stuck)
	}
	return err
}

// tell reports which properties are refuted by the state that the real thing
// is in, and what shows it.
func (l *Session) tell(rep *Report, stuck bool) {
	if l.refused != "" {
		rep.Seen, rep.Why = []string{Refused}, l.refused
		return
	}
	var shown []string
	for _, p := range spec.AllProperties {
		if model.Violates(l.cfg, l.state, p) || stuck && p == spec.NoHang {
			rep.Seen = append(rep.Seen, p.String())
			shown = append(shown, l.evidence(p))
		}
	}
	rep.Why = strings.Join(shown, "; ")
}

// Refused is what was seen when a party found the words out of range and said
// so (PROTOCOL.md, section 9) instead of going on to what would have happened.
const Refused = "refused"

// evidence is what the real thing, which is where the model is, shows of the
// violation of p.
func (l *Session) evidence(p spec.Property) string {
	switch p {
	case spec.NoEarlyExit:
		return fmt.Sprintf("calls begun %v, returned %v", l.begun, l.returned)
	case spec.LockExclusive:
		return l.where(func(q int) string {
			if l.state.Alive(q) && l.state.Step(q).Holds() {
				return fmt.Sprintf("holds a lock at %v", l.state.Step(q))
			}
			return ""
		})
	case spec.NoHang:
		return l.where(func(q int) string {
			switch {
			case !l.state.Alive(q):
				return "is dead"
			case Waits(l.cfg, l.state, q):
				return fmt.Sprintf("is blocked at %v", l.state.Step(q))
			default:
				return "is outside"
			}
		})
	default:
		return l.state.Words().String()
	}
}

func (l *Session) where(says func(p int) string) string {
	var list []string
	for p := range l.parties {
		if text := says(p); text != "" {
			list = append(list, fmt.Sprintf("p%d %s", p, text))
		}
	}
	return strings.Join(list, ", ")
}
