//go:build linux

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port"
)

// lockFile has the port find the lock file made anew, and locked by another.
func lockFile(ctx context.Context, t Trial, can port.Capabilities) (_ string, err error) {
	if !can.White {
		return "", errUnable
	}
	stage, err := lockstep.NewTestbed(2, false, func(int) (lockstep.Party, error) {
		return lockstep.StartPort(ctx, t.Port, false)
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	// Party 0 has used the old file, and party 1 holds the new one.
	for _, line := range []struct {
		party         int
		request, want string
	}{
		{0, "call 2", "at Call"}, {0, "go", "at LockInit"}, {0, "go", "at InitExit"}, {0, "go", "at UnlockInit"}, {0, "go", "at LockEnter"},
		{0, lockstep.Relink, ""},
		{1, "call 2", "at Call"}, {1, "go", "at LockInit"}, {1, "go", "at InitExit"},
		{0, "go", "at LockEnter"},
		{1, "go", "at UnlockInit"}, {1, "go", "at LockEnter"},
		{0, "go", "at TestFirst"},
	} {
		got, err := stage.Ask(line.party, line.request)
		if err != nil {
			return "", err
		}
		if got != line.want {
			return "", fmt.Errorf("the lock file was made anew and locked by another; asked %q, party %d is %s, want %s", line.request, line.party, got, line.want)
		}
	}
	return "taken by its name", closeOnExec(ctx, t.Port)
}

// closeOnExec looks at the descriptors of a port that holds the lock: a program
// that it starts must inherit none of the lock file.
func closeOnExec(ctx context.Context, name string) error {
	s, err := newScene(ctx, name)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.ask("white", port.OK); err != nil {
		return err
	}
	answer, err := "", s.say(s.open())
	for err == nil && answer != port.Opened {
		if answer, err = s.hear("open"); err == nil && strings.HasPrefix(answer, "at ") { // it constructs
			err = s.say("go")
		}
	}
	for _, exchange := range [][2]string{{"call 1", port.At(spec.Call)}, {"go", port.At(spec.LockInit)}, {"go", port.At(spec.InitExit)}} {
		if err == nil {
			err = s.ask(exchange[0], exchange[1])
		}
	}
	if err != nil {
		return err
	}
	pid, err := lockprobe.Holder(s.lockPath)
	if err != nil {
		return err
	}
	lock, err := os.Stat(s.lockPath)
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
