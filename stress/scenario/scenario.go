//go:build linux

// Package scenario tries each scenario of HAZARDS.md, and its control, with
// real processes at full speed, and compares what comes of it with what the
// model says can come of it.
//
//	o := scenario.Options{Scenarios: spec.AllScenarios, For: time.Minute}
//	results, err := scenario.Run(ctx, o)
//
// The model grades each outcome (Grade). A trial is one run of package run with
// the fault that the scenario is about. Some trials are guided: their workers
// begin with a shortest path of the model to what was not seen yet, in turns,
// and then go on as they like. The others do as they like from the start, with
// pauses and faults at random.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/run"
)

// Options say what to try, on what, and for how long. One of Rounds and For must
// be positive.
type Options struct {
	Scenarios []spec.Scenario
	Controls  bool          // only the controls; otherwise each scenario, and its control beside it
	Procs     int           // 0: as many as each scenario needs
	Ports     []string      // the port of each worker; nil: package impl
	Rounds    int64         // of each scenario and of each control; 0: no limit
	For       time.Duration // for all together; 0: no limit
	Stall     time.Duration // as run.Config.Stall
	Seed      uint64        // of all that is at random

	Stderr  *os.File // as run.Config.Stderr
	Slowest bool     // as run.Config.Slowest

	// Progress, unless nil, is called now and then with what is tried, and with
	// the part of all that is done, from 0 to 1.
	Progress func(what string, done float64)

	mutant *model.Mutant // a mistake in the model, for tests; nil: none
	tries  int           // guided trials to one goal; 0: mostTries
}

// mostTries is how many guided trials to one goal there are at most. The first
// one reaches it on a machine that has time for the workers.
const mostTries = 20

// A Result is what came of one scenario, or of its control.
type Result struct {
	Scenario spec.Scenario
	Control  bool
	Procs    int
	Ports    []string
	Trials   int
	Rounds   int64 // begun, in all trials
	Outcomes []Row
	Met      []string // situations that some trial has met
	NotMet   []string // situations that the model reaches, and no trial has met
	Verdict  spec.Verdict
	Why      string     // not passed: what is wrong
	Last     run.Report // the last trial, or the first with a forbidden outcome
}

// A Row is one outcome of a Result.
type Row struct {
	Name  string
	Grade Grade
	Seen  int64 // trials that have shown it
}

// Run tries all that o asks for, one after the other. It blocks until the time
// is over, or ctx ends. What the ports cannot do is left out, and is an Unable
// among the errors. Another error means that a trial did not take place.
func Run(ctx context.Context, o Options) (results []Result, err error) {
	all, err := o.cases(ctx)
	if err != nil && (len(all) == 0 || !errors.Is(err, ErrUnable)) {
		return nil, err
	}
	start := time.Now()
	for i, c := range all {
		if ctx.Err() != nil {
			break
		}
		if c.since = time.Now(); o.For > 0 {
			left := max(0, o.For-time.Since(start))
			c.until = c.since.Add(left / time.Duration(len(all)-i))
		}
		c.progress = func(part float64) {
			if o.Progress != nil {
				o.Progress(c.String(), (float64(i)+part)/float64(len(all)))
			}
		}
		if failure := c.try(ctx); failure != nil {
			return results, failure
		}
		results = append(results, c.result(ctx))
	}
	return results, err
}

// ErrUnable is wrapped by the error about what the ports cannot do.
var ErrUnable = errors.New("left out")

// cases lists what is to be tried, and what the ports cannot do.
func (o Options) cases(ctx context.Context) (list []*trials, unable error) {
	all, err := o.subject(ctx)
	if err != nil {
		return nil, err
	}
	for _, sc := range o.Scenarios {
		for _, control := range []bool{false, true} {
			if control != o.Controls && (o.Controls || !hasControl(sc)) {
				continue
			}
			c, err := o.newTrials(ctx, all, sc, control)
			switch {
			case errors.Is(err, ErrUnable):
				unable = errors.Join(unable, err)
			case err != nil:
				return nil, err
			default:
				list = append(list, c)
			}
		}
	}
	if len(list) == 0 && unable == nil {
		unable = fmt.Errorf("scenario %v has no control; leave --control out", o.Scenarios[0])
	}
	return list, unable
}

func hasControl(sc spec.Scenario) bool { return model.ControlOf(sc) != "" || sc == spec.Fork }

// result sums up what the trials have shown.
func (t *trials) result(ctx context.Context) Result {
	r := Result{Scenario: t.sc, Control: t.control, Procs: t.procs, Ports: t.ports, Trials: t.count, Rounds: t.rounds, Last: t.last, Verdict: spec.Passed}
	worse := func(v spec.Verdict, format string, args ...any) {
		if r.Why == "" {
			r.Verdict, r.Why = v, fmt.Sprintf(format, args...)
		}
	}
	if t.misfit != "" {
		worse(spec.Violated, "a call has failed: %s", t.misfit)
	}
	var missing []string
	for _, o := range AllOutcomes {
		row := Row{o.String(), t.model.grades[o], t.seen[o]}
		r.Outcomes = append(r.Outcomes, row)
		switch {
		case row.Grade == Forbidden && row.Seen > 0 && (o == Hang || o == Death):
			worse(spec.Hang, "%v, which the model does not reach here", o)
		case row.Grade == Forbidden && row.Seen > 0:
			worse(spec.Violated, "%v, which the model does not reach here", o)
		case row.Grade == Expected && row.Seen == 0:
			missing = append(missing, o.String())
		case row.Grade == Undecided && len(t.seen) == 0:
			missing = []string{"anything that the control forbids"}
		}
	}
	for _, m := range oracle.AllMet {
		switch has := t.met.has(metGoal(m)); {
		case has && !t.model.shown.has(metGoal(m)):
			r.Outcomes = append(r.Outcomes, Row{m.String(), Forbidden, 1})
			worse(spec.Violated, "the workers have met %v (%s), which the model does not reach here", m, m.Doc())
		case has:
			r.Met = append(r.Met, m.String())
		case t.model.shown.has(metGoal(m)) && t.model.grades[Hang] != Undecided:
			r.NotMet = append(r.NotMet, m.String())
		}
	}
	switch {
	case ctx.Err() != nil:
		worse(spec.Unfinished, "interrupted")
	case t.rounds == 0:
		worse(spec.Unfinished, "no round was begun; give it more time, with --for or --rounds")
	case len(missing) > 0:
		worse(spec.Unfinished, "not seen: %s; give it more time, with --for or --rounds", strings.Join(missing, ", "))
	}
	return r
}
