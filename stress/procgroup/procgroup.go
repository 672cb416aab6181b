//go:build linux

// Package group runs commands in process groups of their own: Ctrl-C at the
// terminal reaches the runner alone, which ends them in good order, and with a
// command ends whatever it has started that has stayed in its group.
package procgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start starts cmd in a group of its own, to be waited for with Wait. ctx must be
// one that the signals end which the runner's group gets: between its fork and its
// setpgid a child is in that group still, and may be hit by what was meant for the
// runner. Such a child has never come to its exec. As the runner has got the same,
// Start waits until it has ended ctx as well, and returns the error of ctx.
func Start(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s, err := statOf(cmd.Process.Pid)
	if err == nil && s.flags&forkNoExec == 0 {
		return nil
	}
	cmd.Process.Kill()
	cmd.Wait() // the error says no more than the state
	if err != nil {
		return err
	}
	return neverBegan(ctx, cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// neverBegan says why a child ended before its exec.
func neverBegan(ctx context.Context, status syscall.WaitStatus) error {
	if by := status.Signal(); by != unix.SIGINT && by != unix.SIGTERM {
		return fmt.Errorf("it ended before it had begun: %v", by)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Wait waits until cmd has ended, kills what is left of its group, and returns
// what cmd.Wait does. Until then the number of the ended process stays taken, so
// that it cannot be another's group.
func Wait(cmd *exec.Cmd) error {
	for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // fails only when nothing is left
	return cmd.Wait()
}

// Has reports whether the process with number pid belongs to the leader of a group:
// it is in the group, or descends from the leader, as what setsid(1) has started
// does, which has left the group. What is gone belongs to nobody.
func Has(leader, pid int) (bool, error) {
	for pid > 1 {
		in, err := unix.Getpgid(pid)
		if err == nil && (in == leader || pid == leader) {
			return true, nil
		}
		s, err := statOf(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		pid = s.parent
	}
	return false, nil
}

// Stopped reports whether the process is stopped by a signal or a debugger.
func Stopped(pid int) (bool, error) {
	s, err := statOf(pid)
	return s.state == "T" || s.state == "t", err
}

// Output runs cmd in a group of its own, all of which is killed when ctx ends, and
// returns what cmd has written to its standard output.
func Output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout = &out
	err := run(ctx, cmd)
	return out.Bytes(), err
}

// CombinedOutput is Output, of the standard error too.
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
