//go:build linux

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec/intercept"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// A gate stands between a port and its calls of flock(2): the runner sees each
// call before the kernel does, and can act between the system calls of one step
// of the port. So what is a rare moment otherwise is one that the runner makes.
type gate struct {
	calls   chan flockCall
	closed  chan struct{}
	watched chan error      // of intercept.Accept
	rested  []time.Duration // for how long the port slept with the lock, each time

	path    string      // of the lock file
	creates atomic.Bool // the port has opened it with O_CREAT while it was there
}

// A flockCall is a call of flock(2) that waits for its answer.
type flockCall struct {
	pid, fd, how int
	answer       chan<- unix.Errno
}

// gatedSubcommand makes the program become a port with a gate.
const gatedSubcommand = "port-gated"

// doneByRunner answers a call that the runner has made in the port's place.
const doneByRunner = intercept.Done

// gateSocket is the descriptor of the socket to the runner in such a process.
const gateSocket = 3

// ServeGated becomes a port, if Run has started this process as one that it
// watches. Every program that calls Run must call it first in main.
func ServeGated() {
	if len(os.Args) < 4 || os.Args[1] != gatedSubcommand {
		return
	}
	err := intercept.Exec(gateSocket, append(creating, intercept.Filter{Number: unix.SYS_FLOCK}), os.Args[2], os.Args[3:], os.Environ())
	fmt.Fprintf(os.Stderr, "become %s: %v\n", os.Args[2], err)
	os.Exit(1)
}

// creating selects calls of openat(2) that may create a file.
var creating = []intercept.Filter{{Number: unix.SYS_OPENAT, Arg: 2, With: unix.O_CREAT}}

// gated is fixture with a port behind a gate. Its calls of flock(2) while it
// opens go through; from then on f.gate.calls has them. It is notAsked where
// the kernel cannot do that.
func (s *subject) gated() *fixture {
	f := s.barrierOf()
	f.gate = &gate{calls: make(chan flockCall), closed: make(chan struct{}), watched: make(chan error, 1), path: f.lockPath}
	f.try(func() error {
		cmd, err := registry.Command(s.ctx, s.Port)
		if err != nil {
			return err
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "gate"), os.NewFile(uintptr(pair[1]), "gate")
		defer theirs.Close()
		go f.gate.serve(ours)
		watched := exec.Command("/proc/self/exe", append([]string{gatedSubcommand, cmd.Path}, cmd.Args...)...)
		watched.Env, watched.ExtraFiles = cmd.Env, []*os.File{theirs}
		f.port, err = s.begin(watched)
		return err
	})
	f.try(func() error {
		// The port has started, so the other end of the socket is closed.
		if err := <-f.gate.watched; err != nil {
			return notAsked{NotHere, fmt.Sprintf("calls of flock(2) cannot be watched here: %v", err)}
		}
		return nil
	})
	f.send(f.open())
	for f.err == nil {
		switch c, answer := f.event("open"); {
		case c != nil:
			c.answer <- 0
		case answer == port.Opened:
			return f
		case f.err == nil:
			f.err = finding("PORTS.md, section 2", "it answers open with %.300q, want %q", answer, port.Opened)
		}
	}
	return f
}

// serve waits for the port at the other end of the socket, and answers its
// calls.
func (g *gate) serve(socket *os.File) {
	listener, err := intercept.Accept(socket)
	g.watched <- err
	if err == nil {
		listener.Serve(g.closed, g.hold)
	}
}

// hold passes a call to the runner and waits for its answer.
func (g *gate) hold(c intercept.Call) unix.Errno {
	if c.Number == unix.SYS_OPENAT {
		if _, err := os.Lstat(g.path); err == nil && c.Args[2]&unix.O_EXCL == 0 && pathAt(c) == g.path {
			g.creates.Store(true)
		}
		return 0
	}
	answer := make(chan unix.Errno, 1)
	select {
	case g.calls <- flockCall{leader(c.Thread), int(int32(c.Args[0])), int(c.Args[1]), answer}:
	case <-g.closed:
		return 0
	}
	select {
	case errno := <-answer:
		return errno
	case <-g.closed:
		return 0
	}
}

// pathAt returns the path that the port asks to open; empty if it cannot be
// read.
func pathAt(c intercept.Call) string {
	text := make([]byte, unix.PathMax)
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", c.Thread))
	if err != nil {
		return ""
	}
	defer memory.Close()
	n, _ := memory.ReadAt(text, int64(c.Args[1])) // less than that may be mapped
	path, _, _ := strings.Cut(string(text[:n]), "\x00")
	return path
}

// leader returns the number of the process of a thread.
func leader(thread int) int {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread)) // the thread waits for the answer
	if _, after, found := strings.Cut(string(status), "\nTgid:"); found {
		line, _, _ := strings.Cut(after, "\n")
		if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			return pid
		}
	}
	return thread
}

// event waits for the next call of flock(2) or the next answer of the port.
func (f *fixture) event(request string) (c *flockCall, answer string) {
	for left := f.patience(); f.err == nil; {
		select {
		case call := <-f.gate.calls:
			return &call, ""
		case <-time.After(time.Millisecond):
		}
		answer, came := f.tryAnswer()
		if came {
			return nil, answer
		}
		f.try(func() error {
			if left.Spent() {
				return finding("PROTOCOL.md, section 4", "it neither answers %q nor tries the lock, for %v; the words are %v", request, f.subject.Limit, f.words())
			}
			return f.subject.ctx.Err()
		})
	}
	return nil, ""
}

// opened returns a copy of the descriptor of a call, as dup does.
func (c flockCall) opened() (*os.File, error) { return descriptor{pid: c.pid, fd: c.fd}.copy() }

// releases reports whether the call unlocks a file that holds the lock, by the
// descriptor that has locked it or by a copy.
func (c flockCall) releases() bool {
	_, holds, err := flagsOf(c.pid, fmt.Sprint(c.fd))
	return err == nil && holds && !c.locks()
}

// locks reports whether the call asks for the lock; otherwise it releases it.
func (c flockCall) locks() bool { return c.how&unix.LOCK_UN == 0 }
