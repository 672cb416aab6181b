//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/spec/intercept"
	"sharedbarrier/spec/reexec"
)

// onAnyMachine are commands that end well on a machine that lacks nothing.
var onAnyMachine = [][]string{
	{"--procs", "2", "--rounds", "2"},
	{"--port", "go=2", "--rounds", "2"},
	{"lockstep", "--procs", "2", "--moves", "0:2 0 0 0 1:2 1 1"},
	append([]string{"conformance", "--port", "go"}, without("conversation", "alone")...),
}

// inNamespace has the command run in a mount namespace of its own, and in other
// new ones, after a script has prepared it.
func (c *command) inNamespace(script string, others uintptr) {
	c.Args = append([]string{"sh", "-c", "set -e; " + script + "\n\"$0\" \"$@\"; exit $?", c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	reexec.InMountNamespace(c.Cmd)
	c.SysProcAttr.Cloneflags |= others
}

// wantEnvironment checks that the command, which has ended, has said in one
// line what the machine lacks.
func (c *command) wantEnvironment(t *testing.T, what, want string) {
	t.Helper()
	code, said := c.ProcessState.ExitCode(), c.err.String()
	if code != spec.ExitUsage || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 || strings.Contains(c.out.String(), "violated") {
		t.Errorf("%s, stress %q: exit code %d, stderr %q, stdout %q; want %d and one line with %q", what, c.Args, code, said, c.out.String(), spec.ExitUsage, want)
	}
}

// run runs the command to its end. It returns false if it cannot be started.
func (c *command) run(t *testing.T) (started bool) {
	t.Helper()
	err := c.Run()
	if c.ProcessState == nil && reexec.NoNamespace(err) {
		return false
	}
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return true
}

// TestProc_EnvironmentIsNoFault: what the machine lacks is an error of usage or
// environment, in one line that says what, and accuses no port. The first
// machine lacks nothing.
func TestProc_EnvironmentIsNoFault(t *testing.T) {
	const temp = `mkdir "$TMPDIR/small"; mount -t tmpfs -o %s none "$TMPDIR/small"; export TMPDIR="$TMPDIR/small"; `
	for _, c := range []struct {
		name, script string
		others       uintptr
		only         string // the commands that need it; empty: all
		want         string // on stderr; empty: the command passes
	}{
		{"nothing", "", 0, "", ""},
		{"full /dev/shm", "mount -t tmpfs -o size=16k none /dev/shm; head -c 16384 /dev/zero >/dev/shm/full", 0, "", "/dev/shm"},
		{"read-only /dev/shm", "mount -t tmpfs -o ro none /dev/shm", 0, "", "/dev/shm"},
		{"/dev/shm without inodes", "mount -t tmpfs -o nr_inodes=1 none /dev/shm", 0, "", "/dev/shm"},
		{"/dev/shm without an inode for the segment", "mount -t tmpfs -o nr_inodes=2 none /dev/shm", 0, "", "/dev/shm"},
		{"missing TMPDIR", `export TMPDIR="$TMPDIR/missing"`, 0, "", "/missing"},
		{"read-only TMPDIR", fmt.Sprintf(temp, "ro"), 0, "", "/small"},
		{"full TMPDIR", fmt.Sprintf(temp, "size=4k") + `head -c 4096 /dev/zero >"$TMPDIR/full"`, 0, "conformance", "/small"},
		{"TMPDIR without inodes", fmt.Sprintf(temp, "nr_inodes=1"), 0, "", "/small"},
		{"TMPDIR without an inode for the lock file", fmt.Sprintf(temp, "nr_inodes=2"), 0, "", "/small"},
		{"no /proc/locks", "mount -t proc -o subset=pid none /proc", 0, "conformance", "/proc/locks"},
		{"another PID namespace", "", unix.CLONE_NEWPID, "", "/proc is missing or is that of another PID namespace"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if self, err := os.Executable(); err != nil || strings.HasSuffix(c.want, "/dev/shm") && strings.HasPrefix(self, "/dev/shm/") {
				t.Skipf("%s is in /dev/shm, which this hides (%v): use another TMPDIR", self, err)
			}
			for _, args := range onAnyMachine {
				if !strings.HasPrefix(args[0], c.only) {
					continue
				}
				p := newCommand(t, args...)
				p.inNamespace(c.script, c.others)
				switch started := p.run(t); {
				case !started, strings.Contains(p.err.String(), "permission denied"):
					t.Skipf("no mount namespace of its own: %s", p.err.String())
				case c.want != "":
					p.wantEnvironment(t, c.name, c.want)
				case p.ProcessState.ExitCode() != spec.ExitOK:
					t.Errorf("stress %q: exit code %d, want 0\n%s%s", args, p.ProcessState.ExitCode(), p.out.String(), p.err.String())
				}
			}
		})
	}
}

// TestProc_RefusedByTheSystem is TestProc_EnvironmentIsNoFault for calls that
// the system refuses from the nth on: those that start a process, since there
// are too many, and those that lock a file. The command passes when n is more
// than it needs.
func TestProc_RefusedByTheSystem(t *testing.T) {
	if testing.Short() {
		t.Skip("a run for each call that is refused: seconds")
	}
	for _, c := range []struct {
		name  string
		call  intercept.Filter
		errno unix.Errno
		most  int64
	}{
		{"too many processes", intercept.Filter{Number: unix.SYS_CLONE, Arg: 0, Without: unix.CLONE_THREAD}, unix.EAGAIN, 100},
		{"no locks", intercept.Filter{Number: unix.SYS_FLOCK}, unix.ENOLCK, 1000},
	} {
		for _, args := range onAnyMachine {
			passed := false
			for n := int64(3); !passed && n < c.most; n += 1 + n/3 {
				p := newCommand(t, args...)
				var calls atomic.Int64
				intercept.Run(t, []intercept.Filter{c.call}, func(intercept.Call) unix.Errno {
					if calls.Add(1) < n {
						return 0
					}
					return c.errno
				}, func() { p.run(t) })
				if passed = p.ProcessState.ExitCode() == spec.ExitOK; !passed {
					p.wantEnvironment(t, fmt.Sprintf("%s from call %d on", c.name, n), c.errno.Error())
				}
			}
			if !passed {
				t.Errorf("%s, stress %q: it does not pass with %d calls", c.name, args, c.most)
			}
		}
	}
}
