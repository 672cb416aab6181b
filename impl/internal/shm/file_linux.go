package shm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is the folder of POSIX shared memory on Linux.
const Dir = "/dev/shm/"

// openFlags refuse a symbolic link and do not block on a FIFO.
const openFlags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK

// A File is a file in /dev/shm of a fixed size, open and mapped.
type File struct {
	Name    string
	FD      int
	Mapping []byte // nil: not mapped
	size    int64  // the file must have; of Mapping
}

// CreateFile makes a file with the contents and maps it, or fails with
// fs.ErrExist. Until it is complete the file does not have its name.
func CreateFile(op, name string, contents []byte) (_ *File, err error) {
	var st unix.Stat_t
	if unix.Lstat(Dir+name, &st) == nil { // it matters more than that /dev/shm is full
		return nil, pathError(op, name, unix.EEXIST)
	}
	fd, path, err := openNew()
	if err != nil {
		return nil, pathError(op, name, err)
	}
	f := &File{Name: name, FD: fd, size: int64(len(contents))}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if strings.HasPrefix(path, Dir) {
		defer unix.Unlink(path)
	}
	if err := reserve(fd, contents); err != nil {
		return nil, pathError(op, name, err)
	}
	if err := f.enmap(); err != nil {
		return nil, err
	}
	copy(f.Mapping, contents)
	if err := unix.Linkat(unix.AT_FDCWD, path, unix.AT_FDCWD, Dir+name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return nil, pathError(op, name, err)
	}
	return f, nil
}

// OpenFile opens a file without mapping it. It fails with ErrNotRegular, and
// with ErrUntrusted unless it trusts other users.
func OpenFile(op, name string, trust bool, size int64) (*File, error) {
	fd, err := openFile(Dir+name, openFlags)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	if err := vet(fd, trust); err != nil {
		unix.Close(fd)
		return nil, pathError(op, name, err)
	}
	return &File{Name: name, FD: fd, size: size}, nil
}

// openNew makes an empty file in /dev/shm and returns the path from which it
// can be linked. The file has no name (O_TMPFILE), so that a process that dies
// leaves nothing. Where that is impossible, also since there is no /proc, the
// file has a name of its own.
func openNew() (fd int, path string, err error) {
	fd, err = openFile(Dir, unix.O_RDWR|unix.O_CLOEXEC|unix.O_TMPFILE)
	if err == nil {
		path = "/proc/self/fd/" + strconv.Itoa(fd)
		if unix.Access(path, unix.F_OK) == nil {
			return fd, path, nil
		}
		unix.Close(fd)
	} else if !unsupported(err) {
		return -1, "", err
	}
	for {
		path = fmt.Sprintf("%s.sharedbarrier-%016x", Dir, rand.Uint64())
		fd, err = openFile(path, openFlags|unix.O_CREAT|unix.O_EXCL)
		if err != unix.EEXIST {
			return fd, path, err
		}
	}
}

// vet fails with ErrNotRegular, and with ErrUntrusted if the open file belongs
// to another user and third users can write it.
func vet(fd int, trust bool) error {
	const others = unix.S_IWGRP | unix.S_IWOTH
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return ErrNotRegular
	case !trust && int(st.Uid) != unix.Geteuid() && st.Mode&others != 0:
		return fmt.Errorf("%w: it belongs to user %d and has mode %04o; chmod go-w it, or pass TrustOthers if all who may write it are trusted", ErrUntrusted, st.Uid, st.Mode&0o7777)
	}
	return nil
}

// fileSize returns the size of the file in bytes.
func (f *File) fileSize() (int64, error) {
	var st unix.Stat_t
	err := fstat(f.FD, &st) // of tmpfs
	return st.Size, err
}

// CheckSize fails with ErrSize if a peer has changed the size of the file. The
// mapping does not show that: a page that keeps a part of a truncated file, or
// is longer than it, stays mapped.
func (f *File) CheckSize() error {
	size, err := f.fileSize()
	if err == nil && size != f.size {
		err = fmt.Errorf("a peer has changed its size: %w", f.wrongSize(size))
	}
	if err != nil {
		return pathError("access segment", f.Name, err)
	}
	return nil
}

// ID returns the device and the inode of the file.
func (f *File) ID() (device, inode uint64) {
	var st unix.Stat_t
	unix.Fstat(f.FD, &st)
	return uint64(st.Dev), st.Ino
}

// MapFile opens and maps a file of any size.
func MapFile(op, name string, trust bool) (*File, error) {
	f, err := OpenFile(op, name, trust, 0)
	if err != nil {
		return nil, err
	}
	if f.size, err = f.fileSize(); err != nil {
		err = pathError(op, name, err)
	} else if f.size == 0 {
		err = pathError(op, name, fmt.Errorf("%w: it is empty", ErrSize))
	} else {
		err = f.enmap()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Removed reports whether the file has lost its name.
func (f *File) Removed() bool {
	var st unix.Stat_t
	return unix.Fstat(f.FD, &st) == nil && st.Nlink == 0
}

// reserve sizes a file and reserves its pages. Without that, the first access
// to a file on a full /dev/shm is a SIGBUS. Where the file system has no
// fallocate, reserve writes the contents.
func reserve(fd int, contents []byte) error {
	err := fallocate(fd, 0, int64(len(contents)))
	if !unsupported(err) {
		return err
	}
	_, err = retryEINTR(func() (int, error) { return unix.Pwrite(fd, contents, 0) })
	return err
}

func fallocate(fd int, mode uint32, size int64) error {
	_, err := retryEINTR(func() (int, error) { return 0, unix.Fallocate(fd, mode, 0, size) })
	return err
}

// unsupported reports whether a file system or a sandbox lacks what was asked
// for. EISDIR is the answer of one that does not know O_TMPFILE.
func unsupported(err error) bool {
	return err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EINVAL || err == unix.EISDIR
}

func openFile(path string, flags int) (fd int, err error) {
	return retryEINTR(func() (int, error) { return unix.Open(path, flags, 0o600) })
}

func (f *File) enmap() (err error) {
	f.Mapping, err = unix.Mmap(f.FD, 0, int(f.size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return pathError("map segment", f.Name, err)
	}
	return nil
}

// Close unmaps the file, if it is mapped, and closes it.
func (f *File) Close() (err error) {
	if f.Mapping != nil {
		err = unix.Munmap(f.Mapping)
	}
	if err = errors.Join(err, unix.Close(f.FD)); err != nil {
		return pathError("close segment", f.Name, err)
	}
	return nil
}

// RemoveFile unlinks the file, if it exists.
func RemoveFile(name string) error {
	if err := unix.Unlink(Dir + name); err != nil && err != unix.ENOENT {
		return pathError("remove segment", name, err)
	}
	return nil
}

// CatchFault is deferred around every access to the mapping. An access to a
// page that is not there is a SIGBUS; CatchFault turns that into ErrSize if a
// peer has truncated the file, else into ErrNoSpace. Other panics pass.
func (f *File) CatchFault(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }: // what the runtime panics with on a fault
		if !f.contains(p.Addr()) {
			panic(p)
		}
		if *err = f.CheckSize(); *err == nil {
			*err = pathError("access segment", f.Name, unix.ENOSPC)
		}
	default:
		panic(p)
	}
}

func retryEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

func (f *File) wrongSize(size int64) error {
	return fmt.Errorf("%w: %d bytes, want %d", ErrSize, size, f.size)
}

// pathError returns err with the operation, the path, and its sentinel if it
// has one.
func pathError(op, name string, err error) error {
	switch err {
	case unix.ENOSPC:
		err = fmt.Errorf("%w (%w)", ErrNoSpace, err)
	case unix.ELOOP, unix.EISDIR, unix.ENXIO:
		err = fmt.Errorf("%w (%w)", ErrNotRegular, err)
	}
	return fmt.Errorf("%s %q: %w", op, Dir+name, err)
}
