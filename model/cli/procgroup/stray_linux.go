package procgroup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Wait blocks until cmd has ended, kills the rest of its group and the strays,
// and returns what cmd.Wait returns. The ended process keeps its number until
// the rest is killed, so no other group can take the number.
func Wait(cmd *exec.Cmd) error {
	_, err := WaitStrays(cmd)
	return err
}

// WaitStrays is Wait, and returns the strays that it has killed. A stray of
// another user lives on.
func WaitStrays(cmd *exec.Cmd) ([]Stray, error) {
	pid := cmd.Process.Pid
	awaitEnd(pid, unix.WEXITED|unix.WNOWAIT)
	children.end(pid)
	unix.Kill(-pid, unix.SIGKILL) // fails only when nothing is left
	// The strays end before cmd.Wait, which waits for the end of an output that
	// is no file.
	strays := killOrphans(cmd)
	err := cmd.Wait()
	guards.remove(pid)
	children.forget(pid)
	return strays, err
}

// awaitEnd is waitid(2) for a child.
func awaitEnd(pid, options int) error {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, options, nil); err != unix.EINTR {
			return err
		}
	}
}

// adopt makes this process the parent of descendants whose parent has ended. So
// they are found, and do not live on as children of init.
var adopt = sync.OnceFunc(func() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })

// started are the children of this process that this package has started and
// not waited for. The lock is held while one is started, so that a new child is
// not taken for an orphan.
type started struct {
	sync.Mutex
	running map[int]bool // false: it has ended
}

var children = started{running: map[int]bool{}}

func (s *started) start(cmd *exec.Cmd) error {
	s.Lock()
	defer s.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	s.running[cmd.Process.Pid] = true
	return nil
}

func (s *started) end(pid int) {
	s.Lock()
	defer s.Unlock()
	s.running[pid] = false
}

func (s *started) forget(pid int) {
	s.Lock()
	defer s.Unlock()
	delete(s.running, pid)
}

// orphans lists the children of this process that this package has not started,
// and says whether all that it has started have ended.
func (s *started) orphans() (list []orphan, over bool) {
	s.Lock()
	defer s.Unlock()
	for _, pid := range Children(os.Getpid()) {
		stat, err := statOf(pid)
		if _, own := s.running[pid]; err == nil && !own {
			list = append(list, orphan{pid, stat})
		}
	}
	over = true
	for _, running := range s.running {
		over = over && !running
	}
	return list, over
}

type orphan struct {
	pid int
	stat
}

// markVariable is the environment variable of each process that this package
// starts. Its value lists, from the outermost runner on, marks of the commands
// that the process descends from, as in "/6b1f.1/90c2.3".
const markVariable = "SHAREDBARRIER_STARTED_BY"

var (
	runner = fmt.Sprintf("%016x", rand.Uint64()) // identifies this process
	serial atomic.Int64                          // counts the commands
)

// nextMark returns the environment variable of the next command.
func nextMark() string {
	return fmt.Sprintf("%s=%s/%s.%d", markVariable, os.Getenv(markVariable), runner, serial.Add(1))
}

// markOf returns the mark of a command that was started.
func markOf(cmd *exec.Cmd) string {
	last := cmd.Env[len(cmd.Env)-1]
	return last[strings.LastIndexByte(last, '/')+1:]
}

// carries reports whether a process has one of the marks in its environment,
// and known whether that can be read and has any mark at all.
func carries(pid int, marks ...string) (carries, known bool) {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false, false
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if value, is := bytes.CutPrefix(variable, []byte(markVariable+"=")); is {
			known = true
			for mark := range strings.SplitSeq(string(value), "/") {
				carries = carries || slices.Contains(marks, mark)
			}
		}
	}
	return carries, known
}

// killOrphans kills and reaps what the command has started, once the command
// has ended and its group is killed. All of that are children of this process
// then, or become it when their parents end. It returns the strays.
func killOrphans(cmd *exec.Cmd) (strays []Stray) {
	for again := true; again; {
		again = false
		list, over := children.orphans()
		for _, o := range list {
			if o.group != cmd.Process.Pid && !o.belongs(cmd, over) {
				continue
			}
			name := nameOf(o.pid)
			if unix.Kill(o.pid, unix.SIGKILL) != nil {
				continue
			}
			again = true // its children are ours soon
			if awaitEnd(o.pid, unix.WEXITED) != nil {
				continue // another Wait has reaped it
			}
			if o.group != cmd.Process.Pid && o.group != unix.Getpgrp() && o.state != "Z" {
				strays = append(strays, Stray{o.pid, name})
			}
		}
	}
	return strays
}

// belongs reports whether the command has started the orphan. One that has no
// mark, since it cleared its environment, belongs to the command that ends last.
// But in the session of this process it may be a child that another package has
// started.
func (o orphan) belongs(cmd *exec.Cmd, over bool) bool {
	carries, known := carries(o.pid, markOf(cmd))
	if known {
		return carries
	}
	session, err := unix.Getsid(0)
	return err == nil && o.session != session && over
}

// Children lists the children of a process that it has not waited for.
func Children(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file) // the thread may have ended
		for _, child := range bytes.Fields(text) {
			if n, err := strconv.Atoi(string(child)); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// Family lists a process and its descendants. Those whose parent has ended are
// missing.
func Family(pid int) []int {
	list := []int{pid}
	for i := 0; i < len(list); i++ {
		list = append(list, Children(list[i])...)
	}
	return list
}

func nameOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // it may have ended
	return string(bytes.TrimSpace(name))
}
