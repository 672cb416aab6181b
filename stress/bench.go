//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/bench"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/report"
)

// benchFlags are what the flags of stress bench ask for.
type benchFlags struct {
	bench.Config
	json bool
	svg  string
}

func benchCommand() *cobra.Command {
	var q benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast this barrier is beside its peers",
		Long: `Measures the time of a round, the processor time and the context switches of
barriers, in turn: real processes, one a party, that do nothing but wait, again
and again. The contenders are
` + contenderHelp() + `
One whose tool is missing is left out, and the table says which tool.

Each measurement starts new processes, which warm up and are then measured for
--for, or for one round if that is longer. The contenders take turns, in another
order each time. A ratio is the median of the ratios to ` + bench.Base + ` in the same turn.
Each party checks after each return that another one has begun the round: a
contender that is no barrier ends the command.

  go run ./stress bench --parties 2,8 --repeat 3 --beside-busy=false
  go run ./stress bench --contender group,glibc --svg bench.svg

Exit codes: 0 measured, 2 usage or environment, 12 a contender is no barrier,
75 a contender made no progress for --stall, 130 interrupted. After the last
three the table has what was measured, and there is no picture.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f, usual := cmd.Flags(), bench.Default()
	f.StringSliceVar(&q.Contenders, "contender", usual.Contenders, "barriers to measure")
	f.IntSliceVar(&q.Parties, "parties", usual.Parties, "numbers of parties")
	f.IntSliceVar(&q.Processors, "processors", usual.Processors, "numbers of processors that the parties share")
	f.BoolVar(&q.Busy, "beside-busy", usual.Busy, "measure also beside a process that computes, on the largest number of processors")
	f.DurationVar(&q.For, "for", usual.For, "how long each measurement takes at least")
	f.IntVar(&q.Repeat, "repeat", usual.Repeat, "measurements of each contender in each setting")
	f.DurationVar(&q.Stall, "stall", usual.Stall, "longest time in which no party makes progress, once they have started")
	f.BoolVar(&q.json, "json", false, "print the result as one line of JSON (stress/bench/document.schema.json)")
	f.StringVar(&q.svg, "svg", "", "draw the result in this FILE, too")
	return cmd
}

func contenderHelp() string {
	var b strings.Builder
	for _, c := range bench.Contenders() {
		fmt.Fprintf(&b, "  %-16s %s\n", c.Name, c.What)
	}
	return strings.TrimSuffix(b.String(), "\n") + "."
}

func (q benchFlags) run(cmd *cobra.Command) error {
	if err := q.check(); err != nil {
		return err
	}
	if q.svg != "" {
		if err := report.CheckFile(q.svg); err != nil {
			return fmt.Errorf("--svg: %w", err)
		}
	}
	bar := cli.Bar(`{{counters . }} {{bar . }} {{rtime . "%s left" "" "? left"}} {{string . "next"}}`, 0)
	q.Progress = func(done, all int, next string) {
		bar.SetTotal(int64(all)).SetCurrent(int64(done)).Set("next", next)
	}
	doc, err := bench.Run(cmd.Context(), q.Config)
	bar.Set(pb.CleanOnFinish, true).Finish()
	doc.Interrupted = cmd.Context().Err() != nil
	if err != nil && !doc.Interrupted && len(doc.Points) == 0 {
		return q.end(cmd, err)
	}
	write := doc.Text
	if q.json {
		write = doc.JSON
	}
	if failed := write(cmd.OutOrStdout()); failed != nil || err != nil {
		return errors.Join(failed, q.end(cmd, err))
	}
	if q.svg != "" {
		if err := cli.WriteFile(q.svg, doc.SVG); err != nil {
			return fmt.Errorf("--svg: %w", err)
		}
	}
	return nil
}

// end returns how the command ends after an error of bench.Run.
func (q benchFlags) end(cmd *cobra.Command, err error) error {
	code := 0
	switch {
	case cmd.Context().Err() != nil:
		return cli.Exit(spec.ExitInterrupted)
	case errors.Is(err, bench.ErrEarly):
		code = spec.ExitSafety
	case errors.Is(err, bench.ErrStalled):
		code = spec.ExitUnfinished
	default:
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "bench: %v\n", err)
	return cli.Exit(code)
}

// check refuses values that are out of range.
func (q benchFlags) check() error {
	if err := inRange("parties", q.Parties, 2, registry.MaxCount); err != nil {
		return err
	}
	if err := inRange("processors", q.Processors, 1, runtime.NumCPU()); err != nil {
		return err
	}
	known := bench.Names()
	for i, name := range q.Contenders {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--contender %q: there is no such contender; there are %s", name, strings.Join(known, ", "))
		}
		if slices.Contains(q.Contenders[:i], name) {
			return fmt.Errorf("--contender has %s twice", name)
		}
	}
	switch {
	case len(q.Contenders) == 0:
		return errors.New("--contender is empty; give names, as in --contender plain,glibc")
	case q.For <= 0:
		return fmt.Errorf("--for is %v; give more than 0", q.For)
	case q.Stall <= 0:
		return fmt.Errorf("--stall is %v; give more than 0", q.Stall)
	case q.Repeat < 1:
		return fmt.Errorf("--repeat is %d; give 1 or more", q.Repeat)
	}
	return nil
}

// inRange refuses a list that has a number out of range, or one twice.
func inRange(flag string, list []int, least, most int) error {
	for i, n := range list {
		if err := cli.Between(flag, n, least, most); err != nil {
			return err
		}
		if slices.Contains(list[:i], n) {
			return fmt.Errorf("--%s has %d twice", flag, n)
		}
	}
	return nil
}
