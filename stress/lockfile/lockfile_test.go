//go:build linux

package lockfile

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestProbe_FollowsThePath: free, held, and held in a file that took the place
// of the one before; a pinned probe stays with the old file.
func TestProbe_FollowsThePath(t *testing.T) {
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
