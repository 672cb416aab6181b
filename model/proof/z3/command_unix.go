//go:build unix

package z3

import (
	"context"
	"os/exec"
	"syscall"
)

// command prepares a program that is killed, with what it has started, when the
// context ends. It has a process group of its own, so that a Ctrl-C on the
// terminal reaches it through the context alone, and never as a strange answer.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
