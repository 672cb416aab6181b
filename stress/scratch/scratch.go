//go:build linux

// Package scratch makes what a run needs outside of its processes: a directory
// for the lock file, and a name for the segment. It removes what dead runs have
// left.
//
// A run also has a file of its own in /dev/shm: its mark, which says where the
// directory is. The process that makes the run holds a lock on the mark until
// it ends. A mark whose lock is free is therefore that of a dead run, whatever
// process has the number in its name now, and in every PID namespace that
// shares /dev/shm.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// Names are the names of what one run makes.
type Names struct {
	Dir     string // path of the directory; empty: there is none
	Segment string // name of the segment
}

// A Scratch is what one run has made.
type Scratch struct {
	Names
	mark *os.File
}

const shm = "/dev/shm/"

// A name is sharedbarrier-KIND-PID-RANDOM. That of the segment has an ending:
// with TMPDIR=/dev/shm the directory has the other one.
const (
	ofSegment = ".segment"
	ofMark    = ".mark"
)

var isMark = regexp.MustCompile(`^(sharedbarrier-[a-z]+-[0-9]+-[0-9a-f]{16})\.mark$`)

// Make makes the directory of a run of the kind (lower-case letters) in parent,
// or in os.TempDir if parent is empty. It makes no segment. The first Make of a
// process first calls Sweep. It fails with the error of the system, or for a kind
// whose mark no Sweep would find.
func Make(parent, kind string) (*Scratch, error) {
	sweepOnce()
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("make the files of a run: %w", err)
	}
	for {
		name := fmt.Sprintf("sharedbarrier-%s-%d-%016x", kind, os.Getpid(), rand.Uint64())
		if !isMark.MatchString(name + ofMark) {
			return nil, fmt.Errorf("make the files of a run: the kind %q is not of lower-case letters only", kind)
		}
		s := &Scratch{Names: Names{filepath.Join(parent, name), name + ofSegment}}
		switch err := s.make(); {
		case errors.Is(err, fs.ErrExist), err == errSwept:
		case err != nil:
			return nil, fmt.Errorf("make the files of a run: %w; make room in /dev/shm and %s, or set TMPDIR", err, parent)
		default:
			return s, nil
		}
	}
}

var sweepOnce = sync.OnceFunc(Sweep)

// errSwept: a Sweep has taken the mark for a dead run's, before it was locked.
var errSwept = errors.New("the mark was removed")

// make makes the mark before the directory: what has no mark is never removed.
func (s *Scratch) make() (err error) {
	s.mark, err = os.OpenFile(s.markPath(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(s.markPath())
			s.mark.Close()
		}
	}()
	switch locked, err := lock(s.mark); {
	case err != nil:
		return err
	case !locked:
		return errSwept
	}
	if _, err := s.mark.WriteString(s.Dir); err != nil {
		return err
	}
	return os.Mkdir(s.Dir, 0o700)
}

// Check returns an error if this machine does not give a run what it needs:
// room for a segment, a file in a directory of parent (empty: os.TempDir), and
// a lock on the file. A failure of a party accuses it only if Check passes
// afterwards.
func Check(parent string) error {
	s, err := Make(parent, "check")
	if err == nil {
		err = errors.Join(s.try(), s.Close())
	}
	if err != nil {
		return fmt.Errorf("this machine lacks what a run needs: %w", err)
	}
	return nil
}

func (s *Scratch) try() error {
	if err := os.WriteFile(shm+s.Segment, make([]byte, spec.Size), 0o600); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(s.Dir, "lock"))
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = lock(file)
	return err
}

// lock locks the mark, unless it is locked or has no name any more.
func lock(mark *os.File) (bool, error) {
	var now unix.Stat_t
	fd := int(mark.Fd())
	switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); {
	case err == unix.EWOULDBLOCK:
		return false, nil
	case err != nil:
		return false, &fs.PathError{Op: "flock", Path: mark.Name(), Err: err}
	}
	if err := unix.Fstat(fd, &now); err != nil {
		return false, &fs.PathError{Op: "fstat", Path: mark.Name(), Err: err}
	}
	return now.Nlink > 0, nil
}

// Close removes the run's names and releases the mark.
func (s *Scratch) Close() error {
	return errors.Join(s.Remove(), s.mark.Close())
}

// Remove removes the segment, other files beside it whose names begin with its
// name, the directory with all that is in it, and the mark, or those of them
// that exist. A process of the run may call it when the process that made the
// run has ended.
func (n Names) Remove() error {
	var segments []string
	if strings.HasSuffix(n.Segment, ofSegment) {
		segments, _ = filepath.Glob(shm + n.Segment + "*")
	}
	var failed []error
	for _, path := range segments {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	if err := errors.Join(append(failed, os.RemoveAll(n.Dir))...); err != nil {
		return err // the mark stays for the next Sweep
	}
	if err := os.Remove(n.markPath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (n Names) markPath() string { return shm + strings.TrimSuffix(n.Segment, ofSegment) + ofMark }

// Sweep removes what dead runs of this user have left, as far as it can.
func Sweep() {
	for _, name := range Runs() {
		if dead, err := claim(name, isOurs); err == nil {
			dead.Close()
		}
	}
}

// Runs lists the names of the runs that have a mark, dead or alive.
func Runs() (names []string) {
	entries, _ := os.ReadDir(shm) // without it there are no segments either
	for _, e := range entries {
		if m := isMark.FindStringSubmatch(e.Name()); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// ErrLives is the error for the mark of a run whose process lives, or that
// another process claims.
var ErrLives = errors.New("the run is not dead")

// errForeign is the error for a mark that no run has made.
var errForeign = errors.New("no mark of a run")

// Claim takes over the dead run with the name, of any user. The caller must
// call Close, Forget or Release, which end the claim. It fails with ErrLives or
// the error of the system.
//
// It trusts only what has the run's name and owner: the mark may be that of a
// container, where its path means something else. Dir is empty if it is not
// that of the run.
func Claim(name string) (*Scratch, error) {
	return claim(name, func(fs.FileInfo) bool { return true })
}

func claim(name string, accepts func(mark fs.FileInfo) bool) (_ *Scratch, err error) {
	s := &Scratch{Names: Names{Segment: name + ofSegment}}
	if s.mark, err = os.OpenFile(s.markPath(), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.mark.Close()
		}
	}()
	mark, err := s.mark.Stat()
	switch {
	case err != nil:
		return nil, err
	case !mark.Mode().IsRegular() || !accepts(mark):
		return nil, errForeign
	}
	switch locked, err := lock(s.mark); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, ErrLives
	}
	path := make([]byte, unix.PathMax)
	n, _ := s.mark.Read(path) // nothing: the run died before it made the directory
	dir := string(path[:n])
	if info, err := os.Lstat(dir); err == nil && filepath.Base(dir) == name && info.IsDir() && owner(info) == owner(mark) {
		s.Dir = dir
	}
	return s, nil
}

// Release ends a claim, and leaves what the dead run has left.
func (s *Scratch) Release() error { return s.mark.Close() }

// Forget ends a claim, and removes the mark alone.
func (s *Scratch) Forget() error { return errors.Join(os.Remove(s.markPath()), s.mark.Close()) }

func isOurs(info fs.FileInfo) bool { return owner(info) == uint32(os.Geteuid()) }

func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }
