package reexec

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// InMountNamespace has cmd start in a mount namespace of its own. No other
// namespace sees what it mounts there. If this process is not root, cmd is root
// in a new user namespace.
func InMountNamespace(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // with which the mounts become private
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
}

// NoNamespace reports whether err, of starting a command, says that this user
// can have no namespace.
func NoNamespace(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC)
}
