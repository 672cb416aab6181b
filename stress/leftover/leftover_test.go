//go:build linux

package leftover

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl/group"
	"sharedbarrier/model/cli/workdir"
	"sharedbarrier/spec"
	"sharedbarrier/spec/intercept"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/scratch"
)

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){
		"map": func() { // maps the file, closes it, and waits
			must(mapFile(os.Args[1]))
			fmt.Println("mapped")
			time.Sleep(time.Hour) // until it is killed
		},
		"as": func() { // cleans as another user
			must(0, unix.Setresuid(other, other, other))
			r := must(Clean(context.Background(), Options{Remove: true, Only: ofID(os.Args[1])}))
			r.JSON(os.Stdout)
		},
		"join": func() { // is a member of a group, and waits
			g := must(group.Join(context.Background(), group.Config{Name: os.Args[1], LockPath: os.Args[2], Parties: 2, Rank: 1}))
			fmt.Println("joined")
			g.Wait(context.Background())
		},
		"die": func() { // is killed in the middle of a removal
			must(Clean(context.Background(), Options{Remove: true, Only: ofID(os.Args[1]), parked: func(string) {
				unix.Kill(os.Getpid(), unix.SIGKILL)
			}}))
		},
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func mapFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return unix.Mmap(int(file.Fd()), 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

// A fixture has names as MosaicML Streaming gives them. No other test has their
// number. The lock file is in a folder of its own for temporary files.
type fixture struct {
	*testing.T
	id, segment, lock string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	id := fmt.Sprintf("9%018d", rand.Int64N(1e18))
	f := &fixture{t, id, filepath.Join(shm, id+"_barrier"), filepath.Join(dir, id+"_barrier_filelock")}
	t.Cleanup(func() {
		for _, pattern := range []string{f.segment + "*", filepath.Join(shm, id+"*"), f.lock + "*"} {
			paths, _ := filepath.Glob(pattern)
			for _, path := range paths {
				os.Remove(path)
			}
		}
	})
	return f
}

// ofID selects what belongs to a fixture.
func ofID(id string) func(string) bool {
	return func(path string) bool { return strings.Contains(path, id) }
}

// write makes files as a job has that was killed an hour ago: words in the
// segment, and nothing in the lock file.
func (f *fixture) write(paths ...string) {
	f.Helper()
	words, err := binary.Append(nil, binary.NativeEndian, []int32{0, 2, 1})
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		content := words
		if strings.HasPrefix(path, f.lock) {
			content = nil
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			f.Fatal(err)
		}
		f.age(path)
	}
}

func (f *fixture) age(path string) {
	f.Helper()
	old := unix.NsecToTimespec(time.Now().Add(-time.Hour).UnixNano())
	f.try(unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{old, old}, unix.AT_SYMLINK_NOFOLLOW))
}

// clean calls Clean for what belongs to the fixture.
func (f *fixture) clean(o Options) *Report {
	f.Helper()
	if o.Only == nil {
		o.Only = ofID(f.id)
	}
	r, err := Clean(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// verdict returns the verdict on the only leftover.
func (f *fixture) verdict(o Options) (Verdict, string) {
	f.Helper()
	r := f.clean(o)
	if len(r.Leftovers) != 1 {
		f.Fatalf("found %+v, want one leftover", r.Leftovers)
	}
	return r.Leftovers[0].Verdict, r.Leftovers[0].Why
}

// awaitDead waits until the verdict on all leftovers is dead: the kernel takes a
// moment to close what a killed process had, or a socket. A process that looks
// at its memory or its descriptors just then keeps them.
func (f *fixture) awaitDead(o Options) *Report {
	f.Helper()
	for {
		r := f.clean(o)
		verdicts := map[Verdict]int{}
		for _, l := range r.Leftovers {
			verdicts[l.Verdict]++
		}
		switch n := len(r.Leftovers); {
		case n > 0 && verdicts[Dead] == n:
			return r
		case verdicts[Live] == 0:
			f.Fatalf("the control: %+v, want dead", r.Leftovers)
		}
		runtime.Gosched()
	}
}

// holdPath gives a process a descriptor of the file with which it cannot be
// read (O_PATH). The kernel does not count it as open.
func (f *fixture) holdPath(path string) (end func()) {
	f.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	cmd := exec.CommandContext(f.Context(), "cat")
	cmd.ExtraFiles = []*os.File{file}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.Fatal(err)
	}
	return func() { stdin.Close(); cmd.Wait() }
}

// inFlight puts a descriptor of the file into a socket, and closes it.
func (f *fixture) inFlight(path string) (end func()) {
	f.Helper()
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = errors.Join(unix.Sendmsg(sockets[0], []byte{0}, unix.UnixRights(int(file.Fd())), nil, 0), file.Close())
	}
	if err != nil {
		f.Fatal(err)
	}
	return func() { unix.Close(sockets[0]); unix.Close(sockets[1]) }
}

// mapped starts a process that has the file mapped and not open.
func (f *fixture) mapped(path string) (end func()) {
	f.Helper()
	cmd := reexec.Command(f.Context(), "map", path)
	if line, err := bufio.NewReader(reexec.Start(f, cmd)).ReadString('\n'); err != nil {
		f.Fatalf("%q, %v", line, err)
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }
}

func (f *fixture) try(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// TestHazard_Conditions: each condition of the proof protects something that
// lives, or is not known to be dead, which no other condition protects: without
// the condition the verdict is dead. The control is the verdict when that has
// ended.
func TestHazard_Conditions(t *testing.T) {
	for name, c := range map[string]struct {
		condition int
		want      Verdict
		live      func(f *fixture) (end func())
	}{
		"a directory whose maker lives": {0, Live, func(f *fixture) func() {
			d, err := workdir.Make(f.TempDir(), "sharedbarrier-test-")
			f.try(err)
			f.Setenv("TMPDIR", filepath.Dir(d.Path))
			f.id = filepath.Base(d.Path)
			return func() { d.Release() }
		}},
		"a segment of another size": {1, Foreign, func(f *fixture) func() {
			f.write(f.segment)
			f.try(os.Truncate(f.segment, spec.Size+1))
			f.age(f.segment)
			return func() { f.write(f.segment) }
		}},
		"a symbolic link": {1, Foreign, func(f *fixture) func() {
			f.try(os.Symlink("/dev/shm", f.segment))
			f.age(f.segment)
			return func() { os.Remove(f.segment); f.write(f.segment) }
		}},
		"a lock file with content": {1, Foreign, func(f *fixture) func() {
			f.try(os.WriteFile(f.lock, []byte("4711\n"), 0o600))
			f.age(f.lock)
			return func() { f.write(f.lock) }
		}},
		"a segment with another name": {1, Foreign, func(f *fixture) func() {
			f.write(f.segment)
			other := filepath.Join(shm, "hard-link-to-"+f.id)
			f.try(os.Link(f.segment, other))
			f.id = filepath.Base(f.segment)
			return func() { os.Remove(other) }
		}},
		"a descriptor that the kernel does not count": {2, Live, func(f *fixture) func() {
			f.write(f.segment, f.lock)
			return f.holdPath(f.lock)
		}},
		"the lock file of a segment without a name": {3, Live, func(f *fixture) func() {
			f.write(f.segment, f.lock)
			end := f.mapped(f.segment)
			os.Remove(f.segment)
			return end
		}},
		"a barrier whose parties are not yet there": {4, Unproven, func(f *fixture) func() {
			f.write(f.segment, f.lock)
			f.try(os.Chtimes(f.segment, time.Time{}, time.Now().Add(time.Hour))) // young, however slow this test is
			return func() { f.age(f.segment) }
		}},
		"a group of another barrier": {1, Foreign, func(f *fixture) func() {
			f.write(f.segment)
			f.writeGroup(f.segment+spec.GroupSuffix, 0)
			file := must(os.OpenFile(f.segment+spec.GroupSuffix, os.O_WRONLY, 0))
			must(file.WriteAt(make([]byte, 8), int64(at(spec.GroupHeader, "inode"))))
			f.try(file.Close())
			f.age(f.segment + spec.GroupSuffix)
			return func() { f.writeGroup(f.segment+spec.GroupSuffix, 0) }
		}},
		"a group with an owner that is not marked": {6, Unproven, func(f *fixture) func() {
			f.write(f.segment)
			f.writeGroup(f.segment+spec.GroupSuffix, 4711)
			return func() { f.writeGroup(f.segment+spec.GroupSuffix, 4711|ownerDied) }
		}},
		"a descriptor in flight": {7, Live, func(f *fixture) func() {
			f.write(f.segment, f.lock)
			return f.inFlight(f.segment)
		}},
		"another file of 12 bytes": {5, Foreign, func(f *fixture) func() {
			f.id += "-foreign"
			f.segment = filepath.Join(shm, f.id)
			f.write(f.segment)
			return func() {
				f.try(os.Rename(f.segment, filepath.Join(shm, strings.TrimSuffix(f.id, "-foreign")+"_barrier")))
				f.id = strings.TrimSuffix(f.id, "-foreign")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			end := c.live(f)
			if v, why := f.verdict(Options{Remove: true}); v != c.want || why == "" {
				t.Errorf("got %s (%s), want %s", v, why, c.want)
			}
			all := conditions
			conditions = slices.Delete(slices.Clone(all), c.condition, c.condition+1)
			v, why := f.verdict(Options{})
			conditions = all
			if v != Dead {
				t.Errorf("without the condition that %s: got %s (%s), want that nothing else protects it", all[c.condition].name, v, why)
			}
			end()
			f.awaitDead(Options{})
		})
	}
	if len(conditions) != 8 {
		t.Errorf("there are %d conditions; each needs a case here", len(conditions))
	}
}

// TestProc_Uses: the report names the processes that have a file, and how.
func TestProc_Uses(t *testing.T) {
	f := newFixture(t)
	f.write(f.segment, f.lock)
	end := f.mapped(f.segment)
	lock := exec.CommandContext(t.Context(), "flock", f.lock, "cat")
	stdin, err := lock.StdinPipe()
	f.try(err)
	f.try(lock.Start())
	var uses []Use
	locked := func(u Use) bool { return slices.Contains(u.Has, "locked") }
	for len(uses) < 3 || !slices.ContainsFunc(uses, locked) { // flock(1) and its child
		uses = f.clean(Options{Remove: true}).Leftovers[0].Processes
	}
	for _, u := range uses {
		want := []string{"open", "locked"}
		switch {
		case !slices.Contains(u.Has, "open"):
			want = []string{"mapped"}
		case u.PID != lock.Process.Pid:
			want = want[:1]
		}
		if u.User == "" || !slices.Equal(u.Has, want) {
			t.Errorf("process %+v, want a user, and that it has %v", u, want)
		}
	}
	end()
	stdin.Close()
	lock.Wait()
	f.awaitDead(Options{})
}

// inode returns the number of the file.
func (f *fixture) inode(path string) uint64 {
	f.Helper()
	info, err := os.Lstat(path)
	f.try(err)
	return info.Sys().(*syscall.Stat_t).Ino
}

// TestProc_Removed: what is dead is removed, both files, or one that is alone.
// The control is the list before, which leaves everything.
func TestProc_Removed(t *testing.T) {
	for name, paths := range map[string]func(f *fixture) []string{
		"both":         func(f *fixture) []string { return []string{f.segment, f.lock} },
		"segment":      func(f *fixture) []string { return []string{f.segment} },
		"lock file":    func(f *fixture) []string { return []string{f.lock} },
		"not yet size": func(f *fixture) []string { return []string{f.segment} },
		"run, after a Clean that was killed": func(f *fixture) []string {
			run := "sharedbarrier-test-1-" + f.id[:16]
			dir := filepath.Join(filepath.Dir(f.lock), run+".removing-0123456789abcdef")
			f.try(os.MkdirAll(filepath.Join(dir, "folder"), 0o700))
			f.write(filepath.Join(dir, "folder", "file"))
			f.age(dir)
			f.id = run
			segment := filepath.Join(shm, run+".segment.removing-fedcba9876543210")
			f.write(segment)
			return []string{segment, dir}
		},
		"longest name": func(f *fixture) []string {
			name := "sharedbarrier-test-1-" + f.id[:16] + ".segment"
			f.id = name + strings.Repeat("n", unix.NAME_MAX-len(name))
			f.Cleanup(func() { os.Remove(filepath.Join(shm, f.id)) })
			return []string{filepath.Join(shm, f.id)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			paths := paths(f)
			if !strings.HasPrefix(name, "run") {
				f.write(paths...)
			}
			if name == "not yet size" {
				f.try(os.Truncate(f.segment, 0))
				f.age(f.segment)
			}
			for _, c := range []struct {
				remove bool
				want   Verdict
				left   int
			}{{false, Dead, len(paths)}, {true, Removed, 0}} {
				if v, why := f.verdict(Options{Remove: c.remove}); v != c.want {
					t.Errorf("Remove: %v: %s (%s), want %s", c.remove, v, why, c.want)
				}
				if left := f.left(); len(left) != c.left {
					t.Errorf("Remove: %v: left %v, want %d files", c.remove, left, c.left)
				}
			}
			if r := f.clean(Options{}); len(r.Leftovers) > 0 {
				t.Errorf("afterwards: found %+v", r.Leftovers)
			}
		})
	}
}

// left lists the files of the fixture.
func (f *fixture) left() (list []string) {
	for _, folder := range []string{shm, filepath.Dir(f.lock)} {
		paths, _ := filepath.Glob(filepath.Join(folder, "*"+f.id+"*"))
		list = append(list, paths...)
	}
	return list
}

// TestHazard_RaceWithRemoval: between the proof and the removal, a process
// opens a file, or puts another one at a name. Nothing is lost then: each file
// has its name, and each name its file.
func TestHazard_RaceWithRemoval(t *testing.T) {
	for name, c := range map[string]struct {
		race func(f *fixture, parked string)
		want Verdict
		left int
	}{
		"nothing": {func(*fixture, string) {}, Removed, 0},
		"a process opens the segment": {func(f *fixture, parked string) {
			paths, _ := filepath.Glob(f.segment + ".removing-*")
			for _, path := range paths {
				if fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err != unix.EWOULDBLOCK {
					f.Errorf("open while there is a lease: %d, %v; want %v", fd, err, unix.EWOULDBLOCK)
				}
			}
		}, Live, 2},
		"a process replaces the lock file": {func(f *fixture, parked string) {
			if parked == f.segment { // it is still called so
				f.try(os.WriteFile(f.lock+"-new", nil, 0o600))
				f.try(os.Rename(f.lock+"-new", f.lock))
			}
		}, Unproven, 2},
		"a process links the segment": {func(f *fixture, parked string) {
			paths, _ := filepath.Glob(f.segment + ".removing-*")
			if len(paths) > 0 && parked == f.lock {
				f.try(os.Link(paths[0], f.segment+"-too"))
			}
		}, Unproven, 3},
		"a process makes a new segment": {func(f *fixture, parked string) {
			if parked == f.segment {
				f.write(f.segment)
			}
		}, Removed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.write(f.segment, f.lock)
			before := f.inode(f.segment)
			v, why := f.verdict(Options{Remove: true, parked: func(path string) { c.race(f, path) }})
			if left := f.left(); v != c.want || len(left) != c.left || strings.Contains(strings.Join(left, " "), "removing") {
				t.Errorf("got %s (%s), left %v; want %s, %d files", v, why, left, c.want, c.left)
			}
			if v != Removed && f.inode(f.segment) != before {
				t.Errorf("the segment is another file")
			}
		})
	}
}

// TestHazard_NameTakenMeanwhile: a file whose name another one has taken in the
// middle of a removal that has to be undone is kept, and the report says where.
func TestHazard_NameTakenMeanwhile(t *testing.T) {
	f := newFixture(t)
	f.write(f.segment, f.lock)
	v, why := f.verdict(Options{Remove: true, parked: func(parked string) {
		if parked == f.segment {
			f.write(f.segment)
			f.try(os.WriteFile(f.lock+"-new", nil, 0o600))
			f.try(os.Rename(f.lock+"-new", f.lock))
		}
	}})
	kept, err := filepath.Glob(f.segment + ".removing-*")
	if v != Unproven || err != nil || len(kept) != 1 || !strings.Contains(why, kept[0]) || len(f.left()) != 3 {
		t.Errorf("got %s (%s), left %v; want %s, the two new files, and the old segment, which is named", v, why, f.left(), Unproven)
	}
}

// other is a user who is not root.
const other = 65534

// TestProc_OtherUser: another user cannot see which processes of root have a
// file. Where the kernel would not count for that user, nothing is proven; else
// the kernel counts the processes of root, too.
func TestProc_OtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	f := newFixture(t)
	f.write(f.segment)
	f.try(os.Chmod(f.segment, 0o666))
	check := func(when string, want Verdict, why string) {
		t.Helper()
		cmd := reexec.Command(t.Context(), "as", f.id)
		cmd.Env = append(cmd.Env, "TMPDIR=/dev/shm") // which the other user may read
		out, err := cmd.Output()
		var r Report
		if err := errors.Join(err, json.Unmarshal(out, &r)); err != nil || len(r.Leftovers) != 1 {
			t.Fatalf("%s: %v, %s; want one leftover", when, err, out)
		}
		if l := r.Leftovers[0]; l.Verdict != want || !strings.Contains(l.Why, why) || len(l.Processes) > 0 || len(r.Limits) == 0 {
			t.Errorf("%s: %+v, limits %q; want %s, %q, no process, and what cannot be seen", when, l, r.Limits, want, why)
		}
	}
	check("a file of root", Unproven, "run as its owner or as root")
	f.try(os.Chown(f.segment, other, other))
	end := f.mapped(f.segment)
	check("a file that root has mapped", Live, "run as root on the host")
	end()
	f.awaitDead(Options{})
	check("the control", Removed, "")

	run, err := scratch.Make(filepath.Dir(f.lock), "test")
	f.try(err)
	f.id = strings.TrimSuffix(run.Segment, ".segment")
	check("a run of root", Live, "goes on")
	f.try(run.Close())
}

// TestProc_Interrupted: when the context ends in the middle of a removal, Clean
// completes it, and does not begin another one.
func TestProc_Interrupted(t *testing.T) {
	f := newFixture(t)
	more := filepath.Join(shm, "8"+f.id+"_barrier")
	f.write(f.segment, f.lock, more)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Clean(ctx, Options{Remove: true, Only: ofID(f.id), parked: func(string) { cancel() }})
	f.try(err)
	if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != Removed || !r.Interrupted {
		t.Errorf("got %+v, want that one is removed, and the rest was not looked at", r)
	}
	if left := f.left(); len(left) != 3-len(r.Leftovers[0].Paths) {
		t.Errorf("left %v after the removal of %v", left, r.Leftovers[0].Paths)
	}
}

// TestProc_TwoCleans: two that remove the same at the same time may each find
// that the other looks at it. Nothing is lost, and in the end nothing is left.
func TestProc_TwoCleans(t *testing.T) {
	f := newFixture(t)
	for i := range 20 {
		f.write(filepath.Join(shm, fmt.Sprintf("%d%s_barrier", i+1, f.id)))
	}
	var cleans sync.WaitGroup
	for range 2 {
		cleans.Go(func() {
			for len(f.left()) > 0 && t.Context().Err() == nil {
				r, err := Clean(t.Context(), Options{Remove: true, Only: ofID(f.id)})
				if err != nil {
					t.Error(err)
					return
				}
				for _, l := range r.Leftovers {
					if l.Verdict != Removed && l.Verdict != Live && !strings.Contains(l.Why, "no such file") {
						t.Errorf("%v: %s (%s)", l.Paths, l.Verdict, l.Why)
					}
				}
			}
		})
	}
	cleans.Wait()
}

// TestProc_WithoutLeases: where the system has no leases, or they count the
// processes of one machine of several, nothing is proven.
func TestProc_WithoutLeases(t *testing.T) {
	f := newFixture(t)
	f.write(f.segment, f.lock)
	leases := intercept.Filter{Number: unix.SYS_FCNTL, Arg: 1, With: unix.F_SETLEASE, Without: 6} // not F_DUPFD_CLOEXEC
	intercept.Run(t, []intercept.Filter{leases}, func(intercept.Call) unix.Errno { return unix.EINVAL }, func() {
		if v, why := f.verdict(Options{Remove: true}); v != Unproven || !strings.Contains(why, "leases-enable") {
			t.Errorf("got %s (%s), want %s, and what to look at", v, why, Unproven)
		}
	})
	all := local
	local = local[1:] // without that of /dev/shm
	if v, why := f.verdict(Options{Remove: true}); v != Unproven || !strings.Contains(why, "shared with other machines") {
		t.Errorf("in a file system that is not known: got %s (%s), want %s, and why", v, why, Unproven)
	}
	local = all
	f.awaitDead(Options{})
}

// TestProc_Killed: what a Clean that was killed has renamed, the next one finds
// and removes.
func TestProc_Killed(t *testing.T) {
	f := newFixture(t)
	f.write(f.segment, f.lock)
	cmd := reexec.Command(t.Context(), "die", f.id)
	if out, err := cmd.CombinedOutput(); err == nil || len(out) > 0 {
		t.Fatalf("a Clean that is killed: %v, %s", err, out)
	}
	left := f.left()
	if !slices.ContainsFunc(left, func(path string) bool { return strings.Contains(path, ".removing-") }) {
		t.Errorf("left by a Clean that was killed: %v, want a name that it has given", left)
	}
	f.awaitDead(Options{})
	var found []string
	for _, l := range f.clean(Options{Remove: true}).Leftovers {
		if found = append(found, l.Paths...); l.Verdict != Removed {
			t.Errorf("%v: %s (%s), want %s", l.Paths, l.Verdict, l.Why, Removed)
		}
	}
	if slices.Sort(found); !slices.Equal(found, sorted(left)) || len(f.left()) > 0 {
		t.Errorf("found %v, want %v; left %v", found, left, f.left())
	}
}

func sorted(list []string) []string { slices.Sort(list); return list }
