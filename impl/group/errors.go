package group

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
)

// Errors for errors.Is. Functions also fail with those of package impl, for the
// words and the lock file, and with the error of a context that ended.
var (
	// ErrRank: the rank is not one of 0 to Parties-1, or a live member has it.
	ErrRank = errors.New("bad rank")
	// ErrLabel: the label is longer than MaxLabel bytes, or has a NUL.
	ErrLabel = errors.New("bad label")
	// ErrParties: the party count is not one of 1 to MaxParties, or the group,
	// which has live members, has another one.
	ErrParties = errors.New("bad party count of a group")
	// ErrVersion: the group's segment has another layout.
	ErrVersion = errors.New("not the segment of a group of this version")
	// ErrStale: the group has live members, but at a barrier whose segment has
	// been removed.
	ErrStale = errors.New("group of a barrier that has been removed")
	// ErrBroken: a member died. The error is a *BrokenError.
	ErrBroken = errors.New("round is broken")
	// ErrClosed: the member has left.
	ErrClosed = impl.ErrClosed
	// ErrBusy: another call of Wait, Reset or Leave is running.
	ErrBusy = impl.ErrBusy
)

// A BrokenError is an ErrBroken: a member died, and so no call of the round
// returns nil.
type BrokenError struct {
	Name  string // of the barrier
	Round uint64
	Rank  int // of the member that died, the first one if there are several
	Label string
	Pid   int             // in its own namespace
	Step  spec.MemberStep // the step that it was about to take; Begin: outside a call
	Since time.Time       // when the death was noticed
}

// Error says who died, where and when.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("round %d of group %q: %v: rank %d (%s) died at %v, noticed at %s; join with its rank or reset the group",
		e.Round, e.Name, ErrBroken, e.Rank, who(e.Label, e.Pid), e.Step, e.Since.Format(time.RFC3339Nano))
}

// Is reports whether target is ErrBroken.
func (e *BrokenError) Is(target error) bool { return target == ErrBroken }

// A MissingError is the error of a call whose context ended before all parties
// had come.
type MissingError struct {
	Name    string // of the barrier
	Round   uint64
	Missing []Rank // all that had not come, when the context ended
	Err     error  // of the context
}

// Error names each rank that has not come, and why.
func (e *MissingError) Error() string {
	var missing []string
	for _, r := range e.Missing {
		missing = append(missing, r.String())
	}
	if len(missing) == 0 {
		missing = append(missing, "nobody; the lock is held")
	}
	return fmt.Sprintf("round %d of group %q: %v: missing: %s", e.Round, e.Name, e.Err, strings.Join(missing, ", "))
}

// Unwrap returns the error of the context.
func (e *MissingError) Unwrap() error { return e.Err }

func who(label string, pid int) string {
	if label == "" {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("%s, pid %d", label, pid)
}
