//go:build linux

package run

import (
	"encoding/json"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/trace"
)

var reports = map[string]Report{
	"passed": {
		Verdict: spec.Passed, Procs: 4, Rounds: 1000, Calls: 4000, Rate: 812.4,
		Samples:   &Samples{Start: 1e9, Seconds: 0.1, Rounds: []float64{81, 80.75}, P50: []float64{300.032, 0}, P99: []float64{3014.656, 0}},
		Latency:   Latency{P50: 307.2, P99: 3062, Max: 5181},
		Histogram: &Histogram{Percentiles: []Percentile{{50, 307.2}, {100, 5181}}, Bars: []Bar{{From: 262.144, To: 327.68, Calls: 3000}, {From: 4194.304, To: 5242.88, Calls: 1000}}},
		Slowest: []SlowRound{{Round: 17, Latency: 5181, Recording: trace.Recording{Version: 1, Now: 2e9, Records: []trace.Record{
			{Number: 81, Worker: 1, Round: 17, Parties: 4, Label: "returned", Attempts: 1, At: 1.9e9, Last: 1.9e9},
		}}}},
		Seed: 42, Asked: Asked{Rounds: 9, Stall: 10},
	},
	"violated": {
		Verdict: spec.Violated, Procs: 4, Rounds: 16, Calls: 70, Violations: 2, Rate: 900, Seed: 42, Asked: Asked{For: 10, Stall: 10},
		Early: &oracle.Violation{Worker: 1, Round: 17, Party: 3, Begun: 16}, Begun: 17, Deaths: 1, Met: []string{"two-first", "overlap"},
		Refuted: []oracle.Refutation{{Property: "WordsInRange", Worker: 2, Round: 16, Why: "at UnlockExit: enter=0 exit=5 flag=1"}},
		Recording: &trace.Recording{Version: 1, Now: 5e9, Records: []trace.Record{
			{Number: 48, Until: 64, Worker: 3, Round: 16, Parties: 4, Label: "returned", Taken: true, Attempts: 1, At: 4e9, Last: 4e9},
			{Number: 80, Until: 81, Worker: 1, Round: 17, Parties: 4, Label: "CountExit", Taken: true, Attempts: 1, At: 4e9, Last: 4e9, Words: &spec.Words{Enter: 0, Exit: 1, Flag: 1}},
			{Number: 81, Until: 96, Worker: 1, Round: 17, Parties: 4, Label: "UnlockExit", Taken: true, Attempts: 1, At: 4e9, Last: 4e9, Words: &spec.Words{Enter: 0, Exit: 2, Flag: 1}},
			{Number: 81, Worker: 1, Round: 17, Parties: 4, Label: "returned", Attempts: 1, At: 4.5e9, Last: 4.5e9},
		}},
		Trace:  &Traced{File: "a run.trace", Events: 300},
		Faults: []Injected{{Fault: "give-up:5%", Planned: 6, Happened: 5, Plan: []string{"a worker dies", "worker 1, from its call 3 on, before CountEnter"}}},
		Ends:   Ends{Withdrawn: 4, Abandoned: 1, Died: 1, Refused: map[string]int64{"barrier words are out of range": 2}},
	},
	"hang": {
		Scenario: "crash", Control: true, Verdict: spec.Hang, Procs: 2, Rounds: 9, Calls: 18, Rate: 900, Seed: 42, Asked: Asked{For: 10, Stall: 10},
		Hang: &Hang{
			Why: "no worker made progress for 10s", Missing: "1", Words: &spec.Words{Enter: 1, Exit: 2, Flag: 0}, Holder: 1, Status: inspect.Hangs,
			Waiters: []int{104}, Since: 10.5, MovedLast: "worker 0 came to AwaitFlag",
			Causes: []inspect.Cause{
				{Scenario: "crash", Why: "a party died at CountEnter", Do: "look for why", Procs: 2, Died: []spec.Step{spec.CountEnter}, Missing: 1, Waits: []spec.Step{spec.AwaitFlag}, Behind: &[2]int{0, 1}},
				{Scenario: "surplus", Why: "more processes call than the count says", Do: "count them", Procs: 9, Folded: &inspect.Folded{Procs: 4, Words: spec.Words{Enter: 1, Exit: 4}}},
			},
			Workers: []Worker{
				{Worker: 0, PID: 100, Step: new(spec.AwaitFlag), Begun: 10, Returned: 9, State: "running"},
				{Worker: 1, PID: 101, Step: new(spec.CountEnter), Begun: 10, Returned: 9, State: "stopped"},
			},
		},
		Recording: &trace.Recording{Version: 1, Now: 5e9, Torn: 1, Records: []trace.Record{
			{Number: 50, Worker: 0, Round: 10, Parties: 2, Label: "AwaitFlag", Attempts: 160, At: 2e9, Last: 4.5e9},
			{Number: 64, Worker: 1, Round: 10, Parties: 2, Label: "CountEnter", Attempts: 1, At: 3e9, Last: 3e9, Words: &spec.Words{Enter: 1, Exit: 2, Flag: 0}},
		}},
	},
	"interrupted": {
		Verdict: spec.Unfinished, Cause: "it was interrupted", Next: "run it again", Procs: 1, Rounds: 9, Calls: 9, Rate: 900, Seed: 42, Asked: Asked{For: 10, Stall: 10}, Interrupted: true,
		Hang: &Hang{
			Why: "no worker made progress for 10s", Words: &spec.Words{Enter: 1, Exit: 2, Flag: 0}, Holder: -1,
			Workers: []Worker{{Worker: 0, PID: 100, Step: new(spec.AwaitFlag), Begun: 10, Returned: 9, State: "running"}},
		},
	},
	"ports": {
		Verdict: spec.Hang, Procs: 2, Ports: []string{"python@newest", "exec:./a-port --with many --long arguments"},
		Trace:  &Traced{File: "run.trace", Failure: "no space left on device"},
		Rounds: 9, Calls: 18, Rate: 900, Seed: 42, Asked: Asked{For: 10, Stall: 10}, Strays: []string{"process 103 (a-child) of worker 1 (pid 101)"},
		Hang: &Hang{
			Why: "worker 1 (pid 101) died: exit status 2", Holder: -1, HolderPID: 102, Unseen: "segment has the wrong size",
			Workers: []Worker{
				{Worker: 0, PID: 100, Port: "python@newest", Begun: 9, Returned: 9, State: "running", Stderr: "the disk\nis full"},
				{Worker: 1, PID: 101, Port: "exec:./a-port --with many --long arguments", Begun: 10, Returned: 9, State: "exit status 2", Failure: "port exec:./a-port: died"},
			},
		},
	},
}

// The JSON form of each report can be read again.
func TestGolden_TextAndJSON(t *testing.T) {
	for name, rep := range reports {
		var text strings.Builder
		if err := rep.Text(&text, "one row more\tas the last"); err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(rep)
		if err != nil {
			t.Fatal(err)
		}
		golden.File(t, "testdata/"+name+".txt", text.String())
		golden.File(t, "testdata/"+name+".json", string(line)+"\n")
		if rep.Hang != nil {
			golden.File(t, "testdata/"+name+".line.txt", rep.Hang.String()+"\n")
		}
		var back Report
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(line) {
			t.Errorf("%s: read and written again: %s, %v, want %s", name, again, err, line)
		}
	}
}

func TestUnit_ExitCode(t *testing.T) {
	for _, c := range []struct {
		verdict     spec.Verdict
		interrupted bool
		want        int
	}{
		{spec.Passed, false, spec.ExitOK},
		{spec.Passed, true, spec.ExitInterrupted},
		{spec.Unfinished, true, spec.ExitInterrupted},
		{spec.Violated, true, spec.ExitSafety}, // the verdict takes precedence
		{spec.Hang, false, spec.ExitHang},
		{spec.Hang, true, spec.ExitHang},
	} {
		if got := (Report{Verdict: c.verdict, Interrupted: c.interrupted}).ExitCode(); got != c.want {
			t.Errorf("exit code of %v (interrupted %v) is %d, want %d", c.verdict, c.interrupted, got, c.want)
		}
	}
}
