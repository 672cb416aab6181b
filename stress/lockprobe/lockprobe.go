//go:build linux

// Package lockprobe observes the lock of a barrier from outside: which process
// holds it, and whether it is free. It shares no code with package impl.
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

// ErrNotRegular is the error for a path that names something else than a
// regular file, such as a FIFO or a symbolic link. Neither is opened or
// followed.
var ErrNotRegular = errors.New("not a regular file")

// Holder returns the process that holds the flock on the file that path names,
// according to /proc/locks, or -1 if no process does. A missing file is held by
// no process. It fails with ErrNotRegular, or the error of the system.
func Holder(path string) (int, error) {
	info, err := regular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
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
		// For a process that waits, an arrow follows the number of the line.
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], inode) {
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

// A Probe tries a lock without waiting, with another library than package impl
// uses. It opens the file again for each attempt: some peers unlink the file
// when they release it.
type Probe struct {
	path   string
	lock   *flock.Flock
	pinned *os.File // nil: the probe follows the path
}

// NewProbe returns a probe of the lock file that path names. It does not open
// the file.
func NewProbe(path string) *Probe {
	return &Probe{path: path, lock: reader(path, open|unix.O_NOFOLLOW)}
}

// open are the flags for a lock file. They neither create it nor wait for the
// other end of a FIFO.
const open = os.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC

func reader(path string, flags int) *flock.Flock { return flock.New(path, flock.SetFlag(flags)) }

// regular returns what path names, which must be a regular file.
func regular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("lock file %q: %w (%v): some process has replaced it", path, ErrNotRegular, info.Mode().Type())
	}
	return info, err
}

// Free reports whether no process holds the lock. The lock of a missing file is
// free. Free takes the lock and releases it at once: a process that tries at
// that moment finds it held. It fails with ErrNotRegular, or the error of the
// system.
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

// Pin keeps the probe at the file that the path names now, even after it is
// unlinked. It fails with fs.ErrNotExist for a missing file, ErrNotRegular, or
// the error of the system; the probe then still follows the path.
func (p *Probe) Pin() error {
	if _, err := regular(p.path); err != nil {
		return err
	}
	file, err := os.OpenFile(p.path, open|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	p.pinned, p.lock = file, reader("/proc/self/fd/"+strconv.Itoa(int(file.Fd())), open)
	return nil
}

// Close closes the file that Pin has opened, if any.
func (p *Probe) Close() error {
	if p.pinned == nil {
		return nil
	}
	return p.pinned.Close()
}
