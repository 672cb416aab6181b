package tla_test

import (
	"context"
	"errors"
	"io/fs"
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

// A folder that cannot be filled is removed: TestMain finds what is left.
func TestUnit_FolderThatCannotBeFilled(t *testing.T) {
	files := fstest.MapFS{"Unreadable.tla": {Mode: fs.ModeDir}}
	run := tlc.Run{Tools: findTools(t), Files: files, Question: about(model.Config{Scenario: spec.Reuse, Procs: 2}, "LockExclusive")}
	if _, err := run.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "Unreadable.tla") {
		t.Errorf("Check of modules that cannot be read: %v, want an error that names one", err)
	}
}

// If one question of a group is refuted, each is asked alone, and the answers
// name the property that fails and those that hold.
func TestUnit_CheckAllNamesTheProperty(t *testing.T) {
	t.Parallel()
	tools := findTools(t)
	tools.Java = script(t, `if grep -q RefinesBarrier MCSharedBarrier.cfg; then cat << end
@!@!@STARTMSG 2116:1 @!@!@
Temporal properties were violated.
@!@!@ENDMSG 2116 @!@!@
end
exit 13; fi
cat << end
@!@!@STARTMSG 2193:0 @!@!@
Model checking completed. No error has been found.
@!@!@ENDMSG 2193 @!@!@
end`)
	safe := about(model.Config{Scenario: spec.Withdraw, Procs: 2}, "LockExclusive")
	live, refines := safe, safe
	live.Invariants, live.Properties = nil, []string{"NoHang"}
	refines.Invariants, refines.Properties = nil, []string{"RefinesBarrier"}
	outcomes, err := tlc.Run{Tools: tools, Files: tla.Files}.CheckAll(context.Background(), []tlc.Question{safe, live, refines})
	var got []string
	for _, outcome := range outcomes {
		got = append(got, string(outcome.Verdict)+outcome.Property)
	}
	if want := []string{"verified", "verified", "violatedRefinesBarrier"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("CheckAll of a safe, a live and a refining question: %v, %v; want %v", got, err, want)
	}
}

// TLC's server with two worker processes finds the same violation, and one
// process the counterexample. (That it finds the same states is in the tests of
// check.)
func TestProc_Distributed(t *testing.T) {
	tools := full(t)
	t.Parallel()
	q := question(t, "crash-n3-NoDeadlock")
	run := tlc.Run{Tools: tools, Files: tla.Files, Question: q, Distributed: 2, Small: true, Memory: "1g", Limit: tlc.Medium.Limit()}
	outcome, err := run.Check(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, outcome.Log)
	}
	if differs := q.Differs(outcome.Result, false); differs != "" || len(outcome.Trace) == 0 {
		t.Errorf("Check(%s) with 2 worker processes: %s, trace of %d\n%s", q.Name(), differs, len(outcome.Trace), outcome.Log)
	}
}

// If the work is over before the last worker process comes, TLC's server fails
// (late-worker.log is the end of its output). One process is asked then, the
// answer is right, and its note says so.
func TestProc_DistributedLateWorker(t *testing.T) {
	tools := full(t)
	t.Parallel()
	log, err := filepath.Abs("testdata/late-worker.log")
	if err != nil {
		t.Fatal(err)
	}
	tools.Java = script(t, `case "$*" in
*.TLCServer\ *) cat '`+log+`'; exit 1;;
*.TLCWorker\ *) ;;
*) exec '`+tools.Java+`' "$@";;
esac`)
	run := tlc.Run{Tools: tools, Files: tla.Files, Question: question(t, "single-n1-safety"), Distributed: 2, Small: true}
	outcome, err := run.Check(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, outcome.Log)
	}
	if differs := run.Question.Differs(outcome.Result, true); differs != "" || !strings.Contains(outcome.Note, "one process") {
		t.Errorf("Check(%s) whose server fails over a late worker: %s, note %q; want the answer, and a note", run.Question.Name(), differs, outcome.Note)
	}
}

// What TLC cannot finish is an error that says what to do, or unfinished, and
// never verified.
func TestUnit_CheckFailures(t *testing.T) {
	tools := full(t)
	reuse := about(model.Config{Scenario: spec.Reuse, Procs: 5}, "Quiescent")
	broken := strings.Replace(readFile(t, "SharedBarrier.tla"), "Call(p) ==", "Call(p) =", 1)
	noJar := tools
	noJar.Jar = filepath.Join(t.TempDir(), "tla2tools.jar")
	if err := os.WriteFile(noJar.Jar, []byte("not it"), 0o644); err != nil {
		t.Fatal(err)
	}
	// With more callers than the count says, unbounded rounds drift apart:
	// there is no end of states.
	endless := about(model.Config{Scenario: spec.Surplus, Procs: 3}, "LockExclusive")
	halfWay, cancelHalfWay := context.WithCancel(context.Background())
	t.Cleanup(cancelHalfWay)
	halfPrinted := tools
	halfPrinted.Java = script(t, `cat << end
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
		"wrong checksum": {context.Background(), tlc.Run{Tools: noJar, Files: tla.Files, Question: reuse}, tlc.ErrChecksum, noJar.Jar},
		"parse error":    {context.Background(), tlc.Run{Tools: tools, Files: withModule(t, "SharedBarrier.tla", broken), Question: reuse, Small: true}, tlc.ErrSpec, "SharedBarrier"},
		"unknown property": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Small: true,
			Question: about(model.Config{Scenario: spec.Reuse, Procs: 2}, "NoSuchThing")}, tlc.ErrTLC, "NoSuchThing"},
		"impossible constants": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Small: true,
			Question: about(model.Config{Scenario: spec.Single, Procs: 2})}, tlc.ErrTLC, "Assumption"},
		"time limit": {context.Background(), tlc.Run{Tools: tools, Files: tla.Files, Question: endless, Limit: time.Millisecond, Small: true}, nil, ""},
		"interrupted in the answer": {halfWay, tlc.Run{Tools: halfPrinted, Files: tla.Files, Question: reuse,
			Progress: func(tlc.Progress) { cancelHalfWay() }}, context.Canceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outcome, err := test.run.Check(test.ctx)
			if !errors.Is(err, test.want) || outcome.Verdict != spec.Unfinished || outcome.Property != "" || len(outcome.Trace) > 0 {
				t.Fatalf("Check: verdict %s %s, trace of %d, error %v; want unfinished, %v\n%s",
					outcome.Verdict, outcome.Property, len(outcome.Trace), err, test.want, outcome.Log)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("Check: %v; want it to name %q", err, test.says)
			}
		})
	}
}

// A complete answer counts even if the interrupt comes before TLC has ended.
func TestUnit_CheckInterruptedAfterTheAnswer(t *testing.T) {
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
	run := tlc.Run{Tools: tools, Files: tla.Files, Question: about(model.Config{Scenario: spec.Reuse, Procs: 2}, "Quiescent"), Progress: func(tlc.Progress) { cancel() }}
	if outcome, err := run.Check(ctx); err != nil || outcome.Verdict != spec.Verified {
		t.Errorf("Check, interrupted after TLC's last message: %s, %v; want verified", outcome.Verdict, err)
	}
}
