package procgroup

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// The guard is a process that outlives this one. It kills what the commands of
// Start have started when this process ends and has not waited for them, as
// after kill -9. The kernel kills the commands themselves only.
//
// This process writes "+ PID MARK" when a command has started and "- PID" when
// it has waited for it. The end of this pipe is the end of this process.

// guardName is the first argument of a process that is a guard.
const guardName = "sharedbarrier-guard"

func init() {
	if len(os.Args) == 1 && os.Args[0] == guardName {
		guard()
		os.Exit(0)
	}
}

// guards is the pipe to the guard, and which commands it knows.
var guards guardPipe

type guardPipe struct {
	sync.Mutex
	pipe   *os.File // nil: not started yet, or it could not be
	failed bool
	pids   map[int]bool
}

// add has the guard watch a command. If there can be no guard, the kernel alone
// ends the command.
func (g *guardPipe) add(cmd *exec.Cmd) {
	g.Lock()
	defer g.Unlock()
	if g.pipe == nil && !g.failed {
		g.pipe, g.pids = startGuard(), map[int]bool{}
		g.failed = g.pipe == nil
	}
	if g.pipe != nil {
		g.pids[cmd.Process.Pid] = true
		fmt.Fprintf(g.pipe, "+ %d %s\n", cmd.Process.Pid, markOf(cmd))
	}
}

// remove ends that, if the guard watches it.
func (g *guardPipe) remove(pid int) {
	g.Lock()
	defer g.Unlock()
	if g.pids[pid] {
		delete(g.pids, pid)
		fmt.Fprintf(g.pipe, "- %d\n", pid)
	}
}

// startGuard starts the guard. It has no mark: it belongs to no command.
func startGuard() *os.File {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer theirs.Close()
	cmd := exec.Cmd{Path: "/proc/self/exe", Args: []string{guardName}, Env: []string{}, Stdin: theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cmd.Start() != nil {
		ours.Close()
		return nil
	}
	return ours
}

// guard is the process of the guard.
func guard() {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGABRT)
	marks := map[int]string{} // by group
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var group int
		var op, mark string
		if fmt.Sscan(lines.Text(), &op, &group, &mark); op == "+" {
			marks[group] = mark
		} else {
			delete(marks, group)
		}
	}
	if len(marks) == 0 {
		return
	}
	var all []string
	for group, mark := range marks {
		unix.Kill(-group, unix.SIGKILL) // fails if all have ended
		all = append(all, mark)
	}
	for killMarked(all) {
	}
}

// killMarked kills the processes with one of the marks. It reports whether
// there was one, whose children may not have been seen.
func killMarked(marks []string) (some bool) {
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		pid, err := strconv.Atoi(strings.TrimPrefix(path, "/proc/"))
		if err != nil {
			continue
		}
		if carries, _ := carries(pid, marks...); carries && unix.Kill(pid, unix.SIGKILL) == nil {
			some = true
		}
	}
	return some
}
