// Package z3 runs Z3 on the conditions of package proof. It finds the solver or
// installs a pinned one in the user's cache folder.
package z3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
)

// PathVariable names the environment variable that holds the path of a z3
// binary to use before any other.
const PathVariable = "SHAREDBARRIER_Z3"

// PinnedVersion is the release of the PyPI package z3-solver that Find
// installs. Its wheels carry the z3 binary.
const PinnedVersion = "4.16.0.0"

// requirements is what pip is given: the release with the SHA-256 of its wheels
// for Linux (x86-64, aarch64) and macOS (arm64, x86-64).
const requirements = "z3-solver==" + PinnedVersion +
	" --hash=sha256:afae2551f795670f0522cfce82132d129c408a2694adff71eb01ba0f2ece44f9" +
	" --hash=sha256:358648c3b5ef82b9ec9a25711cf4fc498c7881f03a9f4a2ea6ffa9304ca65d94" +
	" --hash=sha256:cc52843cfdd3d3f2cd24bedc62e71c18af8c8b7b23fb05e639ab60b01b5f8f2f" +
	" --hash=sha256:e292df40951523e4ecfbc8dee549d93dee00a3fe4ee4833270d19876b713e210\n"

// ErrMissing says that there is no Z3 that works and that none could be
// installed.
const ErrMissing = toolcache.Missing("no Z3: install it (Debian: apt-get install z3), or python3 with venv and pip, or set " + PathVariable + " to a z3 binary")

// A Solver is a z3 binary that has printed its version.
type Solver struct {
	Path    string
	Version string
}

// Find returns the first of these: the z3 that SHAREDBARRIER_Z3 names, the one
// on PATH, the one in the tool cache. If there is none it installs one into the
// tool cache: the pinned PyPI package z3-solver, checked against its hash, in a
// Python environment of its own. That takes some seconds and needs the network.
// Find calls say with a line of text before it begins. An error, or the end of
// ctx, leaves nothing behind.
//
// The error wraps ErrMissing if the first z3 does not work, or if there is none
// and none can be installed. When ctx ends Find returns its error.
func Find(ctx context.Context, say func(string)) (Solver, error) {
	if path := os.Getenv(PathVariable); path != "" {
		s, err := identify(ctx, path)
		if err != nil {
			err = fmt.Errorf("%s: %w", PathVariable, err)
		}
		return s, err
	}
	if path, err := exec.LookPath("z3"); err == nil {
		return identify(ctx, path)
	}
	var s Solver
	home, err := toolcache.Entry{
		Name: "z3-solver-" + PinnedVersion,
		Key:  []string{requirements},
		Make: func(home string) error { return toolcache.InstallPython(ctx, home, requirements) },
		Check: func(home string) (err error) {
			s, err = identify(ctx, binary(home))
			return err
		},
		Say: say,
	}.Get()
	s.Path = binary(home)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && !errors.Is(err, ErrMissing):
		err = fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	return s, err
}

func binary(home string) string { return filepath.Join(home, "bin", "z3") }

// trial has a question whose answer is sat and one whose answer is unsat.
const trial = "(declare-const x Int) (assert (> x 1)) (check-sat) (assert (< x 1)) (check-sat) (exit)"

// identify asks the binary for its version, and two questions whose answers
// are known: a program that answers unsat to everything would prove everything.
func identify(ctx context.Context, path string) (Solver, error) {
	_, said, err := toolcache.Ask(ctx, ErrMissing, path, "--version")
	version, ok := strings.CutPrefix(strings.TrimSpace(said), "Z3 version ")
	switch {
	case err != nil:
		return Solver{}, err
	case !ok:
		return Solver{}, fmt.Errorf("%w (%s is not Z3: it prints %q)", ErrMissing, path, said)
	}
	cmd := exec.Command(path, "-in")
	cmd.Stdin = strings.NewReader(trial)
	answers, err := procgroup.Output(ctx, cmd)
	switch got := strings.Fields(string(answers)); {
	case ctx.Err() != nil:
		return Solver{}, ctx.Err()
	case err != nil || !slices.Equal(got, []string{"sat", "unsat"}):
		return Solver{}, fmt.Errorf("%w (%s answers %q to a question that is sat and one that is unsat)", ErrMissing, path, got)
	}
	return Solver{Path: path, Version: version}, nil
}
