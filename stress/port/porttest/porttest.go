//go:build linux

// Package porttest is what tests that start ports share.
package porttest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port/registry"
)

// Need builds or installs the ports, as toolcache.Require does where that fails.
func Need(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := registry.Command(t.Context(), name)
		toolcache.Require(t, err)
	}
}

// HasEnded reports whether a child, which nobody has waited for, has ended. Who
// waits for what it is to do need wait no longer then.
func HasEnded(t testing.TB, child *os.Process) bool {
	t.Helper()
	var ended unix.Siginfo
	if err := unix.Waitid(unix.P_PID, child.Pid, &ended, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return ended.Signo != 0
}

// NewBarrier makes a barrier that is removed when the test ends, and returns a
// handle of it and its two names. The lock file's path has a space in it.
func NewBarrier(t testing.TB) (b *impl.Barrier, segment, lockPath string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sharedbarrier-port-test-")
	if err != nil {
		t.Fatal(err)
	}
	segment, lockPath = filepath.Base(dir), filepath.Join(dir, "the lock")
	if b, err = impl.Create(segment, lockPath); err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), impl.Remove(segment, lockPath), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return b, segment, lockPath
}
