package shm

import (
	"time"

	"golang.org/x/sys/unix"
)

// Yield lets other processes run; runtime.Gosched lets other goroutines run.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// Nap sleeps in the kernel, since the runtime's timers round up to a
// millisecond. A signal ends it early.
func Nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil)
}
