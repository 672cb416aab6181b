package main

import (
	"bufio"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/tla/tlc"
)

// TestProc_JavaIsAWrapper ends the command while Java is the child of a script:
// Java ends too, and after kill -9 the next run removes the folder.
func TestProc_JavaIsAWrapper(t *testing.T) {
	tools, err := tlc.Find(t.Context(), nil)
	toolcache.Require(t, err)
	home := t.TempDir()
	clitest.Script(t, filepath.Join(home, "bin", "java"), "'"+tools.Java+"' \"$@\"\nexit $?") // no exec
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: spec.ExitInterrupted, syscall.SIGKILL: -1} {
		cmd, temp := check(t, "single-n1-safety", "withdraw-n6-safety", "--json")
		cmd.Env = append(cmd.Env, "JAVA_HOME="+home)
		stdout := reexec.Start(t, cmd)
		t.Cleanup(func() { cmd.Process.Kill() }) // it has ended, unless the test has failed
		bufio.NewScanner(stdout).Scan()          // the first answer is there, so the second question is being asked
		await(t, cmd.Process.Pid, "the wrapper had started Java", func() bool { return len(running(t, temp)) >= 2 })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%v: exit code %d, want %d", signal, code, want)
		}
		for len(running(t, temp)) > 0 { // the kernel and the guard take a moment
			time.Sleep(10 * time.Millisecond)
		}
		if signal == syscall.SIGKILL {
			next, _ := check(t, "single-n1-safety")
			next.Env = append(next.Env, "TMPDIR="+temp)
			if out, err := next.CombinedOutput(); err != nil {
				t.Errorf("the next run: %v\n%s", err, out)
			}
		}
		empty(t, temp)
	}
}
