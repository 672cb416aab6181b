//go:build linux

package run

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

var machine = Environment{OS: "linux", Kernel: "6.1", Arch: "amd64", CPUs: 2, Go: "go1.26"}

var reports = map[string]Report{
	"passed": {
		Version: Version, Verdict: spec.Passed, Procs: 4, Rounds: 1000, Calls: 4000, Rate: 812.4,
		Latency: Latency{P50: 307.2, P99: 3062, Max: 5181}, Seed: 42, Environment: machine,
	},
	"violated": {
		Version: Version, Verdict: spec.Violated, Procs: 4, Rounds: 16, Calls: 70, Violations: 2, Rate: 900, Seed: 42,
		Early: &oracle.Violation{Worker: 1, Round: 17, Party: 3, Begun: 16}, Environment: machine,
	},
	"hang": {
		Version: Version, Verdict: spec.Hang, Procs: 2, Rounds: 9, Calls: 18, Rate: 900, Seed: 42, Environment: machine,
		Hang: &Hang{
			Why: "no round was completed for 10s", Words: &spec.Words{Enter: 1, Exit: 2, Flag: 0}, Holder: 1,
			Workers: []Worker{
				{Worker: 0, PID: 100, Step: new(spec.AwaitFlag), Begun: 10, Returned: 9, State: "running"},
				{Worker: 1, PID: 101, Step: new(spec.CountEnter), Begun: 10, Returned: 9, State: "stopped"},
			},
		},
	},
	"unseen": {
		Version: Version, Verdict: spec.Hang, Procs: 1, Rounds: 9, Calls: 9, Rate: 900, Seed: 42, Environment: machine,
		Hang: &Hang{
			Why: "no round was completed for 10s", Holder: -1, HolderPID: 102, Unseen: "segment has the wrong size",
			Workers: []Worker{{Worker: 0, PID: 100, Step: new(spec.AwaitFlag), Begun: 10, Returned: 9, State: "running"}},
		},
	},
	"ports": {
		Version: Version, Verdict: spec.Hang, Procs: 2, Ports: []string{"python@newest", "exec:./a-port --with many --long arguments"},
		Rounds: 9, Calls: 18, Rate: 900, Seed: 42, Environment: machine,
		Hang: &Hang{
			Why: "worker 1 (pid 101, port …) died", Words: &spec.Words{Enter: 1, Exit: 2, Flag: 0}, Holder: -1,
			Workers: []Worker{
				{Worker: 0, PID: 100, Port: "python@newest", Begun: 9, Returned: 9, State: "running"},
				{Worker: 1, PID: 101, Port: "exec:./a-port --with many --long arguments", Begun: 10, Returned: 9, State: "exit status 2"},
			},
		},
	},
}

func TestGolden_TextAndJSON(t *testing.T) {
	for name, rep := range reports {
		for ending, write := range map[string]func(*bytes.Buffer) error{
			".txt":  func(b *bytes.Buffer) error { return rep.Text(b) },
			".json": func(b *bytes.Buffer) error { return rep.JSON(b) },
		} {
			var got bytes.Buffer
			if err := write(&got); err != nil {
				t.Fatal(err)
			}
			file := "testdata/" + name + ending
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s (go test ./stress/run -update)\ngot:\n%s\nwant:\n%s", file, got.Bytes(), want)
			}
		}
	}
}

func TestUnit_JSONRoundTrip(t *testing.T) {
	for name, rep := range reports {
		var line bytes.Buffer
		if err := rep.JSON(&line); err != nil {
			t.Fatal(err)
		}
		var back Report
		if err := json.Unmarshal(line.Bytes(), &back); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var again bytes.Buffer
		if err := back.JSON(&again); err != nil || !bytes.Equal(line.Bytes(), again.Bytes()) {
			t.Errorf("%s: read and written again is %s (%v), want %s", name, again.Bytes(), err, line.Bytes())
		}
	}
}

func TestUnit_ExitCode(t *testing.T) {
	interrupted := reports["passed"]
	interrupted.Interrupted = true
	early := reports["passed"]
	early.Verdict, early.Interrupted = spec.Unfinished, true
	hang := reports["hang"]
	hang.Interrupted = true
	for _, c := range []struct {
		report Report
		want   int
	}{
		{reports["passed"], spec.ExitOK},
		{reports["violated"], spec.ExitSafety},
		{reports["hang"], spec.ExitHang},
		{interrupted, spec.ExitInterrupted},
		{early, spec.ExitInterrupted},
		{hang, spec.ExitHang}, // what was found counts for more than how it ended
	} {
		if got := c.report.ExitCode(); got != c.want {
			t.Errorf("exit code of %v (interrupted %v) is %d, want %d", c.report.Verdict, c.report.Interrupted, got, c.want)
		}
	}
}
