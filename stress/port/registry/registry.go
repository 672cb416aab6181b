//go:build linux

// Package registry knows the ports of this project by name, and compiles or
// installs those that need it.
//
//	p, err := registry.Start(ctx, "c")
//
// The names are:
//
//	go                package impl, which attaches to the segment
//	go@construct      the same, but it constructs on opening, as the original does
//	go@unlink         the same, but between its calls it takes the lock and unlinks
//	                  the lock file, again and again
//	c                 c/barrier.c, compiled with cc
//	c@MUTANT          the same with one mistake (CMutants)
//	python            the published original, with the last filelock before 3.30.0
//	python@old        the same, with a filelock that must not meet peers that unlink
//	                  the lock file
//	python@unlinking  the same, with a filelock that unlinks the lock file
//	python@newest     the same, with a filelock that refuses locks made before a fork
//	rust              rust/barrier.rs, compiled with rustc: the sample of PORTING.md
//	exec:COMMAND      the shell command
package registry

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/goport"
)

// Names lists the ports for messages.
const Names = "go, go@construct, go@unlink, c, python, python@old, python@unlinking, python@newest, rust, exec:COMMAND"

// Start starts the port with the name, as port.Start does its command, with
// port.Limit for each answer. The time to build or install it does not count.
// It fails with the errors of Command and port.Start.
func Start(ctx context.Context, name string) (*port.Port, error) {
	cmd, err := Command(ctx, name)
	if err != nil {
		return nil, err
	}
	return port.Start(ctx, name, cmd, port.Limit)
}

// Command returns the command that runs the port with the name. It first builds
// or installs the port unless the cache has it, which may take a minute and
// ends with ctx. Within one process it does that once for each name. It fails
// with the error of ctx, with a toolcache.Missing if a tool is missing or does
// not work, or if there is no such port.
func Command(ctx context.Context, name string) (*exec.Cmd, error) {
	known, ok := commands.Load(name)
	if !ok {
		cmd, err := newCommand(ctx, name)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("port %s: %w", name, ctx.Err())
		case err != nil:
			return nil, fmt.Errorf("port %s: %w", name, err)
		}
		known, _ = commands.LoadOrStore(name, cmd)
	}
	model := known.(*exec.Cmd)
	cmd := exec.Command(model.Path, model.Args[1:]...)
	cmd.Env = slices.Clone(model.Env)
	return cmd, nil
}

// commands has what Command has made, by name. They are copied and never
// started.
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
	return nil, fmt.Errorf("there is no such port; there are %s", Names)
}

// goSubcommand makes a program that starts ports the go port itself.
const goSubcommand = "port-go"

// ServeGo serves the go port and ends the program if Command has started it as
// that port. Every program that starts ports must call it first.
func ServeGo() {
	if len(os.Args) > 1 && os.Args[1] == goSubcommand {
		os.Exit(goport.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
}

// Build builds or installs the ports, several at a time. It fails as Command
// does for one of them.
func Build(ctx context.Context, names []string) error {
	errs := make([]error, len(names))
	some := make(chan bool, runtime.NumCPU())
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			some <- true
			defer func() { <-some }()
			if ctx.Err() == nil {
				_, errs[i] = Command(ctx, name)
			}
		})
	}
	all.Wait()
	return cmp.Or(cmp.Or(errs...), ctx.Err())
}
