package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
)

// TestProc_Interrupt: SIGINT while TLC reads ends Java and the command, and
// leaves nothing.
func TestProc_Interrupt(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TestConform_Model runs TLC")
	}
	t.Parallel()
	requireTLC(t)
	temp := t.TempDir()
	cmd := reexec.Command(context.Background(), "validate", accepttest.File(t, accepttest.Example))
	// Java is a script that says that it runs, and then never ends.
	started, home := filepath.Join(t.TempDir(), "started"), t.TempDir()
	java, err := exec.LookPath("java")
	if err := errors.Join(err, syscall.Mkfifo(started, 0o600)); err != nil {
		t.Fatal(err)
	}
	clitest.Script(t, filepath.Join(home, "bin", "java"), "case \"$*\" in *-version) exec '"+java+"' \"$@\";; esac\necho >'"+started+"'\nexec sleep 1000")
	cmd.Env = append(cmd.Env, "TMPDIR="+temp, "JAVA_HOME="+home)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() }) // it has ended, unless the test has failed
	if _, err := os.ReadFile(started); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != spec.ExitInterrupted {
		t.Errorf("validate, interrupted: exit code %d, want %d", got, spec.ExitInterrupted)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("validate, interrupted, leaves %v, %v", left, err)
	}
}
