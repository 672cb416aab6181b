//go:build linux

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// commandLine returns the command that repeats a run.
func commandLine(c run.Config) string {
	parties := fmt.Sprintf("--procs %d", c.Procs)
	if c.Ports != nil {
		parties = registry.Flags(c.Ports)
	}
	return fmt.Sprintf("go run ./stress %s --rounds %d --for %v --stall %v --seed %d", parties, c.Rounds, c.For, c.Stall, c.Seed)
}

// print prints the document and, after a failure, the command that repeats the
// runs. It returns how the command ends.
func print(cmd *cobra.Command, doc report.Document, code int, asJSON bool) error {
	write := doc.Text
	if asJSON {
		write = doc.JSON
	}
	if err := write(cmd.OutOrStdout()); err != nil {
		return err
	}
	if doc.Verdict == spec.Violated || doc.Verdict == spec.Hang {
		cli.Reproduce(cmd, doc.Command)
	}
	if code != spec.ExitOK {
		return cli.Exit(code)
	}
	return nil
}
