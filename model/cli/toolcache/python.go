package toolcache

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"sharedbarrier/model/cli/procgroup"
)

// NoPython says that no Python was found that can make virtual environments.
const NoPython = Missing("no Python 3.10 or newer with venv and pip; install one that is called python3 (Debian: apt-get install python3-venv)")

// InstallPython makes a virtual environment at the path and installs packages in
// it, from the network. The requirements, in the format of pip, must have their
// hashes, which pip checks. It is for Entry.Make.
//
// It fails with NoPython, if pip fails, or with the error of ctx.
func InstallPython(ctx context.Context, path, requirements string) error {
	list := path + ".txt"
	if err := os.WriteFile(list, []byte(requirements), 0o644); err != nil {
		return err
	}
	if out, err := procgroup.CombinedOutput(ctx, exec.Command("python3", "-m", "venv", path)); err != nil {
		return fmt.Errorf("%w (python3 -m venv: %w: %s)", NoPython, err, LastLine(out))
	}
	pip := exec.Command(filepath.Join(path, "bin", "python3"), "-m", "pip", "install", "--quiet",
		"--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", list)
	if out, err := procgroup.CombinedOutput(ctx, pip); err != nil {
		return fmt.Errorf("pip install: %w: %s; pip must reach a package index", err, LastLine(out))
	}
	return nil
}
