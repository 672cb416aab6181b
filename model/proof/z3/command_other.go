//go:build !unix

package z3

import (
	"context"
	"os/exec"
)

// command prepares a program that is killed when the context ends.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, name, args...)
}
