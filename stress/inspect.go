//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port/registry"
)

func inspectCommand() *cobra.Command {
	var target inspect.Target
	var options inspect.Options
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "Look at a barrier that hangs, whoever uses it, and say why",
		Long: `Looks at a barrier from outside: at its words, its lock, and the processes that
have the segment mapped or the lock file open. Looks again after --for, and says
what moved and, if nothing did, why. The cause comes from the model: what is seen
is compared with the states of all scenarios of spec/HAZARDS.md. Of a group
(spec/GROUP.md) it says what each rank does, and which ranks a round misses.

It only reads. It writes no word, takes no lock, and neither traces nor stops a
process. It works for the processes of other users as far as permissions go, and
says what they hide: run it as root to see everything.

  go run ./stress inspect --shm NAME --lock PATH
  go run ./stress inspect --shm NAME --lock PATH --watch
  go run ./stress inspect --shm /proc/4711/root/dev/shm/NAME --lock /proc/4711/root/tmp/LOCK

Exit codes: 0 it moves, or no process waits; 2 usage or environment; 11 a hang is
confirmed; 12 no party can have written these words; 75 nothing moves, and that is
no hang or not surely one; 130 interrupted. With --watch: 0 after --for, if given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case target.Segment == "" || target.LockPath == "":
				return errors.New("give the barrier: --shm NAME and --lock PATH, as its parties do")
			case options.For <= 0:
				return fmt.Errorf("--for is %v; give more than 0", options.For)
			}
			if err := cli.Between("procs", options.Procs, 0, registry.MaxCount); err != nil {
				return err
			}
			if watch {
				return runWatch(cmd, target, asJSON)
			}
			return runInspect(cmd, target, options, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&target.Segment, "shm", "", "`NAME` of the segment in /dev/shm, or a path")
	f.StringVar(&target.LockPath, "lock", "", "`PATH` of the lock file")
	f.IntVar(&options.Procs, "procs", 0, "the party count that the callers should pass (0: find it out)")
	f.DurationVar(&options.For, "for", inspect.DefaultFor, "time between the two looks; longer while a process waits for a processor")
	f.BoolVar(&watch, "watch", false, "look twice a second, and print one line each time: what changed, rounds a second; without --for until Ctrl-C")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON (stress/inspect/report.schema.json; with --watch a line each time: tick.schema.json)")
	cmd.MarkFlagsMutuallyExclusive("watch", "procs")
	return cmd
}

func runInspect(cmd *cobra.Command, target inspect.Target, options inspect.Options, asJSON bool) error {
	report, err := inspect.Inspect(cmd.Context(), target, options)
	if err != nil {
		return err
	}
	write := report.Text
	if asJSON {
		write = report.JSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if code := spec.ExitCode(report.Verdict, spec.WordsInRange); code != spec.ExitOK {
		return cli.Exit(code)
	}
	return nil
}

func runWatch(cmd *cobra.Command, target inspect.Target, asJSON bool) error {
	var end time.Time
	if cmd.Flags().Changed("for") {
		length, err := cmd.Flags().GetDuration("for")
		if err != nil {
			return err
		}
		end = time.Now().Add(length)
	}
	var failed error
	err := inspect.Watch(cmd.Context(), target, func(t inspect.Tick) bool {
		write := t.Text
		if asJSON {
			write = t.JSON
		}
		failed = write(cmd.OutOrStdout())
		return failed == nil && (end.IsZero() || time.Now().Before(end))
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if cmd.Context().Err() != nil {
		return cli.Exit(spec.ExitInterrupted)
	}
	return nil
}
