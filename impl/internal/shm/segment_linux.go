package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A Segment is the file of the words, open and mapped.
type Segment struct {
	*File
	*Words
}

// CreateSegment makes the segment with its initial words, or fails with
// fs.ErrExist. Until the segment is complete the file does not have its name,
// so no process can attach to half a barrier.
func CreateSegment(name string) (*Segment, error) {
	file, err := CreateFile("create segment", name, initial)
	if err != nil {
		return nil, err
	}
	return &Segment{file, wordsOf(file.Mapping)}, nil
}

// initial is what a new segment contains.
var initial = func() (contents []byte) {
	for _, word := range spec.AllWords {
		contents = binary.NativeEndian.AppendUint32(contents, uint32(word.Initial()))
	}
	return contents
}()

// ErrConstructed is what a check returns to say that there is nothing to wait for.
var ErrConstructed = errors.New("constructed")

// errRemoved: the open segment has no name, so no process will construct it.
var errRemoved = errors.New("removed before it was constructed")

// AttachSegment maps the segment. It waits, a tick at a time, while a peer must
// still size or construct it. If the segment is removed meanwhile, it goes on
// with the one that has the name then.
//
// check returns the error of words that are those of no barrier. It returns
// ErrConstructed for words that it knows to be those of one, though all are 0.
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
		size, err := s.fileSize()
		if err != nil {
			return nil, pathError(op, name, err)
		}
		if size == spec.Size {
			break
		}
		if size != 0 {
			return nil, pathError(op, name, s.wrongSize(size))
		}
		if err := s.tick(ctx); err != nil {
			return nil, pathError(op, name, fmt.Errorf("it is empty, and its maker has not sized it: %w", err))
		}
	}
	// The peer may have sized it without its page. Attach must not size it.
	// Where the file system cannot reserve the page without that, the first
	// load in awaitConstruction does it.
	if err := fallocate(s.FD, unix.FALLOC_FL_KEEP_SIZE, spec.Size); err != nil && !unsupported(err) {
		return nil, pathError(op, name, err)
	}
	if err := s.mapWords(); err != nil {
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
		case err == ErrConstructed:
			return nil
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
	size, err := s.fileSize()
	switch {
	case err != nil:
	case size == 0, size == spec.Size: // made, and perhaps sized, by a peer that is about to do the same
		err = reserve(s.FD, initial)
	default:
		err = s.wrongSize(size)
	}
	if err != nil {
		err = pathError(op, name, err)
	} else {
		err = s.mapWords()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func openSegment(op, name string, trust bool) (*Segment, error) {
	file, err := OpenFile(op, name, trust, spec.Size)
	return &Segment{File: file}, err
}

func (s *Segment) mapWords() error {
	err := s.enmap()
	if err == nil {
		s.Words = wordsOf(s.Mapping)
	}
	return err
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
	if s.Removed() {
		return errRemoved
	}
	return nil
}
