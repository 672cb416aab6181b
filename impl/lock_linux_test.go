package impl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLockFollowsThePath: the lock that a call acquires is that of the file
// which the path names, whatever has happened to it since the last call.
func TestLockFollowsThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := openLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for _, replace := range []func() error{
		func() error { return nil },
		func() error { return os.Remove(path) },
		func() error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) },
		func() error { return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600)) },
	} {
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		if err := l.follow(); err != nil {
			t.Fatal(err)
		}
		if held, err := l.try(); !held || err != nil {
			t.Fatalf("try: got %v, %v, want true, nil", held, err)
		}
		other, err := openLock(path)
		if err != nil {
			t.Fatal(err)
		}
		if held, err := other.try(); held || err != nil {
			t.Errorf("another's try: got %v, %v, want false, nil", held, err)
		}
		if err := errors.Join(other.close(), l.release()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLockStartsOverWhenUnlinked: a peer that unlinks the lock file while it
// holds the lock, as filelock 3.21.0 to 3.29.4 do, does not make two locks of it.
func TestLockStartsOverWhenUnlinked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var locks [3]*lock
	for i := range locks {
		l, err := openLock(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		locks[i] = l
	}
	try := func(l *lock, want bool) {
		t.Helper()
		if held, err := l.try(); held != want || err != nil {
			t.Fatalf("try: got %v, %v, want %v, nil", held, err, want)
		}
	}
	peer, first, second := locks[0], locks[1], locks[2]
	try(peer, true)
	try(first, false)
	if err := errors.Join(os.Remove(path), peer.release()); err != nil {
		t.Fatal(err)
	}
	try(first, true) // on the new file
	try(second, false)
	try(peer, false)
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	try(second, true)
}

// TestLockFileKinds: whatever is no regular file is refused, and nothing is
// left behind.
func TestLockFileKinds(t *testing.T) {
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

// TestLockPathIsAbsolute: changing the working directory does not change the
// lock.
func TestLockPathIsAbsolute(t *testing.T) {
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
