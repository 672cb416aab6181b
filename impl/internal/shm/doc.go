// Package shm is what a barrier needs of the operating system: the segment with
// its three words (spec/PROTOCOL.md, section 2) and the lock file (section 3).
// Package impl and package group take their steps with it.
package shm

import (
	"errors"
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// These are the errors of the same names in package impl, which says what they
// mean.
var (
	ErrName       = errors.New("bad segment name")
	ErrSize       = errors.New("segment has the wrong size")
	ErrNotRegular = errors.New("not a regular file")
	ErrNoSpace    = errors.New("no space left in /dev/shm")
	ErrNoFlock    = errors.New("file system does not support flock")
	ErrUntrusted  = errors.New("third users can write it")
)

// InRange reports whether the words may be those of a barrier whose calls have
// the party count n or less (section 9).
func InRange(w spec.Words, n int32) bool {
	return 0 <= w.Enter && w.Enter <= n && spec.NotSet <= w.Exit && w.Exit <= n && (w.Flag == spec.Down || w.Flag == spec.Up)
}

// CheckName fails with ErrName if no segment can have the name.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w %q: it must name a file in /dev/shm", ErrName, name)
	case len(name) > 255:
		return fmt.Errorf("%w %.20q…: it has %d bytes, and no more than 255 are possible", ErrName, name, len(name))
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("%w %q: it must have no slash and no NUL", ErrName, name)
	}
	return nil
}
