package impl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/intercept"
)

// TestUnit_LockFollowsThePath: a call acquires the lock of the file that the
// path names, whatever happened to that since the last call.
func TestUnit_LockFollowsThePath(t *testing.T) {
	b, _, path := create(t)
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
		// Until calls no longer compare with the path, if they may.
		for b.lock.local && fine(ctimeOf(t, path)) && b.lock.linkedAt == (unix.Timespec{}) {
			if err := b.Wait(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := tc.do(); err != nil {
			t.Fatal(err)
		}
		b.SetHook(func(s spec.Step) {
			if s.Holds() && newcomerTakes(t, path) {
				t.Errorf("lock file: %s: at %v a newcomer takes the lock too", tc.what, s)
			}
		})
		if err := b.Wait(t.Context(), 1); err != nil {
			t.Errorf("lock file: %s: Wait: got %v, want nil", tc.what, err)
		}
		b.SetHook(nil)
		if !newcomerTakes(t, path) {
			t.Errorf("lock file: %s: after Wait a newcomer cannot take the lock", tc.what)
		}
	}
	if after := countOpen(t); after != before {
		t.Errorf("descriptors and mappings after the lock file was opened again: got %d, want %d as before", after, before)
	}
}

// TestUnit_ChangeTimes: calls stop comparing with the path only once the change
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
	b, _, path := create(t)
	// Without a mount there is one file system: two files differ by inode
	// there.
	if a, b := (unix.Stat_t{Dev: 1, Ino: 2}), (unix.Stat_t{Dev: 3, Ino: 2}); sameFile(&a, &b) {
		t.Error("sameFile(equal inodes on two devices): got true, want false")
	}
	wait := func() {
		if err := b.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	const enough = 10 * time.Millisecond // to which a change time may add a tick of 10 ms
	for {
		changed := time.Now()
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		wait()
		trusted := b.lock.linkedAt == ctimeOf(t, path)
		if time.Since(changed) < enough { // a slow machine tries again
			if trusted {
				t.Errorf("a change time that is younger than %v is trusted", 2*enough)
			}
			break
		}
	}
	for b.lock.local && fine(ctimeOf(t, path)) && b.lock.linkedAt != ctimeOf(t, path) {
		wait()
	}
	if b.lock.linkedAt == ctimeOf(t, path) { // calls do not look at the path, even if that leads nowhere
		dir := filepath.Dir(path)
		if err := os.Rename(dir, dir+".moved"); err != nil {
			t.Fatal(err)
		}
		wait()
		if err := os.Rename(dir+".moved", dir); err != nil {
			t.Fatal(err)
		}
	}
	b.lock.local, b.lock.linkedAt = false, unix.Timespec{}
	for old := time.Now(); time.Since(old) < 2*ctimeGranularity; {
		wait()
	}
	if b.lock.linkedAt == ctimeOf(t, path) {
		t.Error("a change time is trusted in a file system that is not known")
	}
}

func ctimeOf(t *testing.T, path string) unix.Timespec {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ctim
}

// TestUnit_LockFileBecomesALink: a call refuses a symbolic link that has taken
// the lock file's place, even one that leads to the lock file.
func TestUnit_LockFileBecomesALink(t *testing.T) {
	b, _, path := create(t)
	if err := errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Wait", b.Wait(t.Context(), 1), ErrNotRegular)
	if b.lock.held {
		t.Error("the failed call holds the lock")
	}
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
			l, err := openLock(path, false)
			if err != nil {
				t.Errorf("openLock of a file that is %s: got %v, want nil", tc.what, err)
				return
			}
			l.close()
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
	l, err := openLock(path, false)
	if err != nil {
		t.Fatalf("openLock of a file of another user: got %v, want nil", err)
	}
	l.close()
}

const otherUser = 12345

// TestUnit_Trust: a file of another user is refused if third users can write
// it, unless TrustOthers is passed.
func TestUnit_Trust(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	for _, tc := range []struct {
		owner int
		mode  os.FileMode
		want  error
	}{
		{0, 0o600, nil}, {0, 0o666, nil}, {otherUser, 0o600, nil}, {otherUser, 0o644, nil},
		{otherUser, 0o620, ErrUntrusted}, {otherUser, 0o602, ErrUntrusted}, {otherUser, 0o666, ErrUntrusted},
	} {
		for _, which := range []string{"segment", "lock file"} {
			b, name, lockPath := create(t)
			path := map[string]string{"segment": shm + name, "lock file": lockPath}[which]
			if err := errors.Join(os.Chown(path, tc.owner, tc.owner), os.Chmod(path, tc.mode)); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(options ...Option) (*Barrier, error){
				func(options ...Option) (*Barrier, error) { return Attach(t.Context(), name, lockPath, options...) },
				func(options ...Option) (*Barrier, error) { return Construct(name, lockPath, options...) },
			} {
				call := fmt.Sprintf("opening a barrier with a %s of user %d, mode %v", which, tc.owner, tc.mode)
				b, err := open()
				wantError(t, call, err, tc.want)
				if err == nil {
					b.Close()
				}
				b, err = open(TrustOthers)
				wantError(t, call+", TrustOthers", err, nil)
				if err == nil {
					b.Close()
				}
			}
			// A handle that must reopen the lock file looks again.
			if which == "lock file" {
				wantError(t, "reopening it", b.lock.reopen(), tc.want)
			}
			if which == "lock file" && tc.want != nil {
				_, err := Create(name+"x", lockPath)
				wantError(t, "Create with that lock file", err, tc.want)
				c, err := Create(name+"x", lockPath, TrustOthers)
				wantError(t, "Create with that lock file, TrustOthers", err, nil)
				if err == nil {
					c.Close()
					os.Remove(shm + name + "x")
				}
			}
		}
	}
}

// newcomerTakes reports whether a process that opens the lock file now gets the
// lock. It releases the lock.
func newcomerTakes(t *testing.T, path string) bool {
	t.Helper()
	l, err := openLock(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	held, err := l.try()
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// TestUnit_LockFileKinds: Create refuses a lock file that is no regular file,
// and leaves nothing.
func TestUnit_LockFileKinds(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("file"), []byte("contents"), 0o600),
		os.Symlink(path("file"), path("symlink")),
		os.Mkdir(path("directory"), 0o700),
		unix.Mkfifo(path("fifo"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		want error
	}{
		{"file", nil},
		{"new", nil},
		{"symlink", ErrNotRegular},
		{"directory", ErrNotRegular},
		{"fifo", ErrNotRegular},
		{"missing/lock", os.ErrNotExist},
	} {
		name, _ := newNames(t)
		b, err := Create(name, path(tc.name))
		wantError(t, fmt.Sprintf("Create with a lock file that is a %s", tc.name), err, tc.want)
		if err != nil {
			if _, err := os.Lstat(shm + name); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("Create with a lock file that is a %s leaves a segment: Lstat: %v", tc.name, err)
			}
			continue
		}
		if tc.want != nil {
			b.Close()
			continue // a call may not end
		}
		if err := b.Wait(t.Context(), 1); err != nil {
			t.Errorf("Wait with a lock file that is a %s: got %v, want nil", tc.name, err)
		}
		b.Close()
	}
	if got, err := os.ReadFile(path("file")); string(got) != "contents" {
		t.Errorf("contents of the lock file: got %q, %v, want them untouched", got, err)
	}
}

func TestUnit_LockPathIsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := openLock("lock", false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	t.Chdir(t.TempDir())
	held, err := l.try()
	if !held || err != nil {
		t.Fatalf("try: got %v, %v, want true, nil", held, err)
	}
	if _, err := os.Lstat("lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another lock file was made in the new working directory: Lstat: %v", err)
	}
}
