//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/z3"
	"sharedbarrier/spec"
)

// prove runs the command in this process and returns what it prints and its
// exit code, which is -1 for an error of usage or environment.
func prove(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	var b bytes.Buffer
	cmd := command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&b)
	err = cmd.ExecuteContext(t.Context())
	var exit cli.Exit
	switch {
	case err == nil:
		return b.String(), spec.ExitOK, nil
	case errors.As(err, &exit):
		return b.String(), int(exit), nil
	default:
		return b.String(), -1, err
	}
}

// needZ3 skips the test where there is no Z3, or in strict mode fails it.
func needZ3(t *testing.T) {
	t.Helper()
	if _, err := z3.Find(t.Context(), func(line string) { t.Log(line) }); err != nil {
		if errors.Is(err, z3.ErrMissing) && os.Getenv("SHAREDBARRIER_STRICT") != "1" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
}

// results parses what --json prints.
func results(t *testing.T, out string) (list []proof.Result, byVerdict map[spec.Verdict]int) {
	t.Helper()
	byVerdict = map[spec.Verdict]int{}
	for line := range strings.Lines(out) {
		var r struct {
			proof.Result
			Counterexample json.RawMessage `json:"counterexample"`
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if has := string(r.Counterexample) != "null"; has != (r.Verdict == spec.Violated) {
			t.Errorf("%s: verdict %s with counterexample %s", r.Condition, r.Verdict, r.Counterexample)
		}
		list = append(list, r.Result)
		byVerdict[r.Verdict]++
	}
	return list, byVerdict
}

func TestProve(t *testing.T) {
	needZ3(t)
	conditions := proof.Conditions(proof.Protocol())
	out, code, err := prove(t, "--json")
	list, verdicts := results(t, out)
	if err != nil || code != spec.ExitOK || verdicts[spec.Verified] != len(conditions) {
		t.Fatalf("prove: exit code %d, %v, verdicts %v, want %d verified", code, err, verdicts, len(conditions))
	}
	for i, r := range list {
		if r.Condition != conditions[i].Name || r.Version != proof.ResultVersion || r.Scenario != "withdraw" || r.Mutant != "" || !strings.HasPrefix(r.Solver, "Z3 ") {
			t.Errorf("line %d: %+v, want condition %s of scenario withdraw", i+1, r, conditions[i].Name)
		}
	}
	out, code, err = prove(t)
	if err != nil || code != spec.ExitOK || !strings.Contains(out, "proved for every n") || !strings.HasPrefix(out, "Z3 ") {
		t.Errorf("prove: exit code %d, %v, output\n%s", code, err, out)
	}
}

// TestHazard_Prove: a mutant, beside the protocol that TestProve proves.
func TestHazard_Prove(t *testing.T) {
	needZ3(t)
	out, code, err := prove(t, "--mutant", "no-drain", "--json")
	_, verdicts := results(t, out)
	if err != nil || code != spec.ExitSafety || verdicts[spec.Violated] == 0 {
		t.Errorf("prove --mutant no-drain: exit code %d, %v, verdicts %v, want %d and some violated", code, err, verdicts, spec.ExitSafety)
	}
	again, _, _ := prove(t, "--mutant", "no-drain", "--json")
	seconds := regexp.MustCompile(`"seconds":[^,]*`)
	if got, want := seconds.ReplaceAllString(again, ""), seconds.ReplaceAllString(out, ""); got != want {
		t.Errorf("the same command prints\n%s\nand then\n%s", want, got)
	}
	out, code, _ = prove(t, "--mutant", "no-drain")
	want := []string{
		"step.UnlockFirst.ahead", "violated", "before", "after", "breaks  Draining.DrainedFirst",
		"Running it with 2 processes breaks NoEarlyExit after 42 moves:",
		"go run ./model/prove --scenario withdraw --mutant no-drain",
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("prove --mutant no-drain: exit code %d, no %q in\n%s", code, w, out)
		}
	}
}

// TestSMT: one file for each condition, each with one question, and no solver.
func TestSMT(t *testing.T) {
	t.Setenv(z3.PathVariable, "/nowhere/z3")
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if out, code, err := prove(t, "--smt", dir); code != spec.ExitOK {
		t.Fatalf("prove --smt: exit code %d, %v, output %s", code, err, out)
	}
	for _, c := range proof.Conditions(proof.Protocol()) {
		text, err := os.ReadFile(filepath.Join(dir, c.Name+".smt2"))
		if err != nil {
			t.Error(err)
		}
		for _, once := range []string{"(check-sat)\n", "(set-logic QF_LIA)\n"} {
			if got := strings.Count(string(text), once); got != 1 {
				t.Errorf("%s.smt2 has %d times %q, want once", c.Name, got, once)
			}
		}
	}
}

// TestSMT_StaleFiles: a folder with other conditions is refused, as it is; the same ones
// may be written again.
func TestSMT_StaleFiles(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if out, code, err := prove(t, "--smt", dir, "--mutant", "give-up-late"); code != spec.ExitOK {
			t.Fatalf("prove --smt --mutant: exit code %d, %v, output %s", code, err, out)
		}
	}
	if out, code, err := prove(t, "--smt", dir); code != -1 || !strings.Contains(err.Error(), "step.GiveUp.LockExit") {
		t.Errorf("prove --smt with another mutant's files there: exit code %d, %v, output %s, want an error that names one", code, err, out)
	}
}

func TestUsage(t *testing.T) {
	t.Setenv(z3.PathVariable, "/nowhere/z3")
	for _, tc := range []struct{ args, want string }{
		{"--mutant none", `"none"`},
		{"--mutant no-drain --scenario reuse", "withdraw alone"},
		{"--scenario crash", "the proof says nothing of it"},
		{"--scenario none", `"none"`},
		{"--timeout 0s", "more than 0"},
		{"--procs 3", "--procs"},
		{"", "/nowhere/z3"},
		{"--smt /dev/null/x", "/dev/null"},
	} {
		out, code, err := prove(t, strings.Fields(tc.args)...)
		if code != -1 || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("prove %s: exit code %d, %v, output %q, want one line with %q", tc.args, code, err, out, tc.want)
		}
	}
}

// fake writes a z3 that knows its version and does what body says.
func fake(t *testing.T, body string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "z3")
	text := "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'Z3 version 0'\n" + body + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUnfinished: a solver that gives up proves nothing.
func TestUnfinished(t *testing.T) {
	t.Setenv(z3.PathVariable, fake(t, "while read line; do [ \"$line\" = '(check-sat)' ] && echo unknown; done"))
	out, code, err := prove(t, "--json")
	_, verdicts := results(t, out)
	if n := len(proof.Conditions(proof.Protocol())); code != spec.ExitUnfinished || verdicts[spec.Unfinished] != n {
		t.Errorf("prove: exit code %d, %v, verdicts %v, want %d and %d unfinished", code, err, verdicts, spec.ExitUnfinished, n)
	}
}

// TestProc_Interrupt: Ctrl-C ends the command and its solvers, which never
// answer. Each holds a pipe open, whose end says that none is left.
func TestProc_Interrupt(t *testing.T) {
	dir := t.TempDir()
	bin, alive := filepath.Join(dir, "prove"), filepath.Join(dir, "alive")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := syscall.Mkfifo(alive, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin)
	cmd.Env = append(os.Environ(), z3.PathVariable+"="+fake(t, "exec 9>"+alive+"; while read line; do :; done"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	solvers, err := os.Open(alive) // returns when the first solver runs
	if err != nil {
		t.Fatal(err)
	}
	defer solvers.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if _, err := io.ReadAll(solvers); err != nil {
		t.Error(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != spec.ExitInterrupted || !strings.Contains(said.String(), "interrupted") {
		t.Errorf("prove, interrupted: exit code %d, output %q, want %d", code, said.String(), spec.ExitInterrupted)
	}
}
