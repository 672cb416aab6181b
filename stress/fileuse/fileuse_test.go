//go:build linux

package fileuse

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnit_Uses: a file is seen that this process has open, mapped, or mapped
// after its name is gone, each alone. The control is the file before and after.
func TestUnit_Uses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 12), 0o600); err != nil {
		t.Fatal(err)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		t.Fatal(err)
	}
	pid, inode := os.Getpid(), InodeOf(&stat)
	check := func(when string, open, mapped, gone bool) {
		t.Helper()
		link := Descriptor(pid, inode)
		if target, _ := os.Readlink(link); (link != "") != open || open && target != path {
			t.Errorf("%s: Descriptor: got %q, which is %q; want open: %v", when, link, target, open)
		}
		mappings, hidden := Mappings(pid)
		i := slices.IndexFunc(mappings, func(m Mapping) bool { return m.Inode == inode })
		if (i >= 0) != mapped || hidden {
			t.Errorf("%s: Mappings: mapped: %v, hidden: %v; want %v, false", when, i >= 0, hidden, mapped)
		}
		if i >= 0 && (mappings[i].Path != path || mappings[i].Gone != gone || !mappings[i].Shared) {
			t.Errorf("%s: Mappings: got %+v, want %s, gone: %v, shared", when, mappings[i], path, gone)
		}
	}
	check("before", false, false, false)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	check("open", true, false, false)
	memory, err := unix.Mmap(int(file.Fd()), 0, 12, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	check("mapped", false, true, false)
	os.Remove(path)
	check("mapped and removed", false, true, true)
	unix.Munmap(memory)
	check("after", false, false, false)
}
