package rocq

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

var allMutants = flag.Bool("mutants", false, "prove every mutant, which takes 10 seconds each")

// installed returns the installation, and skips the test if there is none.
func installed(t *testing.T) Rocq {
	t.Helper()
	r, err := Find(t.Context())
	toolcache.Require(t, err)
	return r
}

func prove(t *testing.T, table proof.Table) Proof {
	t.Helper()
	stages := 0
	p, err := installed(t).Prove(t.Context(), table, func() { stages++ })
	if err != nil {
		t.Fatalf("Prove: %v", err)
	}
	if p.Failure == nil && stages != Stages {
		t.Errorf("Prove calls done %d times, want %d", stages, Stages)
	}
	return p
}

// TestGolden_Theorems: Rocq proves each theorem, with the statement that the
// page has.
func TestGolden_Theorems(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the proofs")
	}
	p := prove(t, proof.Protocol())
	if p.Failure != nil {
		t.Fatalf("no proof: %v", p.Failure)
	}
	rows := [][]string{{"theorem", "in words", "as Rocq prints it"}}
	for _, q := range p.Proved {
		rows = append(rows, []string{"`" + q.Name + "`", q.Doc, "`" + strings.ReplaceAll(q.Statement, "|", `\|`) + "`"})
	}
	golden.Part(t, "../PROOF.md", "table", "theorems", golden.Table(rows))
	if len(p.Proved) != len(Theorems) {
		t.Errorf("%d theorems proved, want %d", len(p.Proved), len(Theorems))
	}
}

// TestHazard_Mutants: the theorems hold of a mutant if, and as far as, its
// conditions are valid. Without SHAREDBARRIER_STRICT one mutant is proved: the
// others take long.
func TestHazard_Mutants(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles the proofs")
	}
	names := []string{"no-drain"} // unsafe
	if os.Getenv("SHAREDBARRIER_STRICT") == "1" {
		names = append(names, "test-again", "always-first") // hangs, harmless
	}
	if *allMutants {
		names = nil
		for _, m := range proof.Mutants() {
			names = append(names, m.Name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m, err := proof.FindMutant(name)
			if err != nil {
				t.Fatal(err)
			}
			want := provable(t, m.Table())
			p := prove(t, m.Table())
			var got []string
			for _, q := range p.Proved {
				got = append(got, q.Name)
			}
			if !slices.Equal(got, want) || (p.Failure == nil) != (len(want) == len(Theorems)) {
				t.Errorf("%s: proved %v, failure %v, want %v", m.Doc, got, p.Failure, want)
			}
			t.Logf("%d proved; %v", len(got), p.Failure)
		})
	}
}

// provable lists the theorems whose conditions are valid. Those of safety need
// the conditions of safety, those of the rank need those of the rank too, and
// the last ones need that there is no deadlock, too.
func provable(t *testing.T, table proof.Table) (names []string) {
	t.Helper()
	needs := map[string]string{"Safety": "", "Rank": "rank.", "Liveness": "deadlock"}
	valid := []string{"Safety", "Rank", "Liveness"}
	for _, c := range proof.Conditions(table) {
		_, example, err := c.Decide(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range valid {
			if example != nil && (c.Kind == spec.Safety || i > 0 && strings.HasPrefix(c.Name, needs[file])) {
				valid = valid[:i]
				break
			}
		}
	}
	for _, th := range Theorems {
		if slices.Contains(valid, th.file) {
			names = append(names, th.Name)
		}
	}
	return names
}

// write writes a file of Rocq into a new directory.
func write(t *testing.T, file, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const fourTheorems = `
Theorem no_early_exit : 0 = 0. Proof. reflexivity. Qed.
Theorem words_in_range : 0 = 0. Proof. reflexivity. Qed.
Theorem lock_exclusive : 0 = 0. Proof. reflexivity. Qed.
`

// TestHazard_Axioms: a theorem that is admitted, one that uses an axiom and one
// whose recursion is not checked are not proved.
func TestHazard_Axioms(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Rocq eight times")
	}
	r := installed(t)
	for text, want := range map[string]string{
		"Theorem quiescent : 0 = 0. Proof. reflexivity. Qed.":                                                                   "",
		"Theorem quiescent : 0 = 0. Admitted.":                                                                                  "they use axioms: Axioms: quiescent",
		"Axiom absurd : False.\nTheorem quiescent : 0 = 0. destruct absurd. Qed.":                                               "absurd : False",
		"#[bypass_check(guard)] Fixpoint loop (n : nat) : False := loop n.\nTheorem quiescent : 0 = 0. destruct (loop 0). Qed.": "loop is assumed to be guarded",
	} {
		var p Proof
		dir := write(t, "Safety.v", fourTheorems+text)
		if _, failure, err := r.compile(t.Context(), dir, "Safety.v"); err != nil || failure != nil {
			t.Fatalf("compile %s: %v, %v", text, failure, err)
		}
		if err := r.examine(t.Context(), dir, []string{"Safety"}, &p); err != nil {
			t.Fatalf("examine %s: %v", text, err)
		}
		if want == "" {
			if p.Failure != nil || len(p.Proved) != 4 || p.Proved[3].Statement != "0 = 0" {
				t.Errorf("examine %s: %+v, want four theorems", text, p)
			}
			continue
		}
		if p.Failure == nil || len(p.Proved) != 0 || !strings.Contains(p.Failure.Message, want) {
			t.Errorf("examine %s: %v, %v, want a failure with %q", text, p.Proved, p.Failure, want)
		}
	}
}

// TestHazard_Recheck: coqchk finds an axiom that no theorem uses, too.
func TestHazard_Recheck(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Rocq ten times")
	}
	r := installed(t)
	for text, want := range map[string]string{
		"Theorem fine : 0 = 0. Proof. reflexivity. Qed.":                       "",
		"Axiom unused : False.":                                                "none of these: Axioms",
		"Unset Universe Checking. Definition U := Type.":                       "none of these: Constants/Inductives relying on type-in-type",
		"#[bypass_check(guard)] Fixpoint loop (n : nat) : False := loop n.":    "none of these: Constants/Inductives relying on unsafe",
		"#[bypass_check(positivity)] Inductive bad := Bad (f : bad -> False).": "none of these: Inductives whose positivity",
	} {
		dir := write(t, "Liveness.v", text)
		if _, failure, err := r.compile(t.Context(), dir, "Liveness.v"); err != nil || failure != nil {
			t.Fatalf("compile %s: %v, %v", text, failure, err)
		}
		err := r.recheck(t.Context(), dir)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("coqchk of %s: %v, want %q", text, err, want)
		}
	}
	dir := write(t, "Liveness.v", "")
	if err := r.recheck(t.Context(), dir); err == nil {
		t.Error("coqchk of a file that is not compiled: no error")
	}
}

// TestUnit_Compile: a proof that fails is a failure with the lemma's name; a
// coqc that ends otherwise is an error.
func TestUnit_Compile(t *testing.T) {
	t.Parallel()
	r := installed(t)
	dir := write(t, "X.v", "Lemma one : 0 = 0. Proof. reflexivity. Qed.\nTheorem two : 0 = 1.\nProof. reflexivity. Qed.\n")
	_, failure, err := r.compile(t.Context(), dir, "X.v")
	if err != nil || failure == nil || failure.File != "X.v" || failure.Lemma != "two" || !strings.Contains(failure.Message, "Unable to unify") {
		t.Errorf("compile of a wrong proof: %v, %v, want a failure of two", failure, err)
	}
	if _, failure, err := r.compile(t.Context(), dir, "missing.v"); err == nil || failure != nil {
		t.Errorf("compile of no file: %v, %v, want an error", failure, err)
	}
	text := "Parameter " + strings.Repeat("x", 2*mostMessage) + " : nat nat."
	if _, failure, _ := r.compile(t.Context(), write(t, "X.v", text), "X.v"); failure == nil || len(failure.Message) > mostMessage {
		t.Errorf("compile with a long message: %v, want at most %d bytes", failure, mostMessage)
	}
}

// TestUnit_Answer: what is not an answer to each question is an error.
func TestUnit_Answer(t *testing.T) {
	theorems := Theorems[:2]
	const both = "no_early_exit\n     : A\nwords_in_range\n     : B\n"
	statements, axioms, err := answer(both+"Closed under the global context\n", theorems)
	if err != nil || axioms != "" || !slices.Equal(statements, []string{"A", "B"}) {
		t.Errorf("answer: %v, %q, %v, want A and B without axioms", statements, axioms, err)
	}
	if _, axioms, err := answer(both+"Axioms:\nx : False\n", theorems); err != nil || axioms != "Axioms:\nx : False" {
		t.Errorf("answer with an axiom: %q, %v", axioms, err)
	}
	for _, said := range []string{"", both, "words_in_range\n     : B\nClosed under the global context\n", "no_early_exit\n     : A\nClosed under the global context\n"} {
		if statements, axioms, err := answer(said, theorems); err == nil {
			t.Errorf("answer %q: %v, %q, want an error", said, statements, axioms)
		}
	}
}

// TestUnit_Files: the list of files has each file of the folder.
func TestUnit_Files(t *testing.T) {
	list, err := filepath.Glob("*.v")
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(files)
	for i := range want {
		want[i] += ".v"
	}
	if slices.Sort(want); !slices.Equal(list, want) {
		t.Errorf("the folder has %v, want %v", list, want)
	}
}

func TestUnit_Missing(t *testing.T) {
	program := clitest.Script(t, filepath.Join(t.TempDir(), "coqc"), "echo 'Another Program, version 1'")
	for path, want := range map[string]string{"/nowhere/coqc": "/nowhere/coqc", program: "is not Rocq"} {
		t.Setenv(Variable, path)
		_, err := Find(t.Context())
		if !errors.Is(err, missing) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "apt-get install coq") {
			t.Errorf("Find with %s=%s: %v, want an error that names the package, with %q", Variable, path, err, want)
		}
	}
}
