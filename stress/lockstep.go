//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// lockstepFlags are the flags of stress lockstep, besides those of the plan.
type lockstepFlags struct {
	plan                         lockstep.Plan
	tour, random, hazards, crash bool
	schedule, moves              string
	ports                        []string
	seed                         uint64
	steps                        int
	json                         bool
	timeline                     string
}

func lockstepCommand() *cobra.Command {
	q := lockstepFlags{}
	cmd := &cobra.Command{
		Use:   "lockstep",
		Short: "Run real processes one step at a time, and compare each step with the model",
		Long: `Starts white-box ports as processes. Lets exactly one of them take one step at a
time. After each step it compares with the model which step the port announces
next, the words in the real segment, and which process holds the real lock. A step
that is blocked in the model must really be blocked. /proc/PID/fdinfo of a port, and
of the processes that it has started, shows who holds the lock.

  go run ./stress lockstep                                 every edge of the state graph for 2 and 3 processes
  go run ./stress lockstep --port go=2 --port python       the same, for this mix of 3
  go run ./stress lockstep --hazards                       everything that goes wrong under misuse, for real
  go run ./model/check --scenario crash --procs 3 --json | go run ./stress lockstep --schedule -

After a difference the command says so, makes the moves again to see whether it
repeats, and looks for fewer moves that show it, for --shorten at most. Ctrl-C ends
that and prints the result so far.

A run for which a port lacks a capability is left out, with a line that says so.
Exit codes: 0 the real barrier does as the model does, 2 usage or environment, 12
it does not, 75 every run was left out, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&q.tour, "tour", false, "take every edge of the state graph (the default)")
	f.BoolVar(&q.random, "random", false, "make --steps moves drawn from --seed")
	f.StringVar(&q.schedule, "schedule", "", "replay the traces in `FILE` (-: standard input), JSON lines as model/check and tla/check print them")
	f.StringVar(&q.moves, "moves", "", "replay moves, as a failure prints them: '0:2 0 1:2 0!'")
	f.BoolVar(&q.hazards, "hazards", false, "replay a shortest counterexample of every property that fails under misuse")
	f.BoolVar(&q.crash, "crash", false, "kill a process at each step of its call, and let the others go on")
	f.StringArrayVar(&q.ports, "port", nil, "NAME or NAME=COUNT: processes of a port, repeatable; from the first again when there are more processes (default go; ports: "+registry.Names+"). "+registry.CountHelp)
	f.IntVar(&q.plan.Procs, "procs", 0, "processes (default: as many as --port counts if more than 1, else 2 and 3 for --tour, --hazards and --crash, else 3)")
	f.StringVar(&q.plan.Scenario, "scenario", "", "scenario (default withdraw if all ports can, else reuse)")
	f.IntVar(&q.plan.Rounds, "rounds", 0, "calls that each process makes; 0: unbounded")
	f.Uint64Var(&q.seed, "seed", 0, "seed of --random (0: draw one)")
	f.IntVar(&q.steps, "steps", 10000, "steps of --random")
	f.DurationVar(&q.plan.Shorten, "shorten", 20*time.Second, "after a difference, look so long for fewer moves that show it (0: do not)")
	f.StringVar(&q.timeline, "timeline", "", "write the moves of a difference, or of what was observed, as a page for a browser to this `FILE`, with a lane for each process")
	f.BoolVar(&q.json, "json", false, "print one JSON object for each run, one a line")
	cmd.MarkFlagsMutuallyExclusive("tour", "random", "schedule", "moves", "hazards", "crash")
	for _, own := range []string{"scenario", "rounds"} { // what is replayed has its own
		for _, mode := range []string{"schedule", "hazards", "crash"} {
			cmd.MarkFlagsMutuallyExclusive(mode, own)
		}
	}
	cmd.MarkFlagsMutuallyExclusive("schedule", "procs")
	return cmd
}

func (q *lockstepFlags) run(cmd *cobra.Command) error {
	var bar *pb.ProgressBar
	finish := func() {
		if bar != nil {
			bar.Set(pb.CleanOnFinish, true).Finish()
			bar = nil
		}
	}
	defer func() {
		finish()
		fmt.Fprint(cmd.ErrOrStderr(), port.Ended(port.Strays()))
	}()
	shown := ""
	q.plan.Progress = func(run string, steps, total int) {
		if bar == nil || run != shown {
			finish()
			shown = run
			bar = cli.Bar(run+`: {{counters . }} steps {{bar . }} {{speed . "%s steps/s" }} {{rtime . "%s left" "" "? left"}}`, int64(total))
		}
		bar.SetCurrent(int64(min(steps, total)))
	}
	q.plan.Found = func(rep lockstep.Report) {
		finish()
		fmt.Fprintf(cmd.ErrOrStderr(), "lockstep: after %d steps, %s\nlockstep: looking for fewer moves for %v at most; Ctrl-C ends that\n", rep.Steps, rep.Why, q.plan.Shorten)
	}
	runs, err := q.runs(cmd)
	if err != nil {
		return err
	}
	var reports []lockstep.Report
	for rep, err := range runs {
		finish()
		if err == nil && q.json {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
		}
		switch {
		case err != nil && cmd.Context().Err() != nil:
			return cli.Exit(spec.ExitInterrupted)
		case err != nil:
			return err
		}
		reports = append(reports, rep)
	}
	if !q.json {
		if err := lockstep.WriteTable(cmd.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	if q.timeline != "" {
		if err := timeline.WriteFile(q.timeline, cmd.ErrOrStderr(), "Lockstep", lockstep.Timelines(reports)...); err != nil {
			return err
		}
	}
	finished := func(r lockstep.Report) bool { return r.Verdict != spec.Unfinished }
	switch last := reports[len(reports)-1]; {
	case last.Verdict == spec.Violated:
		cli.Reproduce(cmd, last.Command())
		return cli.Exit(spec.ExitSafety)
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case !slices.ContainsFunc(reports, finished):
		return cli.Exit(spec.ExitUnfinished)
	default:
		return nil
	}
}

// runs checks the flags and returns the runs that they ask for.
func (q *lockstepFlags) runs(cmd *cobra.Command) (iter.Seq2[lockstep.Report, error], error) {
	given, ctx := cmd.Flags().Changed, cmd.Context()
	var err error
	if q.plan.Ports, err = registry.ParseAll(q.ports); err != nil {
		return nil, err
	}
	if err := cli.Between("procs", q.plan.Procs, 0, registry.MaxCount); err != nil {
		return nil, err
	}
	switch {
	case !q.random && (given("seed") || given("steps")):
		return nil, errors.New("--seed and --steps are those of --random; give it too, or leave them out")
	case q.plan.Shorten < 0:
		return nil, fmt.Errorf("--shorten is %v; give 0 (do not) or more", q.plan.Shorten)
	case q.steps < 1:
		return nil, fmt.Errorf("--steps is %d; give 1 or more", q.steps)
	case q.random:
		for q.seed == 0 {
			q.seed = rand.Uint64()
		}
		return q.plan.Random(ctx, q.seed, q.steps), nil
	case given("moves"):
		moves, err := lockstep.ParseSchedule(q.moves)
		if err == nil && len(moves) == 0 {
			err = errors.New("it is empty; give the moves that a failure has printed")
		}
		if err != nil {
			return nil, fmt.Errorf("--moves: %w", err)
		}
		return q.plan.Moves(ctx, moves), nil
	case given("schedule"):
		results := cmd.InOrStdin()
		if q.schedule != "-" {
			file, err := os.Open(q.schedule)
			if err != nil {
				return nil, fmt.Errorf("--schedule: %w", err)
			}
			results = file // open until the program ends
		}
		return q.plan.Traces(ctx, results), nil
	case q.hazards:
		return q.plan.Hazards(ctx), nil
	case q.crash:
		return q.plan.Crashes(ctx), nil
	default:
		return q.plan.Tour(ctx), nil
	}
}
