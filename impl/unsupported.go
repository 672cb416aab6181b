//go:build !linux

package impl

import (
	"context"

	"sharedbarrier/impl/internal/shm"
)

func (*Barrier) call(context.Context, int32) error { return shm.ErrUnsupported }
func (*Barrier) construct() error                  { return shm.ErrUnsupported }
