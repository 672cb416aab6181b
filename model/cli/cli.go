// Package cli has what the project's commands share: Main, which runs a command
// and handles signals, errors and exit codes; the line that reproduces a
// failure; and the progress bar. spec/verdict.go gives the exit code of each
// verdict.
//
// A command is a cobra.Command whose RunE does the work and returns nil, an
// Exit, or an error of usage or environment.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/cheggaaa/pb/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sharedbarrier/spec"
)

// Exit is the error with which a command that has printed its result ends with
// an exit code other than 0.
type Exit int

// Error returns the code in words.
func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Main runs cmd with the program's arguments and ends the program. What cmd
// writes with its OutOrStdout and ErrOrStderr, and its error, is made Printable.
//
// The context of the command ends at the first SIGINT, SIGTERM, SIGQUIT or
// SIGABRT; the second one kills (SIGQUIT and SIGABRT print the goroutines). It
// also ends
//   - at SIGHUP, when the terminal closes, unless nohup started the command;
//   - when the reader of the output (cmd.OutOrStdout) is gone. The command then
//     ends by SIGPIPE;
//   - if go run started the program, when that ends: a SIGTERM or SIGKILL for
//     go run does not reach the program.
//
// Main prints an error other than Exit as one line on stderr. The exit code is
// then spec.ExitUsage, or spec.ExitInterrupted after the end of the context,
// which may have caused the error. A failure to write the output is such an
// error too, unless the command ends with an Exit.
func Main(cmd *cobra.Command) {
	ctx, cancel := context.WithCancel(hangup())
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGABRT)
	context.AfterFunc(ctx, stop)
	if path, err := os.Executable(); err == nil && isOfGoRun(path) {
		go awaitParent(path, cancel)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // so that a write fails and does not kill
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	out := &output{Writer: &printer{Writer: os.Stdout}, lost: cancel}
	cmd.SetOut(out)
	cmd.SetErr(&printer{Writer: os.Stderr})
	err := cmd.ExecuteContext(ctx)
	if errors.Is(out.err, syscall.EPIPE) {
		signal.Reset(syscall.SIGPIPE)
		os.Stdout.Write([]byte{'\n'}) // ends the program
	}
	os.Exit(code(ctx, cmd.Name(), cmp.Or(err, out.err)))
}

// output remembers the first error of its writer, and calls lost when the
// reader is gone.
type output struct {
	io.Writer
	lost func()
	err  error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if errors.Is(err, syscall.EPIPE) {
		o.lost()
	}
	o.err = cmp.Or(o.err, err)
	return n, err
}

// hangup returns a context that ends at SIGHUP, unless that was ignored from
// the start. A later SIGHUP does nothing, since a shell passes on the
// terminal's and the command must clean up first.
func hangup() context.Context {
	if signal.Ignored(syscall.SIGHUP) {
		return context.Background()
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGHUP)
	return ctx
}

// isOfGoRun reports whether go run has built the executable, which it then
// starts itself, in …/go-build123/b001/exe/NAME, or in its cache, in
// …/HASH-d/NAME.
func isOfGoRun(path string) bool { return ofGoRun.MatchString(filepath.ToSlash(path)) }

var ofGoRun = regexp.MustCompile(`/(go-build[0-9]+/b[0-9]+/exe|[0-9a-f]{64}-d)/[^/]+$`)

// awaitParent calls gone when the parent of this process, which runs path, has
// ended. It looks ten times a second. The parent may have ended before the
// first look: another process is the parent then.
func awaitParent(path string, gone func()) {
	for parent := os.Getppid(); runs(parent, path) && os.Getppid() == parent; {
		time.Sleep(100 * time.Millisecond)
	}
	gone()
}

// runs reports whether the process is the go command, or a program that has
// path as an argument, as with go run -exec; true where /proc does not tell.
func runs(pid int, path string) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	args, err2 := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err != nil || err2 != nil || string(name) == "go\n" || strings.Contains(string(args), path)
}

// Between returns nil if the value of the flag is from least to most. If not,
// the error says which values the flag takes.
func Between[T int | int64](flag string, value, least, most T) error {
	if least <= value && value <= most {
		return nil
	}
	return fmt.Errorf("--%s is %d; give %d to %d", flag, value, least, most)
}

func code(ctx context.Context, name string, err error) int {
	var exit Exit
	switch {
	case err == nil:
		return spec.ExitOK
	case errors.As(err, &exit):
		return int(exit)
	}
	line := Printable(strings.Join(strings.Fields(err.Error()), " ")) // an error may have several lines
	if ctx.Err() != nil {
		fmt.Fprintf(os.Stderr, "%s: interrupted: %s\n", name, line)
		return spec.ExitInterrupted
	}
	fmt.Fprintf(os.Stderr, "%s: %s (see --help)\n", name, line)
	return spec.ExitUsage
}

// Reproduce prints an empty line and "reproduce: COMMAND" on stderr: the
// command that repeats a failure.
func Reproduce(cmd *cobra.Command, command string) {
	fmt.Fprintf(cmd.ErrOrStderr(), "\nreproduce: %s\n", command)
}

// Bar starts a progress bar on stderr, laid out by a template of
// github.com/cheggaaa/pb. The bar is drawn only if stderr is a terminal. The
// caller must call Finish.
func Bar(layout string, total int64) *pb.ProgressBar {
	bar := pb.New64(total).SetTemplateString(layout).SetRefreshRate(250 * time.Millisecond)
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return bar // never started: counts, draws nothing
	}
	return bar.SetWriter(os.Stderr).Start()
}
