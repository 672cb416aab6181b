package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// commands are the programs that this test starts.
var commands = map[string]func(*cobra.Command, []string) error{
	"succeed":  func(*cobra.Command, []string) error { return nil },
	"violated": func(*cobra.Command, []string) error { return fmt.Errorf("wrapped: %w", Exit(spec.ExitSafety)) },
	"fail":     func(*cobra.Command, []string) error { return errors.New("no such thing:\n  make it first\n") },
	"progress": func(*cobra.Command, []string) error {
		Bar(`{{bar . }}`, 10).SetCurrent(5).Finish()
		return nil
	},
	"wait": func(cmd *cobra.Command, _ []string) error {
		fmt.Println("waiting")
		<-cmd.Context().Done()
		return Exit(spec.ExitInterrupted)
	},
	"clean up": func(cmd *cobra.Command, _ []string) error {
		fmt.Println("waiting")
		<-cmd.Context().Done()
		fmt.Println("cleaning")
		io.Copy(io.Discard, os.Stdin) // until the test has sent it what it may send
		return Exit(spec.ExitInterrupted)
	},
	"break": func(cmd *cobra.Command, _ []string) error {
		fmt.Println("waiting")
		<-cmd.Context().Done()
		return errors.New("a child was hit as well")
	},
	"print": func(cmd *cobra.Command, _ []string) error {
		fmt.Fprintln(cmd.OutOrStdout(), "the answer")
		return nil
	},
	"ignored": func(*cobra.Command, []string) error {
		fmt.Println(signal.Ignored(syscall.SIGHUP))
		return nil
	},
}

func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, run := range commands {
		programs[name] = func() {
			cmd := &cobra.Command{Use: "knock", Args: cobra.NoArgs, RunE: run}
			cmd.Flags().Int("procs", 1, "")
			Main(cmd)
		}
	}
	reexec.Main(m, programs)
}

func command(t *testing.T, name string, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	cmd = reexec.Command(t.Context(), name, args...)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	return cmd, stderr
}

func TestMain_ExitCodes(t *testing.T) {
	for _, c := range []struct {
		command string
		args    []string
		code    int
		stderr  string
	}{
		{"succeed", nil, spec.ExitOK, ""},
		{"succeed", []string{"--procs", "2"}, spec.ExitOK, ""},
		{"progress", nil, spec.ExitOK, ""}, // stderr is no terminal
		{"violated", nil, spec.ExitSafety, ""},
		{"fail", nil, spec.ExitUsage, "knock: no such thing: make it first (see --help)\n"},
		{"succeed", []string{"--procs", "two"}, spec.ExitUsage, `knock: invalid argument "two" for "--procs" flag`},
		{"succeed", []string{"--prosc"}, spec.ExitUsage, "knock: unknown flag: --prosc (see --help)\n"},
		{"succeed", []string{"surprise"}, spec.ExitUsage, `knock: unknown command "surprise"`},
	} {
		cmd, stderr := command(t, c.command, c.args...)
		err := cmd.Run()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		got := stderr.String()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.HasPrefix(got, c.stderr) || (c.stderr == "") != (got == "") || strings.Count(got, "\n") > 1 {
			t.Errorf("%s %v: exit code %d and stderr %q; want %d and %q", c.command, c.args, code, got, c.code, c.stderr)
		}
	}
}

// interrupt starts the command, signals it when it waits, and waits for its
// end.
func interrupt(t *testing.T, cmd *exec.Cmd, signal os.Signal) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(stdout, new(string)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}

func TestMain_SignalEndsTheContext(t *testing.T) {
	defaultHangup(t)
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, _ := command(t, "wait")
		interrupt(t, cmd, signal)
		if code := cmd.ProcessState.ExitCode(); code != spec.ExitInterrupted {
			t.Errorf("after %v: exit code %d, want %d", signal, code, spec.ExitInterrupted)
		}
	}
}

// What fails after the interrupt is the interrupt's doing.
func TestMain_ErrorAfterASignal(t *testing.T) {
	cmd, stderr := command(t, "break")
	interrupt(t, cmd, os.Interrupt)
	if code := cmd.ProcessState.ExitCode(); code != spec.ExitInterrupted || stderr.String() != "knock: interrupted: a child was hit as well\n" {
		t.Errorf("exit code %d, stderr %q; want %d and that it was interrupted", code, stderr, spec.ExitInterrupted)
	}
}

// An answer that nobody can read is no success.
func TestMain_OutputIsLost(t *testing.T) {
	readOnly, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	for stdout, want := range map[*os.File]int{nil: spec.ExitOK, readOnly: spec.ExitUsage} {
		cmd, stderr := command(t, "print")
		if stdout != nil {
			cmd.Stdout = stdout
		}
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != want || (stderr.Len() > 0) != (want != 0) {
			t.Errorf("output to %v: exit code %d, stderr %q; want %d", stdout, code, stderr, want)
		}
	}
}

// A second SIGHUP, as a shell may send, does not end a command that is cleaning
// up.
func TestMain_SecondHangup(t *testing.T) {
	defaultHangup(t)
	cmd, _ := command(t, "clean up")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range []string{"waiting", "cleaning"} {
		if _, err := fmt.Fscanln(stdout, new(string)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	stdin.Close()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != spec.ExitInterrupted {
		t.Errorf("after two SIGHUPs: %v, want exit code %d", cmd.ProcessState, spec.ExitInterrupted)
	}
}

// What nohup starts lives on when the terminal is closed.
func TestMain_Nohup(t *testing.T) {
	for ignored, prepare := range map[string]func(*testing.T){"false": defaultHangup, "true": ignoreHangup} {
		prepare(t)
		cmd, _ := command(t, "ignored")
		if got, err := cmd.Output(); err != nil || strings.TrimSpace(string(got)) != ignored {
			t.Errorf("SIGHUP ignored at the start: %s; and by the command: %s, %v", ignored, got, err)
		}
	}
}

// defaultHangup has commands start with the default action for SIGHUP, also
// when the test itself was started with nohup: a handled signal is not
// inherited.
func defaultHangup(t *testing.T) {
	handleHangup(t, func() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) })
}

func ignoreHangup(t *testing.T) { handleHangup(t, func() { signal.Ignore(syscall.SIGHUP) }) }

func handleHangup(t *testing.T, set func()) {
	set()
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
}
