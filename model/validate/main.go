// Command validate decides whether a trace of real processes is a behaviour of
// the model (package accept). spec/TRACES.md has the format of traces.
//
//	go run ./model/validate run.trace
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/accept"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

// version is the version of the JSON form of report.
const version = 1

// A report is what --json prints, in one line (report.schema.json).
type report struct {
	Version   int          `json:"version"`
	Verdict   spec.Verdict `json:"verdict"` // passed or violated
	Procs     int          `json:"procs"`
	Events    int          `json:"events"`
	Frontier  int          `json:"frontier"` // the most states that were possible at once
	Rejection *rejection   `json:"rejection,omitempty"`
}

type rejection struct {
	Line   int              `json:"line"` // the lines up to it are the shortest trace that is wrong
	Proc   int              `json:"proc"`
	Label  string           `json:"label"`
	Number int64            `json:"number"`
	Part   accept.Part      `json:"part"` // of the event that contradicts: word, lock, step or order
	Why    string           `json:"why"`
	States []model.Snapshot `json:"states"` // that were possible before the event
	Could  []string         `json:"could"`  // by process: what it could do in the first of these states
}

func command() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Decide whether a trace of real processes is a behaviour of the model",
		Long: `Reads a trace in the format of spec/TRACES.md, and looks for an order of its steps in
which the model takes each of them. Without one, it says which event is the first that
cannot be explained, and what of it contradicts. FILE - is the standard input.

Exit codes: 0 the trace is a behaviour of the model, 12 it is not, 2 usage or no trace.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := read(cmd, args[0])
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

// read reads the trace at the path.
func read(cmd *cobra.Command, path string) (*accept.Trace, error) {
	if path == "-" {
		return accept.Read(cmd.InOrStdin())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t, err := accept.Read(file)
	if errors.Is(err, accept.ErrFormat) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return t, err
}

func newReport(t *accept.Trace, r accept.Result) report {
	rep := report{Version: version, Verdict: spec.Passed, Procs: t.Procs, Events: r.Events, Frontier: r.Frontier}
	if no := r.Rejection; no != nil {
		rep.Verdict = spec.Violated
		rep.Rejection = &rejection{no.Line, no.Event.Proc, no.Event.Label, no.Event.Number, no.Part, no.Why, no.States, no.Could}
	}
	return rep
}

func text(t *accept.Trace, r accept.Result) string {
	no := r.Rejection
	if no == nil {
		return fmt.Sprintf("The trace is a behaviour of the model: %d events of %d processes.\n", r.Events, t.Procs)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The trace is no behaviour of the model. Line %d is the first that cannot be explained:\n\n  %v\n\n", no.Line, no.Event)
	fmt.Fprintf(&b, "Its %s contradicts: %s.\n\nPossible before it:\n\n", no.Part, no.Why)
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range no.States {
		fmt.Fprintf(table, "  %v\tlock %s", s.Words, holder(s.Lock))
		for p, me := range s.Procs {
			fmt.Fprintf(table, "\tp%d %v", p, me.Step)
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	fmt.Fprintln(&b)
	for p, what := range no.Could {
		fmt.Fprintf(&b, "  p%d %s\n", p, what)
	}
	return b.String()
}

func holder(p int) string {
	if p < 0 {
		return "free"
	}
	return fmt.Sprintf("p%d", p)
}
