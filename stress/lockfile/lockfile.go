//go:build linux

// Package lockfile looks at the lock of a barrier from outside: who holds it,
// and whether it is free. It shares nothing with package impl.
package lockfile

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Holder returns the number of the process that holds the flock on the file
// that path names, as the kernel tells it in /proc/locks; -1, if nobody does.
func Holder(path string) (int, error) {
	info, err := os.Stat(path)
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

// A Probe tries a lock without waiting, through a descriptor of its own. It
// follows the path: some peers unlink the file on release.
type Probe struct {
	path   string
	file   *os.File // nil: there was none
	pinned bool
}

// NewProbe returns a probe of the lock file with the path.
func NewProbe(path string) *Probe { return &Probe{path: path} }

// Free reports whether nobody holds the lock; a file that is missing is held by
// nobody. It takes the lock for that, and gives it back at once: whoever tries
// at the same moment finds it taken.
func (p *Probe) Free() (bool, error) {
	if err := p.follow(); p.file == nil || err != nil {
		return err == nil, err
	}
	switch err := p.flock(unix.LOCK_EX | unix.LOCK_NB); err {
	case nil:
		return true, p.flock(unix.LOCK_UN)
	case unix.EWOULDBLOCK:
		return false, nil
	default:
		return false, fmt.Errorf("try the lock file %q: %w", p.path, err)
	}
}

// Pin has the probe stay with the file that the path names now.
func (p *Probe) Pin() error {
	err := p.follow()
	p.pinned = true
	return err
}

// follow opens the file that the path names, unless it is open.
func (p *Probe) follow() error {
	if p.pinned {
		return nil
	}
	named, err := os.Stat(p.path)
	if err == nil && p.file != nil {
		if open, err := p.file.Stat(); err == nil && os.SameFile(open, named) {
			return nil
		}
	}
	p.Close()
	if err == nil {
		p.file, err = os.Open(p.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (p *Probe) flock(how int) error {
	for {
		if err := unix.Flock(int(p.file.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

// Close gives the descriptor back.
func (p *Probe) Close() error {
	if p.file == nil {
		return nil
	}
	file := p.file
	p.file = nil
	return file.Close()
}
