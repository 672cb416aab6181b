//go:build !linux

package procgroup

import (
	"context"
	"errors"
	"os/exec"
)

func Start(_ context.Context, cmd *exec.Cmd) error        { return cmd.Start() }
func StartCleaner(_ context.Context, cmd *exec.Cmd) error { return cmd.Start() }
func StartMember(cmd *exec.Cmd) error                     { return cmd.Start() }
func Wait(cmd *exec.Cmd) error                            { return cmd.Wait() }
func WaitStrays(cmd *exec.Cmd) ([]Stray, error)           { return nil, cmd.Wait() }
func Children(pid int) []int                              { return nil }
func Family(pid int) []int                                { return []int{pid} }
func Has(leader, pid int) (bool, error)                   { return false, errors.ErrUnsupported }
func Threads(pid int) []int                               { return nil }
func AwaitStopped(pids []int) bool                        { return false }
func Stopped(pid int) (bool, error)                       { return false, errors.ErrUnsupported }
