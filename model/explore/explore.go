package explore

import (
	"context"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Report is a model.Result and what else an exploration of the barrier found
// out.
type Report struct {
	model.Result
	Why         string    // Unfinished: what ended it
	Interrupted bool      // Unfinished: it was the context
	Reached     []Reached // what happened, in the order of PROTOCOL.md
	Bytes       int64     // memory that the states took
}

// Reached is one kind of edge that was taken, and how often.
type Reached struct {
	model.Transition
	Count int64
}

// Explore runs the machine of cfg. It blocks and ends as Run does. It panics if
// cfg or opt is not valid.
func Explore(ctx context.Context, cfg model.Config, opt Options) Report {
	start := time.Now()
	m := model.NewMachine(cfg)
	o := Run(ctx, m, opt)
	r := Report{Why: o.Why, Interrupted: o.Interrupted, Bytes: o.Bytes, Result: model.Result{
		Version: model.ResultVersion, Scenario: cfg.Scenario.String(), Procs: cfg.Procs, Rounds: cfg.Rounds,
		Verdict: o.Verdict, Generated: o.Generated, Distinct: o.Distinct, Depth: o.Depth,
		Trace: model.TraceOf(cfg, o.Path), Loop: o.Loop,
	}}
	if o.Verdict == spec.Violated || o.Verdict == spec.Hang {
		r.Property = o.Property.String()
	}
	for kind, n := range o.Taken {
		if n > 0 {
			r.Reached = append(r.Reached, Reached{m.Transition(kind), n})
		}
	}
	r.Seconds = time.Since(start).Seconds()
	return r
}
