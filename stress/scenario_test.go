//go:build linux

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
)

// A scenario and its control: the document has a row for each outcome of both,
// and fits its schema.
func TestProc_ScenarioPrintsOneObject(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept")
	p := newCommand(t, "--scenario", "crash", "--rounds", "1", "--seed", "7", "--json", "--out", dir)
	p.run(t)
	if code := p.ProcessState.ExitCode(); code != spec.ExitOK {
		t.Fatalf("exit code %d, stderr %q", code, p.err.String())
	}
	doc, text := kept(t, dir)
	if p.out.String() != text {
		t.Errorf("stdout is not the report that is kept: %s", p.out.String())
	}
	if doc.Verdict != spec.Passed || len(doc.Scenarios) != 2 || len(doc.Runs) != 2 || len(doc.Outcomes) != 14 || doc.Seed != 7 {
		t.Errorf("verdict %s, %d scenarios, %d runs, %d outcomes, seed %d; want passed, 2, 2, 14, 7", doc.Verdict, len(doc.Scenarios), len(doc.Runs), len(doc.Outcomes), doc.Seed)
	}
	for i, s := range doc.Scenarios {
		if s.Scenario != "crash" || s.Control != (i == 1) || doc.Runs[i].Scenario != "crash" || doc.Runs[i].Control != s.Control {
			t.Errorf("scenario %d is %+v, its run is of %s, control %v", i, s, doc.Runs[i].Scenario, doc.Runs[i].Control)
		}
	}
	if want := "go run ./stress --scenario crash --rounds 1 --for 0s --stall 10s --seed 7"; doc.Command != want {
		t.Errorf("command %q, want %q", doc.Command, want)
	}
	p.checkNothingLeft(t)
}

// A mistake is violated or a hang, and printed with the command that repeats it.
// Both show themselves in the first round, whatever the schedule.
func TestHazard_ScenarioOfAMistake(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	for port, code := range map[string]int{"c@raise-two": spec.ExitSafety, "c@no-raise": spec.ExitHang} {
		porttest.Need(t, port)
		p := newCommand(t, "--scenario", "reuse", "--port", port+"=2", "--rounds", "1", "--stall", "1s", "--seed", "7")
		p.Dir = ".."
		p.run(t)
		want := "\nreproduce: go run ./stress --scenario reuse --port " + port + "=2 --rounds 1 --for 0s --stall 1s --seed 7\n"
		if got := p.ProcessState.ExitCode(); got != code || !strings.HasSuffix("\n"+p.err.String(), want) || !strings.Contains(p.out.String(), "forbidden, seen") {
			t.Errorf("%s: exit code %d, stderr %q; want %d, and the end %q\n%s", port, got, p.err.String(), code, want, p.out.String())
		}
		p.checkNothingLeft(t)
	}
}

// Ctrl-C keeps the table so far, and leaves nothing.
func TestProc_ScenarioInterrupted(t *testing.T) {
	p := startCommand(t, "--scenario", "fork", "--for", "5m", "--seed", "7")
	p.await(t, "a trial", func() bool { return len(p.files(t)) > 0 })
	signal(t, p.Process.Pid, syscall.SIGINT)
	if code := p.exitCode(t); code != spec.ExitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", code, spec.ExitInterrupted, p.err.String())
	}
	p.checkNothingLeft(t)
}

func TestProc_ScenarioBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--scenario nonsense":             "or give all",
		"--scenario":                      "--scenario",
		"--control":                       "give --scenario NAME",
		"--scenario reuse --control":      "no control",
		"--scenario crash --fault busy:1": "fault",
		"--scenario crash --plan":         "plan",
		"--scenario single --procs 3":     "1 process",
		"--scenario all --for 0":          "give one of them",
		"--scenario fork --port go=2":     "--port c=2",
		"--scenario late-construction --control --port go=2 --procs 2": "exclude each other",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}
