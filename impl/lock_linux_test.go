package impl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// TestUnit_LockFollowsThePath: a call acquires the lock of the file that the
// path names, whatever happened to that since the last call.
func TestUnit_LockFollowsThePath(t *testing.T) {
	b, _, path := create(t)
	for _, tc := range []struct {
		what string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"it was removed", func() error { return os.Remove(path) }},
		{"it was removed and made", func() error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) }},
		{"it was linked and removed", func() error { return errors.Join(os.Link(path, path+".link"), os.Remove(path)) }},
		{"another has its name", func() error { return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)) }},
	} {
		// Until calls no longer compare with the path.
		for b.lock.linkedAt == (unix.Timespec{}) {
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
}

// newcomerTakes reports whether a process that opens the lock file now gets the
// lock. It releases the lock.
func newcomerTakes(t *testing.T, path string) bool {
	t.Helper()
	l, err := openLock(path)
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
	l, err := openLock("lock")
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
