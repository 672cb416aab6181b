//go:build !linux

package group

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"sharedbarrier/spec"
)

var errUnsupported = fmt.Errorf("group on %s: %w", runtime.GOOS, errors.ErrUnsupported)

// A Config says which member of which group to be.
type Config struct {
	Name, LockPath string
	Parties, Rank  int
	Label          string
	TrustOthers    bool
	Hook           func(guardian bool, step spec.MemberStep) `json:"-"`
}

// A Group does not exist here.
type Group struct{}

// Join fails here.
func Join(context.Context, Config) (*Group, error) { return nil, errUnsupported }

// Inspect fails here.
func Inspect(string) (Status, error) { return Status{}, errUnsupported }

// Remove fails here.
func Remove(string, string) error { return errUnsupported }

func (*Group) Wait(context.Context) error    { return errUnsupported }
func (*Group) Reset() error                  { return errUnsupported }
func (*Group) Leave() error                  { return errUnsupported }
func (*Group) Status() (Status, error)       { return Status{}, errUnsupported }
func (*Group) SetHook(func(spec.MemberStep)) {}
