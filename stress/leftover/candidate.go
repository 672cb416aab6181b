//go:build linux

package leftover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/workdir"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/scratch"
)

// A candidate is a leftover that is judged, and perhaps removed.
type candidate struct {
	kind    Kind
	of      string
	entries []*entry // in the order of removal
	segment string   // the name of the segment of a barrier; empty: no barrier
	run     string   // the name of the run, if it has a mark
	workDir string   // the path of the directory, if package workdir has made it
	named   bool     // the user has named it
	aged    bool     // only its age shows that its maker does not prepare it

	claimed claim
	taken   bool // the maker lives: there is no claim
}

// A claim says that the maker of a leftover is dead, until it is released.
type claim interface{ Release() error }

// An entryKind says what is expected at a name.
type entryKind int

const (
	segmentEntry entryKind = iota // the file of the words
	lockEntry                     // a lock file
	groupEntry                    // the file of a group
	runEntry                      // anything that a run of this project has made
	markEntry                     // the mark of a run, which is removed with the claim
)

// An entry is one name of a candidate. It stands for the file that had the name
// when open was called.
type entry struct {
	kind   entryKind
	path   string
	parent *os.File // the folder
	root   *os.Root // the folder, too
	name   string   // in the folder; another one while the entry is parked
	stat   unix.Stat_t
	leased []*os.File // the file, or all files in the directory
}

func (c *candidate) add(kind entryKind, path string) {
	if slices.ContainsFunc(c.entries, func(e *entry) bool { return e.path == path }) {
		return
	}
	c.entries = append(c.entries, &entry{kind: kind, path: path})
}

// open claims the candidate and finds its files. It opens the folders alone. It
// reports whether there is anything.
func (c *candidate) open() (bool, error) {
	if err := c.claim(); err != nil {
		return true, err
	}
	var there []*entry
	for _, e := range c.entries {
		switch err := e.open(); {
		case errors.Is(err, fs.ErrNotExist):
			e.close()
			continue
		case err != nil:
			e.close()
			return true, err
		}
		if slices.ContainsFunc(there, func(o *entry) bool { return o.inode() == e.inode() && o.path != e.path }) {
			e.close() // the same, by way of a symbolic link
			continue
		}
		there = append(there, e)
	}
	c.entries = there
	return len(there) > 0, nil
}

// claim asks the lock of the maker, if it has one, whether the maker is dead.
func (c *candidate) claim() error {
	switch {
	case c.run != "":
		s, err := scratch.Claim(c.run)
		switch {
		case errors.Is(err, scratch.ErrLives):
			c.taken = true
		case err == nil:
			c.claimed = s
			if s.Dir != "" {
				c.add(runEntry, s.Dir)
			}
		case errors.Is(err, fs.ErrPermission) && len(lockers(c.entries[0].path)) > 0: // the mark is another user's
			c.taken = true
		case !errors.Is(err, fs.ErrNotExist):
			return ask(err)
		}
	case c.workDir != "":
		var stat unix.Stat_t
		if err := unix.Lstat(c.workDir, &stat); err == nil && int(stat.Uid) != os.Geteuid() {
			return fmt.Errorf("it belongs to user %d: run as that user", stat.Uid)
		}
		d, err := workdir.Claim(c.workDir)
		switch {
		case errors.Is(err, workdir.ErrTaken):
			c.taken = true
		case err != nil:
			return err
		default:
			c.claimed = d
		}
	}
	return nil
}

func (c *candidate) close() {
	for _, e := range c.entries {
		e.close()
	}
	if c.claimed != nil {
		c.claimed.Release()
	}
}

// ask returns the error with what to do about it.
func ask(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run as its owner or as root", err)
	}
	return err
}

func (e *entry) open() (err error) {
	e.name = filepath.Base(e.path)
	if e.root, err = os.OpenRoot(filepath.Dir(e.path)); err != nil {
		return ask(err)
	}
	if e.parent, err = e.root.Open("."); err != nil {
		return ask(err)
	}
	e.stat, err = e.now()
	return err
}

func (e *entry) close() {
	for _, f := range e.leased {
		f.Close()
	}
	e.leased = nil
	e.parent.Close() // of nil: nothing
	if e.root != nil {
		e.root.Close()
	}
}

// now returns the stat of what has the name now.
func (e *entry) now() (stat unix.Stat_t, err error) {
	err = unix.Fstatat(int(e.parent.Fd()), e.name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		err = &fs.PathError{Op: "lstat", Path: e.path, Err: err}
	}
	return stat, err
}

func (e *entry) inode() fileuse.Inode { return fileuse.InodeOf(&e.stat) }

func (e *entry) is(format uint32) bool { return e.stat.Mode&unix.S_IFMT == format }

// changed is when the entry was last changed.
func (e *entry) changed() time.Time { return time.Unix(e.stat.Mtim.Unix()) }

// openFile opens the file of the entry read-only. It neither follows a link nor
// waits.
func (e *entry) openFile() (*os.File, error) {
	fd, err := unix.Openat(int(e.parent.Fd()), e.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: e.path, Err: err}
	}
	return os.NewFile(uintptr(fd), e.path), nil
}

// words reads the words of a segment; nil: it has none, or may not be read.
func (e *entry) words() *spec.Words {
	if !e.is(unix.S_IFREG) || e.stat.Size != spec.Size {
		return nil
	}
	file, err := e.openFile()
	if err != nil {
		return nil
	}
	defer file.Close()
	var memory [spec.Size]byte
	if n, _ := file.ReadAt(memory[:], 0); n < spec.Size {
		return nil
	}
	w := inspect.WordsIn(memory)
	return &w
}

// plausible reports whether the words can be those of a barrier.
func plausible(w *spec.Words) bool {
	return w != nil && w.Enter >= 0 && w.Exit >= spec.NotSet && (w.Flag == spec.Down || w.Flag == spec.Up)
}

// describe fills in what is seen without a proof.
func (c *candidate) describe(l *Leftover) {
	for _, e := range c.entries {
		l.Paths = append(l.Paths, e.path)
		if t := e.changed(); t.After(l.Changed) {
			l.Changed = t
		}
		l.Bytes += e.size()
		if isSegment := e.kind == segmentEntry || strings.HasSuffix(e.path, ".segment"); isSegment && l.Words == nil {
			l.Words = e.words()
		}
	}
}

// size returns the bytes of the file, or of those in the directory.
func (e *entry) size() (bytes int64) {
	if !e.is(unix.S_IFDIR) {
		return e.stat.Size
	}
	for _, info := range e.tree() {
		if info.Mode().IsRegular() {
			bytes += info.Size()
		}
	}
	return bytes
}

// tree lists what is in the directory of the entry, as far as it may be read.
func (e *entry) tree() map[string]fs.FileInfo {
	list := map[string]fs.FileInfo{}
	fs.WalkDir(e.root.FS(), e.name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil {
			list[path] = info
		}
		return nil
	})
	return list
}

func (c *candidate) paths() (paths []string) {
	for _, e := range c.entries {
		paths = append(paths, e.path)
	}
	return paths
}
