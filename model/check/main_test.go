package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
	"sharedbarrier/spec"
)

// check runs the command and returns what it printed and how it ended.
func check(t *testing.T, ctx context.Context, args ...string) (stdout string, err error) {
	t.Helper()
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err = cmd.ExecuteContext(ctx)
	return out.String(), err
}

func TestCheck_ExitCodes(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
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
	} {
		ctx := c.ctx
		if ctx == nil {
			ctx = context.Background()
		}
		_, err := check(t, ctx, strings.Fields(c.args)...)
		var exit door.Exit
		errors.As(err, &exit)
		if int(exit) != c.code || err != nil && !errors.As(err, &exit) {
			t.Errorf("check %s: %v, want exit code %d", c.args, err, c.code)
		}
	}
}

// TestCheck_BadFlags: an error that says what to do, and nothing printed.
func TestCheck_BadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--scenario resue":                      "give one of reuse, single",
		"--scenario fork":                       "real processes",
		"--procs 0":                             "give from 1 to 16",
		"--procs 17":                            "give from 1 to 16",
		"--scenario single --procs 2":           "ask for 1",
		"--rounds -1":                           "give 1 or more, or 0",
		"--rounds 1000":                         "at most 100",
		"--scenario shrinking --rounds 0":       "give a bound",
		"--scenario reuse --twin":               "has no twin",
		"--property Safe":                       "NoEarlyExit",
		"--max-memory 4":                        "500MB",
		"--max-states -1":                       "from 0",
		"--workers -1":                          "from 0",
		"surprise":                              "surprise",
		"--scenario shrinking --rounds 2 --foo": "--foo",
	} {
		out, err := check(t, context.Background(), strings.Fields(args)...)
		var exit door.Exit
		if err == nil || errors.As(err, &exit) || !strings.Contains(err.Error(), want) || out != "" {
			t.Errorf("check %s: error %v, output %q; want a usage error with %q and no output", args, err, out, want)
		}
	}
}

// TestCheck_ReproducesItself runs the command that a failure prints and finds
// the same counterexample.
func TestCheck_ReproducesItself(t *testing.T) {
	out, _ := check(t, context.Background(), "--scenario", "growing", "--procs", "3")
	_, line, ok := strings.Cut(out, "reproduce: go run ./model/check ")
	if !ok {
		t.Fatalf("check printed no way to reproduce:\n%s", out)
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

func TestCheck_JSONIsOneResult(t *testing.T) {
	out, _ := check(t, context.Background(), "--scenario", "crash", "--procs", "2", "--json")
	var r model.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("check --json: %q is not one line of JSON: %v", out, err)
	}
	if r.Version != model.ResultVersion || r.Verdict != spec.Hang || len(r.Trace) == 0 {
		t.Errorf("check --json: %+v, want a hang with its trace", r)
	}
}
