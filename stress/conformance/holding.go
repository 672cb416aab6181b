//go:build linux

package conformance

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// holding is the lock while the runner has it.
type holding struct{ file *os.File }

// attempt makes one attempt at the lock. It reports whether the runner has it.
func (h *holding) attempt(path string) (bool, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return false, err
	}
	switch err := flock(file, unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, file.Close()
	case err != nil:
		file.Close()
		return false, err
	}
	h.file = file
	if named, err := h.named(path); err != nil || !named {
		h.release() // a port has unlinked the file
		return false, err
	}
	return true, nil
}

// named reports whether the path still names the file.
func (h *holding) named(path string) (bool, error) {
	linked, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	open, err := h.file.Stat()
	return err == nil && os.SameFile(linked, open), err
}

// release releases the lock, if the runner has it.
func (h *holding) release() {
	if h.file == nil {
		return
	}
	flock(h.file, unix.LOCK_UN)
	h.file.Close()
	h.file = nil
}

func flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}
