// Package z3 runs Z3 on the conditions of package proof. It finds the solver
// or, failing that, installs a pinned one for the user alone.
package z3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// PathVariable names the environment variable that holds the path of a z3
// binary to use before any other.
const PathVariable = "SHAREDBARRIER_Z3"

// PinnedVersion is the release of the PyPI package z3-solver that Find installs.
// Its wheels carry the z3 binary.
const PinnedVersion = "4.16.0.0"

// requirements is what pip is given: the release with the SHA-256 of its wheels
// for Linux (x86-64, aarch64) and macOS (arm64, x86-64).
const requirements = "z3-solver==" + PinnedVersion +
	" --hash=sha256:afae2551f795670f0522cfce82132d129c408a2694adff71eb01ba0f2ece44f9" +
	" --hash=sha256:358648c3b5ef82b9ec9a25711cf4fc498c7881f03a9f4a2ea6ffa9304ca65d94" +
	" --hash=sha256:cc52843cfdd3d3f2cd24bedc62e71c18af8c8b7b23fb05e639ab60b01b5f8f2f" +
	" --hash=sha256:e292df40951523e4ecfbc8dee549d93dee00a3fe4ee4833270d19876b713e210\n"

// ErrMissing says that there is no Z3 and that none could be installed.
var ErrMissing = errors.New("no Z3: install it (Debian: apt-get install z3), or python3 with venv and pip, or set " + PathVariable + " to a z3 binary")

// A Solver is a z3 binary that has said which version it is.
type Solver struct {
	Path    string
	Version string
}

// Find returns the first z3 of these: the one that SHAREDBARRIER_Z3 names, the
// one on PATH, the one in the user's cache folder, and one that it installs
// there: the pinned PyPI package z3-solver, checked against its hash, in a
// Python environment of its own. Installing takes some seconds and the network;
// say is called with a line about it before it begins. A variable that names no
// working z3 is an error, not a reason to look further. Nothing half installed
// is left behind on an error or when the context ends.
//
// The error wraps ErrMissing when there is no z3 and none can be installed.
func Find(ctx context.Context, say func(string)) (Solver, error) {
	if path := os.Getenv(PathVariable); path != "" {
		s, err := identify(ctx, path)
		if err != nil {
			return s, fmt.Errorf("%s: %w", PathVariable, err)
		}
		return s, nil
	}
	if path, err := exec.LookPath("z3"); err == nil {
		return identify(ctx, path)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Solver{}, fmt.Errorf("%w; no cache folder to install it into: %w", ErrMissing, err)
	}
	home := filepath.Join(cache, "sharedbarrier", "z3-solver-"+PinnedVersion)
	installed := filepath.Join(home, "bin", "z3")
	if _, err := os.Stat(home); err == nil {
		s, err := identify(ctx, installed)
		if err != nil {
			return s, fmt.Errorf("%w: remove %s and try again", err, home)
		}
		return s, nil
	}
	say("no z3 on PATH: installing z3-solver " + PinnedVersion + " into " + home)
	if err := install(ctx, home); err != nil {
		if ctx.Err() != nil {
			return Solver{}, ctx.Err()
		}
		return Solver{}, fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	return identify(ctx, installed)
}

// identify asks the binary for its version.
func identify(ctx context.Context, path string) (Solver, error) {
	out, err := command(ctx, path, "--version").Output()
	if err != nil {
		return Solver{}, fmt.Errorf("asking %s for its version: %w", path, err)
	}
	said := strings.TrimSpace(string(out))
	if !strings.HasPrefix(said, "Z3 version ") {
		return Solver{}, fmt.Errorf("%s is not Z3: it says %q", path, said)
	}
	return Solver{Path: path, Version: strings.TrimPrefix(said, "Z3 version ")}, nil
}

// install makes home, complete or not at all: the environment is made beside it
// and renamed.
func install(ctx context.Context, home string) error {
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(home), "installing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	list := filepath.Join(made, "requirements.txt")
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	if err := run(ctx, "python3", "-m", "venv", made); err != nil {
		return err
	}
	err = run(ctx, filepath.Join(made, "bin", "python3"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", list)
	if err != nil {
		return err
	}
	if err := os.Rename(made, home); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// run runs a program and returns the last line of what it said if it failed.
func run(ctx context.Context, name string, args ...string) error {
	out, err := command(ctx, name, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	said := strings.TrimSuffix(": "+string(lines[len(lines)-1]), ": ")
	return fmt.Errorf("%s %s: %w%s", filepath.Base(name), strings.Join(args[:2], " "), err, said)
}
