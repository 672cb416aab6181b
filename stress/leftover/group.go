//go:build linux

package leftover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
)

// A groupFile is the content of the segment of a group (spec/GROUP.md).
type groupFile []byte

// maxGroup is the size of the largest one, in bytes.
const maxGroup = spec.GroupHeaderSize + 4096*spec.GroupSlotSize

// errNoGroup: a file has the name of a group, and is something else.
var errNoGroup = errors.New("it is no group")

// group reads the segment of a group. It fails with errNoGroup.
func (e *entry) group() (groupFile, error) {
	if !e.is(unix.S_IFREG) || e.stat.Size < spec.GroupHeaderSize || e.stat.Size > maxGroup {
		return nil, fmt.Errorf("%s: %w", e.path, errNoGroup)
	}
	file, err := e.openFile()
	if err != nil {
		return nil, ask(err)
	}
	defer file.Close()
	g := make(groupFile, e.stat.Size)
	if _, err := io.ReadFull(file, g); err != nil {
		return nil, err
	}
	order := binary.NativeEndian
	switch {
	case order.Uint64(g) != spec.GroupMagic:
		return nil, fmt.Errorf("%s: %w", e.path, errNoGroup)
	case order.Uint32(g[at(spec.GroupHeader, "version"):]) != spec.GroupVersion:
		return nil, fmt.Errorf("%s is a group of another version", e.path)
	case len(g) != spec.GroupHeaderSize+int(order.Uint32(g[at(spec.GroupHeader, "parties"):]))*spec.GroupSlotSize:
		return nil, fmt.Errorf("%s has %d bytes, and another party count", e.path, len(g))
	}
	return g, nil
}

// barrier returns the segment of the group's barrier.
func (g groupFile) barrier() fileuse.Inode {
	return fileuse.Inode{Dev: binary.NativeEndian.Uint64(g[at(spec.GroupHeader, "device"):]), Ino: binary.NativeEndian.Uint64(g[at(spec.GroupHeader, "inode"):])}
}

// ownerDied is FUTEX_OWNER_DIED, which the kernel sets in the owner of a slot.
const ownerDied = 1 << 30

// owned returns a rank whose owner has not left and is not marked as dead, or -1.
func (g groupFile) owned() int {
	for rank := range (len(g) - spec.GroupHeaderSize) / spec.GroupSlotSize {
		owner := binary.NativeEndian.Uint32(g[spec.GroupHeaderSize+rank*spec.GroupSlotSize+at(spec.GroupSlot, "owner"):])
		if owner != 0 && owner&ownerDied == 0 {
			return rank
		}
	}
	return -1
}

func at(fields []spec.GroupField, name string) int {
	return fields[slices.IndexFunc(fields, func(f spec.GroupField) bool { return f.Name == name })].Offset
}

// hasOwner: the kernel marks the owner of a slot when it dies. One that is not
// marked may go on, though no process has the file now, as one that was saved
// to disk.
func (c *candidate) hasOwner(*look) (Verdict, string) {
	for _, e := range c.entries {
		if e.kind != groupEntry {
			continue
		}
		g, err := e.group()
		switch {
		case errors.Is(err, fs.ErrPermission):
			return Unproven, err.Error()
		case err != nil:
			return Foreign, err.Error()
		}
		if rank := g.owned(); rank >= 0 {
			return Unproven, fmt.Sprintf("rank %d of %s has an owner that is not dead for the kernel; if that is gone, join with its rank", rank, e.path)
		}
	}
	return "", ""
}

// forgetGroup makes a group that is none what it would be without the file. It
// reports whether there is anything then.
func (c *candidate) forgetGroup() bool {
	c.entries = slices.DeleteFunc(c.entries, func(e *entry) bool {
		if e.kind != groupEntry {
			return false
		}
		_, err := e.group()
		if errors.Is(err, errNoGroup) {
			e.close()
			c.kind, c.of, c.aged = SegmentLike, "unknown", false
			return true
		}
		return false
	})
	return len(c.entries) > 0
}

// isOthersGroup: a barrier goes with its group, since the words may be half
// changed. The group says which one is its own.
func (c *candidate) isOthersGroup() string {
	i := slices.IndexFunc(c.entries, func(e *entry) bool { return e.kind == groupEntry })
	j := slices.IndexFunc(c.entries, func(e *entry) bool { return e.kind == segmentEntry })
	if i < 0 || j < 0 || c.named {
		return ""
	}
	if g, err := c.entries[i].group(); err == nil && g.barrier() != c.entries[j].inode() {
		return fmt.Sprintf("%s is the group of another barrier than %s; if both are over, name it with --shm and --lock", c.entries[i].path, c.entries[j].path)
	}
	return ""
}
