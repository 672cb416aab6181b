//go:build linux

package registry

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port"
)

var cSource = source("c/barrier.c")

// cFlags are strict, because the source is to be copied.
var cFlags = []string{"-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c"}

// source returns the text of a port.
func source(path string) string {
	text, err := port.Sources.ReadFile(path)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// ErrNoCC: no C compiler works.
const ErrNoCC = toolcache.Missing("no C compiler; install one that is called cc (Debian: apt-get install gcc libc6-dev)")

var mutantMacro = regexp.MustCompile(`(?m)^#ifn?def MUTANT_(\w+)`)

// CMutants lists the mistakes that the C port can be compiled with. The port
// c@NAME has one of them: it is there to be caught.
func CMutants() []string {
	var names []string
	for _, m := range mutantMacro.FindAllStringSubmatch(cSource, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// cCommand compiles the C port, with a mistake if mutant names one, unless the
// cache has it.
func cCommand(ctx context.Context, mutant string) (*exec.Cmd, error) {
	flags := slices.Clone(cFlags)
	if mutant != "" {
		if !slices.Contains(CMutants(), mutant) {
			return nil, fmt.Errorf("port c has no mutant %q; there are %s", mutant, strings.Join(CMutants(), ", "))
		}
		flags = append(flags, "-DMUTANT_"+mutant)
	}
	cc, version, err := toolcache.Ask(ctx, ErrNoCC, "cc", "--version")
	if err != nil {
		return nil, fmt.Errorf("port c: %w", err)
	}
	build := func(path string) error {
		compile := exec.Command(cc, append(flags, "-o", path, "-")...)
		compile.Stdin = strings.NewReader(cSource)
		if out, err := procgroup.CombinedOutput(ctx, compile); err != nil {
			return fmt.Errorf("port c: %s: %w\n%s", compile, err, out)
		}
		return nil
	}
	program, err := toolcache.Entry{Name: "port-c", Key: append(flags, version, cSource), Make: build}.Get()
	if err != nil {
		return nil, err
	}
	return exec.Command(program), nil
}
