//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
)

// TestConform_TraceByTLC: TLC and the model say the same of real runs: of Go, C
// and the original Python at one barrier, with a party that gives up, until one
// of them is killed, and with a port that has a mistake.
func TestConform_TraceByTLC(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TLC reads each trace")
	}
	t.Parallel()
	porttest.Need(t, "c", "python")
	tlc, _ := (&builder{dir: t.TempDir(), built: map[string]string{}}).build(t, "./tla/validate")
	three := []string{"--port", "go", "--port", "c", "--port", "python"}
	for _, c := range []struct {
		name      string
		args      []string
		code      int // of stress
		behaviour bool
		event     string // that the trace must have
	}{
		{"giving up", slices.Concat(three, []string{"--fault", "give-up:0@AwaitFlag:x2", "--stall", "1m"}), spec.ExitOK, true, accept.Withdrawn},
		{"killed", slices.Concat(three, []string{"--fault", "kill:1@CountEnter", "--stall", "3s"}), spec.ExitHang, true, accept.Died},
		{"a mistake", []string{"--port", "c@raise-two=2", "--stall", "1m"}, spec.ExitSafety, false, spec.RaiseFlag.String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "trace")
			p := startCommand(t, slices.Concat(c.args, []string{"--rounds", "25", "--trace", path})...)
			if code := p.exitCode(t); code != c.code {
				t.Fatalf("stress: exit code %d, want %d\n%s%s", code, c.code, p.out.String(), p.err.String())
			}
			trace, err := accept.ReadFile(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := accept.Check(trace).Rejection
			has := slices.ContainsFunc(trace.Events, func(e accept.Event) bool { return e.Label == c.event })
			if (want == nil) != c.behaviour || !has {
				t.Fatalf("the model on %d events, %s among them: %v: got %+v, want a behaviour: %v", len(trace.Events), c.event, has, want, c.behaviour)
			}
			var got struct {
				Verdict   spec.Verdict
				Events    int
				Rejection *struct {
					Line, Proc  int
					Label, Part string
				}
			}
			cmd := exec.CommandContext(t.Context(), tlc, "--json", path)
			var says bytes.Buffer
			cmd.Stderr = &says
			out, _ := cmd.Output()
			if text := says.String(); strings.Contains(text, "no TLC") || strings.Contains(text, "no Java") {
				toolcache.Require(t, toolcache.Missing(text))
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("validate: %v: %s%s", err, out, says.String())
			}
			switch {
			case got.Events != len(trace.Events):
				t.Errorf("TLC read %d events, want %d", got.Events, len(trace.Events))
			case want == nil:
				if got.Verdict != spec.Passed || got.Rejection != nil || cmd.ProcessState.ExitCode() != spec.ExitOK {
					t.Errorf("TLC: got %s, exit code %d, want it passed", out, cmd.ProcessState.ExitCode())
				}
			case got.Verdict != spec.Violated || cmd.ProcessState.ExitCode() != spec.ExitSafety || got.Rejection == nil ||
				got.Rejection.Line != want.Line || got.Rejection.Proc != want.Event.Proc || got.Rejection.Label != want.Event.Label || got.Rejection.Part != string(want.Part):
				t.Errorf("TLC: got %s, exit code %d, want it rejected at line %d, %v", out, cmd.ProcessState.ExitCode(), want.Line, want.Event)
			}
		})
	}
}
