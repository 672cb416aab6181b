//go:build linux

package registry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"sharedbarrier/model/cli/procgroup"
)

var rustSource = source("rust/barrier.rs")

// ErrNoRust: there is no Rust compiler.
var ErrNoRust = errors.New("no Rust compiler; install one that is called rustc (Debian: apt-get install rustc)")

// rustCommand compiles the Rust port unless the cache has it.
func rustCommand(ctx context.Context) (*exec.Cmd, error) {
	rustc, err := exec.LookPath("rustc")
	if err != nil {
		return nil, fmt.Errorf("port rust: %w", ErrNoRust)
	}
	version, err := procgroup.Output(ctx, exec.Command(rustc, "--version"))
	if err != nil {
		return nil, fmt.Errorf("port rust: %s --version: %w", rustc, err)
	}
	flags := []string{"--edition", "2021", "-O", "-D", "warnings", "--crate-name", "barrier"}
	program, err := cached("rust", append(flags, string(version), rustSource), func(path string) error {
		source := path + ".rs"
		if err := os.WriteFile(source, []byte(rustSource), 0o644); err != nil {
			return err
		}
		compile := exec.Command(rustc, append(flags, "-o", path, source)...)
		if out, err := procgroup.CombinedOutput(ctx, compile); err != nil {
			return fmt.Errorf("port rust: %s: %w\n%s", compile, err, out)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return exec.Command(program), nil
}
