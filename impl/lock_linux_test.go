package impl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/internal/shm"
)

// TestUnit_LockFileBecomesALink: a call refuses a symbolic link that has taken
// the lock file's place, even one that leads to the lock file.
func TestUnit_LockFileBecomesALink(t *testing.T) {
	b, _, path := create(t)
	if err := errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path)); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Wait", b.Wait(t.Context(), 1), ErrNotRegular)
	if b.lock.Held {
		t.Error("the failed call holds the lock")
	}
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
			path := map[string]string{"segment": shm.Dir + name, "lock file": lockPath}[which]
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
			// A handle that must open the lock file again looks again.
			if which == "lock file" {
				if err := errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600), os.Chown(path, tc.owner, tc.owner), os.Chmod(path, tc.mode)); err != nil {
					t.Error(err)
				}
				wantError(t, "Wait after it was replaced", b.Wait(t.Context(), 1), tc.want)
			}
			if which == "lock file" && tc.want != nil {
				_, err := Create(name+"x", lockPath)
				wantError(t, "Create with that lock file", err, tc.want)
				c, err := Create(name+"x", lockPath, TrustOthers)
				wantError(t, "Create with that lock file, TrustOthers", err, nil)
				if err == nil {
					c.Close()
					os.Remove(shm.Dir + name + "x")
				}
			}
		}
	}
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
			if _, err := os.Lstat(shm.Dir + name); !errors.Is(err, os.ErrNotExist) {
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
