//go:build linux

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/leftover"
)

func cleanCommand() *cobra.Command {
	var o leftover.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "List what dead runs and dead jobs have left; with --yes, remove it",
		Long: `Lists what dead runs of this project have left in /dev/shm, in the folders for
temporary files and in the tool cache, and what dead jobs of MosaicML Streaming
have: /dev/shm/NNNNNN_barrier and NNNNNN_barrier_filelock. It lists the groups of
dead members (/dev/shm/NAME.group), each with the segment of its barrier. With --yes it removes
what is dead. It also lists other segments that look like a barrier, and removes
one only if you name it.

A leftover is dead if no process has one of its files open, mapped or locked. The
kernel proves that: it grants a write lease only on a file that no other process
of the machine has open, of any user and in any container. While clean has the
leases, an open of the files waits; that takes milliseconds. What is hidden from
clean, it leaves, and says why and what to do.

  go run ./stress clean
  go run ./stress clean --yes
  go run ./stress clean --shm NAME --lock PATH --yes

Verdicts: dead; live, it is in use; unproven, it may be dead; foreign, no process
has it, but nothing says that it is a barrier of a dead job; removed.

Exit codes: 0 nothing is unproven; 2 usage or environment; 75 something is
unproven, or what you named is not dead; 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			named := cmd.Flags().Changed("shm") || cmd.Flags().Changed("lock")
			if named && (o.Segment == "" || o.LockPath == "") { // an empty name must not mean all
				return errors.New("give both names of the barrier: --shm NAME and --lock PATH, as its parties do")
			}
			r, err := leftover.Clean(cmd.Context(), o)
			if err != nil {
				return err
			}
			write := r.Text
			if asJSON {
				write = r.JSON
			}
			if err := write(cmd.OutOrStdout()); err != nil {
				return err
			}
			if code := r.ExitCode(named); code != spec.ExitOK {
				return cli.Exit(code)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Segment, "shm", "", "`NAME` of a segment in /dev/shm, or a path: look at this barrier only")
	f.StringVar(&o.LockPath, "lock", "", "`PATH` of its lock file")
	f.BoolVar(&o.Remove, "yes", false, "remove what is dead")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON (stress/leftover/report.schema.json)")
	return cmd
}
