//go:build !amd64 && !arm64

package shm

import "golang.org/x/sys/unix"

// Elsewhere the kernel has no fstat, or not with a unix.Stat_t.
func fstat(fd int, st *unix.Stat_t) error { return unix.Fstat(fd, st) }
