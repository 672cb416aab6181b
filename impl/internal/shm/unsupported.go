//go:build !linux

package shm

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"sharedbarrier/spec"
)

// ErrUnsupported is the error of every function on systems other than Linux,
// where there is no Segment and no Lock.
var ErrUnsupported = fmt.Errorf("shared barrier on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type (
	// A Segment does not exist here.
	Segment struct{}
	// A Lock does not exist here.
	Lock struct{}
)

func CreateSegment(string) (*Segment, error) { return nil, ErrUnsupported }
func AttachSegment(context.Context, string, bool, func(spec.Words) error) (*Segment, error) {
	return nil, ErrUnsupported
}
func ConstructSegment(string, bool) (*Segment, error) { return nil, ErrUnsupported }
func RemoveFile(string) error                         { return ErrUnsupported }
func (*Segment) Read() (spec.Words, error)            { return spec.Words{}, ErrUnsupported }
func (*Segment) Close() error                         { return ErrUnsupported }

func OpenLock(string, bool) (*Lock, error) { return nil, ErrUnsupported }
func RemoveLock(string) error              { return ErrUnsupported }
func (*Lock) Release() error               { return ErrUnsupported }
func (*Lock) Close() error                 { return ErrUnsupported }
