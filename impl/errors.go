package impl

import (
	"errors"
	"fmt"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// Errors for errors.Is. Functions also fail with fs.ErrExist, fs.ErrNotExist
// (of the segment or the lock file's directory), fs.ErrPermission,
// errors.ErrUnsupported (not Linux), and the error of a context that ended.
var (
	// ErrName: the name is empty, too long, a dot name, or has a slash or a
	// NUL.
	ErrName = shm.ErrName
	// ErrParties: the party count is less than 1 or more than an int32 holds.
	ErrParties = errors.New("bad party count")
	// ErrClosed: the handle has been closed.
	ErrClosed = errors.New("barrier handle is closed")
	// ErrBusy: another call of Wait or Reset is running on the handle.
	ErrBusy = errors.New("barrier handle is in use")
	// ErrSize: the segment is not exactly spec.Size bytes: not a barrier, or a
	// peer has changed its size.
	ErrSize = shm.ErrSize
	// ErrNotRegular: the name is that of a symbolic link, a directory, a FIFO
	// or the like. None of these is followed or opened.
	ErrNotRegular = shm.ErrNotRegular
	// ErrNoSpace: /dev/shm has no room for the segment.
	ErrNoSpace = shm.ErrNoSpace
	// ErrNoFlock: the file system of the lock file has no flock(2).
	ErrNoFlock = shm.ErrNoFlock
	// ErrUntrusted: the segment or the lock file belongs to another user, and
	// its group or all users may write it. TrustOthers accepts it.
	ErrUntrusted = shm.ErrUntrusted
	// ErrCorrupt: the words are out of range. The error is a *CorruptError.
	ErrCorrupt = errors.New("barrier words are out of range")
)

// A CorruptError is an ErrCorrupt with the words found.
type CorruptError struct {
	Name    string     // name of the segment
	Words   spec.Words // the words in it
	Parties int        // party count of the call; 0: found by Attach
}

// Error has the words and the party count.
func (e *CorruptError) Error() string {
	what := "%v in segment %q: %v"
	if e.Parties > 0 {
		return fmt.Sprintf(what+" for %d parties (another party count, too many callers, or a reset during a call?)", ErrCorrupt, e.Name, e.Words, e.Parties)
	}
	return fmt.Sprintf(what+" (not a barrier, or one of other words?)", ErrCorrupt, e.Name, e.Words)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }
