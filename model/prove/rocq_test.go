//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/proof/rocq"
	"sharedbarrier/spec"
)

// fakeRocq writes a coqc that has a version and otherwise runs body, with the
// file as its last argument, and a coqchk that finds no axioms. The tests of
// package rocq ask the real ones.
func fakeRocq(t *testing.T, body string) (path string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"coqc": `[ "$1" = --version ] && exec echo 'The Coq Proof Assistant, version 0'
for file; do :; done
` + body,
		"coqchk": `[ "$1" = --version ] && exec echo 'The Coq Proof Checker, version 0'
echo "checks $PWD" >>"$(dirname "$0")/log"
for none in Axioms 'Constants/Inductives relying on type-in-type' \
  'Constants/Inductives relying on unsafe (co)fixpoints' 'Inductives whose positivity is assumed'; do
  echo "* $none: <none>"
done`,
	} {
		clitest.Script(t, filepath.Join(dir, name), text)
	}
	return filepath.Join(dir, "coqc")
}

// answersChecks is the body of a coqc that compiles each file but one, and
// answers what is asked of theorems.
func answersChecks(but string) string {
	return `case "$file" in
` + but + `) printf 'File "./%s", line 1, characters 0-1:\nError: No such luck.\n' "$file" >&2; exit 1;;
Examine.v) sed -n 's/^Check \(.*\)\.$/\1\n     : of \1/p' "$file"; echo 'Closed under the global context';;
esac`
}

// theorems parses the output of --json. The command that reproduces a failure
// follows it.
func theorems(t *testing.T, out string) (list []theorem, reproduce string) {
	t.Helper()
	out, reproduce, _ = strings.Cut(out, "\nreproduce: ")
	for line := range strings.Lines(out) {
		var th theorem
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&th); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, th)
	}
	return list, reproduce
}

// TestUnit_Rocq: the command prints each theorem as Rocq does, and has coqchk
// check the proofs of the protocol again.
func TestUnit_Rocq(t *testing.T) {
	coqc := fakeRocq(t, answersChecks("none"))
	t.Setenv(rocq.Variable, coqc)
	out, code, err := prove(t, "--rocq", "--json")
	list, reproduce := theorems(t, out)
	if err != nil || code != spec.ExitOK || len(list) != len(rocq.Theorems) || reproduce != "" {
		t.Fatalf("prove --rocq --json: exit code %d, %v, %d theorems, reproduce %q", code, err, len(list), reproduce)
	}
	for i, got := range list {
		name := rocq.Theorems[i].Name
		want := theorem{theoremVersion, "withdraw", "", name, "of " + name, spec.Verified, "", "Rocq 0"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("theorem %d: %+v, want %+v", i, got, want)
		}
	}
	log := filepath.Join(filepath.Dir(coqc), "log")
	if text, err := os.ReadFile(log); err != nil || strings.Count(string(text), "checks") != 1 {
		t.Errorf("coqchk was called as %q, %v, want one call", text, err)
	}
	out, code, _ = prove(t, "--rocq", "--mutant", "always-first")
	for _, want := range []string{"\nno_hang ", fmt.Sprintf("%[1]d of %[1]d theorems proved without axioms, in ", len(rocq.Theorems)), "LockExclusive, Quiescent, NoHang\n", "at most 24n − 4 steps"} {
		if code != spec.ExitOK || !strings.Contains(out, want) {
			t.Errorf("prove --rocq --mutant: exit code %d, no %q in\n%s", code, want, out)
		}
	}
	if text, err := os.ReadFile(log); err != nil || strings.Count(string(text), "checks") != 1 {
		t.Errorf("coqchk was called as %q, %v, want no call for a mutant", text, err)
	}
}

// TestHazard_Rocq: a proof that fails leaves the theorems that need it
// unproved. TestUnit_Rocq is the control.
func TestHazard_Rocq(t *testing.T) {
	t.Setenv(rocq.Variable, fakeRocq(t, answersChecks("Rank.v")))
	out, code, err := prove(t, "--rocq", "--mutant", "test-again", "--json")
	list, reproduce := theorems(t, out)
	if err != nil || code != spec.ExitUnfinished || len(list) != len(rocq.Theorems) || reproduce != "go run ./model/prove --rocq --mutant test-again\n" {
		t.Fatalf("prove --rocq --json: exit code %d, %v, %d theorems, reproduce %q", code, err, len(list), reproduce)
	}
	for i, got := range list {
		want := theorem{Version: theoremVersion, Scenario: "withdraw", Mutant: "test-again", Theorem: rocq.Theorems[i].Name, By: "Rocq 0",
			Verdict: spec.Unfinished, Failure: "Rank.v: No such luck"}
		if rocq.Theorems[i].Kind == spec.Safety {
			want.Verdict, want.Statement, want.Failure = spec.Verified, "of "+want.Theorem, ""
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("theorem %d: %+v, want %+v", i, got, want)
		}
	}
	out, _, _ = prove(t, "--rocq")
	for _, want := range []string{"\nno_hang                    unfinished", fmt.Sprintf("4 of %d theorems proved without axioms, in ", len(rocq.Theorems)),
		"rounds: NoEarlyExit, WordsInRange, LockExclusive, Quiescent\n", "no proof: Rank.v: No such luck\nThis refutes nothing. "} {
		if !strings.Contains(out, want) {
			t.Errorf("prove --rocq without Rank.v: no %q in\n%s", want, out)
		}
	}
	t.Setenv(rocq.Variable, fakeRocq(t, "kill -9 $$"))
	if out, code, err := prove(t, "--rocq"); code != -1 || !strings.Contains(err.Error(), "Table.v: signal: killed") {
		t.Errorf("prove --rocq with a coqc that is killed: exit code %d, %v, output %q, want an error", code, err, out)
	}
}
