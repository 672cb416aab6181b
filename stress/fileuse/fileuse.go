//go:build linux

// Package fileuse shows from outside which processes have which files mapped
// and open, as far as /proc shows it. It only reads.
package fileuse

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// An Inode identifies a file, whatever its name is.
type Inode struct{ Dev, Ino uint64 }

// InodeOf returns the inode of a stat.
func InodeOf(s *unix.Stat_t) Inode { return Inode{uint64(s.Dev), s.Ino} }

// A Mapping is a part of a file that a process has in its memory.
type Mapping struct {
	Inode
	Path   string // at which the process has opened the file
	Gone   bool   // the file has lost this name
	Shared bool
	Link   string // opens the file, for the privileged
}

// Mappings returns the mappings of files of the process: none if it has ended
// or is a thread of the kernel. It reports whether they are hidden.
func Mappings(pid int) (list []Mapping, hidden bool) {
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return nil, errors.Is(err, fs.ErrPermission)
	}
	all, err := proc.ProcMaps()
	for _, m := range all {
		if m.Inode == 0 {
			continue
		}
		path, gone := strings.CutSuffix(m.Pathname, " (deleted)")
		list = append(list, Mapping{
			Inode{m.Dev, m.Inode}, path, gone, m.Perms != nil && m.Perms.Shared,
			fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, m.StartAddr, m.EndAddr),
		})
	}
	return list, errors.Is(err, fs.ErrPermission)
}

// Descriptors yields, for each descriptor of the process, a path by which the
// file can be opened, and the file. It yields nothing if they are hidden.
func Descriptors(pid int) iter.Seq2[string, Inode] {
	return func(yield func(string, Inode) bool) {
		dir := fmt.Sprintf("/proc/%d/fd/", pid)
		descriptors, _ := os.ReadDir(dir)
		for _, d := range descriptors {
			var open unix.Stat_t
			if unix.Stat(dir+d.Name(), &open) == nil && !yield(dir+d.Name(), InodeOf(&open)) {
				return
			}
		}
	}
}

// Descriptor returns a path of Descriptors by which the file can be opened;
// empty: there is none.
func Descriptor(pid int, file Inode) string {
	for path, open := range Descriptors(pid) {
		if open == file {
			return path
		}
	}
	return ""
}

// Limits says, in phrases, what is not seen of the processes: those that are
// hidden, each user's in one phrase, and those that /proc does not even list.
func Limits(hidden []int) (limits []string) {
	of := map[uint32][]int{}
	for _, pid := range hidden {
		of[owner(pid)] = append(of[owner(pid)], pid)
	}
	for _, uid := range slices.Sorted(maps.Keys(of)) {
		pids := of[uid]
		processes := fmt.Sprintf("process %d of user %s has", pids[0], userName(uid))
		if len(pids) > 1 {
			processes = fmt.Sprintf("%d processes of user %s, such as %d, have", len(pids), userName(uid), slices.Min(pids))
		}
		limits = append(limits, fmt.Sprintf("what %s mapped and open; run as that user, or as root with CAP_SYS_PTRACE", processes))
	}
	if _, err := os.Stat("/proc/1"); err != nil { // process 1 always exists
		limits = append(limits, "processes of other users: /proc is mounted with hidepid; run as root")
	}
	return limits
}

// User returns the name of the user of the process.
func User(pid int) string { return userName(owner(pid)) }

func owner(pid int) uint32 {
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func userName(uid uint32) string {
	text := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(text); err == nil {
		return u.Username
	}
	return text
}
