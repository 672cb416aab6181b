//go:build linux

package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// lockHolder returns the number of the process that holds the flock on path,
// as the kernel tells it in /proc/locks; -1, if nobody does.
func lockHolder(path string) (int, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil // nobody has ever locked it
	}
	if err != nil {
		return -1, err
	}
	inode := fmt.Sprintf(":%d", info.Sys().(*syscall.Stat_t).Ino)
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return -1, err
	}
	defer locks.Close()
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF
		// A process that waits for the lock has an arrow after the number.
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" {
			continue
		}
		// The device is left out: some file systems show another one here than in stat(2).
		if strings.HasSuffix(f[5], inode) {
			pid, err := strconv.Atoi(f[4])
			if err != nil {
				return -1, fmt.Errorf("/proc/locks: %q: %w", lines.Text(), err)
			}
			return pid, nil
		}
	}
	return -1, nil
}
