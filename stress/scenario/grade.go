//go:build linux

package scenario

import (
	"context"
	"fmt"
	"math"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// An Outcome is what can come of a trial. The first ones have the numbers of
// the properties: the property is refuted.
type Outcome uint8

// The outcomes that are more than a safety property.
const (
	Hang    = Outcome(spec.NoHang) // nothing moves, and by the model nothing can
	Refusal = Outcome(5)           // a call finds a word out of range, and says so
	Death   = Outcome(6)           // a process dies before its last call has returned
)

// AllOutcomes lists every outcome.
var AllOutcomes = []Outcome{
	Outcome(spec.NoEarlyExit), Outcome(spec.WordsInRange), Outcome(spec.LockExclusive), Outcome(spec.Quiescent), Hang, Refusal, Death,
}

// String returns the name of the property, refusal or death.
func (o Outcome) String() string {
	switch o {
	case Refusal:
		return "refusal"
	case Death:
		return "death"
	default:
		return spec.Property(o).String()
	}
}

// A Grade says what the model makes of an outcome.
type Grade string

// The grades.
const (
	Expected  Grade = "expected"
	Allowed   Grade = "allowed"
	Forbidden Grade = "forbidden"
	Undecided Grade = "undecided"
)

// AllGrades lists every grade.
var AllGrades = []Grade{Expected, Allowed, Forbidden, Undecided}

// Doc says in one line when an outcome has the grade.
func (g Grade) Doc() string {
	switch g {
	case Expected:
		return "the model reaches it here, and not in the control; the workers can be driven there, and it can be seen"
	case Allowed:
		return "the model reaches it"
	case Forbidden:
		return "the model does not reach it"
	default:
		return "the model cannot say: it has no handles"
	}
}

// Verdict says what the grade does to the verdict.
func (g Grade) Verdict() string {
	switch g {
	case Expected:
		return "unfinished (75) if it was not seen"
	case Allowed:
		return "none"
	case Forbidden:
		return "violated (12) if it was seen; a hang or a death: hang (11)"
	default:
		return "unfinished (75) if no outcome was seen"
	}
}

// A grading has what the model says of a scenario, or of its control.
type grading struct {
	cfg    model.Config
	grades map[Outcome]Grade
	shown  goal // what some state shows
	driven goal // of this, what the workers can be driven to
}

// grade asks the model.
func (s subject) grade(ctx context.Context, sc spec.Scenario, control bool) (*grading, error) {
	g := &grading{cfg: question(sc, control, s.procs, s.mutant), grades: map[Outcome]Grade{}}
	if err := g.cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnable, err)
	}
	var kept, constant goal // what the control shows, and the rounds before the count changes
	hazard := !control && model.ControlOf(sc) != ""
	for _, q := range []struct {
		to    *goal
		space space
		ask   bool
	}{
		{&g.shown, space{cfg: g.cfg}, true},
		{&g.driven, s.driven(g.cfg), true},
		{&kept, space{cfg: question(sc, true, s.procs, s.mutant)}, hazard},
		{&constant, space{cfg: question(spec.Reuse, false, s.procs, s.mutant)}, g.cfg.Rounds > 0},
	} {
		if !q.ask {
			continue
		}
		var err error
		if *q.to, err = q.space.reach(ctx); err != nil {
			return nil, err
		}
	}
	g.shown |= constant
	for _, o := range AllOutcomes {
		switch one := o.goal(); {
		case !g.shown.has(one):
			g.grades[o] = Forbidden
		case hazard && g.driven.has(one) && !kept.has(one) && s.sees(o):
			g.grades[o] = Expected
		default:
			g.grades[o] = Allowed
		}
	}
	return g, nil
}

// driven returns the space through which the workers can be driven.
func (s subject) driven(cfg model.Config) space {
	return space{cfg: cfg, whole: true, refusing: s.refuses()}
}

// goals returns what a trial can be guided to: the expected outcomes, and the
// situations.
func (g *grading) goals() (list []goal) {
	for _, o := range AllOutcomes {
		if g.grades[o] == Expected {
			list = append(list, o.goal())
		}
	}
	for _, m := range oracle.AllMet {
		if g.driven.has(metGoal(m)) {
			list = append(list, metGoal(m))
		}
	}
	return list
}

// Bound returns the upper end of the exact 95 % confidence interval for the
// rate of what was not seen in n independent rounds: 1 − 0.05^(1/n), which is
// close to 3/n.
func Bound(n int64) float64 {
	if n <= 0 {
		return 1
	}
	return -math.Expm1(math.Log(0.05) / float64(n))
}

// procsOf returns the smallest number of processes at which each property fails
// that does in the scenario, and at least 2 where there can be.
func procsOf(sc spec.Scenario) int {
	n := 2
	for _, q := range model.Questions() {
		switch {
		case q.Config.Scenario != sc:
		case sc == spec.Single:
			return 1
		case q.Expect == spec.Fails:
			n = max(n, q.Config.Procs)
		}
	}
	return n
}
