package procgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"runner": runner, "starter": starter})
}

// starter starts two commands that sleep, says so, and waits for its end.
func starter() {
	for _, start := range []func(*exec.Cmd) error{
		func(cmd *exec.Cmd) error { return Start(context.Background(), cmd) },
		StartMember,
	} {
		cmd := exec.Command("sleep", "1000000000")
		cmd.Stdout = os.Stdout // ends with the last of them
		if err := start(cmd); err != nil {
			panic(err)
		}
	}
	fmt.Println("started")
	time.Sleep(time.Hour) // until it is killed
}

// TestProc_EndOfTheRunner kills a runner whose two commands watch nothing:
// neither outlives it.
func TestProc_EndOfTheRunner(t *testing.T) {
	cmd := reexec.Command(t.Context(), "starter")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if line != "started\n" {
		t.Errorf("the runner says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err != io.EOF { // the pipe ends when no process holds it
		t.Errorf("after the end of the runner: %q, %v", line, err)
	}
	cmd.Wait()
}

// runner starts commands until a signal comes, as many times as its argument
// says. It prints each error of Start and Wait that the signal does not
// explain.
func runner() {
	signals, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	got := make(chan os.Signal, 1)
	signal.Notify(got, os.Interrupt)
	for range signals {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-got; cancel() }()
		fmt.Println("ready")
		for ctx.Err() == nil {
			cmd := exec.Command("/bin/true")
			err := Start(ctx, cmd)
			if err == nil {
				err = Wait(cmd)
			} else if errors.Is(err, context.Canceled) {
				err = nil
			}
			if err != nil {
				fmt.Println(err)
			}
		}
	}
}

// TestProc_SignalToTheRunnersGroup signals a runner and its group, as a
// terminal does. Start reports each command that the signal ends as the end of
// the context.
func TestProc_SignalToTheRunnersGroup(t *testing.T) {
	signals := "300"
	if testing.Short() {
		signals = "50"
	}
	cmd := reexec.Command(t.Context(), "runner", signals)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != "ready" {
			t.Errorf("a signal to the runner's group: Start or Wait of a command: %s", lines.Text())
			continue
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestUnit_ChildEndsBeforeItsExec: a signal for the runner is waited for, any
// other one is an error.
func TestUnit_ChildEndsBeforeItsExec(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		waits  bool
	}{{syscall.SIGINT, true}, {syscall.SIGHUP, true}, {syscall.SIGQUIT, true}, {syscall.SIGKILL, false}} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- neverBegan(ctx, syscall.WaitStatus(c.signal)) }() // killed by it
		if c.waits {
			cancel()
		}
		err := <-ended
		if errors.Is(err, context.Canceled) != c.waits || err == nil || !c.waits && !strings.Contains(err.Error(), "killed") {
			t.Errorf("hit by %v: got %v, want the error of the context: %v", c.signal, err, c.waits)
		}
		cancel()
	}
}

// A signal for the child alone does not block Start for good.
func TestUnit_SignalForTheChildAlone(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = time.Millisecond
	if err := neverBegan(t.Context(), syscall.WaitStatus(syscall.SIGINT)); err == nil || !strings.Contains(err.Error(), "interrupt") {
		t.Errorf("SIGINT for the child alone: %v, want an error that names the signal", err)
	}
}

// TestProc_OutputKillsTheGroup ends the context of a command whose child holds
// its output open: neither stays.
func TestProc_OutputKillsTheGroup(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.Command("/bin/sh", "-c", "(echo begun >&3; exec sleep 1000000000) & wait")
	cmd.ExtraFiles = []*os.File{theirs}
	held := bufio.NewReader(ours)
	go func() {
		held.ReadString('\n')
		cancel()
	}()
	if _, err := CombinedOutput(ctx, cmd); !errors.Is(err, context.Canceled) {
		t.Errorf("CombinedOutput: %v, want that the context has ended", err)
	}
	theirs.Close()
	if rest, err := held.ReadString('\n'); err == nil { // the pipe ends when no process holds it
		t.Errorf("the command goes on: %q", rest)
	}
}

// TestProc_HasOfAGroup: Has is true of the leader, of a member and of one that
// left the group; false of another group's process and of one that is gone.
func TestProc_HasOfAGroup(t *testing.T) {
	leader, other := exec.Command("/bin/sh", "-c", "exec 3<&0; setsid sh -c 'echo $$; read -r end' <&3 & sh -c 'echo $$; read -r end' <&3 & wait"), exec.Command("cat")
	var pids []int
	in, err := leader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := leader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{leader, other} {
		if err := Start(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, cmd.Process.Pid)
	}
	for lines := bufio.NewScanner(out); len(pids) < 4 && lines.Scan(); {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	for i, want := range []bool{true, false, true, true} {
		if has, err := Has(pids[0], pids[i]); err != nil || has != want {
			t.Errorf("process %d of %v: Has(%d): got %v, %v, want %v", i, pids, pids[0], has, err, want)
		}
	}
	in.Close()
	other.Process.Kill()
	Wait(other)
	Wait(leader)
	if has, err := Has(pids[0], pids[1]); has || err != nil {
		t.Errorf("Has of a process that is gone: got %v, %v, want false", has, err)
	}
}
