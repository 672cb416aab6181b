package shm

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec/intercept"
)

// TestUnit_LockFollowsThePath: Try locks the file that the path names, whatever
// happened to that since the last time.
func TestUnit_LockFollowsThePath(t *testing.T) {
	l, path := newLock(t)
	before := countOpen(t)
	for _, tc := range []struct {
		what string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"it was removed", func() error { return os.Remove(path) }},
		{"it was removed and made", func() error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) }},
		{"it was linked and removed", func() error { return errors.Join(os.Link(path, path+".link"), os.Remove(path)) }},
		{"its name is that of a link to it", func() error { return errors.Join(os.Rename(path, path+".real"), os.Link(path+".real", path)) }},
		{"another has its name", func() error { return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)) }},
	} {
		// Until it no longer compares with the path, if it may.
		for l.local && fine(ctimeOf(t, path)) && l.linkedAt == (unix.Timespec{}) {
			use(t, l)
		}
		if err := tc.do(); err != nil {
			t.Fatal(err)
		}
		if held, err := l.Try(); !held {
			t.Errorf("lock file: %s: Try: got %v, %v, want true, nil", tc.what, held, err)
		}
		if newcomerTakes(t, path) {
			t.Errorf("lock file: %s: a newcomer takes the lock too", tc.what)
		}
		if err := l.Release(); err != nil {
			t.Errorf("lock file: %s: Release: got %v, want nil", tc.what, err)
		}
		if !newcomerTakes(t, path) {
			t.Errorf("lock file: %s: after Release a newcomer cannot take the lock", tc.what)
		}
	}
	if after := countOpen(t); after != before {
		t.Errorf("descriptors after the lock file was opened again: got %d, want %d as before", after, before)
	}
}

// TestUnit_ChangeTimes: Try stops comparing with the path only once the change
// time is fine and older than a tick of the kernel's clock, and only in file
// systems that are known.
func TestUnit_ChangeTimes(t *testing.T) {
	for _, tc := range []struct {
		nanoseconds int64
		want        bool
	}{{0, false}, {500e6, false}, {123e6, false}, {1e6 - 100, true}, {123_456_000, true}, {999_999_999, true}} {
		if got := fine(unix.NsecToTimespec(1e18 + tc.nanoseconds)); got != tc.want {
			t.Errorf("fine(change time with %d ns): got %v, want %v", tc.nanoseconds, got, tc.want)
		}
	}
	l, path := newLock(t)
	// Without a mount there is one file system: two files differ by inode
	// there.
	if a, b := (unix.Stat_t{Dev: 1, Ino: 2}), (unix.Stat_t{Dev: 3, Ino: 2}); sameFile(&a, &b) {
		t.Error("sameFile(equal inodes on two devices): got true, want false")
	}
	const young = 20 * time.Millisecond
	for {
		var clock unix.Timespec // from which change times are taken: it can be behind by more than a tick
		if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &clock); err != nil {
			t.Fatal(err)
		}
		changed := time.Unix(clock.Unix())
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		use(t, l)
		trusted := l.linkedAt == ctimeOf(t, path)
		if time.Since(changed) < young { // a slow machine tries again
			if trusted {
				t.Errorf("a change time that is younger than %v is trusted", young)
			}
			break
		}
	}
	for l.local && fine(ctimeOf(t, path)) && l.linkedAt != ctimeOf(t, path) {
		use(t, l)
	}
	if l.linkedAt == ctimeOf(t, path) { // it does not look at the path, even if that leads nowhere
		dir := filepath.Dir(path)
		if err := os.Rename(dir, dir+".moved"); err != nil {
			t.Fatal(err)
		}
		use(t, l)
		if err := os.Rename(dir+".moved", dir); err != nil {
			t.Fatal(err)
		}
	}
	l.local, l.linkedAt = false, unix.Timespec{}
	for old := time.Now(); time.Since(old) < 2*ctimeGranularity; {
		use(t, l)
	}
	if l.linkedAt == ctimeOf(t, path) {
		t.Error("a change time is trusted in a file system that is not known")
	}
}

const otherUser = 12345

func ctimeOf(t *testing.T, path string) unix.Timespec {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ctim
}

// TestUnit_LockFileOfAnotherUser: a lock file in a sticky directory that
// belongs to another user is opened without O_CREAT, which the kernel refuses
// then (fs.protected_regular).
func TestUnit_LockFileOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	creating := func(c intercept.Call) bool { return c.Args[2]&unix.O_CREAT != 0 }
	for _, tc := range []struct {
		what   string
		answer func(intercept.Call) unix.Errno
	}{
		{"missing", func(intercept.Call) unix.Errno { return 0 }},
		{"there", func(c intercept.Call) unix.Errno {
			if creating(c) {
				return unix.EACCES
			}
			return 0
		}},
		{"made meanwhile", func(c intercept.Call) unix.Errno {
			if creating(c) {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			return 0
		}},
	} {
		if tc.what == "made meanwhile" {
			os.Remove(path)
		}
		intercept.Run(t, intercept.All(unix.SYS_OPENAT), tc.answer, func() {
			l, err := OpenLock(path, false)
			if err != nil {
				t.Errorf("OpenLock of a file that is %s: got %v, want nil", tc.what, err)
				return
			}
			l.Close()
		})
	}
}

// TestUnit_ProtectedRegular is the same with the kernel's own answer.
func TestUnit_ProtectedRegular(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/protected_regular")
	if err != nil || string(text) == "0\n" || os.Getuid() != 0 {
		t.Skipf("fs.protected_regular is %q, %v, and the user %d; want 1 or 2, and root", text, err, os.Getuid())
	}
	path := filepath.Join(t.TempDir(), "lock")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(filepath.Dir(path), 0o777|os.ModeSticky), os.Chown(path, otherUser, otherUser)); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLock(path, false)
	if err != nil {
		t.Fatalf("OpenLock of a file of another user: got %v, want nil", err)
	}
	l.Close()
}

// newLock returns a new lock, closed after the test.
func newLock(t *testing.T) (l *Lock, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lock")
	l, err := OpenLock(path, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, path
}

// use acquires and releases the lock.
func use(t *testing.T, l *Lock) {
	t.Helper()
	if held, err := l.Try(); !held {
		t.Fatalf("Try: got %v, %v, want true, nil", held, err)
	}
	l.Release()
}

// countOpen counts the descriptors of this process. It reads a file first: with
// the first one the runtime opens descriptors of its own.
func countOpen(t *testing.T) int {
	t.Helper()
	if _, err := os.ReadFile("/proc/self/maps"); err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// newcomerTakes reports whether a process that opens the lock file now gets the
// lock. It releases the lock.
func newcomerTakes(t *testing.T, path string) bool {
	t.Helper()
	l, err := OpenLock(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	held, err := l.Try()
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestUnit_LockPathIsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := OpenLock("lock", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Chdir(t.TempDir())
	held, err := l.Try()
	if !held || err != nil {
		t.Fatalf("Try: got %v, %v, want true, nil", held, err)
	}
	if _, err := os.Lstat("lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another lock file was made in the new working directory: Lstat: %v", err)
	}
}
