//go:build linux

package inspect

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
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
	hidden    []Process // whose mappings and descriptors could not be seen
}

// look looks once. It stops no process, takes no lock and writes nothing.
func (t Target) look(s *segment) (*Look, error) {
	words, err := s.words()
	if err != nil {
		return nil, err
	}
	l := &Look{At: time.Now(), Words: words}
	lock := findLock(t.LockPath)
	dead, err := l.search(s, lock)
	if err != nil {
		return nil, err
	}
	l.lookAtLock(lock)
	l.describe(dead)
	again, err := s.words()
	l.Torn, l.Unlinked = again != words, !s.named()
	return l, err
}

// search passes once over all processes, and finds those that have the segment
// mapped or the lock file open. It returns those that are dead and not waited
// for: of a dead process, /proc shows no mapping.
func (l *Look) search(s *segment, lock lockFile) (dead []procfs.ProcStat, err error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var hidden []int
	for _, p := range all {
		if p.PID == os.Getpid() {
			continue
		}
		mappings, unseen := fileuse.Mappings(p.PID)
		if len(mappings) == 0 && !unseen { // it is dead, or of the kernel
			if stat, err := p.Stat(); err == nil && stat.State == "Z" {
				dead = append(dead, stat)
			}
			continue
		}
		f := Process{PID: p.PID}
		f.findMapping(mappings, s)
		f.findDescriptors(lock)
		switch {
		case unseen:
			hidden = append(hidden, p.PID)
			if f.describe() {
				l.hidden = append(l.hidden, f)
			}
		case f.Maps || f.MapsOther || f.LockOpen || f.OldLock:
			l.Processes = append(l.Processes, f)
		}
	}
	slices.SortFunc(l.Processes, func(p, q Process) int { return cmp.Compare(p.PID, q.PID) })
	l.Limits = append(l.Limits, fileuse.Limits(hidden)...)
	if contained() {
		l.Limits = append(l.Limits, "processes of other PID namespaces than this one, and the locks that they hold; if they use the barrier, too, run on the host")
	}
	return dead, nil
}

// contained reports whether this process is in a PID namespace below the first
// one, which always has the same number.
func contained() bool {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	return err == nil && namespace != "pid:[4026531836]"
}

// findMapping finds out whether the process has the segment mapped, another
// file of the same name, or other barriers.
func (f *Process) findMapping(mappings []fileuse.Mapping, s *segment) {
	for _, m := range mappings {
		name, isSegment := strings.CutPrefix(m.Path, shm)
		switch {
		case m.Inode == s.inode:
			f.Maps = true
		case m.Dev == s.inode.Dev && m.Gone && m.Shared && slices.Contains(s.names, m.Path):
			f.MapsOther = true
		case m.Shared && !m.Gone && isSegment && !slices.Contains(f.others, name):
			f.others = append(f.others, name)
		}
	}
}

// describe reads all else about the processes, and leaves out those that have
// ended meanwhile. Of the dead ones it adds those that have the parent and the
// name of a party: they may have been parties.
func (l *Look) describe(dead []procfs.ProcStat) {
	kept := l.Processes[:0]
	type kind struct {
		parent int
		name   string
	}
	parties := map[kind]bool{}
	for _, p := range l.Processes {
		if p.describe() {
			kept = append(kept, p)
			parties[kind{p.Parent, p.Name}] = parties[kind{p.Parent, p.Name}] || p.Maps && p.Parent > 1
		}
	}
	l.Processes = kept
	for _, d := range dead {
		if p := (Process{PID: d.PID, Sibling: true}); parties[kind{d.PPID, d.Comm}] && p.describe() {
			l.Processes = append(l.Processes, p)
		}
	}
	slices.SortFunc(l.Processes, func(p, q Process) int { return cmp.Compare(p.PID, q.PID) })
}

// process returns the process with the number, or nil.
func (l *Look) process(pid int) *Process {
	i, ok := slices.BinarySearchFunc(l.Processes, pid, func(p Process, pid int) int { return cmp.Compare(p.PID, pid) })
	if !ok {
		return nil
	}
	return &l.Processes[i]
}

// mappers returns the processes that have the segment mapped and are there.
func (l *Look) mappers() (pids []int) {
	for _, p := range l.Processes {
		if p.Maps && p.State != "Z" && p.State != "X" {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
