//go:build linux

package leftover

import (
	"bufio"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// writeGroup makes the group, of an hour ago, of the barrier that has the name
// now. Its only rank has the owner.
func (f *fixture) writeGroup(path string, owner uint32) {
	f.Helper()
	var barrier unix.Stat_t
	f.try(unix.Stat(strings.TrimSuffix(path, spec.GroupSuffix), &barrier))
	content := make([]byte, spec.GroupHeaderSize+spec.GroupSlotSize)
	order := binary.NativeEndian
	order.PutUint64(content, spec.GroupMagic)
	order.PutUint32(content[at(spec.GroupHeader, "version"):], spec.GroupVersion)
	order.PutUint32(content[at(spec.GroupHeader, "parties"):], 1)
	order.PutUint64(content[at(spec.GroupHeader, "device"):], barrier.Dev)
	order.PutUint64(content[at(spec.GroupHeader, "inode"):], barrier.Ino)
	order.PutUint32(content[spec.GroupHeaderSize+at(spec.GroupSlot, "owner"):], owner)
	f.try(os.WriteFile(path, content, 0o600))
	f.age(path)
}

// TestProc_Group: the group of a job of which all members were killed is
// removed, together with the segment of its barrier. While a member lives both
// stay, also if the user names them.
func TestProc_Group(t *testing.T) {
	for name, kind := range map[string]Kind{"job": OfGroup, "barrier": OfBarrier} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.segment, f.lock = filepath.Join(shm, f.id+"_"+name), filepath.Join(filepath.Dir(f.lock), "lock")
			files := []string{f.segment, f.segment + spec.GroupSuffix}
			cmd := reexec.Command(t.Context(), "join", filepath.Base(f.segment), f.lock)
			out := bufio.NewReader(reexec.Start(t, cmd))
			if line, err := out.ReadString('\n'); line != "joined\n" {
				t.Fatalf("a member says %q (%v)", line, err)
			}
			for _, path := range files {
				f.age(path)
			}
			for what, o := range map[string]Options{"all": {Remove: true}, "named": {Remove: true, Segment: filepath.Base(f.segment), LockPath: f.lock}} {
				r := f.clean(o)
				if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != Live || r.Leftovers[0].Kind == OfGroup != (kind == OfGroup && what == "all") {
					t.Errorf("%s, with a live member: got %+v, want one that is live", what, r.Leftovers)
				}
			}
			for _, path := range files {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("with a live member: %v", err)
				}
			}
			cmd.Process.Kill()
			cmd.Wait()
			for _, path := range files {
				f.age(path)
			}
			if r := f.awaitDead(Options{}); len(r.Leftovers) != 1 || r.Leftovers[0].Kind != kind {
				t.Errorf("when it was killed: got %+v, want one %s that is dead", r.Leftovers, kind)
			}
			if v, why := f.verdict(Options{Remove: true}); v != Removed {
				t.Errorf("with Remove: got %s (%s), want %s", v, why, Removed)
			}
			for _, path := range files {
				if _, err := os.Stat(path); !os.IsNotExist(err) {
					t.Errorf("with Remove: Stat(%s): got %v, want no file", path, err)
				}
			}
		})
	}
}

// TestHazard_NoGroup: a file that only has the name of a group is not listed,
// and neither it nor the file beside it is removed.
func TestHazard_NoGroup(t *testing.T) {
	f := newFixture(t)
	f.segment = filepath.Join(shm, f.id+"_job")
	f.write(f.segment)
	f.try(os.WriteFile(f.segment+spec.GroupSuffix, make([]byte, 2000), 0o600))
	f.age(f.segment + spec.GroupSuffix)
	if r := f.clean(Options{Remove: true}); len(r.Leftovers) != 1 || r.Leftovers[0].Kind != SegmentLike || r.Leftovers[0].Verdict != Foreign || len(r.Leftovers[0].Paths) != 1 {
		t.Errorf("got %+v, want a look-alike of one file", r.Leftovers)
	}
	for _, path := range []string{f.segment, f.segment + spec.GroupSuffix} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
