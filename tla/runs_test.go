package tla_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// Every action of the module is taken in one scenario or another, as TLC's own
// coverage counts them.
func TestCoverage(t *testing.T) {
	t.Parallel()
	tools := findTools(t)
	taken := map[string]int64{}
	for _, scenario := range []spec.Scenario{spec.Withdraw, spec.LateConstruction, spec.Crash, spec.AbandonWait, spec.SplitLock} {
		run := tlc.Run{Tools: tools, Files: tla.Files, Config: configFor(t, model.Config{Scenario: scenario, Procs: 2, Rounds: 1}), Coverage: true, Small: true}
		outcome, err := run.Check(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for action, times := range outcome.Coverage {
			taken[action] += times
		}
	}
	var labels []string
	for _, s := range spec.AllSteps {
		labels = append(labels, s.String())
	}
	for _, e := range spec.AllEvents {
		labels = append(labels, e.String())
	}
	for _, label := range labels {
		if taken[label] == 0 {
			t.Errorf("action %s is never taken", label)
		}
	}
	for action := range taken {
		if !slices.Contains(append(labels, "Init"), action) {
			t.Errorf("action %s of the module has a label that spec does not know", action)
		}
	}
}

// Random behaviours find what is wrong, and say no more than that they found
// nothing where nothing is.
func TestSimulate(t *testing.T) {
	t.Parallel()
	tools := findTools(t)
	ask := func(scenario spec.Scenario) model.Result {
		config := configFor(t, model.Config{Scenario: scenario, Procs: 7}, "INVARIANTS NoEarlyExit")
		run := tlc.Run{Tools: tools, Files: tla.Files, Config: config, Simulate: 5, Small: true}
		outcome, err := run.Check(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return outcome.Result
	}
	if got := ask(spec.Reuse); got.Verdict != spec.Unfinished || got.Generated == 0 {
		t.Errorf("simulating reuse: %s after %d states, want unfinished after some", got.Verdict, got.Generated)
	}
	if got := ask(spec.Surplus); got.Verdict != spec.Violated || got.Property != "NoEarlyExit" || len(got.Trace) == 0 {
		t.Errorf("simulating surplus: %s %s, trace of %d, want violated NoEarlyExit with a trace", got.Verdict, got.Property, len(got.Trace))
	}
}

// TLC's server with two worker processes finds the same states.
func TestProc_Distributed(t *testing.T) {
	tools := findTools(t)
	for _, question := range []string{"withdraw-n3-safety", "crash-n3-NoDeadlock"} {
		config, err := tlc.ReadConfig(tla.Files, question)
		if err != nil {
			t.Fatal(err)
		}
		run := tlc.Run{Tools: tools, Files: tla.Files, Config: config, Distributed: 2, Small: true, Memory: "1g", Limit: tlc.Medium.Limit()}
		outcome, err := run.Check(context.Background())
		if err != nil {
			t.Fatalf("%v\n%s", err, outcome.Log)
		}
		if differs := manifest(t).Find(question).Differs(outcome.Result, false); differs != "" {
			t.Errorf("Check(%s) with 2 worker processes: %s\n%s", question, differs, outcome.Log)
		}
	}
}

// The work may be over before the last worker process comes, and TLC's server
// fails then (late-worker.log is how it once did): one process is asked, the
// answer is right, and it says so.
func TestProc_Distributed_LateWorker(t *testing.T) {
	tools := findTools(t)
	log, err := filepath.Abs("testdata/late-worker.log")
	if err != nil {
		t.Fatal(err)
	}
	config, err := tlc.ReadConfig(tla.Files, "single-n1-safety")
	if err != nil {
		t.Fatal(err)
	}
	tools.Java = script(t, `case "$*" in
*.TLCServer\ *) cat '`+log+`'; exit 1;;
*.TLCWorker\ *) ;;
*) exec '`+tools.Java+`' "$@";;
esac`)
	run := tlc.Run{Tools: tools, Files: tla.Files, Config: config, Distributed: 2, Small: true}
	outcome, err := run.Check(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, outcome.Log)
	}
	if differs := manifest(t).Find(config.Name).Differs(outcome.Result, true); differs != "" || !strings.Contains(outcome.Note, "one process") {
		t.Errorf("Check(%s) whose server fails over a late worker: %s, note %q; want the answer, and a note", config.Name, differs, outcome.Note)
	}
}

// What TLC cannot finish is an error that says what to do, or unfinished; never
// verified. Nothing is left behind.
func TestFailures(t *testing.T) {
	tools := findTools(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	reuse := configFor(t, model.Config{Scenario: spec.Reuse, Procs: 5}, "INVARIANTS Quiescent")
	broken := strings.Replace(moduleText(t), "Call(p) ==", "Call(p) =", 1)
	barrier, _ := tla.Files.ReadFile("Barrier.tla")
	brokenFiles := fstest.MapFS{"SharedBarrier.tla": {Data: []byte(broken)}, "Barrier.tla": {Data: barrier}}
	noJar := tools
	noJar.Jar = temp + "/tla2tools.jar"
	if err := os.WriteFile(noJar.Jar, []byte("not it"), 0o644); err != nil {
		t.Fatal(err)
	}
	// With more callers than the count says, rounds drift apart without end: TLC
	// would never answer.
	endless := configFor(t, model.Config{Scenario: spec.Surplus, Procs: 3}, "INVARIANTS LockExclusive")
	canceled, cancel := context.WithCancel(context.Background())
	defer cancel()
	halfWay, cancelHalfWay := context.WithCancel(context.Background())
	defer cancelHalfWay()
	halfTold := tools
	halfTold.Java = script(t, `cat << end
@!@!@STARTMSG 2110:1 @!@!@
Invariant Quiescent is violated.
@!@!@ENDMSG 2110 @!@!@
@!@!@STARTMSG 2200:0 @!@!@
Progress(1) at 2026-11-24 09:15:17: 1 states generated, 1 distinct states found, 0 states left on queue.
@!@!@ENDMSG 2200 @!@!@
end
exec tail -f /dev/null`)
	for name, test := range map[string]struct {
		ctx  context.Context
		run  tlc.Run
		want error
		says string
	}{
		"wrong checksum": {context.Background(), tlc.Run{Tools: noJar, Files: tla.Files, Config: reuse}, tlc.ErrChecksum, noJar.Jar},
		"parse error":    {context.Background(), tlc.Run{Tools: tools, Files: brokenFiles, Config: reuse, Small: true}, tlc.ErrSpec, "SharedBarrier"},
		"unknown property": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Small: true,
			Config: configFor(t, model.Config{Scenario: spec.Reuse, Procs: 2}, "INVARIANTS NoSuchThing")}, tlc.ErrTLC, "NoSuchThing"},
		"impossible constants": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Small: true,
			Config: configFor(t, model.Config{Scenario: spec.Single, Procs: 2})}, tlc.ErrTLC, "Assumption"},
		"out of memory": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Config: reuse, Memory: "5m"}, tlc.ErrMemory, "--memory"},
		"time limit":    {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Config: endless, Limit: time.Millisecond, Small: true}, nil, ""},
		"interrupted": {canceled, tlc.Run{Tools: tools, Files: tla.Files, Config: endless, Small: true,
			Progress: func(tlc.Progress) { cancel() }}, context.Canceled, ""},
		"interrupted in the answer": {halfWay, tlc.Run{Tools: halfTold, Files: tla.Files, Config: reuse,
			Progress: func(tlc.Progress) { cancelHalfWay() }}, context.Canceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			outcome, err := test.run.Check(test.ctx)
			if !errors.Is(err, test.want) || outcome.Verdict != spec.Unfinished || outcome.Property != "" || len(outcome.Trace) > 0 {
				t.Fatalf("Check: verdict %s %s, trace of %d, error %v; want unfinished, %v\n%s",
					outcome.Verdict, outcome.Property, len(outcome.Trace), err, test.want, outcome.Log)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("Check: %v; want it to name %q", err, test.says)
			}
			entries, err := os.ReadDir(temp)
			if err != nil || len(entries) != 1 {
				t.Errorf("Check left %v behind, want only the jar of this test", entries)
			}
		})
	}
}

// An answer that is whole counts, though the interrupt comes before TLC has ended.
func TestInterrupted_AfterTheAnswer(t *testing.T) {
	t.Parallel()
	tools := findTools(t)
	tools.Java = script(t, `cat << end
@!@!@STARTMSG 2200:0 @!@!@
Progress(1) at 2026-11-24 09:15:17: 1 states generated, 1 distinct states found, 0 states left on queue.
@!@!@ENDMSG 2200 @!@!@
@!@!@STARTMSG 2193:0 @!@!@
Model checking completed. No error has been found.
@!@!@ENDMSG 2193 @!@!@
@!@!@STARTMSG 2186:0 @!@!@
Finished in 00s at (2026-11-24 09:15:17)
@!@!@ENDMSG 2186 @!@!@
end
exec tail -f /dev/null`)
	ctx, cancel := context.WithCancel(context.Background())
	config := configFor(t, model.Config{Scenario: spec.Reuse, Procs: 2}, "INVARIANTS Quiescent")
	run := tlc.Run{Tools: tools, Files: tla.Files, Config: config, Progress: func(tlc.Progress) { cancel() }}
	if outcome, err := run.Check(ctx); err != nil || outcome.Verdict != spec.Verified {
		t.Errorf("Check, interrupted after TLC's last word: %s, %v; want verified", outcome.Verdict, err)
	}
}

// TLC's progress says when all states are found and it goes on to their behaviours.
func TestProgress_Phase(t *testing.T) {
	t.Parallel()
	config, err := tlc.ReadConfig(tla.Files, "reuse-n2-NoHang")
	if err != nil {
		t.Fatal(err)
	}
	var reports []tlc.Progress
	run := tlc.Run{Tools: findTools(t), Files: tla.Files, Config: config, Small: true,
		Progress: func(p tlc.Progress) { reports = append(reports, p) }}
	if _, err := run.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(reports) < 2 || reports[0].Temporal || !reports[len(reports)-1].Temporal {
		t.Errorf("Check(%s) reports %+v; want temporal properties checked in the end, and not at first", config.Name, reports)
	}
}
