//go:build linux

package registry

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
)

var rustSource = source("rust/barrier.rs")

// ErrNoRust: no Rust compiler works.
const ErrNoRust = toolcache.Missing("no Rust compiler; install one that is called rustc (Debian: apt-get install rustc)")

// rustCommand compiles the Rust port unless the cache has it.
func rustCommand(ctx context.Context) (*exec.Cmd, error) {
	rustc, version, err := toolcache.Ask(ctx, ErrNoRust, "rustc", "--version")
	if err != nil {
		return nil, fmt.Errorf("port rust: %w", err)
	}
	flags := []string{"--edition", "2021", "-O", "-D", "warnings", "--crate-name", "barrier"}
	build := func(path string) error {
		source := path + ".rs"
		if err := os.WriteFile(source, []byte(rustSource), 0o644); err != nil {
			return err
		}
		compile := exec.Command(rustc, append(flags, "-o", path, source)...)
		if out, err := procgroup.CombinedOutput(ctx, compile); err != nil {
			return fmt.Errorf("port rust: %s: %w\n%s", compile, err, out)
		}
		return nil
	}
	program, err := toolcache.Entry{Name: "port-rust", Key: append(flags, version, rustSource), Make: build}.Get()
	if err != nil {
		return nil, err
	}
	return exec.Command(program), nil
}
