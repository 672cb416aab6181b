//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/scenario"
)

// scenarioFlags are the flags about scenarios.
type scenarioFlags struct {
	name    string
	control bool
}

func (f *scenarioFlags) add(cmd *cobra.Command) {
	var names []string
	for _, sc := range spec.AllScenarios {
		names = append(names, sc.String())
	}
	cmd.Flags().StringVar(&f.name, "scenario", "", "NAME or all: try the scenario of spec/HAZARDS.md and its control, and compare with the model ("+strings.Join(names, ", ")+")")
	cmd.Flags().BoolVar(&f.control, "control", false, "with --scenario: only the control")
	for _, other := range []string{"fault", "plan"} {
		cmd.MarkFlagsMutuallyExclusive("scenario", other)
	}
}

// given reports whether scenarios are to be tried.
func (f *scenarioFlags) given(cmd *cobra.Command) bool {
	return cmd.Flags().Changed("scenario") || f.control
}

// The default time for all scenarios, and for one.
const (
	forAll = time.Minute
	forOne = 10 * time.Second
)

// options returns what the flags ask for.
func (f *scenarioFlags) options(cmd *cobra.Command, c run.Config) (o scenario.Options, err error) {
	o = scenario.Options{Scenarios: spec.AllScenarios, Controls: f.control, Ports: c.Ports, Rounds: c.Rounds, For: c.For, Stall: c.Stall, Seed: c.Seed}
	given := cmd.Flags().Changed
	if given("procs") {
		o.Procs = c.Procs
	}
	if !given("for") && c.Rounds == 0 {
		o.For = forAll
	}
	switch f.name {
	case "":
		return o, errors.New("no scenario is named (--control is that of one); give --scenario NAME, or all")
	case "all":
		return o, nil
	}
	sc, err := spec.ParseScenario(f.name)
	if err != nil {
		return o, fmt.Errorf("--scenario: %w, or give all", err)
	}
	o.Scenarios = []spec.Scenario{sc}
	if !given("for") && c.Rounds == 0 {
		o.For = forOne
	}
	return o, nil
}

// run tries what the flags ask for, and puts the result where the options say.
func (f *scenarioFlags) run(cmd *cobra.Command, c run.Config, options report.Options) error {
	o, err := f.options(cmd, c)
	if err != nil {
		return err
	}
	command := o.Command(f.name)
	begun := report.Begun(c.Begun(), command)
	out, err := options.Open(cmd, begun)
	if err != nil {
		return err
	}
	o.Stderr, o.Slowest = out.Stderr, options.Dir != ""
	bar := cli.Bar(`{{string . "what"}} {{bar . }} {{percent . }} {{rtime . "%s left" "" "? left"}}`, 1000)
	o.Progress = func(what string, done float64) {
		bar.Set("what", what).SetCurrent(int64(1000 * done))
	}
	results, err := scenario.Run(cmd.Context(), o)
	bar.Set(pb.CleanOnFinish, true).Finish()
	if err != nil && (len(results) == 0 || !errors.Is(err, scenario.ErrUnable)) {
		return out.Fail(begun, errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "stress: "+strings.ReplaceAll(err.Error(), "\n", "\nstress: "))
	}
	doc := o.Document(results, command, cmd.Context().Err() != nil)
	return out.Close(doc, func(w io.Writer) error { return scenario.Text(w, results) })
}
