package toolcache

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sharedbarrier/model/cli/procgroup"
)

// NoPython says that no Python was found that can make virtual environments.
const NoPython = Missing("no Python 3.10 or newer with venv and pip; install one that is called python3 (Debian: apt-get install python3-venv)")

// InstallPython makes a virtual environment at the path and installs packages
// in it, from the network. The requirements, in the format of pip, must have
// their hashes, which pip checks. It is for Entry.Make.
//
// It fails with NoPython, if pip fails, or with the error of ctx.
func InstallPython(ctx context.Context, path, requirements string) error {
	list := path + ".txt"
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	venv := exec.Command("python3", "-I", "-m", "venv", path)
	venv.Env = withoutPython(os.Environ())
	if out, err := procgroup.CombinedOutput(ctx, venv); err != nil {
		return fmt.Errorf("%w (python3 -m venv: %w: %s)", NoPython, err, LastLine(out))
	}
	pip := exec.Command(filepath.Join(path, "bin", "python3"), "-I", "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", list)
	pip.Env = venv.Env
	if out, err := procgroup.CombinedOutput(ctx, pip); err != nil {
		return fmt.Errorf("pip install: %w: %s; pip must reach a package index", err, LastLine(out))
	}
	return nil
}

// ofTheIndex are the settings of pip that say how it reaches a package index.
var ofTheIndex = []string{"INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "CERT", "CLIENT_CERT",
	"PROXY", "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CACHE_DIR", "CONFIG_FILE"}

// withoutPython returns the environment without the variables that tell Python
// where modules are, and pip where and what to install, such as PIP_TARGET.
func withoutPython(environment []string) (rest []string) {
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		setting, ofPip := strings.CutPrefix(name, "PIP_")
		if strings.HasPrefix(name, "PYTHON") || ofPip && !slices.Contains(ofTheIndex, setting) {
			continue
		}
		rest = append(rest, variable)
	}
	return rest
}
