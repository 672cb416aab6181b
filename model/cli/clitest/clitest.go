// Package clitest runs the command of a package in its tests, and makes scripts
// that stand in for tools.
package clitest

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

// Run runs the command in this process, with stdin as its standard input. It
// returns what the command prints, and its error.
func Run(ctx context.Context, cmd *cobra.Command, stdin string, args ...string) (stdout, stderr string, err error) {
	var out, errs strings.Builder
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}
