//go:build linux

package port

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A stray is a process that a port has started and that has left the process
// group of the port. It lives on when the group is killed.

// started counts the ports of this process, to mark their environments.
var started atomic.Int64

// adopt makes this process the parent of descendants whose parent has ended. So
// they are found, and do not outlive the run as children of init.
var adopt = sync.OnceFunc(func() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })

// markName is an environment variable of each port. It says which port has
// started a process.
const markName = "SHAREDBARRIER_PORT"

// mark gives the command the environment variable of this port.
func (p *Port) mark() {
	adopt()
	p.marked = fmt.Sprintf("%s=%d.%d", markName, os.Getpid(), started.Add(1))
	p.cmd.Env = append(p.cmd.Environ(), p.marked)
}

// killStrays kills the descendants that have left the process group while their
// parents live.
func (p *Port) killStrays() {
	if p.lines.ended() {
		return
	}
	for _, pid := range p.Processes()[1:] {
		if group, err := unix.Getpgid(pid); err == nil && p.leads && group != p.PID() {
			p.killStray(pid)
		}
	}
}

// killAdopted kills those whose parent has ended. They are children of this
// process then, with the mark of the port in their environment.
func (p *Port) killAdopted() {
	for again := true; again; {
		again = false
		for _, pid := range children(os.Getpid()) {
			if p.started(pid) && p.killStray(pid) {
				for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED, nil) == unix.EINTR {
				}
				again = true // its children are ours now
			}
		}
	}
}

// started reports whether the port has started the process, by the mark in its
// environment.
func (p *Port) started(pid int) bool {
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && pid != p.PID() && bytes.Contains(append(environment, 0), []byte(p.marked+"\x00"))
}

func (p *Port) killStray(pid int) (killed bool) {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil || unix.Kill(pid, unix.SIGKILL) != nil {
		return false
	}
	p.strays.Store(pid, string(bytes.TrimSpace(name)))
	return true
}

// Strays describes the processes that the port had started, that had left its
// process group, and that the end of the port has killed.
func (p *Port) Strays() (list []string) {
	p.strays.Range(func(pid, name any) bool {
		list = append(list, fmt.Sprintf("%d (%q)", pid, name))
		return true
	})
	return list
}

// children lists the children of a process.
func children(pid int) (list []int) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
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
