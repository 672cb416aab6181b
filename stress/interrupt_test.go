//go:build linux

package main

import (
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/spec"
)

// TestProc_CtrlC types Ctrl-C at a terminal that the command has as its own,
// once it has workers, a solver, or a bar. The kernel then sends SIGINT to the
// whole foreground group.
func TestProc_CtrlC(t *testing.T) {
	b := &builder{t.TempDir(), map[string]string{}}
	asleep := uniqueSeconds()
	solver := clitest.Script(t, filepath.Join(b.dir, "z3"), "exec sleep "+asleep)
	list := []victim{
		{program: "stress", args: []string{"--procs", "3", "--for", "1h", "--stall", "5m"}},
		{program: "stress", args: []string{"--port", "go=3", "--for", "1h", "--stall", "5m"}},
		{program: "stress", args: []string{"lockstep", "--random", "--steps", "1000000000"}},
		{program: "stress", args: []string{"conformance", "--port", "go", "--for", "1h", "--stall", "5m"}},
		{program: "stress", args: []string{"bench", "--contender", "plain", "--for", "1h", "--stall", "5m"}},
		{program: "./model/check", args: []string{"--scenario", "withdraw", "--procs", "6"}},
		{program: "./model/prove", args: []string{"--solver", "z3"}},
		{program: "./tla/check", args: []string{"withdraw-n6-safety"}},
	}
	if testing.Short() {
		list = list[:5]
	}
	for _, v := range list {
		t.Run(strings.Join(append([]string{v.program}, v.args...), " "), func(t *testing.T) {
			x := execution{victim: v}
			var ok bool
			if x.command, ok = x.prepare(t, b); !ok {
				t.Skip("a tool is missing")
			}
			ours, theirs := openTerminal(t)
			x.Env = append(x.Env, "SHAREDBARRIER_Z3="+solver)
			x.Stdin, x.Stdout, x.Stderr = theirs, theirs, theirs
			x.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := x.Start(); err != nil {
				t.Fatal(err)
			}
			theirs.Close()
			first := make([]byte, 1)
			switch v.program {
			case "stress":
				x.awaitWorkers(t, 1)
			case "./model/prove": // draws no bar
				awaitSleepers(t, x.command, asleep, true)
			default:
				ours.Read(first) // fails if the command has ended
			}
			if _, err := ours.WriteString("\x03"); err != nil {
				t.Fatal(err)
			}
			said, _ := io.ReadAll(ours) // fails when no process has the other end any more
			if code := x.exitCode(t); code != spec.ExitInterrupted {
				t.Errorf("exit code %d, want %d\n%s%s", code, spec.ExitInterrupted, first, said)
			}
			x.awaitNoProcess(t, t.Name())
			if left := x.left(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
