//go:build linux

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/run"
)

const repeats = "go run ./stress --procs 3 --rounds 0 --for 10s --stall 10s --seed 7 --fault 'kill:one@CountEnter'"

// hanging returns the report of a run that stands still. Its last worker has
// the state, and has reported the failure.
func hanging(v spec.Verdict, s inspect.Status, state, failure string, causes ...inspect.Cause) run.Report {
	return run.Report{
		Verdict: v, Procs: 2, Ports: []string{"go", "c@no-drain"}, Asked: run.Asked{For: 10, Stall: 10},
		Hang: &run.Hang{Why: "worker 1 (pid 8) did what it did", Status: s, Causes: causes, Workers: []run.Worker{
			{Worker: 0, PID: 7, Port: "go", Begun: 3, Returned: 2, State: "running"},
			{Worker: 1, PID: 8, Port: "c@no-drain", Begun: 3, Returned: 2, State: state, Failure: failure},
		}},
	}
}

func interrupted(r run.Report) run.Report {
	r.Interrupted = true
	return r
}

// failing returns the report of a run in which a call failed with the error.
func failing(err error) run.Report {
	return hanging(spec.Hang, inspect.Hangs, "exit status 2", err.Error())
}

func badPort(kind error) run.Report {
	return failing(&port.Error{Port: "c@no-drain", PID: 9, Request: "call 2", Number: 4, Kind: kind, Detail: "as it is"})
}

// withFaults adds faults that have happened.
func withFaults(r run.Report, faults ...string) run.Report {
	for _, f := range faults {
		r.Faults = append(r.Faults, run.Injected{Fault: f, Planned: 1, Happened: 1})
	}
	return r
}

var crash = inspect.Cause{Scenario: "crash", Why: "1 party died at CountEnter", Do: "find out why it died (its log, dmesg)"}

// examples has a report for each ending.
var examples = map[string]run.Report{
	"completed":           {Verdict: spec.Passed, Procs: 4},
	"under-way":           {Verdict: spec.Unfinished, Procs: 4, End: "under-way"},
	"not-run":             {Verdict: spec.Unfinished, Procs: 4, End: "not-run", Cause: "make the files of a run: no space left on device; make room in /dev/shm"},
	"misuse":              withFaults(hanging(spec.Hang, inspect.Hangs, "signal: killed", "", crash), "stop:one", "kill:one@CountEnter"),
	"early-exit":          {Verdict: spec.Violated, Procs: 2, Ports: []string{"go", "c@no-drain"}, Violations: 1, Early: &oracle.Violation{Worker: 1, Round: 17, Party: 0, Begun: 16}},
	"violated":            {Verdict: spec.Violated, Procs: 4, Refuted: []oracle.Refutation{{Property: "LockExclusive", Worker: 2, Round: 7, Why: "at CountEnter, while another holds the lock, too"}}},
	"refused-corrupt":     failing(&impl.CorruptError{Name: "a", Words: spec.Words{Enter: 7}, Parties: 2}),
	"refused-size":        failing(fmt.Errorf("call 3: %w", impl.ErrSize)),
	"refused-parties":     failing(impl.ErrParties),
	"refused-name":        failing(impl.ErrName),
	"refused-closed":      failing(impl.ErrClosed),
	"refused-busy":        failing(impl.ErrBusy),
	"refused-not-regular": failing(impl.ErrNotRegular),
	"refused-untrusted":   failing(impl.ErrUntrusted),
	"no-memory":           failing(impl.ErrNoSpace),
	"no-flock":            {Verdict: spec.Unfinished, Procs: 2, Ends: run.Ends{Refused: map[string]int64{impl.ErrNoFlock.Error(): 1}}},
	"port-died":           badPort(port.ErrDied),
	"port-nonsense":       badPort(port.ErrNonsense),
	"port-failed":         badPort(port.ErrFailed),
	"port-silent":         badPort(port.ErrSilent),
	"killed":              hanging(spec.Hang, inspect.Hangs, "signal: killed", "", crash),
	"died":                hanging(spec.Hang, inspect.Hangs, "signal: segmentation fault (core dumped)", "", crash),
	"stopped":             hanging(spec.Unfinished, inspect.HeldUp, "stopped", "", inspect.Cause{Why: "process 8 is stopped", Do: "continue: kill -CONT 8 (or end the debugger)"}),
	"starved":             hanging(spec.Unfinished, inspect.Starves, "running", "", inspect.Cause{Why: "process 8 waits for a processor", Do: "give the machine time"}),
	"stuck-interrupted":   interrupted(hanging(spec.Unfinished, "", "running", "")),
	"interrupted":         {Verdict: spec.Unfinished, Interrupted: true, Procs: 4, Rounds: 9, Asked: run.Asked{Rounds: 1000, Stall: 10}},
	"not-ready":           {Verdict: spec.Hang, Procs: 1, Hang: &run.Hang{Why: "worker 0 (pid 8) was not ready after 1m0s", Workers: []run.Worker{{PID: 8, State: "running"}}}},
	"no-state-fits":       hanging(spec.Hang, inspect.Foreign, "running", "", inspect.Cause{Why: "no state fits", Do: "look for it"}),
	"no-misuse":           hanging(spec.Hang, inspect.Hangs, "running", "", inspect.Cause{Scenario: "abandon", Why: "a waiter stopped waiting", Do: "let no timeout leave a call"}),
	"hang":                hanging(spec.Hang, inspect.Hangs, "running", "", inspect.Cause{Scenario: "split-lock", Why: "the lock file was unlinked", Do: "find what removes it"}),
	"hang-unexplained":    hanging(spec.Hang, "", "running", ""),
	"too-short": {Verdict: spec.Unfinished, Procs: 4, Asked: run.Asked{For: 1, Stall: 10},
		Faults: []run.Injected{{Fault: "kill:one@CountEnter", Planned: 1}, {Fault: "give-up:5%", Planned: 3, Happened: 3}}},
	"held-up":    hanging(spec.Unfinished, inspect.Unclear, "unknown", ""),
	"unfinished": {Verdict: spec.Unfinished, Procs: 4, Rounds: 9, Asked: run.Asked{For: 1, Stall: 10}},
}

var inBackticks = regexp.MustCompile("`([^`]*)`")

// TestGolden_Endings explains an example of each ending, and wants a cause and
// a next action whose commands a shell can read. The examples are the table of
// ENDINGS.md. A test of the command parses the flags (testdata/endings.json).
func TestGolden_Endings(t *testing.T) {
	table := [][]string{{"`end`", "`cause`", "`next`"}}
	type ended struct{ End, Cause, Next string }
	var texts []ended
	for _, e := range endings {
		rep, ok := examples[e.name]
		if !ok {
			t.Errorf("the ending %q has no example", e.name)
			continue
		}
		rep = Explain(rep, repeats)
		if rep.End != e.name {
			t.Errorf("the example of %q ends as %q", e.name, rep.End)
		}
		explained(t, rep)
		for _, m := range inBackticks.FindAllStringSubmatch(rep.Next, -1) {
			if out, err := exec.Command("sh", "-n", "-c", m[1]).CombinedOutput(); err != nil {
				t.Errorf("%s: next has the command %q, and a shell says %s", e.name, m[1], out)
			}
		}
		table = append(table, []string{"`" + e.name + "`", e.cause, e.next})
		texts = append(texts, ended{rep.End, rep.Cause, rep.Next})
	}
	if len(examples) != len(endings) {
		t.Errorf("%d examples of %d endings: %v", len(examples), len(endings), slices.Sorted(maps.Keys(examples)))
	}
	text, err := json.MarshalIndent(texts, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, "testdata/endings.json", string(text)+"\n")
	golden.Part(t, "../ENDINGS.md", "table", "endings", golden.Table(table))
}

// explained checks that a report other than a passed one has a cause and a next
// action, without holes.
func explained(t *testing.T, rep run.Report) {
	t.Helper()
	passed := rep.Verdict == spec.Passed
	for _, text := range []string{rep.Cause, rep.Next} {
		if (text == "") != passed || strings.ContainsAny(text, "{}\n") || regexp.MustCompile("``|(: |^); |: $|^: ").MatchString(text) {
			t.Errorf("verdict %v, end %q: cause %q, next %q; want both, whole, unless passed", rep.Verdict, rep.End, rep.Cause, rep.Next)
		}
	}
}

// TestUnit_EveryWayToEnd combines all that decides the ending.
func TestUnit_EveryWayToEnd(t *testing.T) {
	failures := []string{"", "anything else"}
	for _, err := range []error{impl.ErrCorrupt, &port.Error{Port: "c", Kind: port.ErrSilent}} {
		failures = append(failures, err.Error())
	}
	for _, v := range []spec.Verdict{spec.Passed, spec.Violated, spec.Hang, spec.Unfinished} {
		for _, s := range []inspect.Status{"", inspect.Moving, inspect.Idle, inspect.Waiting, inspect.HeldUp, inspect.Starves, inspect.Hangs, inspect.Foreign, inspect.Unclear} {
			for _, state := range []string{"running", "stopped", "unknown", "exit status 0", "exit status 2", "signal: killed"} {
				for _, failure := range failures {
					for _, causes := range [][]inspect.Cause{nil, {crash}} {
						rep := hanging(v, s, state, failure, causes...)
						if v == spec.Passed {
							rep.Hang = nil
						}
						explained(t, Explain(rep, repeats))
						explained(t, Explain(interrupted(rep), repeats))
					}
				}
			}
		}
	}
}

// A run whose faults did not happen has not passed. The control had some of
// each.
func TestUnit_FaultsThatNeverHappened(t *testing.T) {
	for happened, want := range map[int64]spec.Verdict{0: spec.Unfinished, 1: spec.Passed} {
		rep := run.Report{Verdict: spec.Passed, Faults: []run.Injected{{Fault: "give-up:5%", Planned: 9, Happened: 9}, {Fault: "busy:4", Planned: 3, Happened: happened}}}
		doc := Of(rep, repeats)
		if got := doc.Runs[0]; doc.Verdict != want || got.Verdict != want || want == spec.Unfinished && (got.End != "too-short" || !strings.HasSuffix(got.Cause, ": busy:4")) {
			t.Errorf("a fault happened %d times of 3: %v, %v, end %q, cause %q; want %v", happened, doc.Verdict, got.Verdict, got.End, got.Cause, want)
		}
	}
}

// A fault that breaks what callers must guarantee explains the failure, and one
// that does not leaves it to the barrier; so does one that did not happen.
func TestUnit_Misuse(t *testing.T) {
	for text, want := range map[string]string{
		"kill:any": "crash", "kill:one@end": "", "walk-away": "abandon", "construct:late": "late-construction", "relink": "split-lock", "surplus:1": "surplus",
		"parties:one-less": "disagreeing", "parties:shrink": "shrinking", "parties:grow": "growing", "parties:shrink-after-return": "", "parties:grow-after-return": "",
		"stop:any": "", "delay:any": "", "give-up:5%": "", "cpus:1": "", "busy:4": "", "eintr": "",
	} {
		rep := withFaults(hanging(spec.Hang, inspect.Hangs, "running", "", crash), text)
		got := Explain(rep, repeats)
		if want != "" && (got.End != "misuse" || !strings.Contains(got.Cause, text+" (spec/HAZARDS.md#"+want+")")) || want == "" && got.End != "hang" {
			t.Errorf("%s: end %q, cause %q; want misuse of scenario %q, or a hang", text, got.End, got.Cause, want)
		}
		if strings.Contains(got.Next, "--fault") && got.End == "misuse" {
			t.Errorf("%s: next %q has a fault in it", text, got.Next)
		}
		rep.Faults[0].Happened = 0
		if got := Explain(rep, repeats); got.End != "hang" {
			t.Errorf("%s, which did not happen: end %q, want hang", text, got.End)
		}
	}
}

// TestUnit_TooShort: a run in which a fault did not happen gets more of what has
// ended it, the rounds or the time.
func TestUnit_TooShort(t *testing.T) {
	faults := []run.Injected{{Fault: "give-up:20%", Planned: 3}}
	for want, rep := range map[string]run.Report{
		repeats + " --rounds 100":             {Rounds: 25, Asked: run.Asked{Rounds: 25, Stall: 10}},
		repeats + " --rounds 100 --for 8s":    {Rounds: 25, Asked: run.Asked{Rounds: 25, For: 2, Stall: 10}},
		repeats + " --stall 40s --for 8s":     {Rounds: 24, Asked: run.Asked{Rounds: 25, For: 2, Stall: 10}},
		repeats + " --stall 2m0s --for 20m0s": {Rounds: 99, Asked: run.Asked{For: 300, Stall: 30}},
	} {
		rep.Verdict, rep.Faults = spec.Unfinished, faults
		if got := Explain(rep, repeats); got.End != "too-short" || !strings.Contains(got.Next, "`"+want+"`") {
			t.Errorf("%+v: end %q, next %q; want too-short, %q", rep.Asked, got.End, got.Next, want)
		}
	}
}

// TestUnit_EarlyExitUnreported: an early exit is one, though the worker that has
// seen it ended before it could say more. Causes do not stand in for it.
func TestUnit_EarlyExitUnreported(t *testing.T) {
	rep := hanging(spec.Violated, inspect.Hangs, "running", "", crash)
	if _, failed := fails(rep, spec.NoEarlyExit); failed {
		t.Error("no early exit, and NoEarlyExit has failed")
	}
	rep.Violations = 1
	got := Explain(rep, repeats)
	if why, failed := fails(got, spec.NoEarlyExit); got.End != "early-exit" || !failed || why != got.Cause || !strings.Contains(why, "early exit") {
		t.Errorf("end %q, cause %q; NoEarlyExit has failed: %v, %q", got.End, got.Cause, failed, why)
	}
}

// TestUnit_EveryErrorHasAnEnding: there is a row for each sentinel of the
// packages whose errors end a call.
func TestUnit_EveryErrorHasAnEnding(t *testing.T) {
	for path, general := range map[string]string{"../../impl/errors.go": "died", "../port/error.go": "died"} {
		texts := sentinels(t, path)
		if len(texts) == 0 {
			t.Errorf("%s has no sentinels", path)
		}
		for name, text := range texts {
			failure := errors.New(text)
			if strings.HasPrefix(path, "../port/") {
				failure = &port.Error{Port: "x", PID: 3, Kind: failure}
			}
			if end := Explain(failing(failure), repeats).End; end == general {
				t.Errorf("%s of %s ends as %q; give it a row", name, path, end)
			}
		}
	}
	if end := Explain(failing(errors.New("an error without a row")), repeats).End; end != "died" {
		t.Errorf("an error without a row ends as %q, want died", end)
	}
}

// sentinels returns the texts of the errors that a file makes, by name.
func sentinels(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Err") {
			return true
		}
		if call, ok := spec.Values[0].(*ast.CallExpr); ok {
			texts[spec.Names[0].Name] = strings.Trim(call.Args[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	return texts
}
