//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
)

// plan says what to run.
func (q lockstepQuestion) plan(cmd *cobra.Command, crew *crew) ([]lockstepRun, error) {
	given := cmd.Flags().Changed
	if q.procs > 0 {
		if err := crew.fits(q.procs); err != nil {
			return nil, err
		}
	}
	switch {
	case !q.random && (given("seed") || given("steps")):
		return nil, errors.New("--seed and --steps are those of --random; give it too, or leave them out")
	case given("moves") && strings.TrimSpace(q.moves) == "":
		return nil, errors.New("--moves is empty; give the moves that a failure has printed")
	case given("schedule") && q.schedule == "":
		return nil, errors.New("--schedule is empty; give a file, or - for standard input")
	case q.steps < 1:
		return nil, fmt.Errorf("--steps is %d; give 1 or more", q.steps)
	case q.hazards || q.crash:
		if q.scenario != "" || q.rounds != 0 {
			return nil, errors.New("--hazards and --crash have scenarios and rounds of their own; leave out --scenario and --rounds")
		}
		if q.crash {
			return q.planCrash(crew), nil
		}
		return q.planHazards(cmd.Context(), crew)
	case q.schedule != "":
		return q.planTraces(cmd, crew)
	case q.random:
		return q.planRandom(crew)
	case q.moves != "":
		return q.planMoves(crew)
	default:
		return q.planTour(crew)
	}
}

// sizes returns the numbers of processes to run with, given the usual ones.
func (q lockstepQuestion) sizes(crew *crew, usual ...int) []int {
	switch {
	case q.procs != 0:
		return []int{q.procs}
	case len(crew.names) > 1:
		return []int{len(crew.names)}
	default:
		return usual
	}
}

func (q lockstepQuestion) config(crew *crew, procs int) (model.Config, error) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: procs, Rounds: q.rounds}
	if crew.withdraws {
		cfg.Scenario = spec.Withdraw
	}
	if q.scenario != "" {
		var err error
		if cfg.Scenario, err = spec.ParseScenario(q.scenario); err != nil {
			return cfg, err
		}
	}
	return cfg, cfg.Validate()
}

func (q lockstepQuestion) planTour(crew *crew) (runs []lockstepRun, err error) {
	for _, procs := range q.sizes(crew, 2, 3) {
		cfg, err := q.config(crew, procs)
		if err != nil {
			return nil, err
		}
		if s := cfg.Scenario; s != spec.Reuse && s != spec.Single && s != spec.Withdraw || q.rounds != 0 || procs > 4 {
			return nil, fmt.Errorf("there is no tour of scenario %v with %d processes and %d rounds: it must lead back to its beginning, so give reuse, single or withdraw, up to 4 processes, and no --rounds", s, procs, q.rounds)
		}
		g := lockstep.NewGraph(cfg)
		walk, err := g.Tour()
		if err != nil {
			return nil, err
		}
		runs = append(runs, lockstepRun{crew.run(cfg), crew, len(walk), func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
			return r.Tour(ctx, g, walk)
		}})
	}
	return runs, nil
}

func (q lockstepQuestion) planRandom(crew *crew) ([]lockstepRun, error) {
	cfg, err := q.config(crew, q.sizes(crew, 3)[0])
	if err != nil {
		return nil, err
	}
	for q.seed == 0 {
		q.seed = rand.Uint64()
	}
	return []lockstepRun{{crew.run(cfg), crew, q.steps, func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
		return r.Random(ctx, q.seed, q.steps)
	}}}, nil
}

func (q lockstepQuestion) planMoves(crew *crew) ([]lockstepRun, error) {
	cfg, err := q.config(crew, q.sizes(crew, 3)[0])
	if err != nil {
		return nil, err
	}
	s, err := lockstep.ParseSchedule(q.moves)
	if err != nil {
		return nil, fmt.Errorf("--moves: %w", err)
	}
	return []lockstepRun{{crew.run(cfg), crew, max(1, len(s)), func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
		return r.Replay(ctx, s)
	}}}, nil
}

// planTraces replays what an engine has printed. The question is in its record.
func (q lockstepQuestion) planTraces(cmd *cobra.Command, crew *crew) (runs []lockstepRun, err error) {
	if q.scenario != "" || q.procs != 0 || q.rounds != 0 {
		return nil, errors.New("--schedule has its scenario, processes and rounds from the file; leave out --scenario, --procs and --rounds")
	}
	in := cmd.InOrStdin()
	if q.schedule != "-" {
		f, err := os.Open(q.schedule)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	records, err := lockstep.ReadRecords(in)
	if err != nil {
		return nil, fmt.Errorf("--schedule %s: %w", q.schedule, err)
	}
	for _, rec := range records {
		if err := crew.fits(rec.Config.Procs); err != nil {
			return nil, err
		}
		runs = append(runs, lockstepRun{crew.run(rec.Config), crew, len(rec.Schedule), func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
			return r.Record(ctx, rec)
		}})
	}
	return runs, nil
}

func (q lockstepQuestion) planHazards(ctx context.Context, crew *crew) (runs []lockstepRun, err error) {
	hazards, err := lockstep.Hazards(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hazards {
		if !slices.Contains(q.sizes(crew, 2, 3), h.Config.Procs) {
			continue
		}
		runs = append(runs, lockstepRun{crew.run(h.Config), crew, len(h.Schedule), func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
			return r.Hazard(ctx, h)
		}})
	}
	if len(runs) == 0 {
		return nil, errors.New("the hazards are those of 2 and of 3 processes; give --procs 2 or 3")
	}
	return runs, nil
}

func (q lockstepQuestion) planCrash(crew *crew) (runs []lockstepRun) {
	for _, procs := range q.sizes(crew, 2, 3) {
		for _, step := range slices.Concat(spec.CallSteps, spec.WithdrawalSteps) {
			cfg := lockstep.CrashConfig(procs, step)
			if s, ok := lockstep.CrashAt(cfg, step); ok {
				runs = append(runs, lockstepRun{crew.run(cfg), crew, len(s), func(ctx context.Context, r *lockstep.Driver) (lockstep.Report, error) {
					return r.Crash(ctx, step, s)
				}})
			}
		}
	}
	return runs
}
