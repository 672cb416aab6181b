//go:build !linux

package impl

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"sharedbarrier/spec"
)

// errUnsupported is the error of every function on systems other than Linux,
// where no handle is ever made.
var errUnsupported = fmt.Errorf("shared barrier on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type (
	segment struct{}
	lock    struct{}
)

func createSegment(string) (*segment, error) { return nil, errUnsupported }
func attachSegment(context.Context, string, bool) (*segment, error) {
	return nil, errUnsupported
}
func constructSegment(string, bool) (*segment, error) { return nil, errUnsupported }
func removeSegment(string) error                      { return errUnsupported }
func (*segment) read() (spec.Words, error)            { return spec.Words{}, errUnsupported }
func (*segment) close() error                         { return errUnsupported }

func openLock(string, bool) (*lock, error) { return nil, errUnsupported }
func removeLock(string) error              { return errUnsupported }
func (*lock) release() error               { return errUnsupported }
func (*lock) close() error                 { return errUnsupported }

func (*Barrier) call(context.Context, int32) error { return errUnsupported }
func (*Barrier) construct() error                  { return errUnsupported }
