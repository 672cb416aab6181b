//go:build linux

package inspect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	reexec.Main(m, map[string]func(){
		"waits": waits, "waitsElsewhere": waitsElsewhere, "loops": loops, "burns": burns, "inspects": inspects,
		"container": container, "joins": joins, "locks": locks, "blocks": blocks, "inherits": inherits, "forks": forks,
	})
}

// waits is a party of 3 that opens the barrier, says ready and calls.
func waits() {
	b, err := impl.Attach(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	b.Wait(context.Background(), 3)
}

// loops is one of 3 parties that call without end, and get a processor only
// when no other process wants it.
func loops() {
	beIdle()
	b, err := impl.Attach(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for err == nil {
		err = b.Wait(context.Background(), 3)
	}
}

// burns keeps the processor of loops busy.
func burns() {
	toOneProcessor()
	fmt.Println("ready")
	for i := 0; i >= 0; i++ {
	}
}

// toOneProcessor binds this process to the first processor that it may use.
func toOneProcessor() {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		panic(err)
	}
	for cpu := 0; !one.IsSet(cpu); cpu++ {
		if may.IsSet(cpu) {
			one.Set(cpu)
			break
		}
	}
	everyThread(func(tid int) error { return unix.SchedSetaffinity(tid, &one) })
}

func beIdle() {
	toOneProcessor()
	everyThread(func(tid int) error {
		return unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
	})
}

// everyThread calls do for each thread of this process; later ones inherit.
func everyThread(do func(tid int) error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		if err := do(tid); err != nil {
			panic(err)
		}
	}
}

// inspects looks at a barrier and prints the report as JSON.
func inspects() {
	r, err := atRest(context.Background(), inspect.Target{Segment: os.Args[1], LockPath: os.Args[2]}, inspect.Options{Procs: 3, For: short})
	if err == nil {
		err = r.JSON(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const short = 300 * time.Millisecond

// startWaiter starts a party of 3, and returns when it is about to call.
func startWaiter(t *testing.T, segment, lockPath string, attributes *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	return startParty(t, reexec.Command(t.Context(), "waits", segment, lockPath), attributes)
}

// startParty starts a program, and returns when it is ready.
func startParty(t *testing.T, cmd *exec.Cmd, attributes *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	nameAsTest(t, cmd)
	cmd.SysProcAttr = attributes
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("this user may not make namespaces: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the party says %q (%v)", line, err)
	}
	return cmd
}

// nameAsTest has cmd, if it runs this executable, run it by a name that no other
// test has. A dead child of this process counts as a party that has died if the
// parties have its name: those of tests that run at the same time must not.
func nameAsTest(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if cmd.Path != executable {
		return
	}
	test := fnv.New32a()
	io.WriteString(test, t.Name())
	cmd.Path = filepath.Join(t.TempDir(), fmt.Sprintf("test-%08x", test.Sum32())) // of 15 characters at most
	if err := os.Symlink(executable, cmd.Path); err != nil {
		t.Fatal(err)
	}
}

// look looks at a barrier at which nothing moves any more.
func look(t *testing.T, segment, lockPath string) *inspect.Report {
	t.Helper()
	return lookFor(t, inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{Procs: 3, For: short})
}

func lookFor(t *testing.T, target inspect.Target, o inspect.Options) *inspect.Report {
	t.Helper()
	r, err := atRest(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mostLooks is how often a barrier may be seen to do what it does not for good.
const mostLooks = 100

// atRest looks at a barrier at which nothing moves any more, and again while a
// process gets no processor: then nothing is known of it. While it moves, a
// party may still be on its way to where it waits, as at the unlock after the
// last word that it writes.
func atRest(ctx context.Context, target inspect.Target, o inspect.Options) (*inspect.Report, error) {
	for moves := 0; ; {
		r, err := inspect.Inspect(ctx, target, o)
		if err != nil {
			return nil, err
		}
		starves := slices.ContainsFunc(r.Processes, func(p inspect.ProcessReport) bool { return p.Activity == inspect.Starved })
		if r.Status == inspect.Moving {
			moves++
		}
		if !starves && (r.Status != inspect.Moving || moves == mostLooks) {
			return r, nil
		}
	}
}

// seenToMove looks at a barrier that works until it is seen to move, however
// slow it is. No look may say that it cannot.
func seenToMove(t *testing.T, target inspect.Target, o inspect.Options) *inspect.Report {
	t.Helper()
	for look := 1; ; look++ {
		r, err := inspect.Inspect(t.Context(), target, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Status == inspect.Moving {
			return r
		}
		if r.Verdict == spec.Hang || r.Verdict == spec.Violated || look == mostLooks {
			var text strings.Builder
			r.Text(&text)
			t.Fatalf("look %d at a barrier that works: status %q, want moving:\n%s", look, r.Status, text.String())
		}
	}
}

func process(r *inspect.Report, pid int) inspect.ProcessReport {
	i := slices.IndexFunc(r.Processes, func(p inspect.ProcessReport) bool { return p.PID == pid })
	if i < 0 {
		return inspect.ProcessReport{}
	}
	return r.Processes[i]
}

// settled waits until so many parties are counted.
func settled(t *testing.T, b *impl.Barrier, enter int32) {
	t.Helper()
	for {
		w, err := b.Words()
		if err != nil || t.Context().Err() != nil {
			t.Fatal(err)
		}
		if w.Enter == enter {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestProc_Go: the parties of package impl, which sleep in a futex, are seen to
// poll. Inspect leaves words and lock as they are.
func TestProc_Go(t *testing.T) {
	b, segment, lockPath := porttest.NewBarrier(t)
	one, two := startWaiter(t, segment, lockPath, nil), startWaiter(t, segment, lockPath, nil)
	settled(t, b, 2)
	r := look(t, segment, lockPath)
	for _, cmd := range []*exec.Cmd{one, two} {
		if p := process(r, cmd.Process.Pid); !p.Maps || !p.LockOpen || p.Activity != inspect.Polls || p.Holds || p.Waits || p.Started.After(time.Now()) {
			t.Errorf("a party that waits: %+v, want that it has the segment mapped and the lock file open, and polls", p)
		}
	}
	if want := (spec.Words{Enter: 2, Exit: 3, Flag: 0}); r.Status != inspect.Hangs || r.Words != want || *r.Missing != 1 {
		t.Errorf("status %q, %v, missing %d; want %q, %v, 1", r.Status, r.Words, *r.Missing, inspect.Hangs, want)
	}
	last := startWaiter(t, segment, lockPath, nil)
	for _, cmd := range []*exec.Cmd{one, two, last} {
		if err := cmd.Wait(); err != nil {
			t.Errorf("after inspect, a call of the third party: %v, want that all return", err)
		}
	}
}

// TestProc_DeadParty: a party that has died, and that its parent has not waited
// for, is in the report as gone, and with the rank that its environment had. A
// dead child of the same parent that ran another program is no party.
func TestProc_DeadParty(t *testing.T) {
	b, segment, lockPath := porttest.NewBarrier(t)
	t.Setenv("LOCAL_RANK", "5")
	dead, left := startWaiter(t, segment, lockPath, nil), startWaiter(t, segment, lockPath, nil)
	settled(t, b, 2)
	if p := process(look(t, segment, lockPath), dead.Process.Pid); p.Activity != inspect.Polls || p.Rank != "LOCAL_RANK=5" {
		t.Errorf("before it dies: %+v, want that it polls, with LOCAL_RANK=5", p)
	}
	if err := dead.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	other := startParty(t, exec.Command("sh", "-c", "echo ready"), nil)
	for !porttest.HasEnded(t, dead.Process) || !porttest.HasEnded(t, other.Process) {
	}
	r := look(t, segment, lockPath)
	if slices.ContainsFunc(r.Processes, func(p inspect.ProcessReport) bool { return p.PID == other.Process.Pid }) {
		t.Errorf("processes %+v, want no %d: it ran another program", r.Processes, other.Process.Pid)
	}
	if p := process(r, dead.Process.Pid); p.Activity != inspect.Gone || p.State != "Z" || p.Maps {
		t.Errorf("after it died: %+v, want that it is gone", p)
	}
	if p := process(r, left.Process.Pid); p.Activity != inspect.Polls {
		t.Errorf("the other party: %+v, want that it polls", p)
	}
	if r.Status != inspect.Hangs || r.Causes[0].Scenario != "crash" {
		t.Errorf("status %q, causes %+v; want %q, first a crash", r.Status, r.Causes, inspect.Hangs)
	}
}

// TestProc_SlowMachine: three parties call round after round, on a processor
// that another process keeps busy. However slow that is, no hang is confirmed.
func TestProc_SlowMachine(t *testing.T) {
	_, segment, lockPath := porttest.NewBarrier(t)
	for range 3 {
		startParty(t, reexec.Command(t.Context(), "loops", segment, lockPath), nil)
	}
	startParty(t, reexec.Command(t.Context(), "burns"), nil)
	r, err := inspect.Inspect(t.Context(), inspect.Target{Segment: segment, LockPath: lockPath}, inspect.Options{Procs: 3, For: short})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status == inspect.Hangs || r.Status == inspect.Foreign {
		var text strings.Builder
		r.Text(&text)
		t.Errorf("a barrier that works, slowly:\n%s", text.String())
	}
}

// TestProc_OtherNamespace: a party in a PID namespace of its own has two
// numbers.
func TestProc_OtherNamespace(t *testing.T) {
	b, segment, lockPath := porttest.NewBarrier(t)
	inner := startWaiter(t, segment, lockPath, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID})
	outer := startWaiter(t, segment, lockPath, nil)
	settled(t, b, 2)
	r := look(t, segment, lockPath)
	if p := process(r, inner.Process.Pid); !slices.Equal(p.Inner, []int{1}) || p.Activity != inspect.Polls {
		t.Errorf("a party in a PID namespace: %+v, want that it is 1 there, and polls", p)
	}
	if p := process(r, outer.Process.Pid); len(p.Inner) > 0 {
		t.Errorf("a party in this PID namespace: %+v", p)
	}
}

// TestProc_OtherUser: what another user may not see is a limit, and the report
// says so; root sees all.
func TestProc_OtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	b, segment, lockPath := porttest.NewBarrier(t)
	startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	for _, path := range []string{"/dev/shm/" + segment, lockPath} {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(lockPath), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := anyUsers(t, reexec.Command(t.Context(), "inspects", segment, lockPath))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Stderr = os.Stderr
	line, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r inspect.Report
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatal(err)
	}
	limits := strings.Join(r.Limits, "\n")
	if !strings.Contains(limits, "of user root, such as 1, have mapped and open; run as that user, or as root") || r.Status != inspect.Unclear {
		t.Errorf("as another user: status %q, limits %q; want %q, since the processes of root are hidden", r.Status, limits, inspect.Unclear)
	}
}

// TestProc_UnlinkedSegment: a segment that has lost its name is found by the
// processes that have it mapped. A new segment of the name splits the parties.
func TestProc_UnlinkedSegment(t *testing.T) {
	b, segment, lockPath := porttest.NewBarrier(t)
	old := startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	if err := os.Remove("/dev/shm/" + segment); err != nil {
		t.Fatal(err)
	}
	r := look(t, segment, lockPath)
	if p := process(r, old.Process.Pid); !r.Unlinked || r.Words.Enter != 1 || !p.Maps {
		t.Errorf("a segment without a name: unlinked %v, %v, %+v; want true, that of the party", r.Unlinked, r.Words, p)
	}
	again, err := impl.Create(segment, lockPath)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	young := startWaiter(t, segment, lockPath, nil)
	settled(t, again, 1)
	r = look(t, segment, lockPath)
	want := fmt.Sprintf("process %d has another one mapped", old.Process.Pid)
	if p := process(r, young.Process.Pid); len(r.Causes) == 0 || !strings.Contains(r.Causes[0].Why, want) || r.Unlinked || !p.Maps {
		t.Errorf("two segments of the name: %+v, the causes %+v, want first %q", p, r.Causes, want)
	}
}

// TestProc_NoBarrier: what is no segment is one clear line.
func TestProc_NoBarrier(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		put  func(path string) error
		want string
	}{
		"missing":  {func(string) error { return nil }, "there is no such file"},
		"short":    {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "it has 0 bytes, and a barrier has 12"},
		"FIFO":     {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "it is no regular file"},
		"link":     {func(path string) error { return os.Symlink("/dev/null", path) }, "it is a symbolic link"},
		"a folder": {func(path string) error { return os.Mkdir(path, 0o700) }, "it is no regular file"},
	} {
		path := filepath.Join(dir, name)
		if err := c.put(path); err != nil {
			t.Fatal(err)
		}
		_, err := inspect.Inspect(t.Context(), inspect.Target{Segment: path, LockPath: path}, inspect.Options{For: short})
		if !errors.Is(err, inspect.ErrNoBarrier) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %v with %q", name, err, inspect.ErrNoBarrier, c.want)
		}
	}
}

// TestProc_Watch: a tick says what has changed since the one before.
func TestProc_Watch(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	b, segment, lockPath := porttest.NewBarrier(t)
	var ticks []inspect.Tick
	var party *exec.Cmd
	err := inspect.Watch(t.Context(), inspect.Target{Segment: segment, LockPath: lockPath}, func(tick inspect.Tick) bool {
		ticks = append(ticks, tick)
		switch len(ticks) {
		case 1:
			party = startWaiter(t, segment, lockPath, nil)
			settled(t, b, 1)
			return true
		case 2:
			if err := party.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for process(look(t, segment, lockPath), party.Process.Pid).Activity != inspect.Stopped {
			}
			return true
		default:
			return false
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := party.Process.Pid
	for i, want := range [][]string{nil, {"words", fmt.Sprintf("process %d came", pid)}, {fmt.Sprintf("process %d is stopped", pid)}} {
		got := strings.Join(ticks[i].Changed, ", ")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("tick %d: changed %q, want %q in it", i, got, w)
			}
		}
		if want == nil && got != "" {
			t.Errorf("tick %d: changed %q, want nothing", i, got)
		}
	}
}
