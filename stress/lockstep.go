//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port/registry"
)

// A lockstepQuestion is what the flags of stress lockstep ask for.
type lockstepQuestion struct {
	tour, random, hazards, crash bool
	schedule, moves              string

	scenario string
	procs    int
	rounds   int
	seed     uint64
	steps    int
	ports    []string
	json     bool
}

func lockstepCommand() *cobra.Command {
	var q lockstepQuestion
	cmd := &cobra.Command{
		Use:   "lockstep",
		Short: "Drive real processes one step at a time, and compare each step with the model",
		Long: `Starts white-box ports as processes, lets exactly one of them take one step at a
time, and after each step compares what it says that it does next, the words in
the real segment, and who holds the real lock, with the model. A step that the
model says is blocked must really be blocked.

  go run ./stress lockstep                                 every edge of the state graph for 2 and 3 processes
  go run ./stress lockstep --port go=2 --port python       the same, for this mix of 3
  go run ./stress lockstep --hazards                       everything that goes wrong under misuse, for real
  go run ./model/check --scenario crash --procs 3 --json | go run ./stress lockstep --schedule -

What a port has not the capability for is left out, and said so. Exit codes: 0 the
real thing does as the model does, 2 usage or environment, 12 it does not, 75
everything was left out, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&q.tour, "tour", false, "take every edge of the state graph (what happens if no other mode is given)")
	f.BoolVar(&q.random, "random", false, "make --steps moves drawn from --seed")
	f.StringVar(&q.schedule, "schedule", "", "replay the traces in `FILE` (-: standard input), JSON lines as model/check and tla/check print them")
	f.StringVar(&q.moves, "moves", "", "replay moves, as a failure prints them: '0:2 0 1:2 0!'")
	f.BoolVar(&q.hazards, "hazards", false, "replay the shortest counterexample of every property that fails under misuse")
	f.BoolVar(&q.crash, "crash", false, "kill a process at each step of its call, and let the others go on")
	cmd.MarkFlagsMutuallyExclusive("tour", "random", "schedule", "moves", "hazards", "crash")
	f.StringArrayVar(&q.ports, "port", nil, "NAME or NAME=COUNT: processes of a port, repeatable; from the first again when there are more processes (default go; ports: "+registry.Names+"). "+registry.CountHelp)
	f.IntVar(&q.procs, "procs", 0, "processes (default: as many as --port counts if more than 1, else 2 and 3 for --tour, else 3)")
	f.StringVar(&q.scenario, "scenario", "", "scenario (default withdraw if all ports can, else reuse)")
	f.IntVar(&q.rounds, "rounds", 0, "calls that each process makes; 0: no bound")
	f.Uint64Var(&q.seed, "seed", 0, "seed of --random (0: draw one)")
	f.IntVar(&q.steps, "steps", 10000, "steps of --random")
	f.BoolVar(&q.json, "json", false, "print one JSON object for each run, one a line")
	return cmd
}

func (q lockstepQuestion) run(cmd *cobra.Command) error {
	runs, err := q.muster(cmd)
	if cmd.Context().Err() != nil {
		return cli.Exit(spec.ExitInterrupted)
	}
	if err != nil {
		return err
	}
	var reports []lockstep.Report
	for _, r := range runs {
		rep, err := r.show(cmd.Context())
		var unable *lockstep.Unable
		switch {
		case errors.As(err, &unable) && len(runs) > 1:
			rep.LeaveOut(unable)
		case err != nil && cmd.Context().Err() == nil:
			return err
		}
		reports = append(reports, rep)
		if q.json {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(rep); err != nil {
				return err
			}
		}
		if rep.Verdict == spec.Violated || cmd.Context().Err() != nil {
			break
		}
	}
	if !q.json {
		if err := lockstep.Text(cmd.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	return ended(cmd, reports)
}

// muster starts each port once, and plans the runs.
func (q *lockstepQuestion) muster(cmd *cobra.Command) ([]lockstepRun, error) {
	crew, err := newCrew(cmd.Context(), q.ports)
	if err != nil {
		return nil, err
	}
	return q.plan(cmd, crew)
}

// ended is how the command ends after the reports were printed.
func ended(cmd *cobra.Command, reports []lockstep.Report) error {
	last := reports[len(reports)-1]
	played := func(r lockstep.Report) bool { return r.Verdict != spec.Unfinished }
	switch {
	case last.Verdict == spec.Violated:
		cli.Reproduce(cmd, last.Again())
		return cli.Exit(spec.ExitSafety)
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case !slices.ContainsFunc(reports, played):
		return cli.Exit(spec.ExitUnfinished)
	default:
		return nil
	}
}

// A lockstepRun is one run that is planned. total is how many steps it takes,
// roughly.
type lockstepRun struct {
	lockstep.Driver
	crew  *crew
	total int
	play  func(context.Context, *lockstep.Driver) (lockstep.Report, error)
}

// show plays the run under a progress bar. A difference is shortened, under it too.
func (r *lockstepRun) show(ctx context.Context) (lockstep.Report, error) {
	bar := cli.Bar(fmt.Sprintf(`%v, %d processes: {{string . "phase"}}{{counters . }} steps {{bar . }} {{speed . "%%s steps/s" }} {{rtime . "%%s left" "" "? left"}}`,
		r.Config.Scenario, r.Config.Procs), int64(r.total))
	bar.Set("phase", "")
	r.Progress = func(steps int) { bar.SetCurrent(min(int64(steps), bar.Total())) }
	rep, err := r.play(ctx, &r.Driver)
	var unable *lockstep.Unable
	if errors.As(err, &unable) && r.Config.Scenario == spec.LateConstruction {
		r.Driver = r.crew.runOf(r.Config, append([]string{constructor}, r.Ports[1:]...))
		rep, err = r.play(ctx, &r.Driver)
	}
	if err == nil && rep.Verdict == spec.Violated {
		bar.Set("phase", "shortening, ").SetTotal(int64(rep.Steps))
		rep = r.Shorten(ctx, rep)
	}
	bar.Set(pb.CleanOnFinish, true).Finish()
	return rep, err
}
