//go:build linux

package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/scratch"
)

// forking is the port of scenario fork: the C port, which keeps the descriptor
// of the lock file open, as PROTOCOL.md, section 3, allows. Worker 0 starts it. It
// opens the barrier, and forks the ports of the others, which talk to their
// workers through named pipes. They use the handle that they have inherited; in
// the control each opens its own.
const forking = "c@keeps-descriptor"

// gradeFork grades the outcomes of scenario fork. The model has no handles. With
// a handle of its own in each child, which is the control, the children are
// parties like any others: that is scenario reuse.
func (s subject) gradeFork(ctx context.Context, control bool) (*grading, error) {
	g, err := s.grade(ctx, spec.Reuse, false)
	if err != nil || control {
		return g, err
	}
	for o := range g.grades {
		g.grades[o] = Undecided
	}
	g.shown, g.driven = ^goal(0), 0
	return g, nil
}

// forkable reports whether scenario fork can be tried on the subject.
func (s subject) forkable() error {
	if slices.ContainsFunc(s.ports, func(name string) bool { return name != "c" }) {
		return fmt.Errorf("%w: only a port in C forks here; take --port c=2, or no --port (stress/PORTING.md has forks of the original)", ErrUnable)
	}
	return nil
}

// forked has the workers of c use ports that one of them forks. It returns what
// removes the pipes.
func (t *trials) forked(ctx context.Context, c *run.Config) (remove func() error, err error) {
	cmd, err := registry.Command(ctx, forking)
	if err != nil {
		return nil, err
	}
	files, err := scratch.Make("", "fork")
	if err != nil {
		return nil, err
	}
	how := "inherited"
	if t.control {
		how = "own"
	}
	quoted := cli.Quoted
	c.Ports = []string{fmt.Sprintf("exec:exec %s %s %s %d", quoted(cmd.Path), how, quoted(files.Dir), c.Procs)}
	for i := 1; i < c.Procs; i++ {
		in, out := filepath.Join(files.Dir, fmt.Sprintf("in.%d", i)), filepath.Join(files.Dir, fmt.Sprintf("out.%d", i))
		for _, pipe := range []string{in, out} {
			if err := unix.Mkfifo(pipe, 0o600); err != nil {
				return nil, errors.Join(&os.PathError{Op: "mkfifo", Path: pipe, Err: err}, files.Close())
			}
		}
		// A command in the background has no standard input but a copy.
		c.Ports = append(c.Ports, fmt.Sprintf("exec:exec 3<&0; cat <&3 >%s & exec cat %s", quoted(in), quoted(out)))
	}
	c.Guide = &run.Guide{Workers: make([][]run.Turn, c.Procs)} // all announce their steps
	return files.Close, nil
}
