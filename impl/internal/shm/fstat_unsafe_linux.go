//go:build amd64 || arm64

package shm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fstat is unix.Fstat for an open file of a local file system, as flock is: it
// does not block.
func fstat(fd int, st *unix.Stat_t) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(st)), 0); errno != 0 {
		return errno
	}
	return nil
}
