// Package solver asks SMT solvers about the conditions of package proof. It
// finds each solver, or installs a pinned one in the user's cache folder.
package solver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sharedbarrier/model/cli/toolcache"
)

// A Kind is a solver's name, and how it is found and started.
type Kind struct {
	Name     string // also what it prints before its version
	Variable string // environment variable with the path of the program to use before any other

	program      string   // is looked for on PATH; empty: it is not
	arguments    []string // read scripts from standard input
	version      []string // print the version
	timeout      string   // the option with the time for one answer, in milliseconds
	requirements string   // of pip, with the hashes of all wheels
	installed    string   // the program in the bin folder of the installation
	missing      toolcache.Missing
}

//go:embed z3.txt
var z3Requirements string

//go:embed cvc5.txt
var cvc5Requirements string

//go:embed cvc5.py
var cvc5Script string

// The solvers. cvc5 comes as a Python package without a program, so its program
// is a Python that has the package.
var (
	Z3 = &Kind{
		Name: "Z3", Variable: "SHAREDBARRIER_Z3",
		program: "z3", arguments: []string{"-smt2", "-in"}, version: []string{"--version"}, timeout: "timeout",
		requirements: z3Requirements, installed: "z3",
		missing: "no Z3: install it (Debian: apt-get install z3), or python3 with venv and pip, or set SHAREDBARRIER_Z3 to a z3 binary",
	}
	CVC5 = &Kind{
		Name: "cvc5", Variable: "SHAREDBARRIER_CVC5",
		arguments: []string{"-I", "-B", "-c", cvc5Script}, version: []string{"-I", "-B", "-c", cvc5Script, "--version"}, timeout: "tlimit-per",
		requirements: cvc5Requirements, installed: "python3",
		missing: "no cvc5: install python3 with venv and pip, or set SHAREDBARRIER_CVC5 to a python3 that has the package cvc5",
	}
)

// Kinds lists the solvers.
var Kinds = []*Kind{Z3, CVC5}

// A Solver is a program that has printed its version and answered two questions
// right.
type Solver struct {
	*Kind
	Path    string
	Version string
}

// String returns the name and the version.
func (s Solver) String() string { return s.Name + " " + s.Version }

// Find returns the first of these: the program that the variable names, the one
// on PATH, the one in the tool cache. If there is none it installs one into the
// tool cache: the pinned package of PyPI, checked against its hash, in a Python
// environment of its own. That takes some seconds and needs the network. Find
// calls say with a line of text before it begins. An error, or the end of ctx,
// leaves nothing behind.
//
// The error wraps a toolcache.Missing if the first program does not work, or if
// there is none and none can be installed. When ctx ends Find returns its
// error.
func (k *Kind) Find(ctx context.Context, say func(string)) (Solver, error) {
	if path := os.Getenv(k.Variable); path != "" {
		s, err := k.identify(ctx, path)
		if err != nil {
			err = fmt.Errorf("%s: %w", k.Variable, err)
		}
		return s, err
	}
	if k.program != "" {
		if path, err := exec.LookPath(k.program); err == nil {
			return k.identify(ctx, path)
		}
	}
	return k.cached(ctx, say)
}

// cached returns the solver of the tool cache.
func (k *Kind) cached(ctx context.Context, say func(string)) (Solver, error) {
	var s Solver
	binary := func(home string) string { return filepath.Join(home, "bin", k.installed) }
	home, err := toolcache.Entry{
		Name: "solver-" + strings.ToLower(k.Name),
		Key:  []string{k.requirements},
		Make: func(home string) error { return toolcache.InstallPython(ctx, home, k.requirements) },
		Check: func(home string) (err error) {
			s, err = k.identify(ctx, binary(home))
			return err
		},
		Say: say,
	}.Get()
	s.Path = binary(home)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && !errors.Is(err, k.missing):
		err = fmt.Errorf("%w (%w)", k.missing, err)
	}
	return s, err
}

// trials are two scripts with the answers sat and unsat: a program that answers
// unsat to everything would prove everything.
var trials = []string{
	"(set-logic QF_LIA)\n(declare-const x Int)\n(assert (> x 1))\n(check-sat)\n",
	"(set-logic QF_LIA)\n(declare-const x Int)\n(assert (and (> x 1) (< x 2)))\n(check-sat)\n",
}

// identify asks the program for its version, and two questions whose answers
// are known.
func (k *Kind) identify(ctx context.Context, path string) (Solver, error) {
	_, said, err := toolcache.Ask(ctx, k.missing, path, k.version...)
	if err != nil {
		return Solver{}, err
	}
	version, ok := strings.CutPrefix(strings.TrimSpace(said), k.Name+" ")
	if !ok {
		return Solver{}, fmt.Errorf("%w (%s is not %s: it prints %q)", k.missing, path, k.Name, said)
	}
	s := Solver{k, path, strings.TrimPrefix(version, "version ")}
	switch answers, err := s.ask(ctx, trials); {
	case ctx.Err() != nil:
		return Solver{}, ctx.Err()
	case err != nil || strings.Join(answers, " ") != "sat unsat":
		return Solver{}, fmt.Errorf("%w (%s answers %q to a question that is sat and one that is unsat)", k.missing, path, answers)
	}
	return s, nil
}
