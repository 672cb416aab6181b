// Command check explores the model of the barrier exhaustively and says
// whether the properties hold.
//
//	go run ./model/check --scenario reuse --procs 5
//	go run ./model/check --scenario shrinking --procs 3 --rounds 2 --json
//
// It exits with the code that spec.ExitCode gives the verdict, 2 for a usage
// error and 130 when it is interrupted.
package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
	"sharedbarrier/spec"
)

func main() { door.Main(command()) }

// A question is what the flags ask for.
type question struct {
	scenario string
	procs    int
	rounds   int
	twin     bool
	weak     bool

	properties []string
	symmetry   bool
	workers    int
	maxStates  int64
	maxMemory  string

	json bool
}

func command() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Explore the model of the barrier and say whether the properties hold",
		Long: `Check explores every state of the model and checks every property in it.

Scenarios: ` + scenarioNames() + `.
Exit codes: 0 verified, 11 hang, 12 safety violated, 75 a limit was reached,
130 interrupted, 2 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, q) },
	}
	f := cmd.Flags()
	f.StringVar(&q.scenario, "scenario", "reuse", "what happens, see above")
	f.IntVar(&q.procs, "procs", 3, "number of processes")
	f.IntVar(&q.rounds, "rounds", 0, "calls that each process makes; 0: no bound (2 where the scenario needs a bound)")
	f.BoolVar(&q.twin, "twin", false, "the scenario's neighbour that keeps the rules of PROTOCOL.md")
	f.BoolVar(&q.weak, "weak-reads", false, "let the polls return stale values")
	f.StringSliceVar(&q.properties, "property", nil, "check only these properties")
	f.BoolVar(&q.symmetry, "symmetry", false, "take states that differ by a permutation of processes for one")
	f.IntVar(&q.workers, "workers", 0, "goroutines that explore; 0: one for each core")
	f.Int64Var(&q.maxStates, "max-states", 0, "stop as unfinished beyond so many states; 0: no limit")
	f.StringVar(&q.maxMemory, "max-memory", "", "stop as unfinished beyond so much memory for states, such as 500MB or 4GB")
	f.BoolVar(&q.json, "json", false, "print one JSON object a line")
	return cmd
}

func scenarioNames() string {
	var names []string
	for _, sc := range spec.AllScenarios {
		if sc != spec.Fork {
			names = append(names, sc.String())
		}
	}
	return strings.Join(names, ", ")
}

func run(cmd *cobra.Command, q question) error {
	cfg, err := q.config(cmd)
	if err != nil {
		return err
	}
	opt, err := q.options()
	if err != nil {
		return err
	}
	bar := newMeter(cfg)
	opt.Progress = bar.show
	report := model.Explore(cmd.Context(), cfg, opt)
	bar.finish()
	if err := vacuous(report); err != nil {
		return err
	}
	print := printTable
	if q.json {
		print = printJSON
	}
	if err := print(cmd.OutOrStdout(), cfg, report); err != nil {
		return err
	}
	return exit(report)
}

// config returns what the flags ask about. Scenarios that need another default
// than that of the flags get it.
func (q question) config(cmd *cobra.Command) (model.Config, error) {
	sc, err := spec.ParseScenario(q.scenario)
	if err != nil {
		return model.Config{}, fmt.Errorf("no scenario is named %q: give one of %s", q.scenario, scenarioNames())
	}
	cfg := model.Config{Scenario: sc, Procs: q.procs, Rounds: q.rounds, Twin: q.twin, WeakReads: q.weak}
	if sc == spec.Single && !cmd.Flags().Changed("procs") {
		cfg.Procs = 1
	}
	if model.NeedsBound(cfg) && !cmd.Flags().Changed("rounds") {
		cfg.Rounds = 2
	}
	return cfg, cfg.Validate()
}

func (q question) options() (model.Options, error) {
	opt := model.Options{Workers: q.workers, Symmetry: q.symmetry, MaxStates: q.maxStates}
	for _, name := range q.properties {
		p, err := spec.ParseProperty(name)
		if err != nil {
			return opt, fmt.Errorf("no property is named %q: give some of %v", name, spec.AllProperties)
		}
		opt.Check = append(opt.Check, p)
	}
	if q.workers < 0 || q.maxStates < 0 {
		return opt, fmt.Errorf("--workers %d, --max-states %d: give numbers from 0", q.workers, q.maxStates)
	}
	var err error
	opt.MaxMemory, err = parseBytes(q.maxMemory)
	return opt, err
}

// parseBytes returns the number of bytes that text such as 4GB stands for.
func parseBytes(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	var n float64
	var unit string
	if _, err := fmt.Sscanf(text, "%g%s", &n, &unit); err != nil && unit == "" {
		unit = "?"
	}
	scale := map[string]float64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[strings.ToUpper(unit)]
	if scale == 0 || n <= 0 {
		return 0, fmt.Errorf("--max-memory %q: give a number and a unit, such as 500MB or 4GB", text)
	}
	return int64(n * scale), nil
}

// vacuous returns an error when everything held because nothing happened.
func vacuous(r model.Report) error {
	if r.Verdict != spec.Verified {
		return nil
	}
	for _, o := range r.Reached {
		if o.Step == spec.UnlockExit && o.Event == spec.NoEvent {
			return nil
		}
	}
	return fmt.Errorf("nothing was violated, but no call ever returned either: the question is empty; give more rounds or another scenario")
}

// exit is how the command ends after the report was printed.
func exit(r model.Report) error {
	if r.Interrupted {
		return door.Exit(spec.ExitInterrupted)
	}
	p, _ := spec.ParseProperty(r.Property) // none unless violated
	if code := spec.ExitCode(r.Verdict, p); code != spec.ExitOK {
		return door.Exit(code)
	}
	return nil
}
