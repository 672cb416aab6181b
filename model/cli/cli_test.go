package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// commands are the programs that this test starts.
var commands = map[string]func(*cobra.Command) error{
	"succeed":  func(*cobra.Command) error { return nil },
	"violated": func(*cobra.Command) error { return fmt.Errorf("wrapped: %w", Exit(spec.ExitSafety)) },
	"fail":     func(*cobra.Command) error { return errors.New("no such thing:\n  make it first\n") },
	"progress": func(*cobra.Command) error {
		Bar(`{{bar . }}`, 10).SetCurrent(5).Finish()
		return nil
	},
	"reproduce": func(cmd *cobra.Command) error {
		Reproduce(cmd, "go run .")
		return Exit(spec.ExitSafety)
	},
	"chatter": func(cmd *cobra.Command) error { // says on stderr that it cleans up
		for cmd.Context().Err() == nil {
			fmt.Fprintln(cmd.OutOrStdout(), "the answer")
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "cleaning")
		return Exit(spec.ExitInterrupted)
	},
	"parent": func(*cobra.Command) error { // starts the copy of the executable that is its name, as the program wait
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SHAREDBARRIER_REEXEC=wait")
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			return err
		}
		select {}
	},
	"print": func(cmd *cobra.Command) error {
		fmt.Fprintln(cmd.OutOrStdout(), "the answer")
		return nil
	},
	"wait": func(cmd *cobra.Command) error {
		fmt.Println("waiting")
		<-cmd.Context().Done()
		fmt.Println("cleaning")
		io.Copy(io.Discard, os.Stdin) // ends when the test has sent all signals
		return Exit(spec.ExitInterrupted)
	},
	"break": func(cmd *cobra.Command) error {
		fmt.Println("waiting")
		<-cmd.Context().Done()
		return errors.New("a child was hit as well")
	},
	"ignored": func(*cobra.Command) error {
		fmt.Println(signal.Ignored(syscall.SIGHUP))
		return nil
	},
}

func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, run := range commands {
		programs[name] = func() {
			cmd := &cobra.Command{Use: "test", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd) }}
			cmd.Flags().Int("procs", 1, "")
			Main(cmd)
		}
	}
	reexec.Main(m, programs)
}

// TestProc_ExitCodes: how a command ends, by its error, its usage and the
// signals that it gets. Each signal comes after a line of its output.
func TestProc_ExitCodes(t *testing.T) {
	defaultHangup(t)
	for _, c := range []struct {
		command string
		args    []string
		signals []os.Signal
		code    int
		stderr  string
	}{
		{"succeed", nil, nil, spec.ExitOK, ""},
		{"succeed", []string{"--procs", "2"}, nil, spec.ExitOK, ""},
		{"progress", nil, nil, spec.ExitOK, ""}, // stderr is no terminal
		{"violated", nil, nil, spec.ExitSafety, ""},
		{"reproduce", nil, nil, spec.ExitSafety, "\nreproduce: go run .\n"},
		{"fail", nil, nil, spec.ExitUsage, "test: no such thing: make it first (see --help)\n"},
		{"succeed", []string{"--procs", "two"}, nil, spec.ExitUsage, `test: invalid argument "two" for "--procs" flag`},
		{"succeed", []string{"--prosc"}, nil, spec.ExitUsage, "test: unknown flag: --prosc (see --help)\n"},
		{"succeed", []string{"surprise"}, nil, spec.ExitUsage, `test: unknown command "surprise"`},
		{"wait", nil, []os.Signal{os.Interrupt}, spec.ExitInterrupted, ""},
		{"wait", nil, []os.Signal{syscall.SIGTERM}, spec.ExitInterrupted, ""},
		{"wait", nil, []os.Signal{syscall.SIGHUP}, spec.ExitInterrupted, ""},
		{"wait", nil, []os.Signal{syscall.SIGHUP, syscall.SIGHUP}, spec.ExitInterrupted, ""}, // a shell may send a second one
		{"wait", nil, []os.Signal{syscall.SIGQUIT}, spec.ExitInterrupted, ""},
		{"wait", nil, []os.Signal{syscall.SIGABRT}, spec.ExitInterrupted, ""},
		{"break", nil, []os.Signal{os.Interrupt}, spec.ExitInterrupted, "test: interrupted: a child was hit as well\n"},
	} {
		cmd := reexec.Command(t.Context(), c.command, c.args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout := reexec.Start(t, cmd)
		for _, signal := range c.signals {
			if _, err := fmt.Fscanln(stdout, new(string)); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
		}
		stdin.Close()
		cmd.Wait()
		got := stderr.String()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.HasPrefix(got, c.stderr) || (c.stderr == "") != (got == "") || strings.Count(got, "\n") > max(1, strings.Count(c.stderr, "\n")) {
			t.Errorf("%s %v, signals %v: exit code %d and stderr %q, want %d and %q", c.command, c.args, c.signals, code, got, c.code, c.stderr)
		}
	}
}

// TestProc_OutputIsLost: a command whose output cannot be written fails.
func TestProc_OutputIsLost(t *testing.T) {
	readOnly, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	cmd := reexec.Command(t.Context(), "print")
	cmd.Stdout = readOnly
	if cmd.Run(); cmd.ProcessState.ExitCode() != spec.ExitUsage {
		t.Errorf("print to a file that is open for reading: %v, want exit code %d", cmd.ProcessState, spec.ExitUsage)
	}
	if out, err := reexec.Command(t.Context(), "print").Output(); err != nil || string(out) != "the answer\n" {
		t.Errorf("print: %q, %v", out, err)
	}
}

// TestProc_ReaderIsGone: a command whose reader ends cleans up, and then ends
// as other programs do.
func TestProc_ReaderIsGone(t *testing.T) {
	cmd := reexec.Command(t.Context(), "chatter")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout := reexec.Start(t, cmd)
	stdout.Close()
	cmd.Wait()
	if got := cmd.ProcessState.String(); got != "signal: broken pipe" || stderr.String() != "cleaning\n" {
		t.Errorf("chatter | true: %s and stderr %q, want a broken pipe and cleaning", got, stderr.String())
	}
}

// TestProc_EndOfGoRun kills the parent of a command that go run seems to have
// built: the command is interrupted.
func TestProc_EndOfGoRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "go-build1", "b001", "exe")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "test")
	if err := os.WriteFile(copied, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		copied: true, "/home/u/.cache/go-build/d6/" + strings.Repeat("d6", 32) + "-d/stress": true,
		self: false, "/usr/bin/stress": false,
	} {
		if got := isOfGoRun(path); got != want {
			t.Errorf("isOfGoRun(%q): got %v, want %v", path, got, want)
		}
	}
	// A command whose parent is another one than go run, which ended before, is
	// interrupted at once.
	late := exec.CommandContext(t.Context(), copied)
	late.Env = reexec.Command(t.Context(), "wait").Env
	if out, err := late.CombinedOutput(); string(out) != "waiting\ncleaning\n" {
		t.Errorf("the command without go run says %q (%v), want that it waits and cleans", out, err)
	}

	cmd := reexec.Command(t.Context(), "parent")
	cmd.Args[0] = copied // go run -exec PROGRAM gives it to the program
	stdout := reexec.Start(t, cmd)
	lines := bufio.NewScanner(stdout)
	for _, want := range []string{"waiting", "cleaning"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("the command says %q, want %q", lines.Text(), want)
		}
		cmd.Process.Kill() // of the parent, once
	}
	cmd.Wait()
}

// TestProc_Nohup: a command that nohup started ignores SIGHUP.
func TestProc_Nohup(t *testing.T) {
	for ignored, prepare := range map[string]func(*testing.T){"false": defaultHangup, "true": ignoreHangup} {
		prepare(t)
		if got, err := reexec.Command(t.Context(), "ignored").Output(); err != nil || strings.TrimSpace(string(got)) != ignored {
			t.Errorf("SIGHUP ignored at the start: %s; and by the command: %s, %v", ignored, got, err)
		}
	}
}

// defaultHangup makes commands start with the default action for SIGHUP, even
// if nohup started the test: they do not inherit a handled signal.
func defaultHangup(t *testing.T) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
}

func ignoreHangup(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	t.Cleanup(func() { signal.Reset(syscall.SIGHUP) })
}
