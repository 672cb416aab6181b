//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/run"
)

// faultFlags are the flags about what goes wrong on purpose.
type faultFlags struct {
	texts []string
	plan  bool
}

func (f *faultFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.texts, "fault", nil, "KIND[:WHO][@STEP][:DURATION][:PERCENT|:xN]: what goes wrong on purpose; repeatable (see above)")
	cmd.Flags().BoolVar(&f.plan, "plan", false, "print what the faults of this seed will do, and end")
}

// resolve reads the faults into c, whose other fields are final. With --plan it
// prints them, and done is true.
func (f *faultFlags) resolve(cmd *cobra.Command, c *run.Config) (done bool, err error) {
	if c.Faults, err = fault.ParseAll(f.texts); err != nil {
		return false, fmt.Errorf("--%w", err)
	}
	plan, err := c.Plan()
	if err != nil {
		return false, fmt.Errorf("--%w", err)
	}
	switch {
	case !f.plan:
		return false, nil
	case len(c.Faults) == 0:
		return false, errors.New("--plan shows what faults do, and there is none; give --fault, as in --fault kill:one --plan")
	}
	const most = 5
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "seed %d, %d workers\n", c.Seed, c.Procs)
	for _, line := range plan.Lines(most) {
		fmt.Fprintln(out, line)
	}
	return true, nil
}

// faultHelp lists the kinds of faults.
func faultHelp() string {
	var b strings.Builder
	for _, k := range fault.AllKinds() {
		fmt.Fprintf(&b, "\n  %s\n      %s", k.Form(), k.Doc())
	}
	return b.String()
}
