package impl

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockFlags of the lock file: made if missing, read-only as nobody's business
// is in it, never a symbolic link, and closed on exec so that no child inherits
// the lock. A FIFO does not block the opening (and is then refused).
const lockFlags = unix.O_CREAT | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK

// A lock is the one lock file of a barrier, taken with flock(2).
//
// The descriptor stays open from one acquisition to the next, which is why this
// is not github.com/gofrs/flock. That one opens the file anew for every
// attempt: 5.4 µs for an acquisition and release against 1.3 µs here
// (BenchmarkLock), and contended, which it mostly is, each attempt that fails
// costs the same. Every party needs the lock three times in a round: with that
// library under it, and a look at the path after each acquisition, a round took
// 4 to 5 times as long with 2, 4 and 8 processes. What the reopening is good
// for, that the path may name another file by now, is looked after by current.
// The library judges this lock from outside: see stress/lockfile.
type lock struct {
	path string
	fd   int
	held bool
	// named is the change time of the open file at which the path was last found
	// to name it; zero: look at the path.
	named unix.Timespec
}

// racy is the age up to which a change time proves nothing: kernels take it from
// a clock that ticks every 10 ms or oftener, so that the next change may bear
// the same time.
const racy = 20 * time.Millisecond

func openLock(path string) (*lock, error) {
	path, err := filepath.Abs(path) // or it would move with the working directory
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	l := &lock{path: path, fd: -1}
	if err := l.reopen(); err != nil {
		return nil, err
	}
	if err := l.probe(); err != nil {
		return nil, errors.Join(l.error("try", err), l.close())
	}
	return l, nil
}

// probe tells whether the file system can lock at all. To unlock only would not
// do: where flock is emulated with record locks (NFS), that passes on a file
// that is open for reading, and the lock itself is EBADF.
func (l *lock) probe() error {
	switch err := l.flock(unix.LOCK_EX | unix.LOCK_NB); err {
	case nil:
		return l.flock(unix.LOCK_UN)
	case unix.EWOULDBLOCK: // another has it, so it can be had
		return nil
	default:
		return err
	}
}

// try makes one attempt and reports whether the lock is held now. It starts
// over as long as the file that it has locked is not the one that the path
// names: some peers unlink the lock file when they release it, and whoever
// opens it after that locks another file.
func (l *lock) try() (bool, error) {
	for {
		switch err := l.flock(unix.LOCK_EX | unix.LOCK_NB); {
		case err == unix.EWOULDBLOCK:
			return false, nil
		case err != nil:
			return false, l.error("acquire", err)
		}
		l.held = true
		switch current, err := l.current(); {
		case err != nil:
			return false, errors.Join(l.error("stat", err), l.release())
		case current:
			return true, nil
		}
		if err := errors.Join(l.release(), l.reopen()); err != nil {
			return false, err
		}
	}
}

// current reports whether the path names the open file. To look at the path
// takes longer than all else that an acquisition does. But to rename, link or
// unlink a file changes its change time, so that as long as this is the same,
// the path need not be looked at. (That a directory above was replaced is not
// noticed so.)
func (l *lock) current() (bool, error) {
	var open, named unix.Stat_t
	if err := unix.Fstat(l.fd, &open); err != nil {
		return false, err
	}
	if open.Nlink == 0 {
		return false, nil
	}
	if open.Ctim == l.named {
		return true, nil
	}
	switch err := unix.Lstat(l.path, &named); {
	case err == unix.ENOENT:
		return false, nil
	case err != nil:
		return false, err
	}
	if named.Dev != open.Dev || named.Ino != open.Ino {
		return false, nil
	}
	if time.Since(time.Unix(open.Ctim.Unix())) > racy {
		l.named = open.Ctim
	}
	return true, nil
}

// release gives the lock back, if it is held. It unlocks rather than closes:
// a child that inherited the open file would keep the lock.
func (l *lock) release() error {
	if !l.held {
		return nil
	}
	if err := l.flock(unix.LOCK_UN); err != nil {
		return l.error("release", err)
	}
	l.held = false
	return nil
}

func (l *lock) flock(how int) error {
	for {
		if err := unix.Flock(l.fd, how); err != unix.EINTR {
			return err
		}
	}
}

// reopen opens the file that the path names now in place of the one before.
func (l *lock) reopen() error {
	fd, err := retryEINTR(func() (int, error) { return unix.Open(l.path, lockFlags, 0o600) })
	if err != nil {
		return l.error("open", err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = ErrNotRegular
	}
	if err != nil {
		unix.Close(fd)
		return l.error("open", err)
	}
	l.close()
	l.fd, l.named = fd, unix.Timespec{}
	return nil
}

func (l *lock) close() error {
	if l.fd < 0 {
		return nil
	}
	err := unix.Close(l.fd)
	l.fd = -1
	return err
}

func removeLock(path string) error {
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove lock file %q: %w", path, err)
	}
	return nil
}

// error says what was being done to the lock file, with the sentinel that
// stands for the system's error, if there is one.
func (l *lock) error(op string, err error) error {
	switch err {
	case unix.ENOLCK, unix.ENOSYS, unix.EOPNOTSUPP, unix.EBADF:
		err = fmt.Errorf("%w: put the lock file on a local file system (%w)", ErrNoFlock, err)
	case unix.ELOOP, unix.EISDIR, unix.ENXIO:
		err = fmt.Errorf("%w (%w)", ErrNotRegular, err)
	case unix.ENOENT:
		err = fmt.Errorf("its directory is missing, make it first (%w)", err)
	}
	return fmt.Errorf("%s lock file %q: %w", op, l.path, err)
}
