//go:build linux

package leftover

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"sharedbarrier/stress/scratch"
)

// remove removes the candidate, which judge has found dead and whose leases it
// holds. The package comment says why no process is harmed. It returns the
// verdict after that.
func (c *candidate) remove(parked func(path string)) (Verdict, string) {
	if err := c.park(parked); err != nil {
		if back := c.unpark(); back != nil {
			return Unproven, fmt.Errorf("%w; %w", err, back).Error()
		}
		if errors.Is(err, errUsed) {
			return Live, err.Error()
		}
		return Unproven, err.Error()
	}
	var failed []error
	for _, e := range c.entries {
		if e.kind != markEntry {
			failed = append(failed, e.unlink())
		}
	}
	if s, ok := c.claimed.(*scratch.Scratch); ok && errors.Join(failed...) == nil {
		failed = append(failed, s.Forget()) // last, so that a run with a rest has a mark
	}
	if err := errors.Join(failed...); err != nil {
		return Unproven, err.Error()
	}
	return Removed, "no process had it"
}

// park renames all names to such that no process knows. It fails if one of them
// is that of another file now, or if a process has opened a file, or is about
// to.
func (c *candidate) park(parked func(path string)) error {
	for _, e := range c.entries {
		if e.kind == markEntry {
			continue
		}
		if err := e.same(); err != nil {
			return err
		}
		if err := e.rename(parkedName(e.name)); err != nil {
			return err
		}
		if parked != nil {
			parked(e.path)
		}
	}
	for _, e := range c.entries {
		if err := e.same(); err != nil {
			return err
		}
		for _, file := range e.leased {
			if wanted(file) || take(file) != nil {
				return fmt.Errorf("%s: %w", file.Name(), errUsed)
			}
		}
	}
	return nil
}

// wanted reports whether a process has begun to open the file since the lease
// was taken. It may have given up (O_NONBLOCK), so that it is not counted.
func wanted(file *os.File) bool {
	lease, err := unix.FcntlInt(file.Fd(), unix.F_GETLEASE, 0)
	return err != nil || lease != unix.F_WRLCK
}

// parkedName returns a name that no process knows, and that Clean knows again.
// The longest names lose their end.
func parkedName(name string) string {
	ending := fmt.Sprintf(".removing-%016x", rand.Uint64())
	return name[:min(len(name), unix.NAME_MAX-len(ending))] + ending
}

// errUsed: the kernel has counted a process since the lease was taken.
var errUsed = errors.New("a process was about to open it")

// same fails unless the name is still that of the file that was judged.
func (e *entry) same() error {
	now, err := e.now()
	if err == nil && (now.Dev != e.stat.Dev || now.Ino != e.stat.Ino || e.is(unix.S_IFREG) && now.Nlink != e.stat.Nlink) {
		err = fmt.Errorf("%s: another file has this name now, or the file has another name", e.path)
	}
	return err
}

// unpark gives back the names.
func (c *candidate) unpark() error {
	var failed []error
	for _, e := range c.entries {
		if name := filepath.Base(e.path); e.name != name {
			failed = append(failed, e.rename(name))
		}
	}
	return errors.Join(failed...)
}

// rename gives the entry a name that nothing has.
func (e *entry) rename(name string) error {
	parent := int(e.parent.Fd())
	if err := unix.Renameat2(parent, e.name, parent, name, unix.RENAME_NOREPLACE); err != nil {
		return fmt.Errorf("rename %s to %s: %w", filepath.Join(filepath.Dir(e.path), e.name), name, err)
	}
	e.name = name
	return nil
}

func (e *entry) unlink() error {
	if e.is(unix.S_IFDIR) {
		return e.root.RemoveAll(e.name)
	}
	return e.root.Remove(e.name)
}
