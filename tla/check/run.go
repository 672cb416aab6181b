package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// options is what the flags and arguments say.
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
	jar         bool

	procsGiven, roundsGiven, seedGiven bool // the flag was there, if only to say 0

	manner string // the flags that say how to ask, as they were given
}

// A row is one question with TLC's answer.
type row struct {
	question
	result  model.Result
	note    string // what else there is to say of how it was found; empty: nothing
	differs string // how it differs from the expected answer; empty: it does not
	log     string // file that keeps TLC's output; empty: not kept
	again   string // the command that asks the question once more, in the same way
}

// MarshalJSON prints the record that all engines share, and three fields more.
func (r row) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		model.Result
		Config  string `json:"config"`
		Note    string `json:"note,omitempty"`
		Differs string `json:"differs,omitempty"`
	}{r.result, r.config.Name, r.note, r.differs})
}

// run puts the questions one after the other and reports.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) error {
	all, err := allQuestions()
	if err != nil {
		return err
	}
	questions, err := o.questions(all)
	if err != nil {
		return err
	}
	tools, err := tlc.Find(ctx, func(what string) { fmt.Fprintln(stderr, what) })
	if err != nil {
		return interrupted(ctx, err)
	}
	if o.jar {
		_, err := fmt.Fprintln(stdout, tools.Jar)
		return err
	}
	bar := o.bar(questions)
	var rows []row
	for i, q := range questions {
		bar.Set("question", fmt.Sprintf("%d/%d %s", i+1, len(questions), q.config.Name))
		var r row
		if r, err = o.ask(ctx, tools, q, bar); err != nil && (ctx.Err() == nil || r.result.Generated == 0) {
			break // a failure is no answer; nor is an interrupt, unless some states were found
		}
		rows = append(rows, r)
		if o.json {
			if err := json.NewEncoder(stdout).Encode(r); err != nil {
				return err
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

// interrupted turns an error that a signal caused into its exit code.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cli.Exit(spec.ExitInterrupted)
	}
	return err
}

// bar counts distinct states, of which the manifest knows how many there are. TLC
// tells of them once a minute; the time shows that it goes on.
func (o options) bar(questions []question) *pb.ProgressBar {
	var total int64
	for _, q := range questions {
		total += q.expected.Distinct
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

// ask puts one question to TLC.
func (o options) ask(ctx context.Context, tools tlc.Tools, q question, bar *pb.ProgressBar) (row, error) {
	before := bar.Current()
	run := tlc.Run{
		Tools: tools, Files: tla.Files, Config: q.config,
		Workers: o.workers, Memory: o.memory, Limit: o.limit,
		Small:    q.expected.Class == tlc.Short && o.simulate == 0,
		Simulate: o.simulate, Seed: o.seed, Distributed: o.distributed,
		Progress: func(p tlc.Progress) { bar.SetCurrent(before+p.Distinct).Set("phase", phase(p)) },
	}
	bar.Set("phase", phase(tlc.Progress{}))
	if run.Limit == 0 {
		run.Limit = q.expected.Class.Limit()
	}
	outcome, err := run.Check(ctx)
	bar.SetCurrent(before + q.expected.Distinct)
	r := row{question: q, result: outcome.Result, note: outcome.Note, again: o.again(q)}
	if err == nil && o.record == "" {
		r.differs = o.compare(q, outcome.Result)
	}
	if (err != nil || r.differs != "") && ctx.Err() == nil && len(outcome.Log) > 0 {
		r.log = keep(q.config.Name, outcome.Log)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", q.config.Name, err)
		if r.log != "" {
			err = fmt.Errorf("%w (TLC's output: %s)", err, r.log)
		}
	}
	return r, err
}

// again is the command that puts the question once more, in the same way.
func (o options) again(q question) string {
	return "go run ./tla/check " + q.name + o.manner + " --trace"
}

// compare says how the answer differs from the manifest's.
func (o options) compare(q question, got model.Result) string {
	if o.simulate > 0 {
		// Random behaviours decide nothing but what they refute.
		if got.Verdict == spec.Unfinished || got.Verdict == q.expected.Verdict && got.Property == q.expected.Property {
			return ""
		}
		return fmt.Sprintf("verdict %s %s, want %s %s", got.Verdict, got.Property, q.expected.Verdict, q.expected.Property)
	}
	return q.expected.Differs(got, o.workers == 1 && o.distributed == 0)
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
		return fmt.Errorf("%d of %d answers differ from tla/manifest.json: mend the spec, or write the answers down with --record tla/manifest.json if they are right", different, len(rows))
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

// keep writes TLC's output to a file of the user's cache folder and returns
// its name, or nothing if that cannot be done.
func keep(name string, log []byte) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(cache, "sharedbarrier", "tlc")
	path := filepath.Join(dir, name+".log")
	if errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(path, log, 0o644)) != nil {
		return ""
	}
	return path
}
