//go:build linux

package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
)

// lockFile replaces the lock file between two acquisitions of the port and has
// another process lock the new one. The port must find it held.
func lockFile(s *subject) (string, error) {
	if !s.can.White {
		return "", errUnable
	}
	f := s.fixture()
	defer f.close()
	f.openWhite()
	f.steps("call 2", spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter)
	os.Remove(f.lockPath) // it is missing if the port has unlinked it
	f.try(func() error { return os.WriteFile(f.lockPath, nil, 0o600) })
	if f.err != nil {
		return "", f.err
	}
	holder := f.peer()
	defer holder.kill()
	holder.openWhite()
	holder.steps("call 2", spec.Call, spec.LockInit, spec.InitExit)
	f.steps("go", spec.LockEnter) // the lock is held
	holder.steps("go", spec.UnlockInit, spec.LockEnter)
	f.steps("go", spec.TestFirst)
	if f.err != nil {
		return "", f.errorf("the lock file was replaced and locked by another")
	}
	return "taken by its name", closeOnExec(s)
}

// closeOnExec looks at the descriptors of a port that holds the lock. Each of the
// lock file must be close-on-exec.
func closeOnExec(s *subject) error {
	f := s.fixture()
	defer f.close()
	f.openWhite()
	f.steps("call 1", spec.Call, spec.LockInit, spec.InitExit)
	if f.err != nil {
		return f.err
	}
	pid, err := lockprobe.Holder(f.lockPath)
	if err != nil {
		return err
	}
	if pid < 0 {
		return fmt.Errorf("no process holds the lock at %v, where the port must (spec/PROTOCOL.md, section 3)", spec.InitExit)
	}
	lock, err := os.Stat(f.lockPath)
	if err != nil {
		return err
	}
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return err
	}
	for _, fd := range descriptors {
		if file, err := os.Stat(fd); err != nil || !os.SameFile(file, lock) {
			continue
		}
		flags, err := flagsOf(pid, filepath.Base(fd))
		if err != nil {
			return err
		}
		if flags&unix.O_CLOEXEC == 0 {
			return fmt.Errorf("its descriptor %s of the lock file is not close-on-exec: a child would keep the lock held", filepath.Base(fd))
		}
	}
	return nil
}

// flagsOf returns the flags of a descriptor of another process.
func flagsOf(pid int, fd string) (flags int64, err error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(info), "\n") {
		if octal, is := strings.CutPrefix(line, "flags:"); is {
			return strconv.ParseInt(strings.TrimSpace(octal), 8, 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/fdinfo/%s has no flags: %q", pid, fd, info)
}
