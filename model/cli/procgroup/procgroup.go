// Package procgroup runs commands in process groups of their own. Ctrl-C at a
// terminal then reaches the runner alone, and the end of a command ends all that
// it has started, in its group or not. When the runner ends, by kill -9 too,
// the commands end with it.
//
// It does so on Linux only. Elsewhere a command stays in the runner's group and
// can outlive it, Wait does not end what the command has started, and Has and
// Stopped fail with errors.ErrUnsupported.
package procgroup

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
)

// A Stray is a process that a command has started, and that had left the
// process group of the command.
type Stray struct {
	PID  int
	Name string // of its program
}

// String identifies the process.
func (s Stray) String() string { return fmt.Sprintf("%d (%q)", s.PID, s.Name) }

// Output runs cmd in a process group of its own and returns its standard
// output. It blocks until cmd has ended. When ctx ends it kills the group and
// returns the error of ctx.
func Output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout = &out
	err := run(ctx, cmd)
	return out.Bytes(), err
}

// CombinedOutput is Output, but returns the standard error as well.
func CombinedOutput(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := run(ctx, cmd)
	return out.Bytes(), err
}

func run(ctx context.Context, cmd *exec.Cmd) error {
	if err := Start(ctx, cmd); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })() // the rest of the group is Wait's
	if err := Wait(cmd); ctx.Err() == nil {
		return err
	}
	return ctx.Err()
}
