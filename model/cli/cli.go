// Package cli has what the project's commands share: how one starts, is
// interrupted, reports an error and a failure, draws progress, and ends with
// the exit code that spec/verdict.go gives its verdict.
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

// Main runs cmd with the program's arguments and ends the program.
//
// The context of the command ends at the first SIGINT or SIGTERM; the second
// one kills. It also ends at SIGHUP, when the terminal closes, unless nohup
// started the command.
//
// Main prints an error other than Exit as one line on stderr. The exit code is
// then spec.ExitUsage, or spec.ExitInterrupted after one of these signals,
// which may be what the command failed of. If the output (cmd.OutOrStdout)
// cannot be written, that is such an error too, unless the command ends with an
// Exit.
func Main(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(hangup(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	out := &output{Writer: os.Stdout}
	cmd.SetOut(out)
	err := cmd.ExecuteContext(ctx)
	os.Exit(code(ctx, cmd.Name(), cmp.Or(err, out.err)))
}

// output remembers the first error of its writer.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
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

func code(ctx context.Context, name string, err error) int {
	var exit Exit
	switch {
	case err == nil:
		return spec.ExitOK
	case errors.As(err, &exit):
		return int(exit)
	}
	line := strings.Join(strings.Fields(err.Error()), " ") // an error may have several lines
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
