//go:build linux

// Package porttest has what the tests of several packages that start ports
// share.
package porttest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/scratch"
)

// Need builds or installs the ports. It ends the test as toolcache.Require does
// if one of them cannot be had.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := registry.Command(t.Context(), name)
		toolcache.Require(t, err)
	}
}

// GoPort is the command of the port go, for a shell. The test's own executable
// is the port.
func GoPort(t testing.TB) string {
	t.Helper()
	cmd, err := registry.Command(t.Context(), "go")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // the command has /proc/self/exe, which is the shell there
	if err != nil {
		t.Fatal(err)
	}
	return cli.Quoted(self) + " " + strings.Join(cmd.Args[1:], " ")
}

// HasEnded reports whether a child has ended for which Wait was not called yet.
// A test that waits for something the child does stops waiting then.
func HasEnded(t testing.TB, child *os.Process) bool {
	t.Helper()
	var ended unix.Siginfo
	if err := unix.Waitid(unix.P_PID, child.Pid, &ended, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return ended.Signo != 0
}

// NewBarrier creates a barrier and returns a handle of it and its two names.
// The path of the lock file has a space in it. The end of the test removes
// both.
func NewBarrier(t testing.TB) (b *impl.Barrier, segment, lockPath string) {
	t.Helper()
	files, err := scratch.Make("", "test")
	if err != nil {
		t.Fatal(err)
	}
	lockPath = filepath.Join(files.Dir, "the lock")
	if b, err = impl.Create(files.Segment, lockPath); err != nil {
		files.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), files.Close()); err != nil {
			t.Error(err)
		}
	})
	return b, files.Segment, lockPath
}
