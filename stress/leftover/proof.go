//go:build linux

package leftover

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
)

// A condition returns why a candidate is not proven dead, with the verdict, or
// nothing.
type condition struct {
	name string
	fail func(c *candidate, seen *look) (Verdict, string)
}

// conditions are what must hold for a leftover to be dead, in the order in
// which they are asked. Each protects something that lives and that no other
// one protects: TestHazard_Conditions shows it.
var conditions = []condition{
	{"its maker has released its lock", (*candidate).makerLives},
	{"it is what its name says", (*candidate).isOther},
	{"no process is seen to have it", (*candidate).isSeen},
	{"no process is seen to have another segment of its name", (*candidate).hasTwin},
	{"its maker does not prepare it", (*candidate).isYoung},
	{"it is of this project or of Streaming, or the user names it", (*candidate).isAnyones},
	{"no owner of its group is alive for the kernel", (*candidate).hasOwner},
	{"the kernel counts no process that has it", (*candidate).isCounted},
}

// judge asks the conditions. The leases that the last ones take are held until
// the candidate is closed.
func (c *candidate) judge(seen *look) (Verdict, string) {
	for _, condition := range conditions {
		if v, why := condition.fail(c, seen); v != "" {
			return v, why
		}
	}
	return Dead, "no process has it"
}

// makerLives: the process that makes a run, or a directory, holds a lock until
// it ends. The run may not have made anything else yet.
func (c *candidate) makerLives(*look) (Verdict, string) {
	if c.taken {
		return Live, "the process that made it goes on"
	}
	return "", ""
}

// isOther: a file has the name of a barrier and is something else, or it has
// other names, by which processes may know it.
func (c *candidate) isOther(*look) (Verdict, string) {
	if why := c.isOthersGroup(); why != "" {
		return Foreign, why
	}
	for _, e := range c.entries {
		switch {
		case e.kind == runEntry || e.kind == markEntry:
		case !e.is(unix.S_IFREG):
			return Foreign, e.path + " is no regular file"
		case e.stat.Nlink > 1:
			return Foreign, e.path + " has another name (a hard link)"
		case e.kind == lockEntry && e.stat.Size > 0:
			return Foreign, e.path + " is not empty, so it is no lock file of a barrier"
		case e.kind == segmentEntry && e.stat.Size != 0 && e.stat.Size != spec.Size: // 0: its maker died before it sized it
			return Foreign, fmt.Sprintf("%s has %d bytes, and a barrier has %d", e.path, e.stat.Size, spec.Size)
		}
	}
	return "", ""
}

// isSeen: this finds also what the kernel does not count, such as a working
// directory, and says which process it is.
func (c *candidate) isSeen(seen *look) (Verdict, string) {
	if uses := seen.of(c); len(uses) > 0 {
		return Live, "in use by " + list(uses)
	}
	return "", ""
}

// hasTwin: a process may have another segment of the name, which has lost it or
// is in a /dev/shm of a container, and use the same lock file. If it locks as
// Python does, it has the file open only while it locks. It would do no harm to
// remove it then: the next party that locks makes a new one. But it is in use.
func (c *candidate) hasTwin(seen *look) (Verdict, string) {
	for _, m := range seen.mapped[c.segment] {
		if c.has(lockEntry) && !slices.ContainsFunc(c.entries, func(e *entry) bool { return e.inode() == m.inode }) {
			return Live, fmt.Sprintf("process %d has another segment of this name mapped, and may use the lock file", m.pid)
		}
	}
	return "", ""
}

// young is how long the maker of a file may take to begin to use it.
const young = time.Minute

// isYoung: a launcher may make the files before it starts the processes that
// open them.
func (c *candidate) isYoung(*look) (Verdict, string) {
	for _, e := range c.entries {
		if c.aged && time.Since(e.changed()) < young {
			return Unproven, fmt.Sprintf("it was changed less than %.0f s ago, and its maker may be about to use it; try again then, or name it", young.Seconds())
		}
	}
	return "", ""
}

// isAnyones: words alone do not show whose they are.
func (c *candidate) isAnyones(*look) (Verdict, string) {
	if c.kind == SegmentLike {
		return Foreign, "no process is seen to have it, and its words can be those of a barrier; if it is one, name it with --shm and --lock"
	}
	return "", ""
}

// isCounted takes a lease on each file. The kernel grants it only if no other
// open file, mapped or not, is of the inode.
func (c *candidate) isCounted(*look) (Verdict, string) {
	for _, e := range c.entries {
		if err := e.lease(); err != nil {
			return explain(e.path, err)
		}
	}
	return "", ""
}

// explain says why there is no lease.
func explain(path string, err error) (Verdict, string) {
	var at *fs.PathError
	switch {
	case errors.Is(err, unix.EAGAIN) && errors.As(err, &at) && at.Op != leaseOp:
		return Live, path + ": another process has a lease on it, such as another clean"
	case errors.Is(err, unix.EAGAIN):
		return Live, path + ": a process that cannot be seen from here has it open or mapped; run as root on the host to see which"
	case errors.Is(err, unix.EINVAL):
		return Unproven, fmt.Sprintf("%v: no leases in this file system, or /proc/sys/fs/leases-enable is 0", err)
	case errors.Is(err, fs.ErrPermission):
		return Unproven, ask(err).Error()
	}
	return Unproven, err.Error()
}

func (c *candidate) has(kind entryKind) bool {
	return slices.ContainsFunc(c.entries, func(e *entry) bool { return e.kind == kind })
}

// lease takes the leases of the entry, which it holds until close. What is
// neither a file nor a directory has none.
func (e *entry) lease() error {
	switch {
	case e.kind == markEntry: // locked by the claim, and opened by no party
		return nil
	case e.is(unix.S_IFREG):
		file, err := e.openFile()
		if err != nil {
			return err
		}
		return e.leaseFile(file, e.inode())
	case e.is(unix.S_IFDIR):
		return e.leaseTree()
	}
	return nil
}

// leaseTree takes the lease of each regular file in the directory.
func (e *entry) leaseTree() error {
	return fs.WalkDir(e.root.FS(), e.name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		file, err := e.root.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return e.leaseFile(file, inodeOf(info))
	})
}

// leaseFile takes the lease of an open file, which must have the inode.
func (e *entry) leaseFile(file *os.File, want fileuse.Inode) error {
	e.leased = append(e.leased, file)
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return &fs.PathError{Op: "fstat", Path: file.Name(), Err: err}
	}
	if fileuse.InodeOf(&stat) != want {
		return fmt.Errorf("%s: another file has this name now", file.Name())
	}
	return cmp.Or(isLocal(file), take(file))
}

const leaseOp = "take a lease on"

// local are the file systems that no other machine shares: there, the kernel
// counts all.
var local = []int64{
	unix.TMPFS_MAGIC, unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
	unix.BCACHEFS_SUPER_MAGIC,
	0x2fc12fc1, // ZFS
}

// isLocal fails if processes of another machine may have the file.
func isLocal(file *os.File) error {
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &system); err != nil {
		return &fs.PathError{Op: "statfs", Path: file.Name(), Err: err}
	}
	if !slices.Contains(local, int64(system.Type)) {
		return fmt.Errorf("%s: its file system (type %#x) may be shared with other machines, whose processes are not counted", file.Name(), system.Type)
	}
	return nil
}

// take takes the write lease of a file, or counts again if this process has it.
func take(file *os.File) error {
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		return &fs.PathError{Op: leaseOp, Path: file.Name(), Err: err}
	}
	return nil
}

// list names processes, and what they have.
func list(uses []Use) string {
	const most = 4
	var text []string
	for _, u := range uses[:min(most, len(uses))] {
		text = append(text, fmt.Sprintf("%d (%s)", u.PID, strings.Join(u.Has, ", ")))
	}
	if n := len(uses) - most; n > 0 {
		text = append(text, fmt.Sprintf("and %d more", n))
	}
	return "process " + strings.Join(text, ", ")
}
