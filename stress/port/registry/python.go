//go:build linux

package registry

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port"
)

const errNoPython = toolcache.Missing("no Python 3.10 or newer with venv and pip; install one that is called python3 (Debian: apt-get install python3-venv)")

// pythonLocks has, for each variant, the file that pins the version of filelock.
var pythonLocks = map[string]string{
	"":          "filelock.txt",
	"old":       "filelock-old.txt",
	"unlinking": "filelock-unlinking.txt",
	"newest":    "filelock-newest.txt",
}

// pythonCommand returns the command that runs the port with the original and the
// filelock of the variant. It installs them first in a virtual environment, unless
// the cache has it.
func pythonCommand(ctx context.Context, variant string) (*exec.Cmd, error) {
	locks, known := pythonLocks[variant]
	if !known {
		return nil, fmt.Errorf("there is no variant %q; there are python, python@old, python@unlinking, python@newest", variant)
	}
	environment, err := pythonEnvironment(ctx, source("python/requirements.txt")+source("python/"+locks))
	if err != nil {
		return nil, err
	}
	scripts := toolcache.Entry{Name: "port-python-scripts", Make: func(path string) error { return os.CopyFS(path, port.Sources) }}
	entries, err := port.Sources.ReadDir("python")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		scripts.Key = append(scripts.Key, e.Name(), source("python/"+e.Name()))
	}
	folder, err := scripts.Get()
	if err != nil {
		return nil, err
	}
	// -E -s -B: Python looks for modules only in the environment and the folder of
	// the port, and writes nothing there.
	cmd := exec.Command(filepath.Join(environment, "bin", "python"), "-E", "-s", "-B", filepath.Join(folder, "python", "port.py"))
	cmd.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1") // numpy starts no threads, which the port does not use
	return cmd, nil
}

// pythonEnvironment makes a virtual environment with the packages, unless the
// cache has it.
func pythonEnvironment(ctx context.Context, requirements string) (path string, err error) {
	// The program may be a wrapper. The key names the interpreter that answers.
	python, interpreter, err := toolcache.Ask(ctx, errNoPython, "python3", "-c",
		`import sys, venv, ensurepip; print(sys.executable, sys.version); assert sys.version_info >= (3, 10)`)
	if err != nil {
		return "", err
	}
	return toolcache.Entry{Name: "port-python", Key: []string{interpreter, requirements}, Make: func(path string) error {
		list := path + ".txt"
		if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
			return err
		}
		if out, err := procgroup.CombinedOutput(ctx, exec.Command(python, "-m", "venv", path)); err != nil {
			return fmt.Errorf("python3 -m venv: %w (%s): %w", err, toolcache.LastLine(out), errNoPython)
		}
		install := exec.Command(filepath.Join(path, "bin", "python"), "-m", "pip", "install",
			"--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:", "-r", list)
		if out, err := procgroup.CombinedOutput(ctx, install); err != nil {
			return fmt.Errorf("pip install: %w: %s; pip must reach a package index", err, toolcache.LastLine(out))
		}
		return nil
	}}.Get()
}
