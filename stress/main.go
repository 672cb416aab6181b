//go:build linux

// Command stress runs real processes against the real shared-memory barrier,
// and tells whether one of them was ever let go before all had arrived.
//
//	go run ./stress                         # 4 processes for 10 seconds
//	go run ./stress --procs 8 --rounds 5000
//
// The verdict is passed (exit code 0), violated (12) or hang (11). A round that
// takes longer than --stall counts as a hang. Ctrl-C ends the run after the
// round under way and keeps what was measured (130); before the first round there
// is nothing to keep, and the verdict is unfinished. Nothing is left behind.
package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
)

func main() {
	registry.ServeGo()
	// Go tries pidfds out in a child that shares its memory and its signal handlers: a
	// Ctrl-C would crash both. That is behind us before there is anything to lose.
	os.FindProcess(os.Getpid())
	cmd := stressCommand()
	cmd.AddCommand(workerCommand(), lockstepCommand(), kitCommand())
	cli.Main(cmd)
}

func stressCommand() *cobra.Command {
	c := run.Config{Pauses: true, Command: startSelf}
	var ports []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stress",
		Short: "Run real processes against the shared-memory barrier",
		Long: `Starts processes that call the barrier round after round, with random pauses
before and inside the calls. On each return a worker checks in a segment of its
own, without any clock, that all others have begun the same call.

With --port the barriers are those of ports, programs in any language
(stress/PORTING.md), and all meet in one: --port go=2 --port python=2. Ports
pause before the calls only: nobody can pause inside the calls of another program.

Exit codes: 0 passed, 2 usage or environment, 11 hang, 12 violated, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := enlist(cmd, &c, ports); err != nil {
				return err
			}
			if err := settle(&c, cmd); err != nil {
				return err
			}
			bar := newProgress(c)
			c.Progress = bar.show
			rep, err := run.Run(cmd.Context(), c)
			bar.finish()
			if err != nil {
				return err
			}
			return tell(cmd, c, rep, asJSON)
		},
	}
	f := cmd.Flags()
	f.IntVar(&c.Procs, "procs", 4, "worker processes, each a party of every round")
	f.StringArrayVar(&ports, "port", nil, "NAME or NAME=COUNT: processes of a port; repeat it to mix (ports: "+registry.Names+"). "+registry.CountHelp)
	f.Int64Var(&c.Rounds, "rounds", 0, "rounds to run (0: as many as fit in --for)")
	f.DurationVar(&c.For, "for", 10*time.Second, "how long to run (0: no limit; no limit either when only --rounds is given); whichever of the two is reached first ends the run")
	f.DurationVar(&c.Stall, "stall", 10*time.Second, "longest time without a completed round before the run counts as a hang")
	f.Uint64Var(&c.Seed, "seed", 0, "seed of the pauses (0: draw one)")
	f.BoolVar(&asJSON, "json", false, "print the report as one line of JSON")
	return cmd
}

// enlist makes a worker of each port that was asked for. Ports that have to be
// built are built now, and once.
func enlist(cmd *cobra.Command, c *run.Config, ports []string) error {
	if len(ports) == 0 {
		return nil
	}
	if cmd.Flags().Changed("procs") {
		return errors.New("--procs and --port exclude each other; give the count with the port, as in --port go=2")
	}
	for _, text := range ports {
		name, count, err := registry.Parse(text)
		if err != nil {
			return err
		}
		_, err = registry.Command(cmd.Context(), name)
		switch {
		case cmd.Context().Err() != nil:
			return cli.Exit(spec.ExitInterrupted)
		case err != nil:
			return err
		}
		c.Ports = append(c.Ports, slices.Repeat([]string{name}, count)...)
	}
	c.Procs = len(c.Ports)
	return nil
}

// settle checks the flags and fills in what depends on others.
func settle(c *run.Config, cmd *cobra.Command) error {
	switch {
	case c.Procs < 1:
		return fmt.Errorf("--procs is %d; give at least 1", c.Procs)
	case c.Rounds < 0:
		return fmt.Errorf("--rounds is %d; give 0 (no bound) or more", c.Rounds)
	case c.For < 0:
		return fmt.Errorf("--for is %v; give 0 (no limit) or more", c.For)
	case c.Stall <= 0:
		return fmt.Errorf("--stall is %v; give more than 0", c.Stall)
	}
	if c.Rounds > 0 && !cmd.Flags().Changed("for") {
		c.For = 0
	}
	if c.Rounds == 0 && c.For == 0 {
		return errors.New("--for 0 without --rounds never ends; give one of them")
	}
	for c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	return nil
}

// tell prints the report, and under a failure the command that repeats it.
func tell(cmd *cobra.Command, c run.Config, rep run.Report, asJSON bool) error {
	write := rep.Text
	if asJSON {
		write = rep.JSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if rep.Verdict == spec.Violated || rep.Verdict == spec.Hang {
		cli.Reproduce(cmd, fmt.Sprintf("go run ./stress %s --rounds %d --for %v --stall %v --seed %d",
			parties(c), c.Rounds, c.For, c.Stall, c.Seed))
	}
	if code := rep.ExitCode(); code != spec.ExitOK {
		return cli.Exit(code)
	}
	return nil
}

// parties returns the flags that say who takes part, for a shell.
func parties(c run.Config) string {
	if c.Ports == nil {
		return fmt.Sprintf("--procs %d", c.Procs)
	}
	return registry.Flags(c.Ports)
}

func quoted(word string) string { return registry.Quoted(word) }

// startSelf returns the command that starts this program as a worker.
func startSelf() *exec.Cmd { return exec.Command("/proc/self/exe", "worker") }

func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "worker ASSIGNMENT",
		Short:  "One worker process; started by the program itself",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		Run: func(_ *cobra.Command, args []string) {
			os.Exit(run.WorkerMain(run.Open, args[0], os.Stdin, os.Stdout))
		},
	}
}
