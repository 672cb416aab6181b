//go:build linux

// Package lockfile looks at the lock of a barrier from outside: who holds it,
// and whether it is free. It shares nothing with package impl.
package lockprobe

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// ErrNotRegular: the path names a FIFO, a symbolic link or the like, none of which
// is waited for or followed.
var ErrNotRegular = errors.New("not a regular file")

// Holder returns the number of the process that holds the flock on the file
// that path names, as the kernel tells it in /proc/locks; -1, if nobody does.
func Holder(path string) (int, error) {
	info, err := regular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil // nobody has ever locked it
	}
	if err != nil {
		return -1, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	inode := fmt.Sprintf(":%d", stat.Ino)
	file := fmt.Sprintf("%02x:%02x%s", unix.Major(stat.Dev), unix.Minor(stat.Dev), inode)
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return -1, err
	}
	defer locks.Close()
	found := -1
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		// 1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF
		// A process that waits for the lock has an arrow after the number.
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		if !strings.HasSuffix(f[5], inode) {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil {
			return -1, fmt.Errorf("/proc/locks: %q: %w", lines.Text(), err)
		}
		if f[5] == file {
			return pid, nil
		}
		found = pid // some file systems show another device here than in stat(2)
	}
	return found, lines.Err()
}

// A Probe tries a lock without waiting, through a library that package impl
// does not lock with. It opens the file anew each time: some peers unlink it on
// release.
type Probe struct {
	path   string
	lock   *flock.Flock
	pinned *os.File // nil: the probe follows the path
}

// NewProbe returns a probe of the lock file with the path.
func NewProbe(path string) *Probe {
	return &Probe{path: path, lock: reader(path, open|unix.O_NOFOLLOW)}
}

// open are the flags with which a lock file is opened: never to make one, nor to
// wait for whoever is to come to the other end of a FIFO.
const open = os.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC

func reader(path string, flags int) *flock.Flock { return flock.New(path, flock.SetFlag(flags)) }

// regular returns what path names, which must be a regular file.
func regular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil {
		err = checkRegular(path, info)
	}
	return info, err
}

func checkRegular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return fmt.Errorf("lock file %q: %w (%v): somebody has put it there", path, ErrNotRegular, info.Mode().Type())
}

// Free reports whether nobody holds the lock; a file that is missing is held by
// nobody. It takes the lock for that, and gives it back at once: whoever tries
// at the same moment finds it taken.
func (p *Probe) Free() (bool, error) {
	if p.pinned == nil {
		switch _, err := regular(p.path); {
		case errors.Is(err, fs.ErrNotExist):
			return true, nil
		case err != nil:
			return false, err
		}
	}
	switch locked, err := p.lock.TryLock(); {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("try the lock file %q: %w", p.path, err)
	case !locked:
		return false, nil
	}
	return true, p.lock.Unlock()
}

// Pin has the probe stay with the file that the path names now, even when it is
// unlinked. A file that is missing: fs.ErrNotExist.
func (p *Probe) Pin() error {
	file, err := os.OpenFile(p.path, open|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = checkRegular(p.path, info)
	}
	if err != nil {
		file.Close()
		return err
	}
	p.pinned, p.lock = file, reader("/proc/self/fd/"+strconv.Itoa(int(file.Fd())), open)
	return nil
}

// Close gives back what Pin holds.
func (p *Probe) Close() error {
	if p.pinned == nil {
		return nil
	}
	return p.pinned.Close()
}
