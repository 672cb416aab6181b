package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

var errWrite = errors.New("this write fails")

func full(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }
func half(w io.Writer) error { io.WriteString(w, "ne"); return errWrite }

// TestUnit_WriteFileKeepsWhatIsNotItsOwn writes over each kind of file, and fails
// half way over each: there is the old content or the new one, and no more
// files than before.
func TestUnit_WriteFileKeepsWhatIsNotItsOwn(t *testing.T) {
	for _, c := range []struct {
		name        string
		make        func(dir, path string) error
		before, kin string // old content, and the file that has the content
		mode        fs.FileMode
	}{
		{"missing", func(string, string) error { return nil }, "", "x", 0},
		{"regular", func(_, path string) error { return os.WriteFile(path, []byte("old"), 0o600) }, "old", "x", 0o600},
		{"link", func(dir, path string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "target"), []byte("old"), 0o600), os.Symlink("target", path))
		}, "old", "target", 0o600},
		{"dangling link", func(dir, path string) error { return os.Symlink("target", path) }, "", "target", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path, content := filepath.Join(dir, "x"), filepath.Join(dir, c.kin)
			if err := c.make(dir, path); err != nil {
				t.Fatal(err)
			}
			before := names(t, dir)
			if err := WriteFile(path, half); !errors.Is(err, errWrite) {
				t.Errorf("WriteFile that fails: got %v, want %v", err, errWrite)
			}
			if got, _ := os.ReadFile(content); string(got) != c.before || !slices.Equal(names(t, dir), before) {
				t.Errorf("after a failure: got %q and files %v, want %q and %v", got, names(t, dir), c.before, before)
			}
			if err := WriteFile(path, full); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(content)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(content); string(got) != "new" || c.mode != 0 && info.Mode() != c.mode {
				t.Errorf("WriteFile: got %q with mode %v, want %q with mode %v", got, info.Mode(), "new", c.mode)
			}
			if link, err := os.Lstat(path); err != nil || (link.Mode()&fs.ModeSymlink != 0) != (c.kin != "x") {
				t.Errorf("WriteFile: %s is %v (%v), want a link to be a link still", path, link.Mode(), err)
			}
		})
	}
}

// TestUnit_WriteFileNotRegular writes into a pipe and a device, fails in them, and
// leaves both where they are. A directory is an error.
func TestUnit_WriteFileNotRegular(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // of a pipe: does not block
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := errors.Join(WriteFile(pipe, full), WriteFile("/dev/null", full)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != "new" {
		t.Errorf("the pipe has %q (%v), want %q", got, err, "new")
	}
	if err := WriteFile("/dev/full", full); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteFile to /dev/full: got %v, want %v", err, syscall.ENOSPC)
	}
	if err := WriteFile(dir, full); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("WriteFile to a directory: got %v, want %v", err, syscall.EISDIR)
	}
	for _, path := range []string{pipe, "/dev/null", "/dev/full"} {
		if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() {
			t.Errorf("%s: got %v, want what it was", path, err)
		}
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
