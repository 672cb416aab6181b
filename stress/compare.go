//go:build linux

package main

import (
	"github.com/spf13/cobra"

	"sharedbarrier/stress/report"
)

func compareCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Put two reports side by side",
		Long: `Puts two reports side by side: the verdicts, the rates and latencies as ratios,
and the outcomes of scenarios. A and B are directories of --out, or files with
what --json prints, both of this version.

The samples are the slices of time into which each run is cut. A ratio counts only
if the samples differ (Mann-Whitney U test, 5 %) and it is larger than the noise:
what lies between the medians and nine tenths of the slices. Otherwise there is a
~ beside it. What changed at the machine between the two runs is no noise, so run
both on a quiet one. Other machines and other arguments are pointed out.

Exit codes: 0 compared, whatever the difference, 2 usage.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, paths []string) error {
			var docs [2]report.Document
			for i, path := range paths {
				var err error
				if docs[i], err = report.Read(path); err != nil {
					return err
				}
			}
			c := report.Compare(paths[0], docs[0], paths[1], docs[1])
			if asJSON {
				return c.JSON(cmd.OutOrStdout())
			}
			return c.Text(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one line of JSON (stress/report/compare.schema.json)")
	return cmd
}
