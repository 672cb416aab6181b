//go:build linux || darwin

package workdir

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lock locks a directory of this user. It fails with ErrTaken, and with other
// errors where a directory cannot be locked.
func lock(path string) (*os.File, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrTaken
	case err != nil:
		return nil, err
	}
	if err := lockOpen(dir, path); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

func lockOpen(dir *os.File, path string) error {
	switch err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case err == unix.EWOULDBLOCK:
		return ErrTaken
	case err != nil:
		return err
	}
	opened, err := dir.Stat()
	if err != nil {
		return err
	}
	named, err := os.Lstat(path)
	if err != nil || !os.SameFile(opened, named) || named.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return ErrTaken
	}
	return nil
}
