package impl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// shm is the folder of POSIX shared memory on Linux.
const shm = "/dev/shm/"

// openFlags refuse a symbolic link and do not block on a FIFO.
const openFlags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK

// A segment is the mapped file of the words.
type segment struct {
	name    string
	mapping []byte
	*words
}

// createSegment makes the segment with its initial words, or fails with
// fs.ErrExist. Until the segment is complete the file has no name (O_TMPFILE),
// so no process can attach to half a barrier, and a process that dies meanwhile
// leaves nothing.
func createSegment(name string) (*segment, error) {
	fd, err := unix.Open(shm, unix.O_RDWR|unix.O_CLOEXEC|unix.O_TMPFILE, 0o600)
	if err != nil {
		return nil, pathError("create segment", name, err)
	}
	defer unix.Close(fd)
	if err := reserve(fd, 0); err != nil {
		return nil, pathError("create segment", name, err)
	}
	s, err := mapSegment(fd, name)
	if err != nil {
		return nil, err
	}
	for _, word := range spec.AllWords {
		s.store(word, word.Initial()) // for Attach and the first call
	}
	self := "/proc/self/fd/" + strconv.Itoa(fd)
	if err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, shm+name, unix.AT_SYMLINK_FOLLOW); err != nil {
		s.unmap()
		return nil, pathError("create segment", name, err)
	}
	return s, nil
}

// errRemoved: the open segment has no name, so no process will construct it.
var errRemoved = errors.New("removed before it was constructed")

// attachSegment maps the segment. It waits, a tick at a time, while a peer must
// still size or construct it. If the segment is removed meanwhile, it goes on
// with the one that has the name then.
func attachSegment(ctx context.Context, name string) (*segment, error) {
	for {
		s, err := attachOpened(ctx, name)
		if err != errRemoved {
			return s, err
		}
	}
}

func attachOpened(ctx context.Context, name string) (*segment, error) {
	fd, err := openSegment(name)
	if err != nil {
		return nil, pathError("attach to segment", name, err)
	}
	defer unix.Close(fd)
	for {
		switch size, err := sizeOf(fd); {
		case err != nil:
			return nil, pathError("attach to segment", name, err)
		case size == spec.Size:
			// The peer may have sized it without its page. Attach must not size
			// it.
			if err := reserve(fd, unix.FALLOC_FL_KEEP_SIZE); err != nil {
				return nil, pathError("attach to segment", name, err)
			}
			return awaitConstruction(ctx, fd, name)
		case size != 0:
			return nil, pathError("attach to segment", name, wrongSize(size))
		}
		if err := tick(ctx); err != nil {
			return nil, fmt.Errorf("attach to segment %q: it is empty, and its maker has not sized it: %w", name, err)
		}
		if removed(fd) {
			return nil, errRemoved
		}
	}
}

// awaitConstruction maps a segment of the right size and waits while its words
// are unconstructed.
func awaitConstruction(ctx context.Context, fd int, name string) (*segment, error) {
	s, err := mapSegment(fd, name)
	if err != nil {
		return nil, err
	}
	for {
		w, err := s.read()
		if err != nil {
			s.unmap()
			return nil, err
		}
		if w.Enter < 0 || w.Exit < spec.NotSet || w.Flag != spec.Down && w.Flag != spec.Up {
			s.unmap()
			return nil, &CorruptError{Name: name, Words: w}
		}
		if !unconstructed(w) {
			return s, nil
		}
		if err := tick(ctx); err != nil {
			s.unmap()
			return nil, fmt.Errorf("attach to segment %q: its words (%v) are not constructed: %w", name, w, err)
		}
		if removed(fd) {
			s.unmap()
			return nil, errRemoved
		}
	}
}

// unconstructed reports whether the words are those of a segment that has a
// size and is not constructed. During a call they are so between ResetExit and
// RaiseFlag only. (Words with exit not set and the flag down do not count: they
// are those before MakeFlag, and also those after some withdrawals.)
func unconstructed(w spec.Words) bool { return w == spec.Words{} }

// constructSegment maps the segment. It makes the segment or sizes it if
// necessary, and does not reset the words of one that exists.
func constructSegment(name string) (*segment, error) {
	for {
		s, err := createSegment(name)
		if !errors.Is(err, fs.ErrExist) {
			return s, err
		}
		s, err = reopenSegment(name)
		if !errors.Is(err, fs.ErrNotExist) { // else it was removed meanwhile
			return s, err
		}
	}
}

func reopenSegment(name string) (*segment, error) {
	fd, err := openSegment(name)
	if err != nil {
		return nil, pathError("construct segment", name, err)
	}
	defer unix.Close(fd)
	size, err := sizeOf(fd)
	switch {
	case err != nil:
	case size == 0, size == spec.Size: // made, and perhaps sized, by a peer that is about to do the same
		err = reserve(fd, 0)
	default:
		err = wrongSize(size)
	}
	if err != nil {
		return nil, pathError("construct segment", name, err)
	}
	return mapSegment(fd, name)
}

func openSegment(name string) (fd int, err error) {
	return retryEINTR(func() (int, error) { return unix.Open(shm+name, openFlags, 0) })
}

// sizeOf returns the size of a regular file in bytes.
func sizeOf(fd int) (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, ErrNotRegular
	}
	return st.Size, nil
}

// removed reports whether the open file has lost its name.
func removed(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Nlink == 0
}

// reserve sizes the segment, unless the mode keeps its size, and reserves its
// page. Without that, the first access to a segment on a full /dev/shm is a
// SIGBUS.
func reserve(fd int, mode uint32) error {
	_, err := retryEINTR(func() (int, error) { return 0, unix.Fallocate(fd, mode, 0, spec.Size) })
	return err
}

func mapSegment(fd int, name string) (*segment, error) {
	mapping, err := unix.Mmap(fd, 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, pathError("map segment", name, err)
	}
	return &segment{name, mapping, wordsOf(mapping)}, nil
}

func (s *segment) unmap() error {
	if err := unix.Munmap(s.mapping); err != nil {
		return pathError("unmap segment", s.name, err)
	}
	return nil
}

func removeSegment(name string) error {
	if err := unix.Unlink(shm + name); err != nil && err != unix.ENOENT {
		return pathError("remove segment", name, err)
	}
	return nil
}

// snapshot reads the words one after the other. All three are a state of the
// protocol only if the lock is held. The loads pair with all stores.
func (s *segment) snapshot() spec.Words {
	return spec.Words{Enter: s.load(spec.Enter), Exit: s.load(spec.Exit), Flag: s.load(spec.Flag)}
}

// read is snapshot outside a call.
func (s *segment) read() (w spec.Words, err error) {
	defer s.catchFault(debug.SetPanicOnFault(true), &err)
	return s.snapshot(), nil
}

// catchFault is deferred around every access to the words. A segment that a
// peer truncated has no page, and an access to it is a SIGBUS; catchFault turns
// that into ErrSize. Other panics pass.
func (s *segment) catchFault(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }: // what the runtime panics with on a fault
		if !s.contains(p.Addr()) {
			panic(p)
		}
		*err = pathError("access segment", s.name, fmt.Errorf("%w: a peer has truncated it", ErrSize))
	default:
		panic(p)
	}
}

func tick(ctx context.Context) error {
	timer := time.NewTimer(spec.Tick)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
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

func wrongSize(size int64) error {
	return fmt.Errorf("%w: %d bytes, want %d", ErrSize, size, spec.Size)
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
	return fmt.Errorf("%s %q: %w", op, shm+name, err)
}
