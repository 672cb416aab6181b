//go:build linux

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
)

// A lockstepQuestion is what the flags of stress lockstep ask for.
type lockstepQuestion struct {
	tour, random, hazards, crash bool
	schedule, moves              string

	scenario string
	procs    int
	rounds   int
	seed     uint64
	steps    int
	ports    []string
	json     bool
}

func lockstepCommand() *cobra.Command {
	var q lockstepQuestion
	cmd := &cobra.Command{
		Use:   "lockstep",
		Short: "Drive real processes one step at a time, and compare each step with the model",
		Long: `Starts white-box ports as processes, lets exactly one of them take one step at a
time, and after each step compares what it says that it does next, the words in
the real segment, and who holds the real lock, with the model. A step that the
model says is blocked must really be blocked.

  go run ./stress lockstep                                 every edge of the state graph for 2 and 3 processes
  go run ./stress lockstep --port go=2 --port python       the same, for this mix of 3
  go run ./stress lockstep --hazards                       everything that goes wrong under misuse, for real
  go run ./model/check --scenario crash --procs 3 --json | go run ./stress lockstep --schedule -

What a port has not the capability for is left out, and said so. Exit codes: 0 the
real thing does as the model does, 2 usage or environment, 12 it does not, 75
everything was left out, 130 interrupted.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.BoolVar(&q.tour, "tour", false, "take every edge of the state graph (what happens if no other mode is given)")
	f.BoolVar(&q.random, "random", false, "make --steps moves drawn from --seed")
	f.StringVar(&q.schedule, "schedule", "", "replay the traces in `FILE` (-: standard input), JSON lines as model/check and tla/check print them")
	f.StringVar(&q.moves, "moves", "", "replay moves, as a failure prints them: '0:2 0 1:2 0!'")
	f.BoolVar(&q.hazards, "hazards", false, "replay the shortest counterexample of every property that fails under misuse")
	f.BoolVar(&q.crash, "crash", false, "kill a process at each step of its call, and let the others go on")
	cmd.MarkFlagsMutuallyExclusive("tour", "random", "schedule", "moves", "hazards", "crash")
	f.StringArrayVar(&q.ports, "port", nil, "NAME[=COUNT] of ports, repeatable; from the first again when there are more processes (default go)")
	f.IntVar(&q.procs, "procs", 0, "processes (default: as many as --port counts if more than 1, else 2 and 3 for --tour, else 3)")
	f.StringVar(&q.scenario, "scenario", "", "scenario (default withdraw if all ports can, else reuse)")
	f.IntVar(&q.rounds, "rounds", 0, "calls that each process makes; 0: no bound")
	f.Uint64Var(&q.seed, "seed", 0, "seed of --random (0: draw one)")
	f.IntVar(&q.steps, "steps", 10000, "steps of --random")
	f.BoolVar(&q.json, "json", false, "print one JSON object for each run, one a line")
	return cmd
}

func (q lockstepQuestion) run(cmd *cobra.Command) error {
	crew, err := newCrew(cmd.Context(), q.ports)
	if err != nil {
		return err
	}
	runs, err := q.plan(cmd, crew)
	if err != nil {
		return err
	}
	var reports []lockstep.Report
	for _, r := range runs {
		rep, err := r.show(cmd.Context())
		var unable *lockstep.Unable
		switch {
		case errors.As(err, &unable) && len(runs) > 1:
			rep.Verdict, rep.Why = spec.Unfinished, "left out: "+unable.Why
		case err != nil:
			return err
		}
		reports = append(reports, rep)
		if q.json {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(rep); err != nil {
				return err
			}
		}
		if rep.Verdict == spec.Violated || cmd.Context().Err() != nil {
			break
		}
	}
	if !q.json {
		if err := lockstep.Text(cmd.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	return ended(cmd, reports)
}

// ended is how the command ends after the reports were printed.
func ended(cmd *cobra.Command, reports []lockstep.Report) error {
	last := reports[len(reports)-1]
	played := func(r lockstep.Report) bool { return r.Verdict != spec.Unfinished }
	switch {
	case last.Verdict == spec.Violated:
		fmt.Fprintf(cmd.ErrOrStderr(), "\nAgain: %s\n", last.Again())
		return door.Exit(spec.ExitSafety)
	case cmd.Context().Err() != nil:
		return door.Exit(spec.ExitInterrupted)
	case !slices.ContainsFunc(reports, played):
		return door.Exit(spec.ExitUnfinished)
	default:
		return nil
	}
}

// A lockstepRun is one run that is planned. total is how many steps it takes,
// roughly.
type lockstepRun struct {
	lockstep.Run
	crew  *crew
	total int
	play  func(context.Context, *lockstep.Run) (lockstep.Report, error)
}

// show plays the run under a progress bar. A difference is shortened.
func (r *lockstepRun) show(ctx context.Context) (lockstep.Report, error) {
	bar := door.Bar(fmt.Sprintf(`%v, %d processes: {{counters . }} steps {{bar . }} {{speed . "%%s steps/s" }} {{rtime . "%%s left" "" "? left"}}`,
		r.Config.Scenario, r.Config.Procs), int64(r.total))
	r.Progress = func(steps int) { bar.SetCurrent(min(int64(steps), bar.Total())) }
	rep, err := r.play(ctx, &r.Run)
	var unable *lockstep.Unable
	if errors.As(err, &unable) && r.Config.Scenario == spec.LateConstruction {
		r.Run = r.crew.runOf(r.Config, append([]string{constructor}, r.Ports[1:]...))
		rep, err = r.play(ctx, &r.Run)
	}
	bar.Set(pb.CleanOnFinish, true).Finish()
	if err == nil && rep.Verdict == spec.Violated {
		r.Progress = nil
		return r.Shorten(ctx, rep), nil
	}
	return rep, err
}

// plan says what to run.
func (q lockstepQuestion) plan(cmd *cobra.Command, crew *crew) ([]lockstepRun, error) {
	given := cmd.Flags().Changed
	switch {
	case !q.random && (given("seed") || given("steps")):
		return nil, errors.New("--seed and --steps are those of --random; give it too, or leave them out")
	case given("moves") && strings.TrimSpace(q.moves) == "":
		return nil, errors.New("--moves is empty; give the moves that a failure has printed")
	case given("schedule") && q.schedule == "":
		return nil, errors.New("--schedule is empty; give a file, or - for standard input")
	case q.steps < 1:
		return nil, fmt.Errorf("--steps is %d; give 1 or more", q.steps)
	case q.hazards || q.crash:
		if q.scenario != "" || q.rounds != 0 {
			return nil, errors.New("--hazards and --crash have scenarios and rounds of their own; leave out --scenario and --rounds")
		}
		if q.crash {
			return q.planCrash(crew), nil
		}
		return q.planHazards(cmd.Context(), crew)
	case q.schedule != "":
		return q.planTraces(cmd, crew)
	case q.random:
		return q.planRandom(crew)
	case q.moves != "":
		return q.planMoves(crew)
	default:
		return q.planTour(crew)
	}
}

// sizes returns the numbers of processes to run with, given the usual ones.
func (q lockstepQuestion) sizes(crew *crew, usual ...int) []int {
	switch {
	case q.procs != 0:
		return []int{q.procs}
	case len(crew.names) > 1:
		return []int{len(crew.names)}
	default:
		return usual
	}
}

func (q lockstepQuestion) config(crew *crew, procs int) (model.Config, error) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: procs, Rounds: q.rounds}
	if crew.withdraws {
		cfg.Scenario = spec.Withdraw
	}
	if q.scenario != "" {
		var err error
		if cfg.Scenario, err = spec.ParseScenario(q.scenario); err != nil {
			return cfg, err
		}
	}
	return cfg, cfg.Validate()
}

func (q lockstepQuestion) planTour(crew *crew) (runs []lockstepRun, err error) {
	for _, procs := range q.sizes(crew, 2, 3) {
		cfg, err := q.config(crew, procs)
		if err != nil {
			return nil, err
		}
		if s := cfg.Scenario; s != spec.Reuse && s != spec.Single && s != spec.Withdraw || q.rounds != 0 || procs > 4 {
			return nil, fmt.Errorf("there is no tour of scenario %v with %d processes and %d rounds: it must lead back to its beginning, so give reuse, single or withdraw, up to 4 processes, and no --rounds", s, procs, q.rounds)
		}
		g := lockstep.NewGraph(cfg)
		walk, err := g.Tour()
		if err != nil {
			return nil, err
		}
		runs = append(runs, lockstepRun{crew.run(cfg), crew, len(walk), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
			return r.Tour(ctx, g, walk)
		}})
	}
	return runs, nil
}

func (q lockstepQuestion) planRandom(crew *crew) ([]lockstepRun, error) {
	cfg, err := q.config(crew, q.sizes(crew, 3)[0])
	if err != nil {
		return nil, err
	}
	for q.seed == 0 {
		q.seed = rand.Uint64()
	}
	return []lockstepRun{{crew.run(cfg), crew, q.steps, func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
		return r.Random(ctx, q.seed, q.steps)
	}}}, nil
}

func (q lockstepQuestion) planMoves(crew *crew) ([]lockstepRun, error) {
	cfg, err := q.config(crew, q.sizes(crew, 3)[0])
	if err != nil {
		return nil, err
	}
	s, err := lockstep.ParseSchedule(q.moves)
	if err != nil {
		return nil, fmt.Errorf("--moves: %w", err)
	}
	return []lockstepRun{crew.replay(cfg, s)}, nil
}

// planTraces replays what an engine has printed. The question is in its record.
func (q lockstepQuestion) planTraces(cmd *cobra.Command, crew *crew) (runs []lockstepRun, err error) {
	if q.scenario != "" || q.procs != 0 || q.rounds != 0 {
		return nil, errors.New("--schedule has its scenario, processes and rounds from the file; leave out --scenario, --procs and --rounds")
	}
	in := cmd.InOrStdin()
	if q.schedule != "-" {
		f, err := os.Open(q.schedule)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	results, err := readResults(in)
	if err != nil {
		return nil, fmt.Errorf("--schedule %s: %w", q.schedule, err)
	}
	for i, res := range results {
		sc, err := spec.ParseScenario(res.Scenario)
		cfg := model.Config{Scenario: sc, Procs: res.Procs, Rounds: res.Rounds}
		if err == nil {
			err = cfg.Validate()
		}
		var s lockstep.Schedule
		if err == nil && res.Loop > len(res.Trace) {
			err = fmt.Errorf("its loop begins at entry %d of %d", res.Loop, len(res.Trace))
		}
		if err == nil {
			entries := res.Trace
			if res.Loop > 0 { // twice around: the second time shows that it is one
				entries = slices.Concat(entries, entries[res.Loop-1:], entries[res.Loop-1:])
			}
			s, err = lockstep.FromTrace(cfg, entries)
		}
		if err != nil {
			return nil, fmt.Errorf("--schedule %s: record %d: %w", q.schedule, i+1, err)
		}
		runs = append(runs, crew.trace(cfg, s, res))
	}
	return runs, nil
}

// readResults reads the records of an engine, one a line, that have a trace.
func readResults(in io.Reader) (list []model.Result, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var r model.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d is no record of model/check --json: %w", n, err)
		}
		if r.Version != model.ResultVersion {
			return nil, fmt.Errorf("line %d has version %d, want %d", n, r.Version, model.ResultVersion)
		}
		if r.Loop < 0 {
			return nil, fmt.Errorf("line %d has a loop that begins at entry %d", n, r.Loop)
		}
		if len(r.Trace) > 0 {
			list = append(list, r)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there is no trace in it: only a verdict of violated or hang has one")
	}
	return list, nil
}

func (q lockstepQuestion) planHazards(ctx context.Context, crew *crew) (runs []lockstepRun, err error) {
	hazards, err := lockstep.Hazards(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hazards {
		if !slices.Contains(q.sizes(crew, 2, 3), h.Config.Procs) {
			continue
		}
		runs = append(runs, lockstepRun{crew.run(h.Config), crew, len(h.Schedule), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
			return r.Hazard(ctx, h)
		}})
	}
	if len(runs) == 0 {
		return nil, errors.New("the hazards are those of 2 and of 3 processes; give --procs 2 or 3")
	}
	return runs, nil
}

func (q lockstepQuestion) planCrash(crew *crew) (runs []lockstepRun) {
	for _, procs := range q.sizes(crew, 2, 3) {
		for _, step := range slices.Concat(spec.CallSteps, spec.WithdrawalSteps) {
			cfg := lockstep.CrashConfig(procs, step)
			if s, ok := lockstep.CrashAt(cfg, step); ok {
				runs = append(runs, lockstepRun{crew.run(cfg), crew, len(s), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
					return r.Crash(ctx, step, s)
				}})
			}
		}
	}
	return runs
}

// A crew is which ports take part.
type crew struct {
	ctx       context.Context
	names     []string
	withdraws bool // all can withdraw
}

// newCrew starts each port once to see what it can do.
func newCrew(ctx context.Context, flags []string) (*crew, error) {
	if len(flags) == 0 {
		flags = []string{"go"}
	}
	c := &crew{ctx: ctx, withdraws: true}
	seen := map[string]bool{}
	for _, flag := range flags {
		name, count, err := port.Parse(flag)
		if err != nil {
			return nil, err
		}
		c.names = append(c.names, slices.Repeat([]string{name}, count)...)
		if seen[name] {
			continue
		}
		seen[name] = true
		p, err := port.Start(ctx, name)
		if err != nil {
			return nil, err
		}
		c.withdraws = c.withdraws && p.Can().Withdraw
		white := p.Can().White
		p.Kill()
		if !white {
			return nil, fmt.Errorf("port %s is not white box, and lockstep needs that (spec/PROTOCOL.md, section 14)", name)
		}
	}
	return c, nil
}

func (c *crew) run(cfg model.Config) lockstep.Run {
	var names []string
	for p := range cfg.Procs {
		names = append(names, c.names[p%len(c.names)])
	}
	return c.runOf(cfg, names)
}

// runOf is a run of ports with the names.
func (c *crew) runOf(cfg model.Config, names []string) lockstep.Run {
	return lockstep.Run{Config: cfg, Ports: names, Start: func(p int, fine bool) (lockstep.Party, error) {
		started, err := port.Start(c.ctx, names[p])
		if err != nil {
			return nil, err
		}
		return lockstep.NewProcess(started, fine)
	}}
}

// constructor is the port that constructs where a scenario wants one that does
// and the port that was asked for attaches.
const constructor = "go@construct"

// trace replays the trace of a record. Where it refutes a property, that must be
// seen; of a lasso, that it goes round.
func (c *crew) trace(cfg model.Config, s lockstep.Schedule, res model.Result) lockstepRun {
	p, err := spec.ParseProperty(res.Property)
	if err != nil || res.Loop > 0 {
		return c.replay(cfg, s)
	}
	return lockstepRun{c.run(cfg), c, len(s), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
		rep, err := r.Hazard(ctx, lockstep.Hazard{Config: cfg, Property: p, Schedule: s})
		rep.Mode = "schedule"
		return rep, err
	}}
}

func (c *crew) replay(cfg model.Config, s lockstep.Schedule) lockstepRun {
	return lockstepRun{c.run(cfg), c, cmp.Or(len(s), 1), func(ctx context.Context, r *lockstep.Run) (lockstep.Report, error) {
		return r.Replay(ctx, s)
	}}
}
