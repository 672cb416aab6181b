//go:build linux

// Package lockstep runs the model and the real barrier side by side, one step
// at a time. Each party is the process of a port, which stops before every step
// of its call. A run lets exactly one party take one step, and then compares
// with the model which step the party announces next, the words in the real
// segment, and which process holds the real lock. A party tries a step that
// blocks in the model, and must really be blocked.
//
//	plan := lockstep.Plan{Ports: []string{"c"}, Procs: 2}
//	for rep, err := range plan.Tour(ctx) {
//		fmt.Println(rep.Verdict, rep.Covered, rep.Edges, err)
//	}
//
// The command is go run ./stress lockstep. A program that runs go ports must
// call registry.ServeGo first in main.
package lockstep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
)

// A Plan says with which ports its methods run the barrier, and at which size.
// A method yields the report of each run as that ends. It stops after a
// difference, after an error, and when ctx ends. A run for which a port lacks a
// capability is left out if there are others, and else is an error. The
// processes and files of a run are gone when its report is there.
type Plan struct {
	Ports    []string // names, by process; from the first again when there are more processes; none: go
	Scenario string   // of Tour, Random and Moves; empty: withdraw if every port can, else reuse
	Procs    int      // 0: as many as Ports if more than 1, else 2 and 3 (Tour, Hazards, Crashes) or 3 (Random, Moves)
	Rounds   int      // calls that each process makes; 0: unbounded

	// Shorten is how long a method looks, after a difference, for a shorter
	// schedule that shows one; 0: not at all. It first makes the moves again,
	// to see whether the difference repeats. Found, unless nil, is called
	// before that with the report of the whole run. The end of ctx ends the
	// search, and the report is that of the shortest run so far.
	Shorten time.Duration
	Found   func(Report)

	// Progress, unless nil, is called after each move with the name of the run,
	// the steps so far and about how many there will be.
	Progress func(run string, steps, total int)
}

// Tour takes every edge of the state graph. The scenario must be Reuse, Single
// or Withdraw, with unbounded calls and up to 4 processes.
func (p Plan) Tour(ctx context.Context) iter.Seq2[Report, error] {
	return p.run(ctx, func() (runs []run, err error) {
		for _, procs := range p.sizes(2, 3) {
			cfg, err := p.config(ctx, procs)
			if err != nil {
				return nil, err
			}
			if s := cfg.Scenario; s != spec.Reuse && s != spec.Single && s != spec.Withdraw || p.Rounds != 0 || procs > 4 {
				return nil, fmt.Errorf("there is no tour of scenario %v with %d processes and --rounds %d, as a tour leads back to its beginning; give reuse, single or withdraw, up to 4 processes, and no --rounds", s, procs, p.Rounds)
			}
			g := explore.NewGraph(model.NewMachine(cfg))
			tour, err := CoveringTour(g)
			if err != nil {
				return nil, err
			}
			runs = append(runs, run{cfg, len(tour), func(d *driver) (Report, error) { return d.tour(ctx, g, tour) }})
		}
		return runs, nil
	})
}

// Random makes as many moves, at least 1, drawn from seed: mostly steps, now
// and then an event. It ends early where no process can move.
func (p Plan) Random(ctx context.Context, seed uint64, steps int) iter.Seq2[Report, error] {
	return p.run(ctx, func() ([]run, error) {
		cfg, err := p.config(ctx, p.sizes(3)[0])
		return []run{{cfg, steps, func(d *driver) (Report, error) { return d.random(ctx, seed, steps) }}}, err
	})
}

// Moves makes the moves of s. It skips a move that means nothing where it
// stands.
func (p Plan) Moves(ctx context.Context, s Schedule) iter.Seq2[Report, error] {
	return p.run(ctx, func() ([]run, error) {
		cfg, err := p.config(ctx, p.sizes(3)[0])
		return []run{{cfg, len(s), func(d *driver) (Report, error) { return d.replay(ctx, "schedule", s) }}}, err
	})
}

// Traces replays the traces of results of an engine, JSON lines as model/check
// and tla/check print them, each with its own scenario, processes and rounds. A
// property that a trace refutes must fail for real too.
func (p Plan) Traces(ctx context.Context, results io.Reader) iter.Seq2[Report, error] {
	return p.run(ctx, func() (runs []run, err error) {
		traces, err := readTraces(results)
		for _, c := range traces {
			runs = append(runs, run{c.Config, len(c.Schedule), func(d *driver) (Report, error) { return d.refute(ctx, "schedule", c) }})
		}
		return runs, err
	})
}

// Hazards replays a shortest counterexample of each property that fails under
// misuse, with 2 or 3 processes.
func (p Plan) Hazards(ctx context.Context) iter.Seq2[Report, error] {
	return p.run(ctx, func() (runs []run, err error) {
		hazards, err := Hazards(ctx)
		for _, h := range hazards {
			if slices.Contains(p.sizes(2, 3), h.Config.Procs) {
				runs = append(runs, run{h.Config, len(h.Schedule), func(d *driver) (Report, error) { return d.refute(ctx, h.Property, h) }})
			}
		}
		return runs, err
	})
}

// Crashes kills process 0 at each step of its call, and lets the others go on.
func (p Plan) Crashes(ctx context.Context) iter.Seq2[Report, error] {
	return p.run(ctx, func() (runs []run, err error) {
		for _, procs := range p.sizes(2, 3) {
			for _, step := range slices.Concat(spec.CallSteps, spec.WithdrawalSteps) {
				if cfg, s, ok := CrashSchedule(procs, step); ok {
					runs = append(runs, run{cfg, len(s), func(d *driver) (Report, error) { return d.crash(ctx, step, s) }})
				}
			}
		}
		return runs, nil
	})
}

// A run is one that is planned.
type run struct {
	cfg   model.Config
	total int // about how many steps it takes
	play  func(*driver) (Report, error)
}

// run yields the reports of what plan returns.
func (p Plan) run(ctx context.Context, plan func() ([]run, error)) iter.Seq2[Report, error] {
	if len(p.Ports) == 0 {
		p.Ports = []string{"go"}
	}
	return func(yield func(Report, error) bool) {
		runs, err := plan()
		if err == nil && len(runs) == 0 {
			err = fmt.Errorf("there is nothing to run with %d processes; give 2 or 3", p.Procs)
		}
		for _, r := range runs {
			if err == nil && len(p.Ports) > r.cfg.Procs {
				err = fmt.Errorf("there are %d ports for %d processes; give as many at most; if there are fewer, the first take part again", len(p.Ports), r.cfg.Procs)
			}
		}
		if err != nil {
			yield(Report{}, err)
			return
		}
		for _, r := range runs {
			rep, err := p.play(ctx, r)
			switch {
			case errors.Is(err, errUnable) && len(runs) > 1:
				rep.Verdict, rep.Why, rep.leftOut, err = spec.Unfinished, "left out: "+err.Error(), true, nil
			case ctx.Err() != nil:
				err = nil // of a party that has died with ctx
			}
			if !yield(rep, err) || err != nil || rep.Verdict == spec.Violated || ctx.Err() != nil {
				return
			}
		}
	}
}

// play plays one run. A go port that constructs takes the place of process 0
// where the scenario needs one that constructs and the given port attaches.
func (p Plan) play(ctx context.Context, r run) (Report, error) {
	d := driver{cfg: r.cfg}
	for i := range r.cfg.Procs {
		d.ports = append(d.ports, p.Ports[i%len(p.Ports)])
	}
	d.start = func(i int, splitRMW bool) (party, error) { return startPort(ctx, d.ports[i], splitRMW) }
	name := fmt.Sprintf("%v, %d processes", r.cfg.Scenario, r.cfg.Procs)
	if p.Progress != nil {
		d.progress = func(steps int) { p.Progress(name, steps, r.total) }
	}
	rep, err := r.play(&d)
	if errors.Is(err, errUnable) && r.cfg.Scenario == spec.LateConstruction {
		d.ports[0] = "go@construct"
		rep, err = r.play(&d)
	}
	if p.Shorten > 0 && err == nil && rep.Verdict == spec.Violated && rep.Schedule != "" {
		if p.Found != nil {
			p.Found(rep)
		}
		name, r.total = name+", shortening", rep.Steps
		rep = d.shorten(ctx, rep, p.Shorten)
	}
	return rep, err
}

// sizes returns the numbers of processes to run with, given the usual ones.
func (p Plan) sizes(usual ...int) []int {
	switch {
	case p.Procs != 0:
		return []int{p.Procs}
	case len(p.Ports) > 1:
		return []int{len(p.Ports)}
	default:
		return usual
	}
}

// config returns the question for so many processes.
func (p Plan) config(ctx context.Context, procs int) (cfg model.Config, err error) {
	cfg = model.Config{Scenario: spec.Withdraw, Procs: procs, Rounds: p.Rounds}
	if p.Scenario != "" {
		cfg.Scenario, err = spec.ParseScenario(p.Scenario)
	} else if able, failed := p.withdraws(ctx); !able {
		cfg.Scenario, err = spec.Reuse, failed
	}
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// withdraws reports whether every port can withdraw. It starts each once.
func (p Plan) withdraws(ctx context.Context) (bool, error) {
	names := slices.Compact(slices.Sorted(slices.Values(p.Ports)))
	for _, name := range names {
		started, err := registry.Start(ctx, name)
		if err != nil {
			return false, err
		}
		started.Kill()
		if !started.Can().Withdraw {
			return false, nil
		}
	}
	return true, nil
}
