package intercept

import (
	"encoding/binary"
	"errors"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Filter selects system calls: those with the number whose argument Arg,
// counted from 0, has none of the low 32 bits of Without, and one of With unless
// With is 0. Calls that the Go runtime makes with a lock held must not be
// selected, since answer may need that lock: memory (mmap) and futexes.
type Filter struct {
	Number, Arg   int
	Without, With uint32
}

// Futex and Mmap select no call of the Go runtime, which has private futexes
// and maps no files.
var (
	Futex = Filter{Number: unix.SYS_FUTEX, Arg: 1, Without: 128}
	Mmap  = Filter{Number: unix.SYS_MMAP, Arg: 4, Without: 1 << 31}
)

// All selects all calls with the numbers.
func All(numbers ...int) (filters []Filter) {
	for _, number := range numbers {
		filters = append(filters, Filter{Number: number})
	}
	return filters
}

// A Call is a system call that waits for its answer.
type Call struct {
	Thread int // the number of the thread that makes it
	Number int
	Args   [6]uint64
}

// Done, as the answer to a call, has it return 0. The kernel does not make it.
const Done unix.Errno = 1 << 16

// These are struct seccomp_notif and struct seccomp_notif_resp of the kernel.
type (
	notification struct {
		id                 uint64
		pid, flags         uint32
		number             int32
		arch               uint32
		instructionPointer uint64
		args               [6]uint64
	}
	response struct {
		id          uint64
		value       int64
		errno, flag uint32
	}
)

// TB is the part of testing.TB that Run uses.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatal(args ...any)
}

// Run runs f in a thread of its own. Each system call that a filter selects,
// there and in processes that f starts, waits for answer: 0 lets the kernel
// make the call, and any other value is the call's error. Run calls answer in
// another thread, for one call at a time. It returns when f and the processes
// have ended. It skips the test if the kernel has no user notification (Linux
// 5.5).
//
// Meanwhile there is no garbage collection and there are two processors at
// least, since the thread may wait in a call of which the scheduler knows
// nothing (unix.RawSyscall).
func Run(t TB, filters []Filter, answer func(Call) unix.Errno, f func()) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // ends one that is under way
	type started struct {
		listener int
		err      error
	}
	start, done := make(chan started), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		defer close(done)
		listener, err := install(filters)
		start <- started{listener, err}
		if err == nil {
			f()
		}
	}()
	s := <-start
	if missing(s.err) {
		t.Skipf("no seccomp user notification here: %v", s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	defer unix.Close(s.listener)
	serve(s.listener, done, answer)
	<-done
}

// missing reports whether err says that the kernel or the system that this
// process runs in has no user notification for it.
func missing(err error) bool {
	return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EPERM)
}

// serve answers the calls until there are none any more.
func serve(listener int, done <-chan struct{}, answer func(Call) unix.Errno) {
	for await(listener, done) {
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // the caller was killed or interrupted
		}
		r := response{id: n.id}
		switch errno := answer(Call{int(n.pid), int(n.number), n.args}); errno {
		case 0:
			r.flag = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		case Done:
		default:
			r.errno = -uint32(errno)
		}
		unix.Syscall(unix.SYS_IOCTL, uintptr(listener), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&r)))
	}
}

// await waits for a call and reports whether there is one. There is none when
// the thread and all its processes have ended.
func await(listener int, done <-chan struct{}) bool {
	for {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		n, _ := unix.Poll(poll, 10)
		if n > 0 {
			return poll[0].Revents&unix.POLLIN != 0
		}
		select {
		case <-done: // kernels before 5.8 do not say that the thread has ended
			return false
		default:
		}
	}
}

// has skips the next instruction unless the loaded number has one of the bits.
func has(bits uint32) unix.SockFilter {
	if bits == 0 {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: 0} // no condition
	}
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: bits}
}

// install makes the calls of this thread wait, and returns the descriptor that
// hears of them.
func install(filters []Filter) (listener int, err error) {
	const load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	low := uint32(16) // where the low half of the first argument is
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low += 4
	}
	var filter []unix.SockFilter
	for _, f := range filters {
		filter = append(filter,
			unix.SockFilter{Code: load, K: 0}, // the number
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 4, K: uint32(f.Number)},
			unix.SockFilter{Code: load, K: low + 8*uint32(f.Arg)},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 2, K: f.Without},
			has(f.With),
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	const waitKillable = 1 << 5 // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19: a signal does not repeat the call
	for _, flags := range []uintptr{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | waitKillable, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER} {
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
		if errno == 0 {
			return int(fd), nil
		}
		err = errno
	}
	return -1, err
}
