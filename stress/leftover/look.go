//go:build linux

package leftover

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"sharedbarrier/stress/fileuse"
	"sharedbarrier/stress/lockprobe"
)

// A Use is a process that has a file of a leftover.
type Use struct {
	PID  int      `json:"pid"` // 0: of another PID namespace
	User string   `json:"user"`
	Has  []string `json:"has"` // mapped, open, works in, or locked
}

// A look is what is seen of all processes.
type look struct {
	uses   map[fileuse.Inode][]Use
	mapped map[string][]mapping // by the last name of the file
	limits []string             // what is not seen, and what to do
}

// A mapping is a file that a process has mapped.
type mapping struct {
	inode fileuse.Inode
	pid   int
}

// lookAround looks at all processes other than this one.
func lookAround() (*look, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	l := &look{uses: map[fileuse.Inode][]Use{}, mapped: map[string][]mapping{}}
	var hidden []int
	for _, p := range all {
		if p.PID == os.Getpid() {
			continue
		}
		if unseen := l.process(p.PID); unseen {
			hidden = append(hidden, p.PID)
		}
	}
	l.limits = fileuse.Limits(hidden)
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		l.limits = append(l.limits, "any process: /proc is missing or is that of another PID namespace; mount its own")
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err != nil || ns != hostNamespace {
		l.limits = append(l.limits, "processes outside of this PID namespace, which may share a folder with it; run as root on the host")
	}
	return l, nil
}

// hostNamespace is the PID namespace of the host, whose number is fixed
// (PROC_PID_INIT_INO of linux/proc_ns.h).
const hostNamespace = "pid:[4026531836]"

// process adds what one process has. It reports whether that is hidden.
func (l *look) process(pid int) (hidden bool) {
	mappings, hidden := fileuse.Mappings(pid)
	for _, m := range mappings {
		l.add(m.Inode, pid, "mapped")
		if base := filepath.Base(m.Path); m.Shared {
			l.mapped[base] = append(l.mapped[base], mapping{m.Inode, pid})
		}
	}
	for _, inode := range fileuse.Descriptors(pid) {
		l.add(inode, pid, "open")
	}
	for _, link := range []string{"cwd", "root"} {
		var stat unix.Stat_t
		if unix.Stat(fmt.Sprintf("/proc/%d/%s", pid, link), &stat) == nil {
			l.add(fileuse.InodeOf(&stat), pid, "works in")
		}
	}
	return hidden
}

// add adds a use.
func (l *look) add(inode fileuse.Inode, pid int, has string) {
	l.uses[inode] = join(l.uses[inode], Use{PID: pid, Has: []string{has}})
}

// join adds a use to a list in which each process is once.
func join(uses []Use, u Use) []Use {
	i := slices.IndexFunc(uses, func(o Use) bool { return o.PID == u.PID })
	if i < 0 {
		u.Has = slices.Clone(u.Has)
		return append(uses, u)
	}
	for _, has := range u.Has {
		if !slices.Contains(uses[i].Has, has) {
			uses[i].Has = append(uses[i].Has, has)
		}
	}
	return uses
}

// of returns the processes that were seen to have a file of the candidate, by
// number. A mark is not one: the claim is the proof about its run.
func (l *look) of(c *candidate) (all []Use) {
	for _, e := range c.entries {
		for _, inode := range e.inodes() {
			for _, u := range l.uses[inode] {
				all = join(all, u)
			}
		}
		if e.kind == lockEntry {
			for _, pid := range lockers(e.path) {
				all = join(all, Use{PID: pid, Has: []string{"locked"}})
			}
		}
	}
	for i := range all {
		if all[i].PID > 0 {
			all[i].User = fileuse.User(all[i].PID)
		}
	}
	slices.SortFunc(all, func(a, b Use) int { return cmp.Compare(a.PID, b.PID) })
	return all
}

// inodes returns the file of the entry, with all that is in it if it is a
// directory.
func (e *entry) inodes() []fileuse.Inode {
	switch {
	case e.kind == markEntry:
		return nil
	case !e.is(unix.S_IFDIR):
		return []fileuse.Inode{e.inode()}
	}
	var list []fileuse.Inode
	for _, info := range e.tree() {
		list = append(list, inodeOf(info))
	}
	return list
}

func inodeOf(info fs.FileInfo) fileuse.Inode {
	stat := info.Sys().(*syscall.Stat_t)
	return fileuse.Inode{Dev: uint64(stat.Dev), Ino: stat.Ino}
}

// lockers returns the processes that /proc/locks shows with the lock, of hidden
// ones too. What it leaves out, the other conditions find.
func lockers(path string) []int {
	queue, err := lockprobe.QueueOf(path)
	if err != nil {
		return nil
	}
	return append(queue.Holders, queue.Waiters...)
}
