package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// check runs the command and returns what it printed and how it ended.
func check(t *testing.T, ctx context.Context, args ...string) (stdout string, err error) {
	t.Helper()
	stdout, _, err = checkBoth(ctx, args...)
	return stdout, err
}

func checkBoth(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	return clitest.Run(ctx, command(), "", args...)
}

func TestUnit_ExitCodes(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	graph := filepath.Join(t.TempDir(), "graph") // GRAPH in the arguments
	for _, c := range []struct {
		args string
		ctx  context.Context
		code int
	}{
		{"--scenario reuse", nil, spec.ExitOK},
		{"--scenario single", nil, spec.ExitOK},
		{"--scenario crash --procs 2", nil, spec.ExitHang},
		{"--scenario surplus", nil, spec.ExitSafety},
		{"--scenario reuse --max-states 10", nil, spec.ExitUnfinished},
		{"--scenario reuse", cancelled, spec.ExitInterrupted},
		{"--procs 2 --graph-json GRAPH", nil, spec.ExitOK},
		{"--procs 4 --graph-json GRAPH --max-states 9", nil, spec.ExitUnfinished},
		{"--procs 4 --dot GRAPH --max-memory 16MB", nil, spec.ExitUnfinished},
		{"--scenario surplus --dot GRAPH --max-states 99", nil, spec.ExitUnfinished},
		{"--procs 2 --html GRAPH", nil, spec.ExitOK},
		{"--procs 4 --rounds 1 --html GRAPH --max-states 99", nil, spec.ExitUnfinished},
		{"--procs 2 --scenario surplus --html GRAPH", nil, spec.ExitSafety},
		{"--procs 2 --scenario crash --html GRAPH", nil, spec.ExitHang},
		{"--procs 2 --html GRAPH", cancelled, spec.ExitInterrupted},
		{"--scenario surplus --rounds 1 --dot GRAPH", nil, spec.ExitSafety},
		{"--procs 2 --dot GRAPH", cancelled, spec.ExitInterrupted},
		{"--group 2 --rounds 1", nil, spec.ExitOK},
		{"--group 2 --deaths 1 --mutant no-wake", nil, spec.ExitHang},
		{"--group 2 --deaths 1 --mutant no-undo", nil, spec.ExitSafety},
		{"--group 1+1 --deaths 1 --mutant no-wake --timeline GRAPH", nil, spec.ExitOK}, // one member sleeps alone
		{"--group 2 --max-states 10", nil, spec.ExitUnfinished},
		{"--group all", cancelled, spec.ExitInterrupted},
	} {
		ctx := c.ctx
		if ctx == nil {
			ctx = context.Background()
		}
		args := strings.Fields(c.args)
		if i := slices.Index(args, "GRAPH"); i >= 0 {
			args[i] = graph
		}
		_, err := check(t, ctx, args...)
		var exit cli.Exit
		errors.As(err, &exit)
		if int(exit) != c.code || err != nil && !errors.As(err, &exit) {
			t.Errorf("check %s: %v, want exit code %d", c.args, err, c.code)
		}
	}
}

// TestUnit_BadFlags: an error that says what to do, and nothing printed.
func TestUnit_BadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--max-memory NaNGB":                    "500MB",
		"--max-memory InfGB":                    "500MB",
		"--max-memory -500MB":                   "500MB",
		"--max-memory 1e300GB":                  "500MB",
		"--max-memory 9999999999GB":             "to 1000000GB",
		"--max-memory 1GBs":                     "500MB",
		"--dot g --graph-json ./g":              "a file of its own",
		"--dot g --go-test g":                   "a file of its own",
		"--scenario surplus --dot g":            "give --rounds, or a limit",
		"--procs 5 --html g":                    "give 4 at most",
		"--symmetry --html g":                   "leave --symmetry out",
		"--html g --dot g":                      "a file of its own",
		"--scenario all --html g":               "leave --html out",
		"--scenario all --timeline g":           "leave --timeline out",
		"--timeline g --html g":                 "a file of its own",
		"--procs 2 --html /no/such/folder/g":    "no such file",
		"--mutant no-lower --graph-json g":      "give --rounds, or a limit",
		"--scenario resue":                      "give one of reuse, single",
		"--scenario fork":                       "real processes",
		"--procs 0":                             "give from 1 to 16",
		"--procs 17":                            "give from 1 to 16",
		"--scenario single --procs 2":           "ask for 1",
		"--rounds -1":                           "give 1 or more, or 0",
		"--rounds 1000":                         "at most 20",
		"--scenario shrinking --rounds 0":       "give a bound",
		"--scenario reuse --control":            "has no control",
		"--property Safe":                       "NoEarlyExit",
		"--max-memory 4":                        "500MB",
		"--max-memory 1MB":                      "from 16MB",
		"--max-states -1":                       "from 0",
		"--workers -1":                          "from 0",
		"--workers 1000000000":                  "1024 workers at most",
		"--mutant no-brain":                     "give one of no-lock-init",
		"--symmetry --liveness":                 "do not go together",
		"--scenario all --procs 3":              "leave --procs out",
		"--dot /no/such/folder/g.dot":           "no such file",
		"surprise":                              "surprise",
		"--deaths 1":                            "give --group too",
		"--group 2+":                            "such as 2+1, or all",
		"--group 0+2":                           "give 1 member or more",
		"--group 2+3":                           "up to 4 parties",
		"--group 2 --rounds 0":                  "from 1 to 3",
		"--group 2 --deaths 4":                  "from 0 to 3",
		"--group 2 --may fly":                   "give some of give-up, join",
		"--group 2 --procs 2":                   "do not go together",
		"--group 2 --mutant no-drain":           "give one of no-reopen",
		"--group all --deaths 1":                "leave --deaths out",
		"--scenario shrinking --rounds 2 --foo": "--foo",
	} {
		out, err := check(t, context.Background(), strings.Fields(args)...)
		var exit cli.Exit
		if err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("check %s: error %v, output %q; want a usage error with %q and no output", args, err, out, want)
		}
	}
}

// TestUnit_Reproduces runs the command that a failure prints and finds the same
// counterexample.
func TestUnit_Reproduces(t *testing.T) {
	out, stderr, _ := checkBoth(context.Background(), "--scenario", "growing", "--procs", "3")
	_, line, ok := strings.Cut(stderr, "reproduce: go run ./model/check ")
	if !ok {
		t.Fatalf("check printed no way to reproduce: %q", stderr)
	}
	if again, _ := check(t, context.Background(), strings.Fields(line)...); table(again) != table(out) {
		t.Errorf("reproduced:\n%s\nwant:\n%s", again, out)
	}
}

// table cuts the first two lines, which hold times, off.
func table(out string) string {
	_, rest, _ := strings.Cut(out, "\n")
	_, rest, _ = strings.Cut(rest, "\n")
	return rest
}

func TestUnit_JSONIsOneResult(t *testing.T) {
	out, _ := check(t, context.Background(), "--scenario", "crash", "--procs", "2", "--mutant", "no-drain", "--json")
	var r line
	if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("check --json: %q is not one line of JSON: %v", out, err)
	}
	if r.Version != model.ResultVersion || r.Verdict != spec.Hang || len(r.Trace) == 0 || r.Mutant != "no-drain" {
		t.Errorf("check --json: %+v, want a hang with its trace", r)
	}
}

// TestUnit_All asks every question; one JSON object a line, all as expected.
func TestUnit_All(t *testing.T) {
	if testing.Short() {
		t.Skip("package explore asks the same questions")
	}
	out, err := check(t, context.Background(), "--scenario", "all", "--json")
	if err != nil {
		t.Errorf("check --scenario all: %v, want all as expected", err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(model.Questions()) {
		t.Fatalf("check --scenario all --json: %d lines, want one for each of %d questions", len(lines), len(model.Questions()))
	}
	fails := 0
	for _, line := range lines {
		var a struct {
			Expected   spec.Expectation `json:"expected"`
			AsExpected bool             `json:"as_expected"`
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if !a.AsExpected {
			t.Errorf("not as expected: %s", line)
		}
		if a.Expected == spec.Fails {
			fails++
		}
	}
	if fails == 0 {
		t.Error("nothing is expected to fail: the table is empty")
	}
}

// TestUnit_GraphsAreStable writes each graph twice, and its size is that of
// the exploration.
func TestUnit_GraphsAreStable(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) (dot, lines string) {
		base := filepath.Join(dir, name)
		if _, err := check(t, context.Background(), "--procs", "2", "--scenario", "withdraw", "--dot", base+".dot", "--graph-json", base+".json"); err != nil {
			t.Fatal(err)
		}
		d, err1 := os.ReadFile(base + ".dot")
		j, err2 := os.ReadFile(base + ".json")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		return string(d), string(j)
	}
	dot, lines := write("a")
	if dot2, lines2 := write("b"); dot != dot2 || lines != lines2 {
		t.Error("the same graph was written in two orders")
	}
	r := explore.Explore(context.Background(), model.Config{Scenario: spec.Withdraw, Procs: 2}, explore.Options{})
	if got := int64(strings.Count(lines, "\n")); got != r.Distinct {
		t.Errorf("--graph-json wrote %d states, want %d", got, r.Distinct)
	}
	if got := int64(strings.Count(dot, " -> ")); got != r.Generated-1 {
		t.Errorf("--dot wrote %d edges, want %d", got, r.Generated-1)
	}
}

// TestUnit_LeavesNoHalfGraph: a graph that is cut short leaves no file behind,
// but a word on stderr.
func TestUnit_LeavesNoHalfGraph(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		args, why string
		ctx       context.Context
	}{
		{"--max-states 50", "raise --max-states", context.Background()},
		{"--max-memory 16MB", "--max-memory has room for", context.Background()},
		{"", "interrupted", cancelled},
	} {
		path := filepath.Join(t.TempDir(), "g.json")
		_, text, _ := checkBoth(c.ctx, append(strings.Fields(c.args), "--procs", "4", "--graph-json", path)...)
		if !strings.Contains(text, c.why) || !strings.Contains(text, path) || strings.Count(text, "\n") != 1 {
			t.Errorf("check --graph-json %s %s: %q on stderr, want a line with the path and %q", path, c.args, text, c.why)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("check --graph-json %s: a file is left behind: %v", c.args, err)
		}
	}
}

// TestUnit_GoTestReplays runs the test that check writes for a deadlock, a
// loop and a state that violates a property.
func TestUnit_GoTestReplays(t *testing.T) {
	for i, args := range []string{
		"--scenario crash --procs 2",
		"--mutant test-again",
		"--mutant never-first --procs 2 --property NoHang", // its loop closes but for the rounds
		"--scenario split-lock --procs 2 --property Quiescent",
	} {
		if testing.Short() && i > 0 {
			break // each takes two builds
		}
		path := filepath.Join(t.TempDir(), "replay_test.go")
		check(t, context.Background(), append(strings.Fields(args), "--go-test", path)...)
		if out, err := exec.Command("go", "test", path).CombinedOutput(); err != nil {
			t.Errorf("check %s: the test that it wrote fails: %v\n%s", args, err, out)
		}
		text, _ := os.ReadFile(path)
		spoilt := strings.Replace(string(text), "Exit: -1", "Exit: -2", 1)
		if err := os.WriteFile(path, []byte(spoilt), 0o666); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "test", path).CombinedOutput(); err == nil {
			t.Errorf("check %s: with other words the test passes too:\n%s", args, out)
		}
	}
}

// TestUnit_CoverageSaysWhatHappened: every step of a call and of withdrawal
// is taken in withdraw, none of construction.
func TestUnit_CoverageSaysWhatHappened(t *testing.T) {
	out, _ := check(t, context.Background(), "--scenario", "withdraw", "--coverage", "--json")
	var c line
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatal(err)
	}
	taken := map[spec.Step]bool{}
	for _, o := range c.Reached {
		if o.Event == "" {
			taken[o.At] = true
		}
	}
	for _, s := range append(spec.CallSteps, spec.WithdrawalSteps...) {
		if !taken[s] {
			t.Errorf("step %v was never taken", s)
		}
	}
	text, _ := check(t, context.Background(), "--scenario", "withdraw", "--coverage")
	if want := "never taken: MakeEnter, MakeExit, MakeFlag"; !strings.Contains(text, want) {
		t.Errorf("check --coverage printed\n%s\nwant %q in it", text, want)
	}
}

// TestUnit_VacuousIsAnError: verified with no call completed says nothing.
func TestUnit_VacuousIsAnError(t *testing.T) {
	r := explore.Explore(context.Background(), model.Config{Scenario: spec.Reuse, Procs: 2}, explore.Options{})
	if err := vacuous(r); err != nil {
		t.Errorf("vacuous: %v, want no error where calls return", err)
	}
	for i, o := range r.Reached {
		if o.Step == spec.UnlockExit {
			r.Reached = append(r.Reached[:i:i], r.Reached[i+1:]...)
			break
		}
	}
	if vacuous(r) == nil {
		t.Error("vacuous: nil where no call ever returned, want an error")
	}
	out, err := check(t, context.Background(), "--procs", "2", "--mutant", "no-raise", "--property", "WordsInRange")
	var exit cli.Exit // an error of another kind ends the command with spec.ExitUsage
	if err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), "the question is empty") || out != "" {
		t.Errorf("check, where all hang before a call returns: error %v, output %q; want a usage error and no output", err, out)
	}
}

// TestUnit_Timeline: a counterexample becomes a page; where there is none, the
// file stays as it was and a line says so.
func TestUnit_Timeline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timeline.html")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, page, stderr string }{
		{"--procs 2", "before", "nothing wrong was found"},
		{"--scenario surplus --procs 2", "NoEarlyExit fails", "reproduce: "},
	} {
		_, stderr, err := checkBoth(context.Background(), append(strings.Fields(c.args), "--timeline", path)...)
		page, readErr := os.ReadFile(path)
		if readErr != nil || !strings.Contains(string(page), c.page) || !strings.Contains(stderr, c.stderr) {
			t.Errorf("check %s --timeline: %v, %v, stderr %q; want a file with %q, and %q", c.args, err, readErr, stderr, c.page, c.stderr)
		}
	}
}

// TestGolden_Counterexample compares the counterexample in README.md with what
// the command prints.
func TestGolden_Counterexample(t *testing.T) {
	const args = "--scenario growing --procs 2"
	out, _, _ := checkBoth(context.Background(), strings.Fields(args)...)
	golden.Part(t, "../README.md", "output", "counterexample", "```console\n$ go run ./model/check "+args+"\n…\n"+table(out)+"```\n")
}
