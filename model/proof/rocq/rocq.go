// Package rocq has Rocq, a proof assistant, prove the barrier safe and live for
// every number of processes. The theorems are about named processes, without
// the counters of package proof. Table.v is generated from proof.Table,
// Protocol.v has the states, the runs and the properties, and the other files
// have the proofs.
//
//	rocq, err := rocq.Find(ctx)
//	proof, err := rocq.Prove(ctx, proof.Protocol(), func() {})
//	if proof.Failure != nil { … } // not proved
package rocq

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/cli/workdir"
	"sharedbarrier/model/proof"
	"sharedbarrier/spec"
)

// A Theorem is a statement that the files prove.
type Theorem struct {
	Name  string // in its file
	Doc   string // what it says
	Claim string // the claim of PROOF.md that it is; empty: it is none
	Kind  spec.Kind
	file  string
}

var rank = proof.TheRank()

// Theorems lists the theorems, each after those that it needs.
var Theorems = []Theorem{
	{"no_early_exit", spec.NoEarlyExit.Doc(), spec.NoEarlyExit.String(), spec.Safety, "Safety"},
	{"words_in_range", spec.WordsInRange.Doc(), spec.WordsInRange.String(), spec.Safety, "Safety"},
	{"lock_exclusive", spec.LockExclusive.Doc(), spec.LockExclusive.String(), spec.Safety, "Safety"},
	{"quiescent", spec.Quiescent.Doc(), spec.Quiescent.String(), spec.Safety, "Safety"},
	{"step_lowers_rank", "every step but the one that ends a round lowers the rank", "", spec.Liveness, "Rank"},
	{"give_up_raises_rank", fmt.Sprintf("a call that gives up adds at most %d to the rank", rank.GiveUp), "", spec.Liveness, "Rank"},
	{"round_ends", fmt.Sprintf("a round has at most %v steps, and %d more for each call that gives up in it", rank.StepsOfRound(), rank.GiveUp), "round", spec.Liveness, "Rank"},
	{"round_ends_from_any_state", fmt.Sprintf("from any state the round ends within %v steps, and %d more for each call that gives up on the way", rank.StepsToEnd(), rank.GiveUp), "end", spec.Liveness, "Rank"},
	{"some_step", "some process can take a step, other than `Call` by one ahead", "", spec.Liveness, "Liveness"},
	{"no_hang_by_progress", "`NoHang` with progress in place of weak fairness: while some process can take a step, something happens", "", spec.Liveness, "Liveness"},
	{"no_hang", spec.NoHang.Doc(), spec.NoHang.String(), spec.Liveness, "Liveness"},
	{"all_return", "if each process makes R calls, and may rest then, all R calls of each return", "", spec.Liveness, "Liveness"},
	{"weakly_fair_runs_exist", "there are runs that satisfy the conditions of `no_hang`", "", spec.Liveness, "Liveness"},
}

// files lists the files, each after those that it needs.
var files = []string{"Table", "Protocol", "Count", "Invariant", "Gathering", "Draining", "Safety", "Rank", "Liveness"}

//go:embed *.v
var sources embed.FS

// Source returns the text of a file, such as Protocol.v.
func Source(name string) (string, error) {
	text, err := sources.ReadFile(name)
	return string(text), err
}

// Variable is the environment variable with the path of the coqc to use before
// any other. Its coqchk is beside it.
const Variable = "SHAREDBARRIER_COQC"

const missing toolcache.Missing = "no Rocq: install it (Debian: apt-get install coq), or set " + Variable + " to the coqc of a Rocq 8.16"

// A Rocq is an installation.
type Rocq struct {
	Path    string // of coqc
	Version string
	checker string // path of coqchk
}

// String returns the name and the version.
func (r Rocq) String() string { return "Rocq " + r.Version }

// Find returns the installation that Variable names, or else the one on PATH.
// It fails with the error of ctx, or with a toolcache.Missing if there is none
// or it does not work.
func Find(ctx context.Context) (Rocq, error) {
	coqc, chosen := "coqc", os.Getenv(Variable)
	if chosen != "" {
		coqc = chosen
	}
	path, said, err := toolcache.Ask(ctx, missing, coqc, "--version")
	if err != nil {
		return Rocq{}, err
	}
	version := regexp.MustCompile(`(?:Coq Proof Assistant|Rocq Prover), version (\S+)`).FindStringSubmatch(said)
	if version == nil {
		return Rocq{}, fmt.Errorf("%w (%s is not Rocq: it prints %q)", missing, path, said)
	}
	checker, _, err := toolcache.Ask(ctx, missing, filepath.Join(filepath.Dir(path), "coqchk"), "--version")
	return Rocq{path, version[1], checker}, err
}

// A Proof is what Rocq has proved of a table.
type Proof struct {
	Proved  []Proved // in the order of Theorems
	Failure *Failure // why the other theorems are not proved; nil: all are
}

// A Proved is a theorem that Rocq has proved without axioms.
type Proved struct {
	Theorem
	Statement string // as Rocq prints it
}

// A Failure says where the proof fails. That refutes nothing: another proof of
// the same theorem may exist.
type Failure struct {
	File    string // such as Safety.v
	Lemma   string // the lemma or theorem whose proof fails; empty: the failure is elsewhere
	Message string // of Rocq
}

// String returns the failure in one line.
func (f *Failure) String() string {
	if f.Lemma == "" {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s of %s: %s", f.Lemma, f.File, f.Message)
}

// Prove compiles the files, with the table in place of that of the protocol,
// and asks for the axioms of the theorems. It compiles in a temporary
// directory, which it removes. That takes about ten seconds. It calls done
// after each of the Stages.
//
// It fails with the error of ctx or of the system, or if Rocq ends without
// deciding.
func (r Rocq) Prove(ctx context.Context, table proof.Table, done func()) (Proof, error) {
	return r.prove(ctx, table, done, func(string) error { return nil })
}

// ProveTwice is Prove. If all theorems are proved, coqchk then checks all
// proofs again, with those of the standard library that they use. That takes a
// minute.
func (r Rocq) ProveTwice(ctx context.Context, table proof.Table, done func()) (Proof, error) {
	return r.prove(ctx, table, done, func(dir string) error { return r.recheck(ctx, dir) })
}

// Stages is how often Prove or ProveTwice calls done when all theorems are
// proved.
var Stages = len(files) + 2

func (r Rocq) prove(ctx context.Context, table proof.Table, done func(), again func(dir string) error) (p Proof, err error) {
	work, err := workdir.Make("", "sharedbarrier-rocq-")
	if err != nil {
		return p, err
	}
	defer work.Remove()
	dir, compiled := work.Path, 0
	if err := unpack(dir, table); err != nil {
		return p, err
	}
	for ; compiled < len(files) && p.Failure == nil; compiled++ {
		if _, p.Failure, err = r.compile(ctx, dir, files[compiled]+".v"); err != nil {
			return p, err
		}
		done()
	}
	if p.Failure != nil {
		compiled--
	}
	if err := r.examine(ctx, dir, files[:compiled], &p); err != nil || p.Failure != nil {
		return p, err
	}
	done()
	if err := again(dir); err != nil {
		return Proof{}, err
	}
	done()
	return p, nil
}

// unpack writes the files into the directory, with Table.v of the table.
func unpack(dir string, table proof.Table) error {
	for _, name := range files {
		text, err := Source(name + ".v")
		if name == "Table" {
			text = table.Rocq(rank)
		}
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name+".v"), []byte(text), 0o600)); err != nil {
			return err
		}
	}
	return nil
}

// library is the logical path of the files.
const library = "SharedBarrier"

var failed = regexp.MustCompile(`(?m)^File "[^"]*", line (\d+), characters [\d-]+:\nError:\s+(?s:(.*))`)

// compile compiles a file of the directory and returns what coqc prints, or why
// there is no proof.
func (r Rocq) compile(ctx context.Context, dir, file string) (said string, failure *Failure, err error) {
	cmd := exec.Command(r.Path, "-q", "-R", ".", library, file)
	cmd.Dir = dir
	out, err := procgroup.CombinedOutput(ctx, cmd)
	match := failed.FindSubmatch(out)
	switch {
	case ctx.Err() != nil:
		return "", nil, ctx.Err()
	case err == nil && match == nil:
		return string(out), nil, nil
	case match == nil:
		return "", nil, fmt.Errorf("%s %s: %w: %s", r.Path, file, err, toolcache.LastLine(out))
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return "", nil, err
	}
	return "", &Failure{file, lemmaAt(string(text), string(match[1])), oneLine(string(match[2]))}, nil
}

// mostMessage is how many bytes of a message of Rocq are of use: the rest is
// the context of a goal.
const mostMessage = 300

func oneLine(text string) string {
	text = strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
	return strings.ToValidUTF8(text[:min(len(text), mostMessage)], "")
}

var lemmas = regexp.MustCompile(`^(?:Lemma|Theorem) (\w+)`)

// lemmaAt returns the lemma or the theorem that the line of the text belongs
// to.
func lemmaAt(text, line string) (name string) {
	last, _ := strconv.Atoi(line) // 0 if it is too long: then there is no name
	for i, l := range strings.Split(text, "\n") {
		if match := lemmas.FindStringSubmatch(l); match != nil && i < last {
			name = match[1]
		}
	}
	return name
}

// examine asks for the statements of all theorems of the compiled files, and
// for the axioms that their proofs use. There must be none: a theorem that is
// admitted is an axiom too.
func (r Rocq) examine(ctx context.Context, dir string, compiled []string, p *Proof) error {
	var proved []Theorem
	for _, t := range Theorems {
		if slices.Contains(compiled, t.file) {
			proved = append(proved, t)
		}
	}
	if len(proved) == 0 {
		return nil
	}
	const file = "Examine.v"
	if err := os.WriteFile(filepath.Join(dir, file), []byte(question(compiled, proved)), 0o600); err != nil {
		return err
	}
	said, failure, err := r.compile(ctx, dir, file)
	if err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("%s %s: %v", r.Path, file, failure)
	}
	statements, axioms, err := answer(said, proved)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Path, file, err)
	}
	if axioms != "" {
		p.Failure = cmp.Or(p.Failure, &Failure{File: "the theorems", Message: "they use axioms: " + oneLine(axioms)})
		return nil
	}
	for i, t := range proved {
		p.Proved = append(p.Proved, Proved{t, statements[i]})
	}
	return nil
}

// question is the file that has Rocq print the statements of the theorems, and
// then the axioms of all of them.
func question(compiled []string, theorems []Theorem) string {
	checks, all := "", "I"
	for _, t := range slices.Backward(theorems) {
		checks = "Check " + t.Name + ".\n" + checks
		all = "(conj " + t.Name + " " + all + ")"
	}
	return "From " + library + " Require Import " + strings.Join(compiled, " ") + ".\n" +
		"Set Printing Width 100000.\n" + checks + "Definition all := " + all + ".\nPrint Assumptions all.\n"
}

// answer parses what Rocq prints: each theorem's name and statement, and then
// the axioms. These are empty if Rocq says that there are none.
func answer(said string, theorems []Theorem) (statements []string, axioms string, err error) {
	for _, t := range theorems {
		statement, rest, ok := strings.Cut(strings.TrimPrefix(said, t.Name+"\n     : "), "\n")
		if !ok || !strings.HasPrefix(said, t.Name+"\n") {
			return nil, "", fmt.Errorf("no statement of %s in %q", t.Name, said)
		}
		statements, said = append(statements, statement), rest
	}
	if said = strings.TrimSpace(said); said == "" {
		return nil, "", fmt.Errorf("no answer about the axioms")
	}
	if said != "Closed under the global context" {
		axioms = said
	}
	return statements, axioms, nil
}

// recheck has coqchk check all files again, with all of the standard library
// that they use. It fails if coqchk rejects one, or finds any axiom.
func (r Rocq) recheck(ctx context.Context, dir string) error {
	cmd := exec.Command(r.checker, "-silent", "-o", "-R", ".", library, library+"."+files[len(files)-1])
	cmd.Dir = dir
	out, err := procgroup.CombinedOutput(ctx, cmd)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: %w: %s", r.checker, err, toolcache.LastLine(out))
	}
	return checked(string(out))
}

// checked returns an error if the summary of coqchk has an assumption in it, or
// lacks an answer.
func checked(summary string) error {
	for _, none := range []string{"Axioms", "Constants/Inductives relying on type-in-type",
		"Constants/Inductives relying on unsafe (co)fixpoints", "Inductives whose positivity is assumed"} {
		if !strings.Contains(summary, "* "+none+": <none>\n") {
			return fmt.Errorf("coqchk does not say that there are none of these: %s: %s", none, oneLine(summary))
		}
	}
	return nil
}
