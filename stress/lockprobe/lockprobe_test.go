//go:build linux

package lockprobe

import (
	"errors"
	"os"
	"path/filepath"
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
	hold := func() *os.File {
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
