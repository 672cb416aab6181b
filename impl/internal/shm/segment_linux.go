package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// Dir is the folder of POSIX shared memory on Linux.
const Dir = "/dev/shm/"

// openFlags refuse a symbolic link and do not block on a FIFO.
const openFlags = unix.O_RDWR | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK

// A Segment is the file of the words, open and mapped.
type Segment struct {
	Name    string
	FD      int
	mapping []byte // nil: not mapped
	*Words
}

// CreateSegment makes the segment with its initial words, or fails with
// fs.ErrExist. Until the segment is complete the file does not have its name,
// so no process can attach to half a barrier.
func CreateSegment(name string) (_ *Segment, err error) {
	const op = "create segment"
	var st unix.Stat_t
	if unix.Lstat(Dir+name, &st) == nil { // it matters more than that /dev/shm is full
		return nil, pathError(op, name, unix.EEXIST)
	}
	fd, path, err := openNew()
	if err != nil {
		return nil, pathError(op, name, err)
	}
	s := &Segment{Name: name, FD: fd}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if strings.HasPrefix(path, Dir) {
		defer unix.Unlink(path)
	}
	if err := reserve(fd); err != nil {
		return nil, pathError(op, name, err)
	}
	if err := s.enmap(); err != nil {
		return nil, err
	}
	for _, word := range spec.AllWords {
		s.Store(word, word.Initial()) // for Attach and the first call
	}
	if err := unix.Linkat(unix.AT_FDCWD, path, unix.AT_FDCWD, Dir+name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return nil, pathError(op, name, err)
	}
	return s, nil
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

// errRemoved: the open segment has no name, so no process will construct it.
var errRemoved = errors.New("removed before it was constructed")

// AttachSegment maps the segment. It waits, a tick at a time, while a peer must
// still size or construct it. If the segment is removed meanwhile, it goes on
// with the one that has the name then.
//
// check returns the error of words that are those of no barrier.
func AttachSegment(ctx context.Context, name string, trust bool, check func(spec.Words) error) (*Segment, error) {
	for {
		s, err := attachOpened(ctx, name, trust, check)
		if !errors.Is(err, errRemoved) {
			return s, err
		}
	}
}

func attachOpened(ctx context.Context, name string, trust bool, check func(spec.Words) error) (_ *Segment, err error) {
	const op = "attach to segment"
	s, err := openSegment(op, name, trust)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for {
		size, err := s.size()
		if err != nil {
			return nil, pathError(op, name, err)
		}
		if size == spec.Size {
			break
		}
		if size != 0 {
			return nil, pathError(op, name, wrongSize(size))
		}
		if err := s.tick(ctx); err != nil {
			return nil, pathError(op, name, fmt.Errorf("it is empty, and its maker has not sized it: %w", err))
		}
	}
	// The peer may have sized it without its page. Attach must not size it.
	// Where the file system cannot reserve the page without that, the first
	// load in awaitConstruction does it.
	if err := fallocate(s.FD, unix.FALLOC_FL_KEEP_SIZE); err != nil && !unsupported(err) {
		return nil, pathError(op, name, err)
	}
	if err := s.enmap(); err != nil {
		return nil, err
	}
	return s, s.awaitConstruction(ctx, check)
}

// awaitConstruction waits while the words are unconstructed.
func (s *Segment) awaitConstruction(ctx context.Context, check func(spec.Words) error) error {
	for {
		w, err := s.Read()
		if err == nil {
			err = check(w)
		}
		switch {
		case err != nil:
			return err
		case !Unconstructed(w):
			return nil
		}
		if err := s.tick(ctx); err != nil {
			return pathError("attach to segment", s.Name, fmt.Errorf("its words (%v) are not constructed: %w", w, err))
		}
	}
}

// Unconstructed reports whether the words are those of a segment that has a
// size and is not constructed. During a call they are so between ResetExit and
// RaiseFlag only. (Words with exit not set and the flag down do not count: they
// are those before MakeFlag, and also those after some withdrawals.)
func Unconstructed(w spec.Words) bool { return w == spec.Words{} }

// ConstructSegment maps the segment. It makes the segment or sizes it if
// necessary. It looks before it makes one, since the page of a new one may be
// one too many.
func ConstructSegment(name string, trust bool) (*Segment, error) {
	for {
		s, err := reopenSegment(name, trust)
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		s, err = CreateSegment(name)
		if !errors.Is(err, fs.ErrExist) { // else it was made meanwhile
			return s, err
		}
	}
}

func reopenSegment(name string, trust bool) (*Segment, error) {
	const op = "construct segment"
	s, err := openSegment(op, name, trust)
	if err != nil {
		return nil, err
	}
	size, err := s.size()
	switch {
	case err != nil:
	case size == 0, size == spec.Size: // made, and perhaps sized, by a peer that is about to do the same
		err = reserve(s.FD)
	default:
		err = wrongSize(size)
	}
	if err != nil {
		err = pathError(op, name, err)
	} else {
		err = s.enmap()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// openSegment opens the segment without mapping it.
func openSegment(op, name string, trust bool) (*Segment, error) {
	fd, err := openFile(Dir+name, openFlags)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	if err := vet(fd, trust); err != nil {
		unix.Close(fd)
		return nil, pathError(op, name, err)
	}
	return &Segment{Name: name, FD: fd}, nil
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

// size returns the size of the file in bytes.
func (s *Segment) size() (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(s.FD, &st)
	return st.Size, err
}

// CheckSize fails with ErrSize if a peer has changed the size of the segment.
// The words do not show that: a page that keeps a part of a truncated segment,
// or is longer than it, stays mapped.
func (s *Segment) CheckSize() error {
	size, err := s.size()
	if err == nil && size != spec.Size {
		err = fmt.Errorf("a peer has changed its size: %w", wrongSize(size))
	}
	if err != nil {
		return pathError("access segment", s.Name, err)
	}
	return nil
}

// reserve sizes the segment and reserves its page. Without that, the first
// access to a segment on a full /dev/shm is a SIGBUS. Where the file system has
// no fallocate, reserve writes the initial words.
func reserve(fd int) error {
	err := fallocate(fd, 0)
	if !unsupported(err) {
		return err
	}
	var page []byte
	for _, word := range spec.AllWords {
		page = binary.NativeEndian.AppendUint32(page, uint32(word.Initial()))
	}
	_, err = retryEINTR(func() (int, error) { return unix.Pwrite(fd, page, 0) })
	return err
}

func fallocate(fd int, mode uint32) error {
	_, err := retryEINTR(func() (int, error) { return 0, unix.Fallocate(fd, mode, 0, spec.Size) })
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

func (s *Segment) enmap() (err error) {
	s.mapping, err = unix.Mmap(s.FD, 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return pathError("map segment", s.Name, err)
	}
	s.Words = wordsOf(s.mapping)
	return nil
}

// Close unmaps the segment, if it is mapped, and closes its file.
func (s *Segment) Close() (err error) {
	if s.mapping != nil {
		err = unix.Munmap(s.mapping)
	}
	if err = errors.Join(err, unix.Close(s.FD)); err != nil {
		return pathError("close segment", s.Name, err)
	}
	return nil
}

// RemoveSegment unlinks the segment, if it exists.
func RemoveSegment(name string) error {
	if err := unix.Unlink(Dir + name); err != nil && err != unix.ENOENT {
		return pathError("remove segment", name, err)
	}
	return nil
}

// Snapshot reads the words one after the other. All three are a state of the
// protocol only if the lock is held. The loads pair with all stores.
func (s *Segment) Snapshot() spec.Words {
	return spec.Words{Enter: s.Load(spec.Enter), Exit: s.Load(spec.Exit), Flag: s.Load(spec.Flag)}
}

// Read is Snapshot outside a call. It fails with ErrSize.
func (s *Segment) Read() (w spec.Words, err error) {
	defer s.CatchFault(debug.SetPanicOnFault(true), &err)
	return s.Snapshot(), s.CheckSize()
}

// CatchFault is deferred around every access to the words. An access to a page
// that is not there is a SIGBUS; CatchFault turns that into ErrSize if a peer
// has truncated the segment, else into ErrNoSpace. Other panics pass.
func (s *Segment) CatchFault(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }: // what the runtime panics with on a fault
		if !s.Contains(p.Addr()) {
			panic(p)
		}
		if *err = s.CheckSize(); *err == nil {
			*err = pathError("access segment", s.Name, unix.ENOSPC)
		}
	default:
		panic(p)
	}
}

// tick waits for a tick. It fails with the error of ctx, and with errRemoved if
// the segment has lost its name.
func (s *Segment) tick(ctx context.Context) error {
	timer := time.NewTimer(spec.Tick)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	var st unix.Stat_t
	if unix.Fstat(s.FD, &st) == nil && st.Nlink == 0 {
		return errRemoved
	}
	return nil
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
	return fmt.Errorf("%s %q: %w", op, Dir+name, err)
}
