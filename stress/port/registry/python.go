//go:build linux

package registry

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port"
)

// pythonLocks has, for each variant, the file that pins the version of
// filelock.
var pythonLocks = map[string]string{
	"":          "filelock.txt",
	"old":       "filelock-old.txt",
	"unlinking": "filelock-unlinking.txt",
	"newest":    "filelock-newest.txt",
}

// pythonCommand returns the command that runs the port with the original and
// the filelock of the variant. It installs them first in a virtual environment,
// unless the cache has it.
func pythonCommand(ctx context.Context, variant string) (*exec.Cmd, error) {
	locks, known := pythonLocks[variant]
	if !known {
		return nil, fmt.Errorf("there is no variant %q; there are python, python@old, python@unlinking, python@newest", variant)
	}
	environment, err := pythonEnvironment(ctx, source("python/requirements.txt")+source("python/"+locks))
	if err != nil {
		return nil, err
	}
	folder, err := pythonScripts()
	if err != nil {
		return nil, err
	}
	// -E -s -B: Python looks for modules only in the environment and the folder
	// of the port, and writes nothing there.
	cmd := exec.Command(filepath.Join(environment, "bin", "python"), "-E", "-s", "-B", filepath.Join(folder, "python", "port.py"))
	cmd.Env = append(os.Environ(), "OPENBLAS_NUM_THREADS=1") // numpy starts no threads, which the port does not use
	return cmd, nil
}

// pythonScripts puts the sources of the ports into the cache, unless they are
// there.
func pythonScripts() (folder string, err error) {
	scripts := toolcache.Entry{Name: "port-python-scripts", Make: func(path string) error { return os.CopyFS(path, port.Sources) }}
	entries, err := port.Sources.ReadDir("python")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		scripts.Key = append(scripts.Key, e.Name(), source("python/"+e.Name()))
	}
	scripts.Check = func(path string) error {
		for _, e := range entries {
			file := filepath.Join(path, "python", e.Name())
			switch text, err := os.ReadFile(file); {
			case err != nil:
				return err
			case string(text) != source("python/"+e.Name()):
				return fmt.Errorf("%s is not as it was made", file)
			}
		}
		return nil
	}
	return scripts.Get()
}

// pythonEnvironment makes a virtual environment with the packages, unless the
// cache has it.
func pythonEnvironment(ctx context.Context, requirements string) (path string, err error) {
	// The program may be a wrapper. The key names the interpreter that answers.
	_, interpreter, err := toolcache.Ask(ctx, toolcache.NoPython, "python3", "-I", "-c",
		`import sys, venv, ensurepip; print(sys.executable, sys.version); assert sys.version_info >= (3, 10)`)
	if err != nil {
		return "", err
	}
	return toolcache.Entry{
		Name:  "port-python",
		Key:   []string{interpreter, requirements, "a list of its files"},
		Make:  func(path string) error { return toolcache.InstallPython(ctx, path, requirements) },
		Check: toolcache.CheckPython,
	}.Get()
}
