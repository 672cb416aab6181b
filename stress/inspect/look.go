//go:build linux

package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
	"sharedbarrier/stress/lockprobe"
)

// A Look is what is seen of a barrier at one moment, or nearly: the words are
// read first and last, and all else in between.
type Look struct {
	At        time.Time
	Words     spec.Words
	Torn      bool // the words changed during the look
	Unlinked  bool // the name of the segment is gone, or names another file
	Lock      Lock
	Processes []Process // that have to do with the barrier, by number
	Limits    []string  // what could not be seen, and why
	hidden    []Process // whose mappings could not be seen
}

// Lock is the lock as it is seen from outside.
type Lock struct {
	Missing bool  // there is no lock file
	Holders []int // processes that have the descriptor which is locked
	Waiters []int // processes that block in flock(2)
	Abroad  bool  // a process of another PID namespace holds it
	Touched time.Time
}

// look looks once. It stops no process, takes no lock and writes nothing.
func (t Target) look(s *segment) (*Look, error) {
	words, err := s.words()
	if err != nil {
		return nil, err
	}
	l := &Look{At: time.Now(), Words: words}
	found, err := l.search(s, t.LockPath)
	if err != nil {
		return nil, err
	}
	l.lookAtLock(t.LockPath, slices.Sorted(maps.Keys(found)))
	for _, pid := range append(slices.Clone(l.Lock.Holders), l.Lock.Waiters...) {
		if found[pid] == nil {
			found[pid] = &Process{PID: pid}
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(found)) {
		p := found[pid]
		p.Holds, p.Waits = slices.Contains(l.Lock.Holders, pid), slices.Contains(l.Lock.Waiters, pid)
		if p.describe() {
			l.Processes = append(l.Processes, *p)
		}
	}
	l.addDead()
	again, err := s.words()
	l.Torn, l.Unlinked = again != words, !s.named()
	return l, err
}

// addDead adds the processes that have ended and are not waited for, and have
// the parent and the name of a party. They may have been parties: of a dead
// process, /proc shows no mapping and no command line.
func (l *Look) addDead() {
	type kind struct {
		parent int
		name   string
	}
	parties := map[kind]bool{}
	for _, p := range l.Processes {
		if p.Maps && p.Parent > 1 {
			parties[kind{p.Parent, p.Name}] = true
		}
	}
	all, _ := procfs.AllProcs() // it was readable before
	for _, p := range all {
		stat, err := p.Stat()
		if err != nil || stat.State != "Z" || !parties[kind{stat.PPID, stat.Comm}] || l.process(p.PID) != nil {
			continue
		}
		if dead := (Process{PID: p.PID, Sibling: true}); dead.describe() {
			l.Processes = append(l.Processes, dead)
		}
	}
	slices.SortFunc(l.Processes, func(p, q Process) int { return cmp.Compare(p.PID, q.PID) })
}

// lookAtLock finds the holders and the waiters. What it cannot see is a limit.
func (l *Look) lookAtLock(path string, likely []int) {
	l.Lock.Touched = lockTouched(path)
	queue, err := lockprobe.QueueOf(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.Lock.Missing = true
		return
	case err != nil:
		l.Limits = append(l.Limits, "lock: "+err.Error())
		return
	}
	l.Lock.Waiters = slices.DeleteFunc(queue.Waiters, func(pid int) bool { return pid == 0 })
	l.Lock.Abroad = slices.Contains(queue.Holders, 0)
	if len(queue.Holders) == 0 {
		return // lockprobe.Holders would look at each descriptor of each process
	}
	for pid, err := range lockprobe.Holders(path, likely...) {
		if err != nil {
			l.Limits = append(l.Limits, "lock: "+err.Error())
			break
		}
		if !slices.Contains(l.Lock.Holders, pid) {
			l.Lock.Holders = append(l.Lock.Holders, pid)
		}
	}
	slices.Sort(l.Lock.Holders)
}

// search finds the processes that have the segment mapped or the lock file
// open.
func (l *Look) search(s *segment, lockPath string) (map[int]*Process, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, err
	}
	all, err := proc.AllProcs()
	if err != nil {
		return nil, err
	}
	var lock *fileuse.Inode
	var stat unix.Stat_t
	if unix.Lstat(lockPath, &stat) == nil {
		i := fileuse.InodeOf(&stat)
		lock = &i
	}
	found := map[int]*Process{}
	var hidden []int
	for _, p := range all {
		if p.PID == os.Getpid() {
			continue
		}
		f := &Process{PID: p.PID}
		if unseen := f.findMapping(s); unseen {
			hidden = append(hidden, p.PID)
			if f.describe() {
				l.hidden = append(l.hidden, *f)
			}
		}
		if lock != nil {
			f.LockOpen = fileuse.Descriptor(p.PID, *lock) != ""
		}
		if f.Maps || f.MapsOther || f.LockOpen {
			found[p.PID] = f
		}
	}
	l.Limits = append(l.Limits, fileuse.Limits(hidden)...)
	return found, nil
}

// findMapping finds out whether the process has the segment mapped, or another
// file of the same name. It reports whether that could not be seen.
func (f *Process) findMapping(s *segment) (unseen bool) {
	mappings, unseen := fileuse.Mappings(f.PID)
	for _, m := range mappings {
		switch {
		case m.Inode == s.inode:
			f.Maps = true
		case m.Path == s.path && m.Shared:
			f.MapsOther = true
		}
	}
	return unseen
}

func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// process returns the process with the number, or nil.
func (l *Look) process(pid int) *Process {
	i, ok := slices.BinarySearchFunc(l.Processes, pid, func(p Process, pid int) int { return cmp.Compare(p.PID, pid) })
	if !ok {
		return nil
	}
	return &l.Processes[i]
}
