// Package workdir makes directories for the files of one run. The run removes
// its directory when it ends. After kill -9 the next run does.
//
// A run holds a lock on its directory until it ends. A directory whose lock is
// free is therefore that of a dead run. On Windows, and where directories
// cannot be locked (some network file systems), dead runs are not removed.
package workdir

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
)

// A Dir is the directory of a run.
type Dir struct {
	Path string
	lock *os.File // nil: there are no locks
}

// Make makes a directory in parent, or in os.TempDir if parent is empty. Its
// name is the kind, which identifies the program, and 16 random hexadecimal
// digits. Make first calls Sweep. It fails with the error of the system.
func Make(parent, kind string) (*Dir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	Sweep(parent, kind)
	for {
		path := filepath.Join(parent, fmt.Sprintf("%s%016x", kind, rand.Uint64()))
		switch err := os.Mkdir(path, 0o700); {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("make a directory: %w", err)
		}
		if lock, err := lock(path); !errors.Is(err, ErrTaken) {
			return &Dir{path, lock}, nil
		}
		// A Sweep has removed it before it was locked.
	}
}

// Remove removes the directory with all that is in it.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.Path)
	if d.lock != nil {
		d.lock.Close()
	}
	return err
}

// Sweep removes the directories of the kind that dead runs of this user have
// left in parent, as far as it can.
func Sweep(parent, kind string) {
	name := regexp.MustCompile("^" + regexp.QuoteMeta(kind) + "[0-9a-f]{16}$")
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		if !e.IsDir() || !name.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if dead, err := Claim(path); err == nil {
			dead.Remove()
		}
	}
}

// Claim takes over the directory of a dead run of this user. The caller must
// call Remove or Release. It fails with the error of the system, or if the
// directory is locked, is another user's, or cannot be locked.
func Claim(path string) (*Dir, error) {
	lock, err := lock(path)
	if err != nil {
		return nil, err
	}
	return &Dir{path, lock}, nil
}

// Release ends a claim, and leaves the directory.
func (d *Dir) Release() error { return d.lock.Close() }

// ErrTaken is the error for a directory that is locked, or gone.
var ErrTaken = errors.New("the directory is that of another run")
