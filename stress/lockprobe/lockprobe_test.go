//go:build linux

package lockprobe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The lock is free, held, and held in a file that has replaced the first one. A
// pinned probe stays at the first one.
func TestUnit_ProbeFollowsThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	probe, pinned := NewProbe(path), NewProbe(path)
	defer probe.Close()
	defer pinned.Close()
	check := func(when string, p *Probe, want bool, wantHolder int) {
		t.Helper()
		free, err := p.Free()
		if err != nil || free != want {
			t.Errorf("Free %s: got %v, %v, want %v", when, free, err, want)
		}
		if holder, err := Holder(path); err != nil || holder != wantHolder {
			t.Errorf("Holder %s: got %d, %v, want %d", when, holder, err, wantHolder)
		}
	}
	hold := func() *os.File { return hold(t, path) }
	check("without a file", probe, true, -1)
	first := hold()
	check("of a held file", probe, false, os.Getpid())
	if err := pinned.Pin(); err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	check("after it was unlinked", probe, true, -1)
	hold()
	check("of the file that took its place", probe, false, os.Getpid())
	first.Close()
	check("of the new file when the old one is given back", probe, false, os.Getpid())
	check("of the old file when it is given back", pinned, true, os.Getpid())
}

// hold creates the file and locks it.
func hold(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestProc_HolderOfManyLocks looks for a holder while more locks are held than
// one read of /proc/locks returns, and others are taken and given back: the
// list then leaves some out, or has them twice. The holder is always found.
func TestProc_HolderOfManyLocks(t *testing.T) {
	dir := t.TempDir()
	var files []*os.File
	for i := range 90 {
		files = append(files, hold(t, filepath.Join(dir, fmt.Sprint(i))))
	}
	held, toggled, done := files[:70], files[70:], make(chan struct{})
	var toggling sync.WaitGroup
	toggling.Go(func() {
		for {
			for _, how := range []int{unix.LOCK_UN, unix.LOCK_EX} {
				for _, f := range toggled {
					unix.Flock(int(f.Fd()), how)
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	defer toggling.Wait()
	defer close(done)
	for look := range 1000 {
		f := held[look%len(held)]
		if pid, err := Holder(f.Name()); pid != os.Getpid() || err != nil {
			t.Fatalf("Holder, look %d: got %d, %v, want this process, %d", look, pid, err, os.Getpid())
		}
		if q, err := QueueOf(f.Name()); !slices.Equal(q.Holders, []int{os.Getpid()}) || len(q.Waiters) > 0 || err != nil {
			t.Fatalf("QueueOf, look %d: got %+v, %v, want this process, %d", look, q, err, os.Getpid())
		}
	}
}

// TestProc_HolderIsAChild: the process that has locked the file is gone from
// it, and a child of it holds the lock. /proc/locks still names the first.
func TestProc_HolderIsAChild(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	f := hold(t, path)
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{f}
	stdin, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []int{os.Getpid(), child.Process.Pid}
	if pids := holders(t, path); !slices.Equal(pids, want) {
		t.Errorf("Holders of a file that a child shares: got %v, want %v", pids, want)
	}
	f.Close()
	if pids := holders(t, path); !slices.Equal(pids, want[1:]) {
		t.Errorf("Holders when only the child has the file: got %v, want %v", pids, want[1:])
	}
	stdin.Close()
	child.Wait()
	if pids := holders(t, path); len(pids) > 0 {
		t.Errorf("Holders when the child is gone: got %v, want none", pids)
	}
}

// holders returns what Holders yields, each once.
func holders(t *testing.T, path string) (pids []int) {
	for pid, err := range Holders(path, os.Getpid()) {
		if err != nil {
			t.Errorf("Holders: %v", err)
		}
		if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// What replaces the lock file is neither opened nor followed; the control is a
// regular file.
func TestUnit_ProbeRefusesWhatIsNoFile(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"FIFO":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink(os.DevNull, path) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(t.TempDir(), "lock")
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		var want error
		if name != "file" {
			want = ErrNotRegular
		}
		probe, pinned := NewProbe(path), NewProbe(path)
		_, free := probe.Free()
		_, holder := Holder(path)
		for call, err := range map[string]error{"Free": free, "Holder": holder, "Pin": pinned.Pin()} {
			if !errors.Is(err, want) {
				t.Errorf("%s of a %s: %v, want %v", call, name, err, want)
			}
		}
		pinned.Close()
	}
}
