package procgroup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Start starts cmd in a process group of its own. The caller must call Wait.
// When this process ends, in whatever way, the kernel kills cmd, and a guard
// kills what cmd has started.
//
// Between its fork and its setpgid a child is still in the runner's group, and
// a signal for the group may end it before its exec. If the signal is one that
// interrupts a command (cli.Main), the runner must end ctx. Start then blocks
// until ctx ends, and returns the error of ctx.
func Start(ctx context.Context, cmd *exec.Cmd) error {
	if err := start(ctx, cmd, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}); err != nil {
		return err
	}
	guards.add(cmd)
	return nil
}

// StartCleaner is Start for a command that must outlive this process, because
// it notices the end of it (by a pipe) and then cleans up. If it is stopped when
// this process ends, the kernel continues it.
func StartCleaner(ctx context.Context, cmd *exec.Cmd) error {
	return start(ctx, cmd, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGCONT})
}

// StartMember starts cmd in the process group of this process. The kernel kills
// cmd when this process ends. The caller must call Wait.
func StartMember(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return fork(cmd)
}

// fork marks cmd, and starts it from a thread that lasts as long as this
// process: to the kernel, the parent whose death is signalled is a thread.
func fork(cmd *exec.Cmd) error {
	adopt()
	cmd.Env = append(cmd.Environ(), nextMark())
	started := make(chan error, 1)
	forks() <- func() { started <- children.start(cmd) }
	err := <-started
	runtime.Gosched() // with one processor the two goroutines give their turn to each other only
	return err
}

// Go probes pidfds once, in a child that shares its memory and its signal
// handlers. A signal for the group during the probe crashes both, or the child
// waits without end. So the probe is here, with all signals blocked.
func init() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Release()
	}
}

var forks = sync.OnceValue(func() chan<- func() {
	calls := make(chan func())
	go func() {
		runtime.LockOSThread()
		for call := range calls {
			call()
		}
	}()
	return calls
})

func start(ctx context.Context, cmd *exec.Cmd, attributes *syscall.SysProcAttr) error {
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return errNoProc
	}
	cmd.SysProcAttr = attributes
	if err := fork(cmd); err != nil {
		return err
	}
	s, err := statOf(cmd.Process.Pid)
	if err == nil && s.flags&forkNoExec == 0 {
		return nil
	}
	cmd.Process.Kill()
	Wait(cmd) // the error says no more than the state
	if err != nil {
		return err
	}
	return neverBegan(ctx, cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// errNoProc says that nothing is known of the processes that are started.
var errNoProc = errors.New("/proc is missing or is that of another PID namespace; mount its own with: mount -t proc proc /proc")

// patience is how long Start waits for an interrupt that has hit the child.
var patience = 10 * time.Second

// neverBegan returns why a child ended before its exec.
func neverBegan(ctx context.Context, status syscall.WaitStatus) error {
	switch status.Signal() {
	case unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGABRT:
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patience):
		}
	}
	return fmt.Errorf("the child ended before its exec: %v", status.Signal())
}

// Has reports whether process pid is in the group of the leader or descends
// from it: a process that setsid(1) started has left the group and still
// descends. It reports false for a process that no longer exists.
func Has(leader, pid int) (bool, error) {
	for pid > 1 {
		in, err := unix.Getpgid(pid)
		if err == nil && (in == leader || pid == leader) {
			return true, nil
		}
		s, err := statOf(pid)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		pid = s.parent
	}
	return false, nil
}

// Stopped reports whether the process is stopped by a signal or a debugger.
func Stopped(pid int) (bool, error) {
	s, err := statOf(pid)
	return s.state == "T" || s.state == "t", err
}

// AwaitStopped waits for a moment until all threads of the processes are
// stopped, and reports whether they are. A process that has ended counts as
// stopped.
func AwaitStopped(pids []int) bool {
	for range 5000 { // on a loaded machine a thread is late to stop
		running := false
		for _, pid := range pids {
			for _, thread := range Threads(pid) {
				is, err := Stopped(thread)
				running = running || err == nil && !is
			}
		}
		if !running {
			return true
		}
		time.Sleep(100 * time.Microsecond)
	}
	return false
}

// Threads lists the threads of a process.
func Threads(pid int) (list []int) {
	entries, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task") // none: it has ended
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// forkNoExec is the kernel's flag of a process that has not called exec since
// it was forked (PF_FORKNOEXEC of linux/sched.h).
const forkNoExec = 0x40

// A stat has some of the fields of /proc/PID/stat; see proc(5).
type stat struct {
	state   string
	parent  int
	group   int
	session int
	flags   int
}

// statOf reads the stat of a process, which may have ended and not be waited
// for.
func statOf(pid int) (s stat, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	if s, err = parseStat(text); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return s, err
}

// parseStat reads the text of a stat.
func parseStat(text []byte) (s stat, err error) {
	// pid (name) state parent group session terminal its-group flags …
	// The name may contain anything, a parenthesis too.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 7 {
		return s, fmt.Errorf("%q is too short", text)
	}
	s.state = fields[0]
	for i, field := range map[int]*int{1: &s.parent, 2: &s.group, 3: &s.session, 6: &s.flags} {
		if *field, err = strconv.Atoi(fields[i]); err != nil {
			return stat{}, err
		}
	}
	return s, nil
}
