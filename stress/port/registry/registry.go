//go:build linux

package registry

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/goport"
)

// goSubcommand makes a program that starts ports the go port itself.
const goSubcommand = "port-go"

// ServeGo serves the go port and exits, if this process was started as the go
// port; otherwise it returns. Every program that starts ports calls it first.
func ServeGo() {
	if len(os.Args) > 1 && os.Args[1] == goSubcommand {
		os.Exit(goport.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
}

// Names says for messages which ports there are.
const Names = "go, go@construct, go@unlink, c, python, python@old, python@unlinking, python@newest, rust, exec:COMMAND"

// Command returns the command that runs the port with the name:
//
//	go              package impl, which attaches to the segment
//	go@construct    the same, constructing as the original does
//	go@unlink       the same, and beside its calls it keeps unlinking the lock file while it holds it
//	c               c/barrier.c, compiled with cc; c@MUTANT with one of its mistakes
//	python          the published original, with the last filelock before 3.30.0;
//	                python@old with one that cannot meet peers that unlink the lock file,
//	                python@unlinking with one that does so,
//	                python@newest with the newest, which minds forks
//	rust            rust/barrier.rs, compiled with rustc: the sample of PORTING.md
//	exec:COMMAND    whatever the shell makes of COMMAND
//
// Ports that have to be built or installed are, which may take long and ends
// with ctx. Within one process that is looked into once for each name.
func Command(ctx context.Context, name string) (*exec.Cmd, error) {
	known, ok := commands.Load(name)
	if !ok {
		cmd, err := newCommand(ctx, name)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("port %s: %w", name, ctx.Err())
		case err != nil:
			return nil, err
		}
		known, _ = commands.LoadOrStore(name, cmd)
	}
	model := known.(*exec.Cmd)
	cmd := exec.Command(model.Path, model.Args[1:]...)
	cmd.Env = slices.Clone(model.Env)
	return cmd, nil
}

// commands are those that Command has made, by name. They are models for
// others, and are never started.
var commands sync.Map

func newCommand(ctx context.Context, name string) (*exec.Cmd, error) {
	if command, ok := strings.CutPrefix(name, "exec:"); ok && command != "" {
		return exec.Command("/bin/sh", "-c", command), nil
	}
	switch base, variant, _ := strings.Cut(name, "@"); {
	case name == "go":
		return exec.Command("/proc/self/exe", goSubcommand), nil
	case name == "go@construct":
		return exec.Command("/proc/self/exe", goSubcommand, goport.Construct), nil
	case name == "go@unlink":
		return exec.Command("/proc/self/exe", goSubcommand, goport.Unlink), nil
	case name == "rust":
		return rustCommand(ctx)
	case base == "c":
		return cCommand(ctx, variant)
	case base == "python":
		return pythonCommand(ctx, variant)
	}
	return nil, fmt.Errorf("no port is called %q; there are %s", name, Names)
}

// Start starts the port with the name, as port.Start does with its command and
// port.Limit. Building or installing it does not count.
func Start(ctx context.Context, name string) (*port.Port, error) {
	cmd, err := Command(ctx, name)
	if err != nil {
		return nil, err
	}
	return port.Start(ctx, name, cmd, port.Limit)
}

// CountHelp says in help texts what Parse makes of a COMMAND that ends like a count.
const CountHelp = "A number after the last = is always the COUNT, so exec:'./x --n=2' is 2 of './x --n', and exec:'./x --n=2=1' is one of './x --n=2'"

// Parse takes NAME or NAME=COUNT apart. COUNT is 1 where it is missing, and at
// least 1. A COMMAND may contain = itself: only a number at its end is a count
// (CountHelp).
func Parse(text string) (name string, count int, err error) {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return text, 1, nil
	}
	count, err = strconv.Atoi(text[i+1:])
	switch {
	case err != nil && strings.HasPrefix(text, "exec:"):
		return text, 1, nil
	case err != nil:
		return "", 0, fmt.Errorf("port %q: %q is no count", text, text[i+1:])
	case count < 1:
		return "", 0, fmt.Errorf("port %q: the count is %d; give at least 1", text, count)
	}
	return text[:i], count, nil
}
