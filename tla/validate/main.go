// Command validate has TLC decide whether a trace of real processes is a
// behaviour of tla/SharedBarrier.tla. spec/TRACES.md has the format of traces.
//
//	go run ./tla/validate run.trace
//
// It finds or fetches TLC (see tlc.Find), which needs Java 11 or newer.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

func main() { cli.Main(command()) }

// version is the version of the JSON form of report.
const version = 1

// A report is what --json prints, in one line (report.schema.json). It has the
// form of that of model/validate, but for the figures of the search.
type report struct {
	Version    int               `json:"version"`
	Verdict    spec.Verdict      `json:"verdict"` // passed or violated
	Procs      int               `json:"procs"`
	Events     int               `json:"events"`
	Distinct   int64             `json:"distinct"`    // states that TLC has found
	EveryOrder bool              `json:"every_order"` // it has tried every order of the steps too
	Rejection  *accept.Rejection `json:"rejection,omitempty"`
}

// options are the flags.
type options struct {
	json       bool
	everyOrder bool
	memory     string
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Have TLC decide whether a trace of real processes is a behaviour of tla/SharedBarrier.tla",
		Long: `Reads a trace in the format of spec/TRACES.md, and has TLC look for an order of its steps in
which the actions of tla/SharedBarrier.tla take each of them. Without one, it says which
event is the first that cannot be explained, and what of it contradicts. FILE - is the
standard input. go run ./model/validate decides the same by the model, and faster.

The command finds or fetches TLC as go run ./tla/check does.

Exit codes: 0 the trace is a behaviour, 12 it is not, 2 usage, no trace or no TLC, 130 interrupted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print the result as one line of JSON")
	cmd.Flags().BoolVar(&o.everyOrder, "every-order", false, "try every order of the steps too, in time exponential in the number of processes, and compare")
	cmd.Flags().StringVar(&o.memory, "memory", "", "largest Java heap, such as 4g (default: Java's own choice)")
	return cmd
}

func (o options) run(cmd *cobra.Command, path string) error {
	if err := tlc.CheckMemory(o.memory); err != nil {
		return err
	}
	t, err := accept.ReadFile(path, cmd.InOrStdin())
	if err != nil {
		return err
	}
	rep, err := o.validate(cmd, t)
	switch {
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case err != nil:
		return err
	case o.json:
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(rep)
	default:
		_, err = io.WriteString(cmd.OutOrStdout(), rep.text())
	}
	if err != nil || rep.Rejection == nil {
		return err
	}
	if path != "-" {
		cli.Reproduce(cmd, fmt.Sprintf("head -n %d %s | go run ./tla/validate -", rep.Rejection.Line, cli.Quoted(path)))
	}
	return cli.Exit(spec.ExitSafety)
}

// validate has TLC read the trace.
func (o options) validate(cmd *cobra.Command, t *accept.Trace) (report, error) {
	tools, err := tlc.Find(cmd.Context(), func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), what) })
	if err != nil {
		return report{}, err
	}
	reading, out, err := o.read(cmd.Context(), tools, t, false)
	if err != nil {
		return report{}, err
	}
	rep := newReport(t, reading)
	rep.Distinct = out.Distinct
	if o.everyOrder {
		again, out, err := o.read(cmd.Context(), tools, t, true)
		switch {
		case err != nil:
			return report{}, err
		case again.Explained != reading.Explained:
			return report{}, fmt.Errorf("%w: in one order TLC explains %d events, and in any order %d", errOrder, reading.Explained, again.Explained)
		}
		rep.EveryOrder, rep.Distinct = true, out.Distinct
	}
	return rep, nil
}

var errOrder = errors.New("tla/TraceSharedBarrier.tla is wrong: OneOrder is not as good as any")

// fewEvents are read in less time than Java takes to compile for speed.
const fewEvents = 20_000

func (o options) read(ctx context.Context, tools tlc.Tools, t *accept.Trace, everyOrder bool) (tlc.Reading, tlc.Outcome, error) {
	bar := cli.Bar(`{{string . "orders"}} {{etime .}} {{bar .}} {{percent .}} {{counters .}} events {{speed . "%s events/s"}} {{rtime . "%s left"}}`, int64(len(t.Events)))
	defer bar.Finish()
	bar.Set("orders", "one order")
	if everyOrder {
		bar.Set("orders", "every order")
	}
	run := tlc.Run{Tools: tools, Files: tla.Files, Memory: o.memory, Small: len(t.Events) < fewEvents && !everyOrder}
	readings, out, err := run.Validate(ctx, []*accept.Trace{t}, everyOrder, func(explained int64) { bar.SetCurrent(explained) })
	if err != nil {
		return tlc.Reading{}, out, err
	}
	return readings[0], out, nil
}

func newReport(t *accept.Trace, r tlc.Reading) report {
	rep := report{Version: version, Verdict: spec.Passed, Procs: t.Procs, Events: len(t.Events)}
	if r.Explained < len(t.Events) {
		rep.Verdict, rep.Rejection = spec.Violated, r.Rejection(t)
	}
	return rep
}

func (r report) text() string {
	orders := ""
	if r.EveryOrder {
		orders = " every order of its steps was tried;"
	}
	figures := fmt.Sprintf("%d events of %d processes;%s TLC found %d states", r.Events, r.Procs, orders, r.Distinct)
	if r.Rejection == nil {
		return fmt.Sprintf("The trace is a behaviour of SharedBarrier.tla: %s.\n", figures)
	}
	return fmt.Sprintf("The trace is no behaviour of SharedBarrier.tla (%s). %s", figures, r.Rejection.Text())
}
