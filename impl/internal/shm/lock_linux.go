package shm

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockFlags open the lock file read-only since its contents are never used,
// refuse a symbolic link, and close the file on exec so that no child inherits
// the lock. With O_NONBLOCK a FIFO does not block the opening; reopen refuses
// it.
const lockFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK

// A Lock is the lock file of a barrier, taken with flock(2) (PROTOCOL.md,
// section 3).
//
// It keeps its descriptor open between acquisitions, and current checks that
// the path still names the same file. github.com/gofrs/flock opens the file at
// each attempt instead: an acquisition and release takes 5.4 µs there and 1.3
// µs here (BenchmarkLock), and rounds of 2, 4 and 8 processes took 4 to 5 times
// as long with it. stress/lockprobe checks this lock with that library.
type Lock struct {
	path  string
	trust bool // TrustOthers
	FD    int
	Held  bool
	local bool // the file is in a file system of localTypes
	// linkedAt is the change time of the open file when the path last named it;
	// zero: compare with the path.
	linkedAt unix.Timespec
}

// ctimeGranularity is longer than the clock tick from which kernels take change
// times, at most 10 ms, and than the unit of a time that is fine. A change time
// that is not older proves nothing, since the next change may have the same
// one.
const ctimeGranularity = 20 * time.Millisecond

// localTypes are file systems in which this machine's kernel gives a file a new
// change time when it is renamed, linked or unlinked. Others may answer with a
// time that they have cached, or take it from another machine's clock.
var localTypes = map[uint32]bool{
	unix.TMPFS_MAGIC: true, unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true,
	unix.BTRFS_SUPER_MAGIC: true, unix.F2FS_SUPER_MAGIC: true, unix.OVERLAYFS_SUPER_MAGIC: true,
}

// fine reports whether a change time has a part below a millisecond. Then its
// file system does not store whole seconds or the like, as ext4 does in inodes
// of 128 bytes.
func fine(ctime unix.Timespec) bool { return ctime.Nsec%1e6 != 0 }

// OpenLock opens the lock file, and makes it if it is missing. It fails with
// ErrNoFlock, ErrNotRegular, ErrUntrusted unless it trusts other users, or the
// system's error.
func OpenLock(path string, trust bool) (*Lock, error) {
	path, err := filepath.Abs(path) // the working directory may change
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	l := &Lock{path: path, trust: trust, FD: -1}
	if err := l.reopen(); err != nil {
		return nil, err
	}
	if err := l.probe(); err != nil {
		return nil, errors.Join(l.error("try", err), l.Close())
	}
	return l, nil
}

// probe returns an error if the file system has no flock. It locks, since
// unlocking proves nothing: where record locks emulate flock (NFS), a file that
// is open for reading can be unlocked, and locking it fails with EBADF.
func (l *Lock) probe() error {
	switch err := l.flock(unix.LOCK_EX | unix.LOCK_NB); err {
	case nil:
		return l.flock(unix.LOCK_UN)
	case unix.EWOULDBLOCK: // another process holds the lock
		return nil
	default:
		return err
	}
}

// Try makes one attempt, without blocking, and reports whether the lock is held
// now. It starts over while the file that it locked is not the one that the
// path names: some peers unlink the lock file when they release it, and a
// process that opens the path after that locks another file.
func (l *Lock) Try() (bool, error) {
	for {
		switch err := l.flock(unix.LOCK_EX | unix.LOCK_NB); {
		case err == unix.EWOULDBLOCK:
			return false, nil
		case err != nil:
			return false, l.error("acquire", err)
		}
		l.Held = true
		switch current, err := l.current(); {
		case err != nil:
			return false, errors.Join(l.error("stat", err), l.Release())
		case current:
			return true, nil
		}
		if err := errors.Join(l.Release(), l.reopen()); err != nil {
			return false, err
		}
	}
}

// current reports whether the path names the open file. To compare with the
// path takes longer than the rest of an acquisition, so current skips it while
// the change time of the file is the same: to rename, link or unlink a file
// changes that. It relies on change times only in localTypes, and only on those
// that are fine. It does not notice that a directory above was replaced.
func (l *Lock) current() (bool, error) {
	var open, linked unix.Stat_t
	if err := l.stat(&open); err != nil {
		return false, err
	}
	if open.Nlink == 0 {
		return false, nil
	}
	if open.Ctim == l.linkedAt && fine(l.linkedAt) {
		return true, nil
	}
	switch err := unix.Lstat(l.path, &linked); {
	case err == unix.ENOENT:
		return false, nil
	case err != nil:
		return false, err
	}
	if !sameFile(&open, &linked) {
		return false, nil
	}
	if l.local && fine(open.Ctim) && time.Since(time.Unix(open.Ctim.Unix())) > ctimeGranularity {
		l.linkedAt = open.Ctim
	}
	return true, nil
}

func sameFile(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// Release releases the lock if it is held. It unlocks and does not close, since
// a child that inherited the descriptor would keep the lock held.
func (l *Lock) Release() error {
	if !l.Held {
		return nil
	}
	if err := l.flock(unix.LOCK_UN); err != nil {
		return l.error("release", err)
	}
	l.Held = false
	return nil
}

func (l *Lock) flock(how int) error {
	_, err := retryEINTR(func() (int, error) { return 0, l.interruptible(how) })
	return err
}

// interruptible is flock that a signal may interrupt (EINTR). An attempt or a
// release does not block in a local file system. There it leaves out what the Go
// runtime does around a system call that may block, a tenth of the time of an
// acquisition and release.
func (l *Lock) interruptible(how int) error {
	if !l.local {
		return unix.Flock(l.FD, how)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_FLOCK, uintptr(l.FD), uintptr(how), 0); errno != 0 {
		return errno
	}
	return nil
}

// stat reads what the file system says of the open file, as flock does.
func (l *Lock) stat(st *unix.Stat_t) error {
	if l.local {
		return fstat(l.FD, st)
	}
	return unix.Fstat(l.FD, st)
}

// reopen closes the open file and opens the one that the path names.
func (l *Lock) reopen() error {
	fd, err := openOrMake(l.path)
	if err != nil {
		return l.error("open", err)
	}
	var fs unix.Statfs_t
	if err = vet(fd, l.trust); err == nil {
		err = unix.Fstatfs(fd, &fs)
	}
	if err != nil {
		unix.Close(fd)
		return l.error("open", err)
	}
	l.Close()
	l.FD, l.local, l.linkedAt = fd, localTypes[uint32(fs.Type)], unix.Timespec{}
	return nil
}

// openOrMake opens the file, and makes it only if it is missing: in a sticky
// directory the kernel refuses to open the file of another user with O_CREAT
// (fs.protected_regular).
func openOrMake(path string) (int, error) {
	for {
		fd, err := openFile(path, lockFlags)
		if err != unix.ENOENT {
			return fd, err
		}
		fd, err = openFile(path, lockFlags|unix.O_CREAT|unix.O_EXCL)
		if err != unix.EEXIST { // else another process made it meanwhile
			return fd, err
		}
	}
}

// Close closes the file if it is open.
func (l *Lock) Close() error {
	if l.FD < 0 {
		return nil
	}
	err := unix.Close(l.FD)
	l.FD = -1
	return err
}

// RemoveLock unlinks the lock file, if it exists.
func RemoveLock(path string) error {
	if err := unix.Unlink(path); err != nil && err != unix.ENOENT {
		return fmt.Errorf("remove lock file %q: %w", path, err)
	}
	return nil
}

// error returns err with the operation, the path, and its sentinel if it has
// one.
func (l *Lock) error(op string, err error) error {
	switch err {
	case unix.ENOLCK, unix.ENOSYS, unix.EOPNOTSUPP, unix.EBADF:
		err = fmt.Errorf("%w: put the lock file on a local file system (%w)", ErrNoFlock, err)
	case unix.ELOOP, unix.EISDIR, unix.ENXIO:
		err = fmt.Errorf("%w (%w)", ErrNotRegular, err)
	case unix.ENOENT:
		err = fmt.Errorf("its directory is missing, make it first (%w)", err)
	case unix.EACCES:
		err = fmt.Errorf("give this user the right to read it, and to make it if it is missing (%w)", err)
	}
	return fmt.Errorf("%s lock file %q: %w", op, l.path, err)
}
