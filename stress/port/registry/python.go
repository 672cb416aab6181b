//go:build linux

package registry

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port"
)

// ErrNoPython: no Python works that can make virtual environments.
const ErrNoPython = toolcache.Missing("no Python 3.10 or newer with venv and pip; install one that is called python3 (Debian: apt-get install python3-venv)")

// pythonLocks says which file pins the version of filelock of each variant.
var pythonLocks = map[string]string{
	"":          "filelock.txt",
	"old":       "filelock-old.txt",
	"unlinking": "filelock-unlinking.txt",
	"newest":    "filelock-newest.txt",
}

// pythonCommand installs the original in a virtual environment of its own,
// unless the cache has it, and returns the command that runs the port.
func pythonCommand(ctx context.Context, variant string) (*exec.Cmd, error) {
	return PythonScript(ctx, variant, "port.py")
}

// PythonScript is Command for any script of the folder python beside the port,
// and for the variant of the port that is named.
func PythonScript(ctx context.Context, variant, script string) (*exec.Cmd, error) {
	locks, known := pythonLocks[variant]
	if !known {
		return nil, fmt.Errorf("port python has no variant %q; there are python, python@old, python@unlinking, python@newest", variant)
	}
	files, contents := []string{}, []string{}
	entries, err := port.Sources.ReadDir("python")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := port.Sources.ReadFile("python/" + entry.Name())
		if err != nil {
			return nil, err
		}
		files, contents = append(files, entry.Name()), append(contents, string(content))
	}
	environment, err := pythonEnvironment(ctx, locks)
	if err != nil {
		return nil, err
	}
	scripts, err := toolcache.Entry{
		Name: "port-python-scripts", Key: append(files, contents...),
		Make: func(path string) error { return os.CopyFS(path, port.Sources) },
	}.Get()
	if err != nil {
		return nil, err
	}
	// Nothing but the environment and the folder of the scripts is looked through
	// for modules, and nothing is written there.
	cmd := exec.Command(filepath.Join(environment, "bin", "python"), "-E", "-s", "-B", filepath.Join(scripts, "python", script))
	cmd.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1") // numpy starts no threads for a library that nobody calls
	return cmd, nil
}

// pythonEnvironment makes the virtual environment, unless the cache has it.
func pythonEnvironment(ctx context.Context, locks string) (string, error) {
	// What is asked may be a wrapper; what answers is what the environment is made of.
	python, which, err := toolcache.Ask(ctx, ErrNoPython, "python3", "-c", `import sys, venv, ensurepip; print(sys.executable, sys.version); assert sys.version_info >= (3, 10)`)
	if err != nil {
		return "", fmt.Errorf("port python: %w", err)
	}
	key := []string{which}
	var pins []string
	for _, name := range []string{"requirements.txt", locks} {
		text, err := port.Sources.ReadFile("python/" + name)
		if err != nil {
			return "", err
		}
		key, pins = append(key, string(text)), append(pins, string(text))
	}
	build := func(path string) error {
		requirements := path + ".txt"
		if err := os.WriteFile(requirements, []byte(strings.Join(pins, "")), 0o644); err != nil {
			return err
		}
		if out, err := procgroup.CombinedOutput(ctx, exec.Command(python, "-m", "venv", path)); err != nil {
			return fmt.Errorf("port python: python3 -m venv: %w (%s): %w", err, toolcache.LastLine(out), ErrNoPython)
		}
		install := exec.Command(filepath.Join(path, "bin", "python"), "-m", "pip", "install",
			"--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", requirements)
		if out, err := procgroup.CombinedOutput(ctx, install); err != nil {
			return fmt.Errorf("port python: pip install: %w: %s; pip must reach a package index", err, toolcache.LastLine(out))
		}
		return nil
	}
	return toolcache.Entry{Name: "port-python", Key: key, Make: build}.Get()
}
