//go:build linux

// Command stress runs real processes at the real shared-memory barrier and
// checks that no call returns before all processes have begun it.
//
//	go run ./stress                         # 4 processes for 10 seconds
//	go run ./stress --procs 8 --rounds 5000
//
// The verdict is passed (exit code 0), violated (12), hang (11): for --stall no
// process made progress, or a process died; or unfinished (75): for --stall no
// process made progress, and one is stopped or gets no processor. Ctrl-C and
// the other signals that cli.Main lists make the round under way the last one
// and keep what was measured (130). The verdict is then unfinished, unless
// --rounds were made.
//
// Stress removes all files it makes and ends all processes it starts. After
// kill -9 the workers do that. If they are killed too, or none has begun, the
// next start removes the files (see package scratch), and so does stress clean.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/bench"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

func main() {
	registry.ServeGo()
	run.ServeWorker()
	conformance.ServeGated()
	bench.Serve()
	cli.Main(commands())
}

func commands() *cobra.Command {
	cmd := stressCommand()
	cmd.AddCommand(lockstepCommand(), conformanceCommand(), inspectCommand(), compareCommand(), cleanCommand(), benchCommand())
	return cmd
}

func stressCommand() *cobra.Command {
	c := run.Config{Pauses: true, White: true}
	var faults faultFlags
	var scenarios scenarioFlags
	var ports []string
	var options report.Options
	cmd := &cobra.Command{
		Use:   "stress",
		Short: "Run real processes at the shared-memory barrier",
		Long: `Starts processes that call one barrier round after round, with random pauses
before and inside the calls. When a call returns, its process checks that all
others have begun the same call. The check reads counts in shared memory, and
no clock.

--port takes ports instead, which are programs in any language
(stress/PORTING.md), and mixes them at one barrier: --port go=2 --port python=2.
Ports that can announce their steps do, and pause there, too: by the seed, all of
them, half, or none. The others pause before the calls only.

--fault says what goes wrong on purpose, and the seed decides who is hit and
when (--plan shows it). WHO is one (drawn once), any (drawn each time), all,
holder (of the lock), or the number of a worker. A fault happens once; with any,
in 1 % of the calls; with PERCENT, in so many of the calls; with xN, N times:
` + faultHelp() + `

--scenario tries what goes wrong when callers break a guarantee (spec/HAZARDS.md),
many short trials with new processes each, and beside it the control, where they
keep it. The model says which outcomes to expect, which are allowed and which are
forbidden. A trial ends as soon as it has shown what it was for.

--mutants checks stress itself. It looks for each mistake of the model in the C
port, or for those that the arguments name, with several seeds, and prints how
and when each was found. The exit code is 12 if one was not, or a harmless one was.

When no round was completed for half of --stall, a hang is suspected: stderr says
what is seen. After --stall it looks twice from outside (stress inspect), and says
who is missing, who holds the lock, and the likely cause. A worker that is stopped,
or a machine without time for the workers, is no hang: the run is unfinished.

An interrupted run is unfinished, unless --rounds were made.

--trace records each step of each process, in its order: go run ./model/validate
FILE decides whether they are a behaviour of the model. Ports must be able to
announce their steps, and all do. A trace has 100 bytes for each step, and the
records need as much room in its directory until it is written.

--out keeps all that a run says in a new directory, with a script that does the
same again. Before the run has ended, and after kill -9, the report there says
that it is under way.

Exit codes: 0 passed, 2 usage or environment, 11 hang, 12 violated,
75 unfinished, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := resolve(cmd, &c, ports); err != nil {
				return err
			}
			if err := check(cmd, &c); err != nil {
				return err
			}
			if done, err := faults.resolve(cmd, &c); done || err != nil {
				return err
			}
			if err := build(cmd.Context(), c.Ports); err != nil {
				return err
			}
			if scenarios.given(cmd) {
				return scenarios.run(cmd, c, options)
			}
			return runOnce(cmd, c, options)
		},
	}
	faults.add(cmd)
	scenarios.add(cmd)
	f := cmd.Flags()
	f.IntVar(&c.Procs, "procs", 4, "processes, each a party of every round")
	f.StringArrayVar(&ports, "port", nil, "NAME or NAME=COUNT: processes of a port; repeatable, to mix ports (ports: "+registry.Names+"). "+registry.CountHelp)
	f.Int64Var(&c.Rounds, "rounds", 0, "rounds to run (0: unbounded)")
	f.DurationVar(&c.For, "for", 10*time.Second, "time to run (0: unlimited, as with --rounds alone); the run ends at the first of --rounds and --for")
	f.DurationVar(&c.Stall, "stall", 10*time.Second, "a longer time in which no process makes progress is a hang")
	f.Uint64Var(&c.Seed, "seed", 0, "seed of the pauses, faults and scenarios (0: draw one)")
	options.Flags(cmd)
	addTrace(cmd, &c)
	addMutants(cmd)
	return cmd
}

// runOnce runs the test that c describes, and puts its result where the options
// say.
func runOnce(cmd *cobra.Command, c run.Config, options report.Options) error {
	command := commandLine(c)
	begun := report.Begun(c.Begun(), command)
	out, err := options.Open(cmd, begun)
	if err != nil {
		return err
	}
	progress, finish := newBar(c)
	c.Progress, c.Stderr, c.Slowest = progress, out.Stderr, options.Dir != ""
	c.Suspect = func(state string) { fmt.Fprintf(cmd.ErrOrStderr(), "stress: hang suspected: %s\n", state) }
	c.Command = command
	writing, written := newWriting(finish)
	c.Writing = writing
	rep, err := run.Run(cmd.Context(), c)
	finish()
	written()
	if err != nil {
		return out.Fail(begun, err)
	}
	doc := report.Of(rep, command)
	if err := out.Close(doc, doc.Text); rep.Trace == nil || rep.Trace.Failure == "" {
		return err
	}
	return fmt.Errorf("--trace %s: %s", rep.Trace.File, rep.Trace.Failure)
}

// resolve makes each port that --port names a worker.
func resolve(cmd *cobra.Command, c *run.Config, ports []string) error {
	if len(ports) == 0 {
		return nil
	}
	if cmd.Flags().Changed("procs") {
		return errors.New("--procs and --port exclude each other; give the count with the port, as in --port go=2")
	}
	var err error
	if c.Ports, err = registry.ParseAll(ports); err != nil {
		return err
	}
	c.Procs = len(c.Ports)
	return nil
}

// build builds the ports that have to be built.
func build(ctx context.Context, ports []string) error {
	for _, name := range ports {
		_, err := registry.Command(ctx, name)
		switch {
		case ctx.Err() != nil:
			return cli.Exit(spec.ExitInterrupted)
		case err != nil:
			return err
		}
	}
	return nil
}

// check refuses values that are out of range, and fills in those that depend on
// others.
func check(cmd *cobra.Command, c *run.Config) error {
	if c.Rounds > 0 && !cmd.Flags().Changed("for") {
		c.For = 0
	}
	if err := cli.Between("procs", c.Procs, 1, registry.MaxCount); err != nil {
		return err
	}
	if cmd.Flags().Changed("trace") {
		if err := checkTrace(c.Trace); err != nil {
			return fmt.Errorf("--trace: %w", err)
		}
	}
	switch {
	case c.Rounds < 0:
		return fmt.Errorf("--rounds is %d; give 0 (unbounded) or more", c.Rounds)
	case c.For < 0:
		return fmt.Errorf("--for is %v; give 0 (unlimited) or more", c.For)
	case c.Stall <= 0:
		return fmt.Errorf("--stall is %v; give more than 0", c.Stall)
	case c.Rounds == 0 && c.For == 0:
		return errors.New("--for 0 without --rounds never ends; give one of them")
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	return nil
}

// newBar draws a progress bar, which counts what ends the run: rounds, or else
// milliseconds. It returns a Config.Progress, and a function that removes the
// bar.
func newBar(c run.Config) (progress func(rounds int64), finish func()) {
	const layout = `{{string . "rounds"}} rounds {{bar . }} {{string . "rate"}} rounds/s, {{rtime . "%s left" "" "? left"}}`
	total := c.For.Milliseconds()
	if c.Rounds > 0 {
		total = c.Rounds
	}
	bar, start := cli.Bar(layout, total), time.Now()
	progress = func(rounds int64) {
		elapsed := time.Since(start)
		bar.Set("rounds", rounds).Set("rate", int64(float64(rounds)/elapsed.Seconds()))
		if c.Rounds > 0 {
			bar.SetCurrent(rounds)
		} else {
			bar.SetCurrent(min(elapsed.Milliseconds(), total))
		}
	}
	return progress, sync.OnceFunc(func() { bar.Set(pb.CleanOnFinish, true).Finish() })
}
