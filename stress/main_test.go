//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"stress": main}) }

// A command is one run of the program, with a folder of its own for temporary
// files.
type command struct {
	*exec.Cmd
	out, err bytes.Buffer
	dir      string
}

func newCommand(t *testing.T, args ...string) *command {
	c := &command{Cmd: reexec.Command(t.Context(), "stress", args...), dir: t.TempDir()}
	c.Env = append(c.Env, "TMPDIR="+c.dir)
	c.Stdout, c.Stderr = &c.out, &c.err
	return c
}

// exitCode waits until the program and, because they inherit its standard
// error, all workers are gone.
func (c *command) exitCode(t *testing.T) int {
	t.Helper()
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// awaitWorkers waits until the program has started as many workers, and
// returns their process numbers and the path of the segment, or of the first.
func (c *command) awaitWorkers(t *testing.T, workers int) (pids []int, segment string) {
	t.Helper()
	for {
		if porttest.HasEnded(t, c.Process) {
			t.Fatalf("the program has ended with %d of %d workers: exit code %d\n%s", len(pids), workers, c.exitCode(t), c.err.String())
		}
		segments := c.segments(t) // without one, a child is no worker yet
		if pids = c.children(t); len(segments) > 0 && len(pids) >= workers {
			return pids, segments[0]
		}
		runtime.Gosched()
	}
}

// awaitRounds waits until the workers of the program call, at the segment.
func (c *command) awaitRounds(t *testing.T, segment string) {
	t.Helper()
	initial, err := binary.Append(nil, binary.NativeEndian, [3]int32{0, -1, 1}) // PROTOCOL.md, section 2
	if err != nil {
		t.Fatal(err)
	}
	for {
		if porttest.HasEnded(t, c.Process) {
			t.Fatalf("the program has ended before a call: exit code %d\n%s", c.exitCode(t), c.err.String())
		}
		words, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(words, initial) {
			return
		}
		runtime.Gosched()
	}
}

// segments lists the segments that the program has made, which bear its
// process number.
func (c *command) segments(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"/dev/shm/sharedbarrier-%d-*", "/dev/shm/sharedbarrier-*-%d-*"} {
		list, err := filepath.Glob(fmt.Sprintf(pattern, c.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, list...)
	}
	return paths
}

// children lists the program's children; each stands with the thread that
// started it.
func (c *command) children(t *testing.T) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread is gone
		}
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkNothingLeft wants no file of the program, which has ended. That segments
// finds what there is, awaitWorkers has shown.
func (c *command) checkNothingLeft(t *testing.T) {
	t.Helper()
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind in the temporary folder: %v (%v)", entries, err)
	}
	if segments := c.segments(t); len(segments) > 0 {
		t.Errorf("left behind: %v", segments)
	}
}

func TestProc_PrintsOneObject(t *testing.T) {
	c := newCommand(t, "--procs", "2", "--rounds", "50", "--seed", "7", "--json")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if code := c.exitCode(t); code != spec.ExitOK {
		t.Fatalf("exit code %d, want 0; stderr: %s", code, c.err.String())
	}
	var got map[string]any
	if err := json.Unmarshal(c.out.Bytes(), &got); err != nil || bytes.Count(c.out.Bytes(), []byte("\n")) != 1 {
		t.Fatalf("stdout is not one line of JSON (%v): %s", err, c.out.String())
	}
	for field, want := range map[string]any{
		"version": float64(run.Version), "verdict": "passed", "procs": 2.0, "rounds": 50.0, "calls": 100.0, "violations": 0.0, "seed": 7.0, "interrupted": false,
	} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	if rate, _ := got["rounds_per_second"].(float64); rate <= 0 {
		t.Errorf("rounds_per_second is %v", got["rounds_per_second"])
	}
	latency, _ := got["latency_us"].(map[string]any)
	for _, p := range []string{"p50", "p99", "max"} {
		if v, _ := latency[p].(float64); v <= 0 {
			t.Errorf("latency_us.%s is %v", p, latency[p])
		}
	}
	if c.err.Len() > 0 {
		t.Errorf("stderr, which is no terminal, has %q", c.err.String())
	}
}

// TestProc_Signals interrupts and kills the program in mid-run: whatever
// happens to it, its workers and its files are gone with it.
func TestProc_Signals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int // -1: died of the signal
	}{
		{syscall.SIGINT, spec.ExitInterrupted},
		{syscall.SIGTERM, spec.ExitInterrupted},
		{syscall.SIGKILL, -1},
	} {
		t.Run(c.signal.String(), func(t *testing.T) {
			p := newCommand(t, "--procs", "3", "--for", "2m", "--stall", "5m", "--json")
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			_, segment := p.awaitWorkers(t, 3)
			p.awaitRounds(t, segment)
			if err := p.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			if code := p.exitCode(t); code != c.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, c.code, p.err.String())
			}
			p.checkNothingLeft(t)
			if c.code < 0 {
				return
			}
			var rep run.Report
			if err := json.Unmarshal(p.out.Bytes(), &rep); err != nil || rep.Verdict != spec.Passed || !rep.Interrupted {
				t.Errorf("report %q (%v), want passed and interrupted", p.out.String(), err)
			}
		})
	}
}

// TestProc_InterruptedBeforeTheFirstRound has a port that never says hello.
func TestProc_InterruptedBeforeTheFirstRound(t *testing.T) {
	p := newCommand(t, "--port", "exec:exec sleep "+uniqueSeconds(), "--json")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	p.awaitWorkers(t, 1)
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.exitCode(t); code != spec.ExitInterrupted || p.err.Len() > 0 {
		t.Errorf("exit code %d, stderr %q; want %d and nothing", code, p.err.String(), spec.ExitInterrupted)
	}
	var rep run.Report
	if err := json.Unmarshal(p.out.Bytes(), &rep); err != nil || rep.Verdict != spec.Unfinished || !rep.Interrupted {
		t.Errorf("report %q (%v), want unfinished and interrupted", p.out.String(), err)
	}
	p.checkNothingLeft(t)
}

// TestProc_InterruptedWhileItStarts sends the signal to the whole process group,
// as a terminal does, as soon as there is a segment and a child, whatever that is
// about to become.
func TestProc_InterruptedWhileItStarts(t *testing.T) {
	for _, args := range [][]string{
		{"--procs", "8", "--for", "1h", "--stall", "5m"},
		{"--port", "go=8", "--for", "1h", "--stall", "5m"},
		{"lockstep", "--random", "--steps", "1000000000", "--procs", "8"},
		{"kit", "--port", "go", "--for", "1h", "--stall", "5m"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := newCommand(t, args...)
			p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			p.awaitWorkers(t, 1)
			if err := syscall.Kill(-p.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if code := p.exitCode(t); code != spec.ExitInterrupted || p.err.Len() > 0 {
				t.Errorf("exit code %d, stderr %q; want %d and nothing\n%s", code, p.err.String(), spec.ExitInterrupted, p.out.String())
			}
			p.checkNothingLeft(t)
		})
	}
}

// wantUsageError runs the command with flags that it must refuse in one line
// with want in it.
func wantUsageError(t *testing.T, want string, args ...string) {
	t.Helper()
	p := newCommand(t, args...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	code := p.exitCode(t)
	if line := p.err.String(); code != spec.ExitUsage || !strings.Contains(line, want) || strings.Count(line, "\n") != 1 {
		t.Errorf("stress %v: exit code %d, stderr %q; want %d and one line with %q", args, code, line, spec.ExitUsage, want)
	}
}

func TestProc_BadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--procs", "0"}, "--procs is 0; give at least 1"},
		{[]string{"--procs", "x"}, "--procs"},
		{[]string{"--rounds", "-1"}, "--rounds is -1"},
		{[]string{"--for", "-1s"}, "--for is -1s"},
		{[]string{"--for", "0"}, "give one of them"},
		{[]string{"--stall", "0"}, "--stall is 0s"},
		{[]string{"--seeds", "1"}, "--seeds"},
		{[]string{"surprise"}, "surprise"},
	} {
		wantUsageError(t, c.want, c.args...)
	}
}

// TestProc_HangPrintsTheCommand stops a worker and reads what the program
// says about it.
func TestProc_HangPrintsTheCommand(t *testing.T) {
	p := newCommand(t, "--procs", "2", "--for", "2m", "--stall", "3s", "--seed", "5")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	workers, segment := p.awaitWorkers(t, 2)
	p.awaitRounds(t, segment)
	if err := syscall.Kill(workers[0], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if code := p.exitCode(t); code != spec.ExitHang {
		t.Errorf("exit code %d, want %d", code, spec.ExitHang)
	}
	for _, want := range []string{"hang", "no round was completed for 3s", "Words: enter=", "Lock: held by", "next step", "stopped"} {
		if !strings.Contains(p.out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, p.out.String())
		}
	}
	if want := "go run ./stress --procs 2 --rounds 0 --for 2m0s --stall 3s --seed 5"; !strings.Contains(p.err.String(), want) {
		t.Errorf("stderr %q, want %q in it", p.err.String(), want)
	}
	p.checkNothingLeft(t)
}
