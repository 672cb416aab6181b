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
	reexec.Main(m, map[string]func(){"runner": startAgain, "starter": starter})
}

// asleep says on descriptor 3 that it has begun, and sleeps. family starts three
// of it: one in the group of the command, one that leaves it, and one that
// leaves it and has ended its parent.
const (
	asleep = "sh -c 'echo begun >&3; exec sleep 1000000000'"
	family = asleep + " & setsid " + asleep + " & (setsid " + asleep + " &); "
)

// starter starts commands that sleep, one with children, and waits for its end.
func starter() {
	for script, start := range map[string]func(*exec.Cmd) error{
		family + "wait":  func(cmd *exec.Cmd) error { return Start(context.Background(), cmd) },
		"exec " + asleep: StartMember,
	} {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.ExtraFiles = []*os.File{os.Stdout} // ends with the last of them
		if err := start(cmd); err != nil {
			panic(err)
		}
	}
	time.Sleep(time.Hour) // until it is killed
}

// awaitBegun reads so many lines of asleep.
func awaitBegun(t *testing.T, lines *bufio.Reader, count int) {
	t.Helper()
	for range count {
		if line, err := lines.ReadString('\n'); line != "begun\n" {
			t.Errorf("a command says %q, %v", line, err)
		}
	}
}

// TestProc_EndOfTheRunner kills a runner whose commands watch nothing: neither
// they nor what they have started outlive it.
func TestProc_EndOfTheRunner(t *testing.T) {
	cmd := reexec.Command(t.Context(), "starter")
	out := reexec.Start(t, cmd)
	lines := bufio.NewReader(out)
	awaitBegun(t, lines, 4)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err != io.EOF { // the pipe ends when no process holds it
		t.Errorf("after the end of the runner: %q, %v", line, err)
	}
	cmd.Wait()
}

// startAgain starts commands until a signal comes, as many times as its argument
// says. It prints each error of Start and Wait that the signal does not
// explain.
func startAgain() {
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
// the context. On one processor, too, the runner sees the signal.
func TestProc_SignalToTheRunnersGroup(t *testing.T) {
	signals := "300"
	if testing.Short() {
		signals = "50"
	}
	for _, processors := range []string{"", "GOMAXPROCS=1"} {
		cmd := reexec.Command(t.Context(), "runner", signals)
		cmd.Env = append(cmd.Environ(), processors)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Stderr = os.Stderr
		out := reexec.Start(t, cmd)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() != "ready" {
				t.Errorf("%s a signal to the runner's group: Start or Wait of a command: %s", processors, lines.Text())
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
}

// TestUnit_ChildEndsBeforeItsExec: a signal for the runner is waited for, any
// other one is an error.
func TestUnit_ChildEndsBeforeItsExec(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = time.Hour // however slow the machine is
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

// TestProc_EndOfACommand ends and kills a command whose children hold its output
// open and have left its group or not: none stays. WaitStrays names those that
// have left.
func TestProc_EndOfACommand(t *testing.T) {
	for _, c := range []struct {
		name, children string
		begun, strays  int
	}{
		{"in the group", asleep + " &", 1, 0},
		{"all kinds", family, 3, 2},
		{"without an environment", "(env -i setsid " + asleep + " &);", 1, 1},
		{"with children", "setsid sh -c '" + strings.ReplaceAll(family, "'", `'\''`) + "wait' &", 3, 4}, // and the shell
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, end := range []string{" read -r end; exit 3", " exec sleep 1000000000"} {
				ours, theirs, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command("/bin/sh", "-c", c.children+end)
				cmd.ExtraFiles = []*os.File{theirs}
				cmd.Stdout = new(strings.Builder) // Wait of os/exec waits for its end
				stdin, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := Start(t.Context(), cmd); err != nil {
					t.Fatal(err)
				}
				theirs.Close()
				held := bufio.NewReader(ours)
				awaitBegun(t, held, c.begun)
				if strings.HasSuffix(end, "exit 3") {
					stdin.Close()
				} else {
					cmd.Process.Kill()
				}
				strays, err := WaitStrays(cmd)
				if err == nil || len(strays) != c.strays {
					t.Errorf("%s: %v, strays %v; want an error and %d", end, err, strays, c.strays)
				}
				if rest, err := held.ReadString('\n'); err != io.EOF { // the pipe ends when no process holds it
					t.Errorf("%s: a process goes on: %q, %v", end, rest, err)
				}
			}
		})
	}
}

// TestProc_OutputEndsWithItsContext: Output and CombinedOutput return the error
// of the context, though a process that has left the group holds the output.
func TestProc_OutputEndsWithItsContext(t *testing.T) {
	for _, output := range []func(context.Context, *exec.Cmd) ([]byte, error){Output, CombinedOutput} {
		ours, theirs, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cmd := exec.Command("/bin/sh", "-c", family+"wait")
		cmd.ExtraFiles = []*os.File{theirs}
		go func() {
			awaitBegun(t, bufio.NewReader(ours), 3)
			cancel()
		}()
		if _, err := output(ctx, cmd); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that the context has ended", err)
		}
		theirs.Close()
		ours.Close()
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

// FuzzStat: whatever the name of a process is, its numbers are those that
// follow the name.
func FuzzStat(f *testing.F) {
	for _, name := range []string{"sh", "", ")", "a) S 9 9 9 9 9 9 (", "\n", "(((", ") ", "\xff\x00", " 1 2 3 4 5 6 7"} {
		f.Add(name, "S", 1, 2, 3, 4194560, "0")
		f.Add(name, "", -1, 1<<31-1, 0, -5, "")
	}
	f.Fuzz(func(t *testing.T, name, state string, parent, group, session, flags int, rest string) {
		parseStat([]byte(name + state + rest)) // does not panic
		if strings.Contains(state+rest, ")") || len(strings.Fields(state)) != 1 {
			return
		}
		text := fmt.Sprintf("7 (%s) %s %d %d %d 0 -1 %d %s\n", name, state, parent, group, session, flags, rest)
		want := stat{strings.Fields(state)[0], parent, group, session, flags}
		if got, err := parseStat([]byte(text)); got != want || err != nil {
			t.Errorf("parseStat(%q): got %+v, %v, want %+v", text, got, err, want)
		}
	})
}
