// Command check explores the model of the barrier exhaustively and says
// whether the properties hold.
//
//	go run ./model/check --scenario reuse --procs 5
//	go run ./model/check --scenario shrinking --procs 3 --rounds 2 --json
//	go run ./model/check --scenario all
//	go run ./model/check --mutant no-drain
//	go run ./model/check --scenario surplus --procs 2 --html surplus.html
//	go run ./model/check --group 2+1 --deaths 1 --may give-up,join
//
// It exits with the code that spec.ExitCode gives the verdict, 2 for a usage
// error and 130 when it is interrupted.
package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/group"
	"sharedbarrier/spec"
)

func main() { cli.Main(command()) }

// flags are the values of the flags.
type flags struct {
	scenario   string
	procs      int
	rounds     int
	control    bool
	weak       bool
	mutant     string
	properties []string

	group  string
	deaths int
	may    []string

	liveness  bool
	symmetry  bool
	workers   int
	maxStates int64
	maxMemory string

	json      bool
	coverage  bool
	dot       string
	graphJSON string
	goTest    string
	html      string
	timeline  string
}

func command() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Explore the model of the barrier and say whether the properties hold",
		Long: `Check explores every state of the model and checks every property in it.

Scenarios: ` + scenarioNames() + `;
all asks every question of the table of scenarios and compares the answers with what is
expected. A graph (--dot, --graph-json) takes about a kilobyte of memory a state. Where
NoEarlyExit fails and rounds are unbounded it may have no end: give --rounds or a limit.
Mutants: ` + mutantNames() + `.

--group 2+1 explores the machine of a group (spec/GROUP.md) instead, here of 2 members and 1
foreign party; --group all explores each configuration of the table in GROUP.md. Its mutants:
` + groupMutantNames() + `.

Exit codes: 0 verified, or all as expected; 11 hang, 12 safety violated, 13 liveness
violated, 75 a limit was reached, 130 interrupted, 2 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.group != "" {
				return runGroup(cmd, f)
			}
			for _, name := range []string{"deaths", "may"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s is of a group: give --group too, such as --group 2+1", name)
				}
			}
			if f.scenario == "all" {
				return runAll(cmd, f)
			}
			return run(cmd, f)
		},
	}
	set := cmd.Flags()
	set.StringVar(&f.scenario, "scenario", "reuse", "scenario, see above")
	set.IntVar(&f.procs, "procs", 3, "number of processes")
	set.IntVar(&f.rounds, "rounds", 0, "calls that each process makes; 0: unbounded (default 2 where the scenario needs a bound)")
	set.BoolVar(&f.control, "control", false, "explore the scenario's control: the same situation with the rules of PROTOCOL.md kept")
	set.BoolVar(&f.weak, "weak-reads", false, "let the polls return stale values")
	set.StringVar(&f.mutant, "mutant", "", "mistake to put into the protocol, see above")
	set.StringSliceVar(&f.properties, "property", nil, "check only these properties")
	set.StringVar(&f.group, "group", "", "explore a group of so many members and foreign parties, such as 2+1, or all")
	set.IntVar(&f.deaths, "deaths", 0, "with --group: how many members may die")
	set.StringSliceVar(&f.may, "may", nil, "with --group: what else may happen: "+strings.Join(group.Choices(), ", "))
	set.BoolVar(&f.liveness, "liveness", false, "check NoHang by fair loops, not only by deadlock (default for up to 4 processes without symmetry)")
	set.BoolVar(&f.symmetry, "symmetry", false, "take states that differ by a permutation of processes for one")
	set.IntVar(&f.workers, "workers", 0, "goroutines that explore; 0: one for each core")
	set.Int64Var(&f.maxStates, "max-states", 0, "stop as unfinished beyond so many states; 0: no limit")
	set.StringVar(&f.maxMemory, "max-memory", "", "stop as unfinished before the process takes more memory than this and 4MB, such as 500MB or 4GB")
	set.BoolVar(&f.json, "json", false, "print one JSON object a line")
	set.BoolVar(&f.coverage, "coverage", false, "print which steps were taken, where they led and how often")
	set.StringVar(&f.dot, "dot", "", "write the graph of all states to this file, for Graphviz")
	set.StringVar(&f.graphJSON, "graph-json", "", "write the graph of all states to this file, one JSON object a line")
	set.StringVar(&f.goTest, "go-test", "", "write a Go test that replays the counterexample to this file, such as replay_test.go")
	set.StringVar(&f.html, "html", "", "write a page for a browser to this file, in which one steps through the states, with the control beside")
	set.StringVar(&f.timeline, "timeline", "", "write the counterexample as a page for a browser to this file, with a lane for each process")
	return cmd
}

func mutantNames() string {
	var names []string
	for _, m := range model.Mutants {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}

func scenarioNames() string {
	var names []string
	for _, sc := range spec.AllScenarios {
		if sc != spec.Fork {
			names = append(names, sc.String())
		}
	}
	return strings.Join(append(names, "all"), ", ")
}

func run(cmd *cobra.Command, f flags) error {
	cfg, err := f.config(cmd)
	if err != nil {
		return err
	}
	opt, err := f.options(cmd, cfg)
	if err != nil {
		return err
	}
	if err := f.checkHTML(cfg, opt); err != nil {
		return err
	}
	defer keepMemory(opt.MaxMemory)()
	if err := f.writeGraphs(cmd, cfg, opt); err != nil {
		return err
	}
	report := exploreWithMeter(cmd, cfg, opt)
	if err := vacuous(report); err != nil {
		return err
	}
	if f.goTest != "" {
		if err := writeGoTest(f.goTest, cfg, opt, report.Result); err != nil {
			return err
		}
	}
	if err := f.writeHTML(cmd, cfg, opt, report.Result); err != nil {
		return err
	}
	if err := f.writeTimeline(cmd, cfg, opt, report.Result); err != nil {
		return err
	}
	if f.json {
		l := newLine(cfg, opt, report)
		if f.coverage {
			l.Reached = outcomes(report.Reached)
		}
		printJSON(cmd.OutOrStdout(), l)
		if report.Why != "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "not finished:", report.Why)
		}
	} else {
		printReport(cmd.OutOrStdout(), cfg, opt, report, f.coverage)
	}
	if report.Verdict != spec.Verified {
		cli.Reproduce(cmd, reproduce(cfg, opt))
	}
	return exit(report)
}

// exploreWithMeter explores, and shows how far it is.
func exploreWithMeter(cmd *cobra.Command, cfg model.Config, opt explore.Options) explore.Report {
	opt.MaxMemory = forStates(opt.MaxMemory)
	meter := newMeter(fmt.Sprintf("%s, %d processes", cfg.Name(), cfg.Procs))
	defer meter.finish()
	opt.Progress = meter.show
	return explore.Explore(cmd.Context(), cfg, opt)
}

// --max-memory is about the whole process, in bytes.
const (
	leastMemory = 16 << 20      // the least that it makes sense for
	mostMemory  = 1e6 * 1 << 30 // the most: no machine has so much
	codeMemory  = 6 << 20       // what the process takes that is not the Go heap's
	restMemory  = 4 << 20       // what it takes in the heap before there is any state
)

// forStates returns how much of a limit on the process may be taken by
// states and graphs; the rest is room for garbage.
func forStates(limit int64) int64 { return max(0, limit-codeMemory-restMemory) * 4 / 5 }

// keepMemory has the garbage collector work as hard as the limit, if there is
// one, asks for. The function that it returns undoes that.
func keepMemory(limit int64) (undo func()) {
	if limit == 0 {
		return func() {}
	}
	before := debug.SetMemoryLimit(limit - codeMemory)
	return func() { debug.SetMemoryLimit(before) }
}

// config returns what the flags ask about. Scenarios that need another default
// than that of the flags get it.
func (f flags) config(cmd *cobra.Command) (model.Config, error) {
	sc, err := spec.ParseScenario(f.scenario)
	if err != nil {
		return model.Config{}, fmt.Errorf("no scenario is named %q: give one of %s", f.scenario, scenarioNames())
	}
	cfg := model.Config{Scenario: sc, Procs: f.procs, Rounds: f.rounds, Control: f.control, WeakReads: f.weak}
	if sc == spec.Single && !cmd.Flags().Changed("procs") {
		cfg.Procs = 1
	}
	if model.NeedsBound(cfg) && !cmd.Flags().Changed("rounds") {
		cfg.Rounds = 2
	}
	if f.mutant != "" {
		if cfg.Mutant = model.MutantNamed(f.mutant); cfg.Mutant == nil {
			return cfg, fmt.Errorf("no mutant is named %q: give one of %s", f.mutant, mutantNames())
		}
	}
	return cfg, cfg.Validate()
}

// options returns how to explore cfg.
func (f flags) options(cmd *cobra.Command, cfg model.Config) (explore.Options, error) {
	opt := explore.Options{Workers: f.workers, Symmetry: f.symmetry, Liveness: f.liveness, MaxStates: f.maxStates}
	if !cmd.Flags().Changed("liveness") {
		opt.Liveness = cfg.Procs <= 4 && !f.symmetry
	}
	for _, name := range f.properties {
		p, err := spec.ParseProperty(name)
		if err != nil {
			return opt, fmt.Errorf("no property is named %q: give some of %v", name, spec.AllProperties)
		}
		opt.Check = append(opt.Check, p)
	}
	const most = 1024 // each worker has tables of its own
	if f.workers < 0 || f.workers > most || f.maxStates < 0 {
		return opt, fmt.Errorf("--workers %d, --max-states %d: give numbers from 0, and %d workers at most", f.workers, f.maxStates, most)
	}
	var err error
	if opt.MaxMemory, err = parseBytes(f.maxMemory); err != nil {
		return opt, err
	}
	return opt, cmp.Or(opt.Validate(), f.distinctFiles())
}

// distinctFiles returns an error when two flags name the same file, of which
// only the last would be left.
func (f flags) distinctFiles() error {
	taken := map[string]string{}
	for _, file := range [][2]string{{"--dot", f.dot}, {"--graph-json", f.graphJSON}, {"--go-test", f.goTest}, {"--html", f.html}, {"--timeline", f.timeline}} {
		flag, path := file[0], file[1]
		if path == "" {
			continue
		}
		whole, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if other := taken[whole]; other != "" {
			return fmt.Errorf("%s and %s both name %s: give each a file of its own", other, flag, path)
		}
		taken[whole] = flag
	}
	return nil
}

// parseBytes returns the number of bytes that text such as 4GB stands for.
func parseBytes(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number, unit := text, ""
	if at := len(text) - len("MB"); at > 0 {
		number, unit = text[:at], strings.ToUpper(text[at:])
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	n *= map[string]float64{"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit]
	if err != nil || !(n >= leastMemory && n <= mostMemory) { // not: n < leastMemory, which NaN is not
		return 0, fmt.Errorf("--max-memory %q: give a number and a unit, from 16MB to 1000000GB, such as 500MB or 4GB", text)
	}
	return int64(n), nil
}

// vacuous returns an error when everything holds because nothing happens.
func vacuous(r explore.Report) error {
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

// exit returns how the command ends after the report was printed.
func exit(r explore.Report) error {
	if r.Interrupted {
		return cli.Exit(spec.ExitInterrupted)
	}
	p, _ := spec.ParseProperty(r.Property) // none unless violated
	if code := spec.ExitCode(r.Verdict, p); code != spec.ExitOK {
		return cli.Exit(code)
	}
	return nil
}
