//go:build linux

package inspect_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port/porttest"
)

// forge writes words as a process that is no party does.
func forge(t *testing.T, segment string, w spec.Words) {
	t.Helper()
	var memory [spec.Size]byte
	for word, v := range map[spec.Word]int32{spec.Enter: w.Enter, spec.Exit: w.Exit, spec.Flag: w.Flag} {
		binary.NativeEndian.PutUint32(memory[word.Offset():], uint32(v))
	}
	f, err := os.OpenFile("/dev/shm/"+segment, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(memory[:], 0)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// wantCause reports an error unless the status is as wanted and one of the
// first two causes says why.
func wantCause(t *testing.T, what string, r *inspect.Report, status inspect.Status, scenario, why string) {
	t.Helper()
	for _, c := range r.Causes[:min(2, len(r.Causes))] {
		if r.Status == status && c.Scenario == scenario && strings.Contains(c.Why, why) {
			return
		}
	}
	var text strings.Builder
	r.Text(&text)
	t.Errorf("%s: status %q, want %q, and among the first two causes one of scenario %q with %q:\n%s", what, r.Status, status, scenario, why, text.String())
}

// TestProc_ForeignWords: two real parties wait, and a process that is no party
// writes words that no party can have written. The control are the words as
// they were.
func TestProc_ForeignWords(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	for range 2 {
		startWaiter(t, segment, lockPath, nil)
	}
	settled(t, b, 2)
	before := spec.Words{Enter: 2, Exit: 3, Flag: 0}
	wantCause(t, "before", look(t, segment, lockPath), inspect.Hangs, "reuse", "1 party has not called")
	for _, w := range []spec.Words{{Enter: -5, Exit: 7, Flag: 0}, {Enter: 0, Exit: 1 << 30, Flag: 0}, {Enter: 1, Exit: -2, Flag: 0}} {
		forge(t, segment, w)
		if r := lookClear(t, segment, lockPath); r.Status != inspect.Foreign || r.Verdict != spec.Violated || !strings.Contains(r.Causes[0].Why, "something that is no party wrote these words") {
			t.Errorf("%v: status %q, %v, causes %+v; want %q, %v, and that no state fits", w, r.Status, r.Verdict, r.Causes, inspect.Foreign, spec.Violated)
		}
	}
	forge(t, segment, before)
	wantCause(t, "after", look(t, segment, lockPath), inspect.Hangs, "reuse", "1 party has not called")
}

// lookClear looks again while a process that is hidden even from this user does
// something, and might be a party.
func lookClear(t *testing.T, segment, lockPath string) *inspect.Report {
	for {
		if r := look(t, segment, lockPath); r.Status != inspect.Unclear || len(r.Limits) == 0 {
			return r
		}
	}
}

// TestProc_WrongSize: what has changed the size of a segment that processes
// have mapped is no barrier any more. The error names them. It is the same if
// that happens during the look.
func TestProc_WrongSize(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	party := startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	target := inspect.Target{Segment: segment, LockPath: lockPath}
	check := func(when string, size int, err error) {
		t.Helper()
		want := fmt.Sprintf("it has %d bytes, and a barrier has 12", size)
		if !errors.Is(err, inspect.ErrNoBarrier) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprint(party.Process.Pid)) {
			t.Errorf("%s: %v, want %v with %q and process %d", when, err, inspect.ErrNoBarrier, want, party.Process.Pid)
		}
	}
	if err := party.Process.Signal(syscall.SIGSTOP); err != nil { // it would see the size, too
		t.Fatal(err)
	}
	ticks := 0
	check("during the look", 4, inspect.Watch(t.Context(), target, func(inspect.Tick) bool {
		if ticks++; ticks == 1 {
			if err := os.Truncate("/dev/shm/"+segment, 4); err != nil {
				t.Fatal(err)
			}
		}
		return ticks < 100
	}))
	for _, size := range []int{0, 4096} {
		if err := os.Truncate("/dev/shm/"+segment, int64(size)); err != nil {
			t.Fatal(err)
		}
		_, err := inspect.Inspect(t.Context(), target, inspect.Options{For: short})
		check(fmt.Sprint(size, " bytes"), size, err)
	}
}

// TestProc_TwoLockFiles: the lock file is removed while two parties have it
// open, and a third party makes it again. The report says who has which. Words
// as a lost count leaves them are then a split lock first.
func TestProc_TwoLockFiles(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	old := []*exec.Cmd{startWaiter(t, segment, lockPath, nil), startWaiter(t, segment, lockPath, nil)}
	settled(t, b, 2)
	if err := os.Remove(lockPath); err != nil {
		t.Fatal(err)
	}
	r := look(t, segment, lockPath)
	if !r.NoLock {
		t.Errorf("without a lock file: %+v, want that it is missing", r)
	}
	wantCause(t, "without a lock file", r, inspect.Hangs, "split-lock", "no process has open the one that the path names, and "+both(old)+" have one that was unlinked")
	f, err := os.Create(lockPath)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	young := startFile(t, f, segment, lockPath)
	r = look(t, segment, lockPath)
	why := fmt.Sprintf("process %d has open the one that the path names, and %s have one that was unlinked", young.Process.Pid, both(old))
	wantCause(t, "with another lock file", r, inspect.Waiting, "split-lock", why)

	forge(t, segment, spec.Words{Enter: 1, Exit: 2, Flag: 0})
	r = lookFor(t, inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{Procs: 2, For: short})
	if r.Status != inspect.Hangs || len(r.Causes) < 2 || r.Causes[1].Scenario != "split-lock" || r.Causes[1].Procs != 2 {
		t.Errorf("with a lost count: status %q, causes %+v; want %q, and a split lock by the model, too", r.Status, r.Causes, inspect.Hangs)
	}
}

// both names two processes as a cause does.
func both(cmds []*exec.Cmd) string {
	pids := []int{cmds[0].Process.Pid, cmds[1].Process.Pid}
	slices.Sort(pids)
	return fmt.Sprintf("processes %d, %d", pids[0], pids[1])
}

// startFile starts a process that has the segment mapped and has inherited the
// file, and does nothing.
func startFile(t *testing.T, f *os.File, segment, lockPath string) *exec.Cmd {
	t.Helper()
	cmd := reexec.Command(t.Context(), "inherits", segment, lockPath)
	cmd.ExtraFiles = []*os.File{f}
	input(t, cmd)
	return startParty(t, cmd, nil)
}

// input gives the command an input that ends with the test.
func input(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	read, write, err := os.Pipe() // StdinPipe would end with Wait
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = read
	t.Cleanup(func() { read.Close(); write.Close() })
}

// inherits maps the segment, keeps what it has inherited, and does nothing until
// its input ends.
func inherits() {
	f, err := os.OpenFile("/dev/shm/"+os.Args[1], os.O_RDWR, 0)
	must(err)
	_, err = unix.Mmap(int(f.Fd()), 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(err)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// TestProc_InheritedLock: a process locks the file, and a child that has
// inherited the descriptor still holds the lock when the process has closed its
// own, and when it has ended. The child is named, and the process.
func TestProc_InheritedLock(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	forks := reexec.Command(t.Context(), "forks", segment, lockPath)
	input(t, forks)
	parent := startParty(t, forks, nil)
	r := look(t, segment, lockPath)
	if len(r.Holders) != 2 || !slices.Contains(r.Holders, parent.Process.Pid) {
		t.Fatalf("two processes share the locked descriptor: holders %v, want two, %d among them", r.Holders, parent.Process.Pid)
	}
	child := r.Holders[0] + r.Holders[1] - parent.Process.Pid
	if p := process(r, child); !slices.Equal(p.Shares, []int{parent.Process.Pid}) {
		t.Errorf("the child shares its descriptor with %v, want %d", p.Shares, parent.Process.Pid)
	}
	holds := func(then string) string {
		return fmt.Sprintf("process %d holds the lock by the descriptor that process %d%s has locked", child, parent.Process.Pid, then)
	}
	wantCause(t, "both have it", r, inspect.Waiting, "fork", holds(""))
	if err := parent.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	for r = look(t, segment, lockPath); len(r.Holders) > 1; r = look(t, segment, lockPath) {
	}
	wantCause(t, "the parent has closed it", r, inspect.Waiting, "fork", holds(" (has closed it)"))
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	r = look(t, segment, lockPath)
	wantCause(t, "the parent has ended", r, inspect.Waiting, "fork", holds(" (ended)"))
}

// forks locks the lock file and starts a child that inherits it. It closes its
// own descriptor at SIGUSR1.
func forks() {
	closes := make(chan os.Signal, 1)
	signal.Notify(closes, syscall.SIGUSR1)
	f := holdLock(os.Args[2])
	child := reexec.Command(context.Background(), "inherits", os.Args[1], os.Args[2])
	child.ExtraFiles, child.Stdin, child.Stdout = []*os.File{f}, os.Stdin, os.Stdout
	must(child.Start())
	<-closes
	f.Close()
	select {}
}

// TestProc_SharedDescriptor: two parties share the descriptor of the lock file,
// so that both can hold the lock at once. Words as a lost count leaves them are
// then a fork first. The control are two parties with one descriptor each.
func TestProc_SharedDescriptor(t *testing.T) {
	t.Parallel()
	for what, share := range map[string]bool{"share": true, "control": false} {
		b, segment, lockPath := porttest.NewBarrier(t)
		f, err := os.Open(lockPath)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for range 2 {
			cmd := reexec.Command(t.Context(), "waits", segment, lockPath)
			if share {
				cmd.ExtraFiles = []*os.File{f}
			}
			startParty(t, cmd, nil)
		}
		settled(t, b, 2)
		forge(t, segment, spec.Words{Enter: 1, Exit: 2, Flag: 0})
		r := lookFor(t, inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{Procs: 2, For: short})
		isFork := len(r.Causes) > 0 && r.Causes[0].Scenario == "fork" && strings.Contains(r.Causes[0].Why, "two processes held the lock at once")
		if isFork != share || share && r.Status != inspect.Hangs {
			t.Errorf("%s: status %q, causes %+v; want first a fork: %v", what, r.Status, r.Causes, share)
		}
	}
}

// TestProc_TwoBarriers: of three parties of a barrier, one waits at another
// barrier. Both wait for parties that are there, and the other barrier is named.
func TestProc_TwoBarriers(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	other, otherSegment, otherLock := porttest.NewBarrier(t)
	for range 2 {
		startWaiter(t, segment, lockPath, nil)
	}
	elsewhere := startParty(t, reexec.Command(t.Context(), "waitsElsewhere", segment, lockPath, otherSegment, otherLock), nil)
	settled(t, b, 2)
	settled(t, other, 1)
	r := look(t, segment, lockPath)
	want := fmt.Sprintf("process %d uses another barrier, too: %s", elsewhere.Process.Pid, otherSegment)
	wantCause(t, "the barrier of three", r, inspect.Waiting, "reuse", want)
	if p := process(look(t, otherSegment, otherLock), elsewhere.Process.Pid); !slices.Equal(p.Barriers, []string{segment}) {
		t.Errorf("at the other barrier: %+v, want that it has %s mapped, too", p, segment)
	}
}

// waitsElsewhere opens a barrier and waits at another one.
func waitsElsewhere() {
	ctx := context.Background()
	_, err := impl.Attach(ctx, os.Args[1], os.Args[2])
	must(err)
	os.Args = append(os.Args[:1], os.Args[3:]...)
	waits()
}

// TestProc_NoProcess: all parties of a round have ended. The report says so.
// The control is a barrier at which no round is under way.
func TestProc_NoProcess(t *testing.T) {
	t.Parallel()
	_, segment, lockPath := porttest.NewBarrier(t)
	if r := look(t, segment, lockPath); r.Status != inspect.Idle || len(r.Causes) > 0 {
		t.Errorf("before any call: status %q, causes %+v; want %q, none", r.Status, r.Causes, inspect.Idle)
	}
	forge(t, segment, spec.Words{Enter: 1, Exit: 3, Flag: 0})
	wantCause(t, "after a party has died", lookClear(t, segment, lockPath), inspect.Idle, "", "all its parties have ended")
}

// TestProc_ProcessesThatEnd: while inspect looks, processes start and end, some
// of them parties. No look fails, and none says that the words are foreign.
func TestProc_ProcessesThatEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	_, segment, lockPath := porttest.NewBarrier(t)
	ctx, stop := context.WithCancel(t.Context())
	var storm sync.WaitGroup
	for range 2 {
		storm.Go(func() {
			for ctx.Err() == nil {
				exec.CommandContext(ctx, "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do true | true; done").Run()
			}
		})
	}
	defer storm.Wait()
	defer stop()
	target := inspect.Target{Segment: segment, LockPath: lockPath}
	for range 5 {
		party := startWaiter(t, segment, lockPath, nil)
		timer := time.AfterFunc(short/2, func() { party.Process.Kill(); party.Wait() })
		r, err := inspect.Inspect(t.Context(), target, inspect.Options{Procs: 3, For: short})
		timer.Stop()
		if err != nil || r.Status == inspect.Foreign {
			t.Fatalf("while processes end: %+v, %v", r, err)
		}
	}
}

// TestProc_Frozen: a party in a frozen control group is held up, and named with
// its group. It goes on when the group is thawed.
func TestProc_Frozen(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	party := startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	tried := false
	for _, v := range []struct{ mount, file, on, off string }{
		{"/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"},
		{"/sys/fs/cgroup/unified", "cgroup.freeze", "1", "0"},
		{"/sys/fs/cgroup", "cgroup.freeze", "1", "0"},
	} {
		var fs unix.Statfs_t
		if err := unix.Statfs(v.mount, &fs); err != nil || fs.Type != unix.CGROUP_SUPER_MAGIC && fs.Type != unix.CGROUP2_SUPER_MAGIC {
			continue // no control groups are mounted there
		}
		tried = true
		t.Run(v.mount, func(t *testing.T) {
			group := filepath.Join(v.mount, "sharedbarrier-"+segment)
			if err := os.Mkdir(group, 0o755); err != nil {
				toolcache.Require(t, noFreezer(err))
			}
			write := func(path, text string) error {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err == nil {
					_, err = f.WriteString(text)
					err = errors.Join(err, f.Close())
				}
				return err
			}
			t.Cleanup(func() {
				write(filepath.Join(group, v.file), v.off)
				write(filepath.Join(v.mount, "cgroup.procs"), fmt.Sprint(party.Process.Pid))
				if err := os.Remove(group); err != nil {
					t.Error(err)
				}
			})
			err := errors.Join(write(filepath.Join(group, "cgroup.procs"), fmt.Sprint(party.Process.Pid)), write(filepath.Join(group, v.file), v.on))
			if err != nil {
				toolcache.Require(t, noFreezer(err))
			}
			for process(look(t, segment, lockPath), party.Process.Pid).Activity != inspect.Frozen { // it freezes soon, not at once
			}
			r := look(t, segment, lockPath)
			wantCause(t, "frozen", r, inspect.HeldUp, "", fmt.Sprintf("process %d is frozen by the control group /sharedbarrier-%s", party.Process.Pid, segment))
			if err := write(filepath.Join(group, v.file), v.off); err != nil {
				t.Fatal(err)
			}
			for process(look(t, segment, lockPath), party.Process.Pid).Activity != inspect.Polls {
			}
		})
	}
	if !tried {
		toolcache.Require(t, noFreezer(errors.New("none is mounted in /sys/fs/cgroup")))
	}
}

// noFreezer is the error where this user may not freeze a control group.
func noFreezer(err error) error {
	return fmt.Errorf("%w: %w", toolcache.Missing("no control group that this user can freeze; run as root where /sys/fs/cgroup is writable"), err)
}
