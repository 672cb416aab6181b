//go:build linux

package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/stress/fileuse"
	"sharedbarrier/stress/lockprobe"
)

// Lock is the lock as it is seen from outside.
type Lock struct {
	Missing bool  // there is no lock file
	Holders []int // processes that have the descriptor which is locked: a child shares it
	Waiters []int // processes that block in flock(2)
	Locker  int   // the process that has locked it, and may have ended or closed its descriptor since; 0: it is free, or that is not known
	Abroad  bool  // it is held, and no process that can be seen holds it
	Touched time.Time
}

// A lockFile is the file that the path of the lock names.
type lockFile struct {
	path   string
	device uint64         // of its folder
	inode  *fileuse.Inode // nil: there is none
	names  []string       // by which processes may have it open
}

func findLock(path string) lockFile {
	f := lockFile{path: path, names: namesOf(path)}
	f.device, _ = deviceOf(path)
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) == nil {
		inode := fileuse.InodeOf(&stat)
		f.inode = &inode
	}
	return f
}

var rootOf = regexp.MustCompile(`^/proc/(self|[0-9]+)/root/`)

// namesOf returns the names that a process which has opened the file by the
// path may show for it: without symbolic links, and as the process that is in
// /proc/PID/root has it.
func namesOf(path string) []string {
	names := []string{path}
	if absolute, err := filepath.Abs(path); err == nil {
		names = append(names, absolute)
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		names = append(names, filepath.Join(folder, filepath.Base(path)))
	}
	for _, name := range names {
		names = append(names, rootOf.ReplaceAllString(name, "/"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// findDescriptors finds out whether the process has the lock file open, whether
// it holds the lock, and, if it has the segment mapped, whether it has another
// file open that has, or had, the name of the lock file.
func (f *Process) findDescriptors(lock lockFile) {
	for link, inode := range fileuse.Descriptors(f.PID) {
		is := lock.inode != nil && inode == *lock.inode
		if !is && f.Maps && inode.Dev == lock.device {
			name, _ := os.Readlink(link)
			f.OldLock = f.OldLock || slices.Contains(lock.names, strings.TrimSuffix(name, " (deleted)"))
		}
		if is {
			f.LockOpen = true
			number, _ := strconv.Atoi(filepath.Base(link))
			f.descriptors = append(f.descriptors, number)
			f.Holds = f.Holds || lockprobe.Locks(f.PID, number)
		}
	}
}

// lookAtLock finds the holders and the waiters. What it cannot see is a limit.
func (l *Look) lookAtLock(file lockFile) {
	l.Lock.Touched = lockTouched(file.path)
	queue, err := lockprobe.QueueOf(file.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.Lock.Missing = true
	case err != nil:
		l.Limits = append(l.Limits, "lock: "+err.Error())
	}
	for i := range l.Processes {
		p := &l.Processes[i]
		p.Waits = slices.Contains(queue.Waiters, p.PID) || p.LockOpen && !p.Holds && p.blocksInFlock()
	}
	for _, pid := range queue.Waiters {
		if pid > 0 && l.process(pid) == nil {
			l.insert(Process{PID: pid, Waits: true})
		}
	}
	l.findShared()
	l.lookAtHolder(queue)
	for _, p := range l.Processes {
		if p.Holds {
			l.Lock.Holders = append(l.Lock.Holders, p.PID)
		}
		if p.Waits {
			l.Lock.Waiters = append(l.Lock.Waiters, p.PID)
		}
	}
}

// lookAtHolder completes the holders by what /proc/locks says: it names a
// process whose descriptors are hidden, and one that has locked the file and
// has left the lock to a child.
func (l *Look) lookAtHolder(queue lockprobe.Queue) {
	seen := slices.ContainsFunc(l.Processes, func(p Process) bool { return p.Holds })
	for _, pid := range queue.Holders {
		isHidden := func(p Process) bool { return p.PID == pid }
		if slices.ContainsFunc(l.hidden, isHidden) {
			l.insert(Process{PID: pid, Holds: true})
			seen = true
		}
		if pid > 0 { // or it is of another PID namespace
			l.Lock.Locker = pid
			l.insert(Process{PID: pid})
		}
	}
	waits := slices.ContainsFunc(l.Processes, func(p Process) bool { return p.Waits })
	l.Lock.Abroad = !seen && (waits || len(queue.Holders) > 0)
}

// insert adds a process, unless it is there: then it adds what is known of it.
func (l *Look) insert(p Process) {
	if was := l.process(p.PID); was != nil {
		was.Holds, was.Waits = was.Holds || p.Holds, was.Waits || p.Waits
		return
	}
	l.Processes = append(l.Processes, p)
	slices.SortFunc(l.Processes, func(p, q Process) int { return cmp.Compare(p.PID, q.PID) })
}

// blocksInFlock reports whether a thread of the process sleeps in flock(2).
// /proc/locks does not show those that wait for a process of another PID
// namespace.
func (f *Process) blocksInFlock() bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", f.PID))
	return slices.ContainsFunc(tasks, func(path string) bool {
		wchan, _ := os.ReadFile(path)
		return string(wchan) == "locks_lock_inode_wait" || string(wchan) == "flock_lock_inode_wait"
	})
}

// findShared finds the processes that have the lock file open by one descriptor
// that was inherited: the lock of one is then that of the other.
func (l *Look) findShared() {
	var first []*Process // of those that share one
	for i := range l.Processes {
		p := &l.Processes[i]
		if !p.LockOpen {
			continue
		}
		if k := slices.IndexFunc(first, p.sharesWith); k >= 0 {
			p.Shares = append(p.Shares, first[k].PID)
			first[k].Shares = append(first[k].Shares, p.PID)
			continue
		}
		first = append(first, p)
	}
}

// sharesWith reports whether a descriptor of the lock file of both processes is
// one open file. It is false where the system does not say so.
func (f *Process) sharesWith(other *Process) bool {
	for _, mine := range f.descriptors {
		for _, its := range other.descriptors {
			if sameFile(f.PID, other.PID, mine, its) {
				return true
			}
		}
	}
	return false
}

// sameFile asks the kernel by kcmp(2), which looks and does not trace.
func sameFile(pid, other, descriptor, its int) bool {
	const kcmpFile = 0
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(pid), uintptr(other), kcmpFile, uintptr(descriptor), uintptr(its), 0)
	return errno == 0 && order == 0
}

// lockTouched returns when the content of the lock file was last changed or cut
// off: Python's filelock truncates the file at each attempt.
func lockTouched(path string) time.Time {
	info, err := os.Lstat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
