//go:build linux

// Package lockprobe observes the lock of a barrier from outside: which process
// holds it, and whether it is free. It shares no code with package impl.
package lockprobe

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
	"golang.org/x/sys/unix"
)

// ErrNotRegular is the error for a path that names something else than a
// regular file, such as a FIFO or a symbolic link. Neither is opened or
// followed.
var ErrNotRegular = errors.New("not a regular file")

// ErrUnseen is the error where the system does not show which process holds a
// lock, in /proc/PID/fdinfo or in /proc/locks.
var ErrUnseen = errors.New("it cannot be seen which process holds the lock; run where /proc is mounted and is that of this PID namespace")

// Holder returns a process that holds the flock on the file that path names, or
// -1 if Holders finds none.
func Holder(path string) (int, error) {
	for pid, err := range Holders(path) {
		return pid, err
	}
	return -1, nil
}

// Holders yields the processes that hold the flock on the file that path names:
// first those of likely, then the others. More than one can hold it: a child
// shares the descriptors of its parent. A process may come twice. A missing
// file is held by no process. An error ends the sequence: ErrNotRegular,
// ErrUnseen, or that of the system.
//
// A process that is yielded held the lock at some moment of the call. One that
// holds the lock throughout is always yielded, unless this process may not look
// at it, as at one of another user. Such a process is yielded only if
// /proc/locks names it. That list can leave a lock out while others change:
// Holders looks at it once, or a hundred times if one of likely is such a
// process.
func Holders(path string, likely ...int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		info, err := regular(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(-1, err)
			return
		}
		if err := seen(); err != nil {
			yield(-1, err)
			return
		}
		stat := info.Sys().(*syscall.Stat_t)
		looks := 1
		for _, pid := range likely {
			held, err := holds(pid, stat)
			if held && !yield(pid, nil) {
				return
			}
			if errors.Is(err, fs.ErrPermission) {
				looks = 100
			}
		}
		// The list spares a search, and shows what may not be looked at.
		pid, unlisted := -1, error(nil)
		for i := 0; i < looks && pid < 0; i++ {
			pid, unlisted = listed(stat)
		}
		if pid > 0 {
			held, err := holds(pid, stat)
			if (held || errors.Is(err, fs.ErrPermission)) && !yield(pid, nil) {
				return
			}
		}
		processes, err := os.ReadDir("/proc")
		for _, p := range processes {
			if pid, err := strconv.Atoi(p.Name()); err == nil {
				if held, _ := holds(pid, stat); held && !yield(pid, nil) {
					return
				}
			}
		}
		if err := cmp.Or(err, unlisted); err != nil {
			yield(-1, fmt.Errorf("%w: %w", ErrUnseen, err))
		}
	}
}

// seen returns ErrUnseen unless /proc numbers processes as this process does:
// in a PID namespace of its own it may see the /proc of another.
var seen = sync.OnceValue(func() error {
	self, err := os.Readlink("/proc/self")
	if err == nil && self != strconv.Itoa(os.Getpid()) {
		err = fmt.Errorf("/proc/self is process %s, and this is %d", self, os.Getpid())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnseen, err)
	}
	return nil
})

// lastHeld is the descriptor by which a process has last been seen to hold a
// lock. It is looked at first: in lockstep, each step asks again.
var lastHeld sync.Map // process number to name of the descriptor

// holds reports whether the process has a descriptor through which the file is
// flocked. A process that is gone holds nothing.
func holds(pid int, file *syscall.Stat_t) (bool, error) {
	if last, ok := lastHeld.Load(pid); ok {
		if held, _ := holdsBy(pid, last.(string), file); held {
			return true, nil
		}
	}
	descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, d := range descriptors {
		held, unreadable := holdsBy(pid, d.Name(), file)
		if held {
			lastHeld.Store(pid, d.Name())
			return true, nil
		}
		if unreadable != nil && !errors.Is(unreadable, fs.ErrNotExist) {
			err = unreadable
		}
	}
	return false, err
}

// holdsBy reports whether the descriptor of the process is one of the file and
// has its lock. Its fdinfo shows the locks of its open file at one moment.
func holdsBy(pid int, descriptor string, file *syscall.Stat_t) (bool, error) {
	var open syscall.Stat_t
	if syscall.Stat(fmt.Sprintf("/proc/%d/fd/%s", pid, descriptor), &open) != nil || open.Dev != file.Dev || open.Ino != file.Ino {
		return false, nil
	}
	info, err := readInfo(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, descriptor))
	if hasLock(string(info)) {
		return true, nil
	}
	return false, err
}

// hasLock reports whether the fdinfo of a descriptor shows an flock.
func hasLock(info string) bool {
	// lock:	1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF
	for line := range strings.Lines(info) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "lock:" && f[2] == "FLOCK" {
			return true
		}
	}
	return false
}

// Locks reports whether an flock is held through the descriptor of the process.
// It is false if the descriptor is closed or hidden.
func Locks(pid, descriptor int) bool {
	info, _ := readInfo(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, descriptor))
	return hasLock(string(info))
}

// readInfo is os.ReadFile with fewer system calls.
func readInfo(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	info := make([]byte, 0, 4096)
	for {
		n, err := unix.Read(fd, info[len(info):cap(info)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return info, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		info = info[:len(info)+n]
		if n == 0 || bytes.Contains(info, []byte("FLOCK")) {
			return info, nil
		}
		info = slices.Grow(info, 1024)
	}
}

// listed returns the process that has locked the file according to /proc/locks,
// or -1. The list is consistent within one read(2) only: when other locks are
// given back, the next read can begin behind an entry that is still there. And
// a process that is gone is listed as long as a child of it holds the lock.
func listed(file *syscall.Stat_t) (int, error) {
	for e, err := range entriesOf(file) {
		if err != nil || !e.waits {
			return e.pid, err
		}
	}
	return -1, nil
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
