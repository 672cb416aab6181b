package intercept

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrMissing is the error where the kernel has no user notification (Linux
// 5.5), or another program intercepts the calls already.
var ErrMissing = errors.New("the kernel does not let this process intercept system calls")

// Exec becomes the program, as syscall.Exec does, with its calls intercepted.
// The process at the other end of the socket answers them: it calls Accept.
// Where that is impossible the program runs without, and Accept says so. The
// program does not inherit the socket.
func Exec(socket int, filters []Filter, path string, args, environment []string) error {
	unix.CloseOnExec(socket)
	runtime.LockOSThread() // the filter is that of a thread, which exec keeps
	switch listener, err := install(filters); {
	case err == nil:
		if err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
			return os.NewSyscallError("sendmsg", err)
		}
	case !missing(err):
		return os.NewSyscallError("seccomp", err)
	}
	return syscall.Exec(path, args, environment)
}

// A Listener has the calls of a program that Exec has become, and of the
// processes that it starts.
type Listener int

// Accept waits for the process at the other end of the socket to call Exec, and
// closes the socket. It fails with ErrMissing if that process has become the
// program, or has ended, and its calls are not intercepted.
func Accept(socket *os.File) (Listener, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	socket.Close()
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return -1, ErrMissing
	}
	listeners, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(listeners) == 0 {
		return -1, ErrMissing
	}
	return Listener(listeners[0]), nil
}

// Serve answers the calls, and returns when the processes have ended; before
// Linux 5.8, when done is closed. It calls answer as Run does. It closes the
// listener.
func (l Listener) Serve(done <-chan struct{}, answer func(Call) unix.Errno) {
	defer unix.Close(int(l))
	serve(int(l), done, answer)
}
