// Command validate decides whether a trace of real processes is a behaviour of
// the model (package accept). spec/TRACES.md has the format of traces.
//
//	go run ./model/validate run.trace
package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

// version is the version of the JSON form of report.
const version = 1

// A report is what --json prints, in one line (report.schema.json).
type report struct {
	Version   int               `json:"version"`
	Verdict   spec.Verdict      `json:"verdict"` // passed or violated
	Procs     int               `json:"procs"`
	Events    int               `json:"events"`
	Frontier  int               `json:"frontier"` // the most states that were possible at once
	Rejection *accept.Rejection `json:"rejection,omitempty"`
}

func command() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Decide whether a trace of real processes is a behaviour of the model",
		Long: `Reads a trace in the format of spec/TRACES.md, as stress --trace records it, and looks
for an order of its steps in which the model takes each of them. Without one, it says
which event is the first that cannot be explained, and what of it contradicts. FILE - is
the standard input.

Exit codes: 0 the trace is a behaviour of the model, 12 it is not, 2 usage or no trace.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := accept.ReadFile(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			r := accept.Check(t)
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(newReport(t, r))
			} else {
				_, err = io.WriteString(cmd.OutOrStdout(), text(t, r))
			}
			if err != nil || r.Rejection == nil {
				return err
			}
			if args[0] != "-" {
				cli.Reproduce(cmd, fmt.Sprintf("head -n %d %s | go run ./model/validate -", r.Rejection.Line, cli.Quoted(args[0])))
			}
			return cli.Exit(spec.ExitSafety)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as one line of JSON")
	return cmd
}

func newReport(t *accept.Trace, r accept.Result) report {
	rep := report{Version: version, Verdict: spec.Passed, Procs: t.Procs, Events: r.Events, Frontier: r.Frontier, Rejection: r.Rejection}
	if r.Rejection != nil {
		rep.Verdict = spec.Violated
	}
	return rep
}

func text(t *accept.Trace, r accept.Result) string {
	if r.Rejection == nil {
		return fmt.Sprintf("The trace is a behaviour of the model: %d events of %d processes.\n", r.Events, t.Procs)
	}
	return "The trace is no behaviour of the model. " + r.Rejection.Text()
}
