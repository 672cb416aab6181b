//go:build unix

package toolcache

import (
	"fmt"
	"os"
	"syscall"
)

// private returns an error unless the file or folder belongs to this user or
// to root, and no other user can write it.
func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link, and tools are run from it: remove it, or set XDG_CACHE_HOME", path)
	case owner != 0 && int(owner) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d, and tools are run from it: set XDG_CACHE_HOME to a folder of your own", path, owner)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("other users can write %s, and tools are run from it: check what is in it, then chmod go-w it", path)
	}
	return nil
}
