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
// The process at the other end of the socket answers them: it calls Serve.
// Where that is impossible the program runs without, and Serve says so. The
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

// Serve answers the calls of a program that Exec becomes, and of the processes
// that it starts, and returns when they have ended. It calls answer as Run
// does. It closes the socket, whose other end only that program has. It fails
// with ErrMissing, at once, if the calls are not intercepted.
func Serve(socket *os.File, answer func(Call) unix.Errno) error {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(socket.Fd()), make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	socket.Close()
	if err != nil {
		return os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return ErrMissing
	}
	listeners, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(listeners) == 0 {
		return ErrMissing
	}
	defer unix.Close(listeners[0])
	serve(listeners[0], nil, answer)
	return nil
}
