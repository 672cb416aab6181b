//go:build linux

package registry

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/stress/port"
)

const (
	errNoCC   = toolcache.Missing("no C compiler; install one that is called cc (Debian: apt-get install gcc libc6-dev)")
	errNoRust = toolcache.Missing("no Rust compiler; install one that is called rustc (Debian: apt-get install rustc)")
)

// The flags are strict, because the sources are samples to copy.
var (
	cFlags    = []string{"-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c"}
	rustFlags = []string{"--edition", "2021", "-O", "-D", "warnings", "--crate-name", "barrier"}
)

// CMutants lists the mistakes that the C port can be compiled with: c@NAME has
// one of them. Each mistake of model.Mutants is there, under its name.
func CMutants() []string {
	var names []string
	for _, m := range mutantMacro.FindAllStringSubmatch(source("c/barrier.c"), -1) {
		names = append(names, strings.ReplaceAll(strings.ToLower(m[1]), "_", "-"))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

var mutantMacro = regexp.MustCompile(`(?m)^#if.*?\bMUTANT_(\w+)`)

// macro is the inverse of CMutants: MUTANT_NO_DRAIN of no-drain.
func macro(mutant string) string {
	return "MUTANT_" + strings.ToUpper(strings.ReplaceAll(mutant, "-", "_"))
}

// cCommand compiles the C port, with the mistake unless mutant is empty.
func cCommand(ctx context.Context, mutant string) (*exec.Cmd, error) {
	flags := slices.Clone(cFlags)
	if mutant != "" {
		if !slices.Contains(CMutants(), mutant) {
			return nil, fmt.Errorf("there is no mutant %q; there are %s", mutant, strings.Join(CMutants(), ", "))
		}
		flags = append(flags, "-O0", "-D"+macro(mutant)) // the last -O counts; there are many mutants
	}
	return compile(ctx, errNoCC, "cc", flags, "c/barrier.c")
}

// rustCommand compiles the Rust port.
func rustCommand(ctx context.Context) (*exec.Cmd, error) {
	return compile(ctx, errNoRust, "rustc", rustFlags, "rust/barrier.rs")
}

// compile compiles the port at path, unless the cache has it, and returns the
// command that runs it.
func compile(ctx context.Context, missing toolcache.Missing, compiler string, flags []string, path string) (*exec.Cmd, error) {
	program, err := Compile(ctx, missing, compiler, flags, "port-"+strings.ReplaceAll(path, "/", "-"), source(path))
	if err != nil {
		return nil, err
	}
	return exec.Command(program), nil
}

// Compile compiles a program of one source, unless the cache has it under the
// name, and returns its path. The compiler reads the text from its standard
// input. It fails with missing if there is no such compiler.
func Compile(ctx context.Context, missing toolcache.Missing, compiler string, flags []string, name, text string) (program string, err error) {
	compiler, version, err := toolcache.Ask(ctx, missing, compiler, "--version")
	if err != nil {
		return "", err
	}
	return toolcache.Entry{
		Name: name,
		Key:  slices.Concat(flags, []string{version, text}),
		Make: func(program string) error {
			cmd := exec.Command(compiler, slices.Concat(flags, []string{"-o", program, "-"})...)
			cmd.Stdin = strings.NewReader(text)
			cmd.Env = toolcache.KeepTemp(os.Environ(), program)
			out, err := procgroup.CombinedOutput(ctx, cmd)
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", cmd, err, out)
			}
			return nil
		},
		Check: whole,
	}.Get()
}

// whole returns an error if the end of the program at the path is missing,
// where its sections are listed.
func whole(path string) error {
	program, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s is no whole program: %w", path, err)
	}
	return program.Close()
}

// source returns the text of a port.
func source(path string) string {
	text, err := port.Sources.ReadFile(path)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}
