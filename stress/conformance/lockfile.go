//go:build linux

package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/port"
)

// lockFile replaces the lock file between two acquisitions of the port and has
// another process lock the new one. The port must find it held.
func lockFile(s *subject) (string, error) {
	if !s.can.White {
		return "", errUnable
	}
	f := s.fixture()
	defer f.close()
	f.openWhite()
	f.steps("call 2", spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter)
	os.Remove(f.lockPath) // it is missing if the port has unlinked it
	f.try(func() error { return os.WriteFile(f.lockPath, nil, 0o600) })
	if f.err != nil {
		return "", f.err
	}
	holder := f.peer()
	defer holder.kill()
	holder.openWhite()
	holder.steps("call 2", spec.Call, spec.LockInit, spec.InitExit)
	f.steps("go", spec.LockEnter) // the lock is held
	holder.steps("go", spec.UnlockInit, spec.LockEnter)
	f.steps("go", spec.TestFirst)
	if f.err != nil {
		return "", f.errorf("the lock file was replaced and locked by another")
	}
	return "taken by its name", closeOnExec(s)
}

// closeOnExec looks at the descriptors of a port that holds the lock. Each of
// the lock file must be close-on-exec.
func closeOnExec(s *subject) error {
	f := s.fixture()
	defer f.close()
	f.openWhite()
	f.steps("call 1", spec.Call, spec.LockInit, spec.InitExit)
	if f.err != nil {
		return f.err
	}
	descriptor, err := f.lockDescriptor()
	if err != nil {
		return err
	}
	if descriptor.flags&unix.O_CLOEXEC == 0 {
		return descriptor.inherited()
	}
	copied, err := descriptor.copy()
	if err != nil {
		return nil // the system does not allow that
	}
	// A child that inherited the descriptor would have the same open file.
	defer copied.Close()
	f.steps("go", spec.UnlockInit, spec.LockEnter)
	f.try(func() error { return releasedThough(f.lockPath) })
	return f.err
}

// releasedThough returns a mistake unless the lock is free, while the runner
// has a copy of the descriptor that had it.
func releasedThough(lockPath string) error {
	free, err := lockprobe.NewProbe(lockPath).Free()
	if err == nil && !free {
		err = finding("PROTOCOL.md, section 3, number 3", "it releases the lock only by closing its descriptor: a child that inherited it would keep the lock held")
	}
	return err
}

// A descriptor is one of the lock file.
type descriptor struct {
	pid, fd int
	flags   int64
	locked  bool // it holds an flock
}

func (d descriptor) inherited() error {
	return finding("PROTOCOL.md, section 3, number 3", "its descriptor %d of the lock file is not close-on-exec: a child would keep the lock held", d.fd)
}

// lockDescriptor returns the descriptor by which the port holds the lock.
func (f *fixture) lockDescriptor() (descriptor, error) {
	for _, d := range f.descriptors() {
		if d.locked {
			return d, nil
		}
	}
	return descriptor{}, finding("PROTOCOL.md, section 3, number 1", "at InitExit none of its descriptors holds an flock on the file that the path names")
}

// descriptors lists those of the lock file that the port has.
func (f *fixture) descriptors() (list []descriptor) {
	lock, err := os.Stat(f.lockPath)
	if f.err != nil || err != nil {
		return nil
	}
	for _, pid := range f.port.Processes() {
		dir := fmt.Sprintf("/proc/%d/fd/", pid)
		entries, _ := os.ReadDir(dir) // none: it has ended
		for _, e := range entries {
			file, err := os.Stat(dir + e.Name())
			if err != nil || !os.SameFile(file, lock) {
				continue
			}
			d := descriptor{pid: pid}
			if d.flags, d.locked, err = flagsOf(pid, e.Name()); err != nil {
				continue
			}
			if d.fd, err = strconv.Atoi(e.Name()); err == nil {
				list = append(list, d)
			}
		}
	}
	return list
}

// copy returns a copy of the descriptor, as dup does.
func (d descriptor) copy() (*os.File, error) {
	process, err := unix.PidfdOpen(d.pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, d.fd, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "lock"), nil
}

// flagsOf returns the flags of a descriptor of another process, and whether it
// holds an flock.
func flagsOf(pid int, fd string) (flags int64, locked bool, err error) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, fd))
	if err != nil {
		return 0, false, err
	}
	err = fmt.Errorf("/proc/%d/fdinfo/%s has no flags: %q", pid, fd, info)
	for _, line := range strings.Split(string(info), "\n") {
		if octal, is := strings.CutPrefix(line, "flags:"); is {
			flags, err = strconv.ParseInt(strings.TrimSpace(octal), 8, 64)
		}
		locked = locked || strings.HasPrefix(line, "lock:") && strings.Contains(line, "FLOCK")
	}
	return flags, locked, err
}

// lockStays has the port call and give up, and looks whether the lock file is
// the same and has the same name.
func lockStays(s *subject) (string, error) {
	f := s.opened()
	defer f.close()
	var before, after os.FileInfo
	f.ask("call 1", port.Returned) // it has opened the file
	f.try(func() (err error) {
		if before, err = os.Lstat(f.lockPath); errors.Is(err, fs.ErrNotExist) {
			err = finding("PROTOCOL.md, section 3, number 4", "after a call the lock file is not there: it has unlinked it")
		}
		return err
	})
	f.uses()
	f.try(func() (err error) {
		if after, err = os.Lstat(f.lockPath); err != nil || !os.SameFile(before, after) {
			return finding("PROTOCOL.md, section 3, number 4", "after a call the lock file is another one or not there (%v): it has unlinked or replaced it", err)
		}
		return nil
	})
	f.try(func() error {
		entries, err := os.ReadDir(f.files.Dir)
		for _, e := range entries {
			if e.Name() != filepath.Base(f.lockPath) {
				return finding("PROTOCOL.md, section 3, number 2", "it has made the file %q beside the lock file", e.Name())
			}
		}
		return err
	})
	return "it stays where it is", f.err
}

// uses has the port use its lock in the ways that it can.
func (f *fixture) uses() {
	for range 2 {
		f.ask("call 1", port.Returned)
	}
	if f.subject.can.Withdraw {
		f.send("call 2")
		f.awaitCounted()
		f.ask("giveup", port.Withdrawn)
	}
}

// lockOpens has the port take the lock of a file that exists.
func lockOpens(s *subject) (string, error) {
	f := s.gated()
	defer f.close()
	f.try(func() error { return os.WriteFile(f.lockPath, nil, 0o600) })
	for range 2 {
		f.send("call 1")
		f.answers("call 1", port.Returned, spec.Initial)
	}
	f.try(func() error {
		if f.gate.creates.Load() {
			return finding("PROTOCOL.md, section 3, number 2: opening", "it opens a lock file that exists with O_CREAT: in a sticky directory the kernel refuses that for the file of another user (fs.protected_regular)")
		}
		return nil
	})
	return "without O_CREAT", f.err
}

// lockContents has the port use a lock file with contents.
func lockContents(s *subject) (string, error) {
	const text = "not a word of this\n"
	f := s.fixture()
	defer f.close()
	f.try(func() error { return os.WriteFile(f.lockPath, []byte(text), 0o600) })
	f.ask(f.open(), port.Opened)
	f.uses()
	f.try(func() error {
		got, err := os.ReadFile(f.lockPath)
		if errors.Is(err, fs.ErrNotExist) {
			return errUnlinks
		}
		if err == nil && string(got) != text {
			err = finding("PROTOCOL.md, section 2", "it makes the contents of the lock file %.80q where they were %q", got, text)
		}
		return err
	})
	return "neither written nor truncated", f.err
}

// errUnlinks: what the check looks at is not there.
var errUnlinks = notAsked{NotApplicable, "it unlinks the lock file"}

// lockPaths has the runner hold the lock at paths that a port may cut or
// change, and then has the port create the file.
func lockPaths(s *subject) (string, error) {
	for i, name := range []string{"two  spaces and one at the end ", "Zürich λ 東京", "a'b\"c$HOME;*&(x)%s%n\\", strings.Repeat("long", 50), "-n", "~", "lock=1#2", "100%25 %41+%2f", strings.Repeat(strings.Repeat("deep", 60)+"/", 14) + "lock"} {
		f := s.fixture()
		f.try(func() error {
			f.lockPath = filepath.Join(f.files.Dir, name)
			if err := os.MkdirAll(filepath.Dir(f.lockPath), 0o700); err != nil || i%2 == 0 {
				return err // the file does not exist yet
			}
			return os.WriteFile(f.lockPath, nil, 0o600)
		})
		f.ask(f.open(), port.Opened)
		f.locked(func() {
			before := f.words()
			f.send("call 1")
			f.restsFor(2*time.Millisecond+spec.Tick, 2, before, "PROTOCOL.md, section 3, number 2")
		})
		f.expect("call 1", port.Returned)
		unlinks := false
		f.try(func() error {
			err := os.Remove(f.lockPath)
			if unlinks = errors.Is(err, fs.ErrNotExist); unlinks {
				return nil
			}
			return err
		})
		f.ask("call 1", port.Returned)
		f.try(func() error {
			if _, err := os.Lstat(f.lockPath); err != nil && !unlinks {
				return finding("PROTOCOL.md, section 3, number 2", "the lock file is missing, and it does not create it: %v", err)
			}
			return nil
		})
		err := f.errorf("with a lock file that is called %.60q (%d bytes)", name, len(name))
		os.Remove(f.lockPath)
		f.close()
		if err != nil {
			return "", err
		}
	}
	return "the whole path", nil
}

// replace puts another file, which the runner has locked, in the place of the
// lock file, which the runner may hold too. With keep the old file gets another
// name, otherwise it has none.
func (f *fixture) replace(h *holding, keep bool) {
	f.try(func() error {
		beside := filepath.Join(f.files.Dir, "beside")
		file, err := os.OpenFile(beside, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := flock(file, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			file.Close()
			return err
		}
		if keep {
			err = unix.Renameat2(unix.AT_FDCWD, beside, unix.AT_FDCWD, f.lockPath, unix.RENAME_EXCHANGE)
		} else {
			err = os.Rename(beside, f.lockPath)
		}
		h.release()
		h.file = file
		return err
	})
}

// replaced puts another lock file, which the runner holds, in the place of the
// one that the port has used. The port must find it held: between two calls,
// and while it waits for the lock; where the old file has another name, and
// where it has none.
func replaced(s *subject) (string, error) {
	const clause = "PROTOCOL.md, section 3, number 2"
	for _, c := range []struct {
		what             string
		keep, whileWaits bool
	}{
		{"renamed away between two calls", true, false},
		{"unlinked between two calls", false, false},
		{"unlinked while it waits for the lock", false, true},
	} {
		f := s.opened()
		var h holding
		f.ask("call 1", port.Returned)
		if _, err := os.Lstat(f.lockPath); f.err == nil && err != nil {
			f.close()
			return "", errUnlinks
		}
		if c.whileWaits {
			f.takes(&h, "")
			f.send("call 1")
			f.restsFor(spec.Tick, 2, spec.Initial, clause)
			f.replace(&h, c.keep)
		} else {
			f.replace(&h, c.keep)
			f.send("call 1")
		}
		f.restsFor(3*spec.Tick, 2, spec.Initial, clause)
		h.release()
		f.expect("call 1", port.Returned)
		err := f.errorf("the lock file was %s, and another process holds the lock of the new one", c.what)
		f.close()
		if unsupported(err) {
			continue
		}
		if err != nil {
			return "", err
		}
	}
	return "taken by its name", nil
}

// unsupported: the file system cannot exchange two names.
func unsupported(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) }
