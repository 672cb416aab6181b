//go:build linux

package lockprobe

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Queue is what /proc/locks says about the flock on one file. A process
// outside the PID namespace of /proc is 0. A process that tries the lock again
// and again, and does not block in flock(2), is not in the queue.
type Queue struct {
	Holders []int // one at most for an exclusive lock; a dead process too, as long as a child has its descriptor
	Waiters []int // processes that block in flock(2)
}

// QueueOf returns the queue of the lock file that path names. It neither opens
// nor locks the file. It fails with ErrNotRegular, ErrUnseen, or the error of
// the system.
//
// A long /proc/locks can leave an entry out, or have it twice, while other locks
// change. So a lock is free only if several looks do not find it.
func QueueOf(path string) (q Queue, err error) {
	info, err := regular(path)
	if err != nil {
		return q, err
	}
	if err := seen(); err != nil {
		return q, err
	}
	for range 20 {
		for e, err := range entriesOf(info.Sys().(*syscall.Stat_t)) {
			if err != nil {
				return Queue{}, fmt.Errorf("%w: %w", ErrUnseen, err)
			}
			list := &q.Holders
			if e.waits {
				list = &q.Waiters
			}
			if !slices.Contains(*list, e.pid) {
				*list = append(*list, e.pid)
			}
		}
		if len(q.Holders)+len(q.Waiters) > 0 { // the kernel writes a lock and those who wait for it at once
			break
		}
	}
	return q, nil
}

// An entry is one line of /proc/locks.
type entry struct {
	pid   int
	waits bool
}

// entriesOf yields the entries of the flock on the file. An error ends them.
func entriesOf(file *syscall.Stat_t) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		inode := fmt.Sprintf("%02x:%02x:%d", unix.Major(file.Dev), unix.Minor(file.Dev), file.Ino)
		locks, err := os.Open("/proc/locks")
		if err != nil {
			yield(entry{}, err)
			return
		}
		defer locks.Close()
		entriesIn(locks, inode)(yield)
	}
}

// entriesIn yields the entries of the flock on the file with the number, which
// are in the list. An error ends them.
func entriesIn(list io.Reader, inode string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		lines := bufio.NewScanner(list)
		for lines.Scan() {
			// 1: FLOCK  ADVISORY  WRITE 4711 00:1b:815 0 EOF
			// 1: -> FLOCK  ADVISORY  WRITE 4712 00:1b:815 0 EOF
			f := strings.Fields(lines.Text())
			waits := len(f) > 6 && f[1] == "->"
			if waits {
				f = f[1:]
			}
			if len(f) <= 5 || f[1] != "FLOCK" || f[5] != inode {
				continue
			}
			pid, err := strconv.Atoi(f[4])
			if err != nil {
				err = fmt.Errorf("/proc/locks: %q: %w", lines.Text(), err)
			}
			if !yield(entry{pid, waits}, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(entry{}, err)
		}
	}
}
