//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/proof"
	"sharedbarrier/model/proof/rocq"
	"sharedbarrier/model/proof/solver"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"prove": main}) }

// prove runs the command in this process and returns what it prints and its
// exit code, which is -1 for an error of usage or environment.
func prove(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	out, errs, err := clitest.Run(t.Context(), command(), "", args...)
	out += errs
	var exit cli.Exit
	switch {
	case err == nil:
		return out, spec.ExitOK, nil
	case errors.As(err, &exit):
		return out, int(exit), nil
	default:
		return out, -1, err
	}
}

// results parses the output of --json. The command that reproduces a violation
// follows it.
func results(t *testing.T, out string) (list []proof.Result, byVerdict map[spec.Verdict]int) {
	t.Helper()
	byVerdict = map[spec.Verdict]int{}
	out, reproduce, _ := strings.Cut(out, "\nreproduce: ")
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
	if violated := byVerdict[spec.Violated] > 0; strings.HasPrefix(reproduce, "go run ./model/prove ") != violated {
		t.Errorf("%d violated, and the command to reproduce it is %q", byVerdict[spec.Violated], reproduce)
	}
	return list, byVerdict
}

// noSolvers makes every solver one that does not exist.
func noSolvers(t *testing.T) {
	t.Helper()
	for _, k := range solver.Kinds {
		t.Setenv(k.Variable, "/nowhere/"+k.Name)
	}
}

// TestUnit_Prove: certificates alone prove every scenario.
func TestUnit_Prove(t *testing.T) {
	noSolvers(t)
	for _, scenario := range []spec.Scenario{spec.Withdraw, spec.Reuse, spec.Single} {
		table, err := proof.Scenario(scenario)
		if err != nil {
			t.Fatal(err)
		}
		conditions := proof.Conditions(table)
		out, code, err := prove(t, "--json", "--scenario", scenario.String())
		list, verdicts := results(t, out)
		if err != nil || code != spec.ExitOK || verdicts[spec.Verified] != len(conditions) {
			t.Fatalf("prove --scenario %v: exit code %d, %v, verdicts %v, want %d verified", scenario, code, err, verdicts, len(conditions))
		}
		want := proof.Result{Version: proof.ResultVersion, Scenario: scenario.String(), Verdict: spec.Verified,
			Decided: []proof.Decision{{By: "certificate", Verdict: spec.Verified}}}
		for i, r := range list {
			if want.Condition = conditions[i].Name; !reflect.DeepEqual(r, want) {
				t.Errorf("line %d: %+v, want %+v", i+1, r, want)
			}
		}
		out, code, err = prove(t, "--scenario", scenario.String())
		want1, want2 := fmt.Sprintf("\n%[1]d conditions, %[1]d certificates checked, in ", len(conditions)), "proved for every n ≥ 1"
		for _, w := range []string{"LockExclusive, NoHang, Quiescent\n", "a round takes at most 24n − 4 steps"} {
			if !strings.Contains(out, w) {
				t.Errorf("prove --scenario %v: no %q in\n%s", scenario, w, out)
			}
		}
		if gives, may := strings.Contains(out, "no call gives up any more"), scenario == spec.Withdraw; gives != may {
			t.Errorf("prove --scenario %v: it says what happens when no call gives up any more: %v, want %v", scenario, gives, may)
		}
		if err != nil || code != spec.ExitOK || !strings.Contains(out, want1) || !strings.Contains(out, want2) {
			t.Errorf("prove --scenario %v: exit code %d, %v, no %q and %q in\n%s", scenario, code, err, want1, want2, out)
		}
	}
}

// TestUnit_ProveWithSolvers: both solvers agree with the certificates, and with
// the search that refutes a mutant.
func TestUnit_ProveWithSolvers(t *testing.T) {
	if testing.Short() {
		t.Skip("asks both solvers about every condition")
	}
	for _, k := range solver.Kinds {
		_, err := k.Find(t.Context(), func(line string) { t.Log(line) })
		toolcache.Require(t, err)
	}
	for args, want := range map[string]int{"": spec.ExitOK, "--mutant give-up-late": spec.ExitSafety} {
		out, code, err := prove(t, append(strings.Fields(args), "--json", "--solver", "both", "--timeout", "10m")...)
		list, _ := results(t, out)
		if err != nil || code != want || len(list) == 0 {
			t.Fatalf("prove %s --solver both: exit code %d, %v, %d results, want %d", args, code, err, len(list), want)
		}
		for _, r := range list {
			if len(r.Decided) != 3 || !strings.HasPrefix(r.Decided[1].By, "Z3 ") || !strings.HasPrefix(r.Decided[2].By, "cvc5 ") ||
				r.Decided[1].Verdict != r.Verdict || r.Decided[2].Verdict != r.Verdict {
				t.Errorf("prove %s --solver both: %s is %s by %+v", args, r.Condition, r.Verdict, r.Decided)
			}
		}
	}
}

// TestHazard_SolverDisagrees: a solver that contradicts a certificate, and one
// that contradicts a counterexample, end the command.
func TestHazard_SolverDisagrees(t *testing.T) {
	for answer, args := range map[string]string{"sat": "", "unsat": "--mutant give-up-late"} {
		t.Setenv(solver.Z3.Variable, fake(t, answers(answer)))
		out, code, err := prove(t, append(strings.Fields(args), "--solver", "z3")...)
		if code != -1 || !errors.Is(err, proof.ErrDisagree) || !strings.Contains(err.Error(), "Z3 0 says") {
			t.Errorf("prove %s with a Z3 that answers %s: exit code %d, %v, output %q", args, answer, code, err, out)
		}
	}
}

// TestHazard_DamagedCertificates: without the certificates that ship the command
// makes its own, says so, and fails.
func TestHazard_DamagedCertificates(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the command")
	}
	dir := t.TempDir()
	damaged, overlay, binary := filepath.Join(dir, "certificates.bin"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "prove")
	file, err := filepath.Abs("../proof/certificates.bin")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: damaged}})
	if err := errors.Join(err, os.WriteFile(damaged, text[:len(text)/2], 0o644), os.WriteFile(overlay, list, 0o644)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	cmd := exec.Command(binary)
	out, err := cmd.CombinedOutput()
	code, n := cmd.ProcessState.ExitCode(), len(proof.Conditions(proof.Protocol()))
	for _, want := range []string{
		fmt.Sprintf("%[1]d conditions, %[1]d certificates checked (%[1]d of them made in this run)", n),
		fmt.Sprintf("prove: %d certificates that ship are missing or wrong, though their conditions are valid: run %s", n, proof.Rewrite),
	} {
		if !strings.Contains(string(out), want) || code != spec.ExitUsage {
			t.Errorf("prove with half of the certificates: %v, want exit code %d and %q in\n%s", err, spec.ExitUsage, want, out)
		}
	}
}

// TestHazard_Prove: the proof of a mutant fails. TestUnit_Prove is the control.
func TestHazard_Prove(t *testing.T) {
	noSolvers(t)
	out, code, _ := prove(t, "--mutant", "no-drain")
	want := []string{
		"step.UnlockFirst.ahead", "violated", "before", "after", "breaks  Draining.DrainedFirst",
		"Running it with n = 2 breaks NoEarlyExit after 42 moves:",
		"\n\nreproduce: go run ./model/prove --scenario withdraw --mutant no-drain\n",
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("prove --mutant no-drain: exit code %d, no %q in\n%s", code, w, out)
		}
	}
	if testing.Short() {
		return
	}
	out, code, err := prove(t, "--mutant", "no-drain", "--json")
	_, verdicts := results(t, out)
	if err != nil || code != spec.ExitSafety || verdicts[spec.Violated] == 0 {
		t.Errorf("prove --mutant no-drain: exit code %d, %v, verdicts %v, want %d and some violated", code, err, verdicts, spec.ExitSafety)
	}
	again, _, _ := prove(t, "--mutant", "no-drain", "--json")
	if again != out {
		t.Errorf("the same command prints\n%s\nand then\n%s", out, again)
	}
}

// TestHazard_ProveLiveness: a mutant that is safe and hangs is proved safe, and
// a condition of liveness fails.
func TestHazard_ProveLiveness(t *testing.T) {
	noSolvers(t)
	for mutant, want := range map[string][]string{
		"await-cleared": {"\ndeadlock ", "breaks  NoDeadlock\n", "breaks NoHang after 7 moves:"},
		"test-again":    {"\nrank.UnlockFirst.behind ", "breaks  Rank (", "breaks NoHang after 0 moves:"},
	} {
		out, code, err := prove(t, "--mutant", mutant)
		want = append(want, "rounds: NoEarlyExit, WordsInRange, LockExclusive, Quiescent\n", "no schedule of steps ends the round")
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("prove --mutant %s: no %q in\n%s", mutant, w, out)
			}
		}
		if code != spec.ExitLiveness {
			t.Errorf("prove --mutant %s: exit code %d, %v, want %d", mutant, code, err, spec.ExitLiveness)
		}
		if strings.Contains(out, "a round takes at most") {
			t.Errorf("prove --mutant %s prints a bound on rounds:\n%s", mutant, out)
		}
	}
}

// TestUnit_SMT: --smt writes one file with one question for each condition,
// without a solver.
func TestUnit_SMT(t *testing.T) {
	noSolvers(t)
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

// TestUnit_SMTStaleFiles: --smt refuses a folder with conditions of another
// protocol, and overwrites those of the same one.
func TestUnit_SMTStaleFiles(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if out, code, err := prove(t, "--smt", dir, "--mutant", "give-up-late"); code != spec.ExitOK {
			t.Fatalf("prove --smt --mutant: exit code %d, %v, output %s", code, err, out)
		}
	}
	if out, code, err := prove(t, "--smt", dir); code != -1 || !strings.Contains(err.Error(), "GiveUp.LockExit") {
		t.Errorf("prove --smt with another mutant's files there: exit code %d, %v, output %s, want an error that names one", code, err, out)
	}
}

func TestUnit_Usage(t *testing.T) {
	noSolvers(t)
	t.Setenv(rocq.Variable, "/nowhere/coqc")
	for _, tc := range []struct{ args, want string }{
		{"--mutant none", `"none"`},
		{"--mutant no-drain --scenario reuse", "withdraw alone"},
		{"--scenario crash", "not proved: give withdraw, reuse or single"},
		{"--scenario none", `"none"`},
		{"--timeout 0s", "more than 0"},
		{"--procs 3", "--procs"},
		{"--solver z3", "/nowhere/Z3"},
		{"--solver both", "/nowhere/Z3"},
		{"--solver cvc5", "/nowhere/cvc5"},
		{"--solver yices", "give z3, cvc5 or both"},
		{"--smt /dev/null/x", "/dev/null"},
		{"--rocq --solver z3", "leave out --solver"},
		{"--rocq --smt x", "leave out --solver and --smt"},
		{"--rocq --scenario reuse", "withdraw, which includes it"},
		{"--rocq --mutant none", `"none"`},
		{"--rocq", "/nowhere/coqc"},
	} {
		out, code, err := prove(t, strings.Fields(tc.args)...)
		if code != -1 || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("prove %s: exit code %d, %v, output %q, want one line with %q", tc.args, code, err, out, tc.want)
		}
	}
}

// fake writes a z3 that passes the trial of Find and otherwise runs body, which
// reads the scripts.
func fake(t *testing.T, body string) (path string) {
	t.Helper()
	return clitest.Script(t, filepath.Join(t.TempDir(), "z3"), `[ "$1" = --version ] && exec echo 'Z3 version 0'
input=$(cat)
case "$input" in *"(declare-const x Int)"*) echo sat; echo unsat; exit;; esac
echo "$input" | { `+body+"; }")
}

// answers is the body of a fake z3 that gives the answer to each question.
func answers(answer string) string {
	return "while read line; do case \"$line\" in '(check-sat)') echo " + answer + ";; esac; done"
}

// TestUnit_Unfinished: a solver that gives up proves nothing.
func TestUnit_Unfinished(t *testing.T) {
	t.Setenv(solver.Z3.Variable, fake(t, answers("unknown")))
	out, code, err := prove(t, "--json", "--solver", "z3")
	_, verdicts := results(t, out)
	if n := len(proof.Conditions(proof.Protocol())); code != spec.ExitUnfinished || verdicts[spec.Unfinished] != n {
		t.Errorf("prove: exit code %d, %v, verdicts %v, want %d and %d unfinished", code, err, verdicts, spec.ExitUnfinished, n)
	}
}

// TestProc_Interrupt: Ctrl-C ends the command and its solvers, or Rocq, which
// never answer. Each holds a pipe open, which ends when none is left.
func TestProc_Interrupt(t *testing.T) {
	for _, tc := range []struct {
		args, variable string
		tool           func(t *testing.T, body string) string
	}{
		{"--solver z3", solver.Z3.Variable, fake},
		{"--rocq", rocq.Variable, fakeRocq},
	} {
		alive := filepath.Join(t.TempDir(), "alive")
		if err := syscall.Mkfifo(alive, 0o600); err != nil {
			t.Fatal(err)
		}
		temporary := t.TempDir()
		var said bytes.Buffer
		cmd := reexec.Command(t.Context(), "prove", strings.Fields(tc.args)...)
		cmd.Env = append(cmd.Env, tc.variable+"="+tc.tool(t, "exec 9>'"+alive+"'; exec sleep 1000"), "TMPDIR="+temporary)
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tools, err := os.Open(alive) // blocks until the first one runs
		if err != nil {
			t.Fatal(err)
		}
		defer tools.Close()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if _, err := io.ReadAll(tools); err != nil {
			t.Error(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != spec.ExitInterrupted || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("prove %s, interrupted: exit code %d, output %q, want %d", tc.args, code, said.String(), spec.ExitInterrupted)
		}
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("prove %s, interrupted: it leaves %v, %v", tc.args, left, err)
		}
	}
}
