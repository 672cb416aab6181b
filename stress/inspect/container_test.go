//go:build linux

package inspect_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

const noNamespaces = toolcache.Missing("this user may not make a container (PID and mount namespaces); run as root, or allow user namespaces")

// inContainer has cmd start in PID and mount namespaces of its own. It calls
// mountProc first.
func inContainer(cmd *exec.Cmd) *exec.Cmd {
	reexec.InMountNamespace(cmd)
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	return cmd
}

func mountProc() {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		fmt.Println("may not mount")
		os.Exit(0)
	}
}

// container is the first process of a container with a /dev/shm and a folder of
// its own for the lock file. It starts two parties of 3, prints what inspect
// says inside, and stays.
func container() {
	mountProc()
	segment, lockPath := os.Args[1], os.Args[2]
	for _, folder := range []string{"/dev/shm", filepath.Dir(lockPath)} {
		must(unix.Mount("tmpfs", folder, "tmpfs", 0, ""))
	}
	b, err := impl.Create(segment, lockPath)
	must(err)
	for range 2 {
		party := reexec.Command(context.Background(), "waits", segment, lockPath)
		party.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		must(party.Start())
	}
	awaitEnter(b, 2)
	must(b.Close())
	inspects()
	select {}
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func awaitEnter(b *impl.Barrier, enter int32) {
	for {
		w, err := b.Words()
		must(err)
		if w.Enter == enter {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// startContainer starts a program in a container and returns its first line.
func startContainer(t *testing.T, program string, args ...string) (cmd *exec.Cmd, line string) {
	t.Helper()
	cmd = inContainer(reexec.Command(t.Context(), program, args...))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if reexec.NoNamespace(err) {
		toolcache.Require(t, noNamespaces)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err = bufio.NewReader(out).ReadString('\n')
	if line == "may not mount\n" {
		toolcache.Require(t, noNamespaces)
	}
	if err != nil {
		t.Fatalf("the container says %q (%v)", line, err)
	}
	return cmd, line
}

// TestProc_Container: a barrier in a container is diagnosed from the host by
// the paths of /proc/PID/root, and from inside. A barrier of the same names on
// the host is another one, and neither accuses the processes of the other.
func TestProc_Container(t *testing.T) {
	t.Parallel()
	b, segment, lockPath := porttest.NewBarrier(t)
	outer := startWaiter(t, segment, lockPath, nil)
	settled(t, b, 1)
	c, line := startContainer(t, "container", segment, lockPath)
	var inside inspect.Report
	if err := json.Unmarshal([]byte(line), &inside); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	root := fmt.Sprintf("/proc/%d/root", c.Process.Pid)
	outside := look(t, root+"/dev/shm/"+segment, root+lockPath)
	for where, r := range map[string]*inspect.Report{"inside": &inside, "from the host": outside} {
		if want := (spec.Words{Enter: 2, Exit: 3, Flag: 0}); r.Status != inspect.Hangs || r.Words != want || *r.Missing != 1 || len(r.Processes) != 2 || r.NoLock {
			t.Errorf("%s: status %q, %v, missing %d, processes %+v; want %q, %v, 1, the two of the container", where, r.Status, r.Words, *r.Missing, r.Processes, inspect.Hangs, want)
		}
		for _, p := range r.Processes {
			if !p.Maps || !p.LockOpen || p.OldLock || (len(p.Inner) > 0) != (where != "inside") {
				t.Errorf("%s: %+v, want that it has the segment mapped and the lock file open, and its number in the container if that is another", where, p)
			}
		}
		if len(r.Causes) == 0 || !strings.Contains(r.Causes[0].Why, "1 party has not called, of 3") {
			t.Errorf("%s: the causes %+v, want that 1 party has not called", where, r.Causes)
		}
	}
	if !slices.ContainsFunc(inside.Limits, func(l string) bool { return strings.Contains(l, "other PID namespaces") }) {
		t.Errorf("inside: limits %q, want that other PID namespaces are not seen", inside.Limits)
	}
	host := look(t, segment, lockPath)
	if len(host.Processes) != 1 || host.Processes[0].PID != outer.Process.Pid || host.Words.Enter != 1 {
		t.Errorf("on the host: %v, processes %+v; want enter 1, and only %d", host.Words, host.Processes, outer.Process.Pid)
	}
}

// TestProc_HolderInAnotherNamespace: in a container, a lock that a process
// outside holds is held by one that cannot be seen, if another blocks at it:
// /proc/locks leaves both out there.
func TestProc_HolderInAnotherNamespace(t *testing.T) {
	t.Parallel()
	_, segment, lockPath := porttest.NewBarrier(t)
	startParty(t, reexec.Command(t.Context(), "locks", segment, lockPath), nil)
	_, line := startContainer(t, "blocks", segment, lockPath)
	var r inspect.Report
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if !r.Abroad || len(r.Waiters) != 1 || r.Status != inspect.Waiting || !strings.Contains(r.Causes[0].Why, "cannot be seen from here holds the lock") {
		t.Errorf("in the container: held elsewhere %v, waiters %v, status %q, causes %+v; want true, one, %q, that its holder cannot be seen", r.Abroad, r.Waiters, r.Status, r.Causes, inspect.Waiting)
	}
	onHost := look(t, segment, lockPath)
	if len(onHost.Holders) != 1 || len(onHost.Waiters) != 1 || onHost.Abroad {
		t.Errorf("on the host: holders %v, waiters %v, held elsewhere %v; want one, one, false", onHost.Holders, onHost.Waiters, onHost.Abroad)
	}
}

// locks has the barrier open and holds its lock.
func locks() {
	_, err := impl.Attach(context.Background(), os.Args[1], os.Args[2])
	must(err)
	holdLock(os.Args[2])
	fmt.Println("ready")
	select {}
}

// holdLock takes the lock, and waits for it in flock(2).
func holdLock(path string) *os.File {
	f, err := os.Open(path)
	must(err)
	must(unix.Flock(int(f.Fd()), unix.LOCK_EX))
	return f
}

// blocks is the first process of a container that shares the files of the
// barrier. It starts a process that locks, and inspects when that blocks.
func blocks() {
	mountProc()
	waiter := reexec.Command(context.Background(), "locks", os.Args[1], os.Args[2])
	waiter.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(waiter.Start())
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", waiter.Process.Pid))
		must(err)
		for _, task := range tasks {
			if wchan, _ := os.ReadFile(task); strings.Contains(string(wchan), "lock_inode_wait") {
				inspects()
				select {}
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// TestProc_PartiesOfAnotherUser: root sees all of them.
func TestProc_PartiesOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	const nobody = 65534
	b, segment, lockPath := porttest.NewBarrier(t)
	for _, path := range []string{"/dev/shm/" + segment, lockPath, filepath.Dir(lockPath)} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	cmd := anyUsers(t, reexec.Command(t.Context(), "waits", segment, lockPath))
	startParty(t, cmd, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}})
	settled(t, b, 1)
	r := look(t, segment, lockPath)
	if p := process(r, cmd.Process.Pid); !p.Maps || !p.LockOpen || p.Activity != inspect.Polls || p.User == "root" || strings.Contains(strings.Join(r.Limits, "\n"), p.User) {
		t.Errorf("a party of another user: %+v, limits %q; want that all of it is seen, and that it polls", p, r.Limits)
	}
}

// anyUsers has cmd run a copy of this program that any user may start.
func anyUsers(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join("/dev/shm", fmt.Sprintf("inspect-%d-%s.test", os.Getpid(), t.Name()))
	t.Cleanup(func() { os.Remove(program) })
	// By a process that starts no others: a child that another test forks would
	// have the file open to write, and the start would fail with ETXTBSY.
	if out, err := exec.Command("install", "-m", "755", executable, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd.Path, cmd.Dir = program, "/"
	return cmd
}
