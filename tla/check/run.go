package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// options are the flags and arguments.
type options struct {
	names       []string
	scenario    string
	procs       int
	rounds      int
	class       string
	json        bool
	trace       bool
	workers     int
	memory      string
	limit       time.Duration
	distributed int
	simulate    int64
	seed        int64
	record      string
	timeline    string
	jar, cfg    bool

	procsGiven, roundsGiven, seedGiven bool // the flag was there, if only to say 0

	flags string // the flags that say how to ask, as they were given
}

// A row is a question with TLC's answer.
type row struct {
	tlc.Question
	result   model.Result
	note     string   // how it was found, if not by one run over all states
	together []string // other questions that the same run answered
	differs  string   // how it differs from the expected answer; empty: it does not
	log      string   // file that keeps TLC's output; empty: not kept
}

// MarshalJSON prints the record that all engines share, and more fields.
func (r row) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		model.Result
		Control  bool     `json:"control,omitempty"`
		Config   string   `json:"config"`
		Together []string `json:"together,omitempty"`
		Note     string   `json:"note,omitempty"`
		Differs  string   `json:"differs,omitempty"`
	}{r.result, r.Control, r.Name(), r.together, r.note, r.differs})
}

// run asks the questions and reports.
func (o options) run(cmd *cobra.Command) error {
	ctx, stdout, stderr := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	all, err := tlc.ReadQuestions(tla.Files)
	if err != nil {
		return err
	}
	questions, err := o.questions(all)
	if err != nil {
		return err
	}
	if o.cfg {
		for _, q := range questions {
			fmt.Fprintf(stdout, "\\* %s.cfg\n%s\n", q.Name(), q.Configuration())
		}
		return nil
	}
	tools, err := tlc.Find(ctx, func(what string) { fmt.Fprintln(stderr, what) })
	if err != nil {
		return interrupted(ctx, err)
	}
	if o.jar {
		_, err := fmt.Fprintln(stdout, tools.Jar)
		return err
	}
	groups := o.group(questions)
	bar := o.bar(groups)
	var rows []row
	for i, group := range groups {
		bar.Set("question", fmt.Sprintf("%d/%d %s", i+1, len(groups), group[0].Name()))
		var answered []row
		answered, err = o.ask(ctx, tools, group, bar)
		rows = append(rows, answered...)
		for _, r := range answered {
			if o.json {
				if err := json.NewEncoder(stdout).Encode(r); err != nil {
					return err
				}
			}
		}
		if err != nil {
			break
		}
	}
	bar.Finish()
	if !o.json {
		if err := writeTable(stdout, rows, o.trace); err != nil {
			return err
		}
	}
	if err := o.writeTimeline(stderr, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.differs != "" {
			cli.Reproduce(cmd, o.reproduce(r.Question))
		}
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if o.record == "" {
		return verdict(rows)
	}
	if slices.ContainsFunc(rows, func(r row) bool { return r.result.Verdict == spec.Unfinished }) {
		fmt.Fprintf(stderr, "%s is left as it was, since not all answers are finished: give a longer --limit\n", o.record)
		return interrupted(ctx, cli.Exit(spec.ExitUnfinished))
	}
	return record(o.record, all, rows)
}

// group divides the questions into runs of TLC.
func (o options) group(questions []tlc.Question) (groups [][]tlc.Question) {
	if o.simulate == 0 {
		return tlc.Group(questions)
	}
	for _, q := range questions {
		groups = append(groups, []tlc.Question{q})
	}
	return groups
}

// interrupted turns an error that a signal caused into its exit code.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cli.Exit(spec.ExitInterrupted)
	}
	return err
}

// bar counts distinct states, whose number questions.json has. TLC reports them
// once a minute; the time shows that it goes on.
func (o options) bar(groups [][]tlc.Question) *pb.ProgressBar {
	var total int64
	for _, group := range groups {
		total += group[0].Distinct
	}
	return cli.Bar(`{{string . "question"}} {{etime .}} {{string . "phase"}} {{bar .}} {{percent .}} {{counters .}} states {{speed . "%s states/s"}} {{rtime . "%s left"}}`, total)
}

// phase is what TLC is doing.
func phase(p tlc.Progress) string {
	if p.Temporal {
		return "checking temporal properties"
	}
	return "exploring"
}

// ask puts a group of questions to TLC. It returns the answers, which end
// before an error unless the error is an interrupt and some states were found.
func (o options) ask(ctx context.Context, tools tlc.Tools, group []tlc.Question, bar *pb.ProgressBar) (rows []row, err error) {
	before := bar.Current()
	run := tlc.Run{
		Tools: tools, Files: tla.Files,
		Workers: o.workers, Memory: o.memory, Limit: o.limit,
		Small:    o.simulate == 0,
		Simulate: o.simulate, Seed: o.seed, Distributed: o.distributed,
		Progress: func(p tlc.Progress) { bar.SetCurrent(before+p.Distinct).Set("phase", phase(p)) },
	}
	bar.Set("phase", phase(tlc.Progress{}))
	var limit time.Duration
	asked := slices.Clone(group)
	for i, q := range group {
		run.Small = run.Small && q.Class == tlc.Short
		limit = max(limit, q.Class.Limit())
		if o.simulate > 0 && o.procsGiven {
			asked[i].Procs = o.procs
		}
	}
	if run.Limit == 0 {
		run.Limit = limit
	}
	outcomes, err := run.CheckAll(ctx, asked)
	bar.SetCurrent(before + group[0].Distinct)
	alone := slices.ContainsFunc(outcomes, func(o tlc.Outcome) bool { return o.Verdict == spec.Violated || o.Verdict == spec.Hang })
	for i, outcome := range outcomes {
		failed := err != nil && i == len(outcomes)-1
		r := row{Question: group[i], result: outcome.Result, note: outcome.Note}
		for j, other := range group {
			if j != i && !alone {
				r.together = append(r.together, other.Name())
			}
		}
		if !failed && o.record == "" {
			r.differs = o.compare(r.Question, outcome.Result)
		}
		if (failed || r.differs != "") && ctx.Err() == nil && len(outcome.Log) > 0 {
			r.log = keep(r.Name(), outcome.Log)
		}
		if failed && (ctx.Err() == nil || outcome.Generated == 0) {
			err = fmt.Errorf("%s: %w", r.Name(), err)
			if r.log != "" {
				err = fmt.Errorf("%w (TLC's output: %s)", err, r.log)
			}
			break
		}
		rows = append(rows, r)
	}
	return rows, err
}

// reproduce is the command that asks the question again, in the same way.
func (o options) reproduce(q tlc.Question) string {
	return "go run ./tla/check " + q.Name() + o.flags + " --trace"
}

// compare says how the answer differs from the expected one.
func (o options) compare(q tlc.Question, got model.Result) string {
	if o.simulate > 0 {
		// Random behaviours decide nothing but what they refute.
		if got.Verdict == spec.Unfinished || got.Verdict == q.Verdict && got.Property == q.Property {
			return ""
		}
		return fmt.Sprintf("verdict %s %s, want %s %s", got.Verdict, got.Property, q.Verdict, q.Property)
	}
	return q.Differs(got, o.workers == 1 && o.distributed == 0)
}

// verdict returns nil if all answers were as expected, else the exit code of
// the first that found what it should not.
func verdict(rows []row) error {
	different, unfinished := 0, false
	for _, r := range rows {
		if r.differs != "" {
			different++
			if code := exitCode(r.result); code != spec.ExitOK && code != spec.ExitUnfinished {
				return cli.Exit(code)
			}
		}
		unfinished = unfinished || r.result.Verdict == spec.Unfinished
	}
	switch {
	case unfinished:
		return cli.Exit(spec.ExitUnfinished)
	case different > 0:
		return fmt.Errorf("%d of %d answers differ from tla/questions.json: correct the spec, or write them down with --record tla/questions.json if they are right", different, len(rows))
	}
	return nil
}

func exitCode(result model.Result) int {
	property, err := spec.ParseProperty(result.Property)
	if err != nil {
		property = spec.NoEarlyExit // a refinement or Reach…: safety
	}
	return spec.ExitCode(result.Verdict, property)
}

// keep writes TLC's output to a file of the tool cache and returns its name, or
// nothing if that fails.
func keep(name string, log []byte) string {
	folder, err := toolcache.Folder()
	if err != nil {
		return ""
	}
	path := filepath.Join(folder, "tlc", name+".log")
	if errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, log, 0o644)) != nil {
		return ""
	}
	return path
}
