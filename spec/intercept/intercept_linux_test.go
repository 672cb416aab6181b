package intercept

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnit_Run: the calls of the function and of its child get their answers,
// and those of other threads are not touched.
func TestUnit_Run(t *testing.T) {
	calls := 0
	Run(t, All(unix.SYS_UMASK), func(c Call) unix.Errno {
		calls++
		if c.Number == unix.SYS_UMASK && c.Args[0] == 0o12 {
			return unix.ENOTTY
		}
		return 0
	}, func() {
		for _, mask := range []uintptr{0o12, 0o22} {
			_, _, errno := unix.Syscall(unix.SYS_UMASK, mask, 0, 0)
			if want := map[uintptr]unix.Errno{0o12: unix.ENOTTY}[mask]; errno != want {
				t.Errorf("umask(%o): got %v, want %v", mask, errno, want)
			}
		}
		if out, err := exec.Command("sh", "-c", "umask 022").CombinedOutput(); err != nil {
			t.Errorf("sh: %v: %s", err, out)
		}
	})
	if calls < 3 {
		t.Errorf("calls seen: got %d, want 3 at least", calls)
	}
	if _, _, errno := unix.Syscall(unix.SYS_UMASK, 0o22, 0, 0); errno != 0 {
		t.Errorf("umask in another thread: got %v, want no error", errno)
	}
}

// TestUnit_AcceptMissing: a program that has started without being intercepted
// is known as one, however late the runner asks.
func TestUnit_AcceptMissing(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(pair[1]) // as Exec does
	if l, err := Accept(os.NewFile(uintptr(pair[0]), "socket")); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, %v, want %v", l, err, ErrMissing)
	}
}
