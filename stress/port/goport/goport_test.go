//go:build linux

package goport_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	os.Exit(m.Run())
}

var session = regexp.MustCompile("(?s)<!-- session:(\\w+) -->\n```\n(.*?)```")

// TestGolden_Session plays the sessions of PORTS.md: what is said there is
// what a port says, whatever the text of an error.
func TestGolden_Session(t *testing.T) {
	page, err := os.ReadFile("../../../spec/PORTS.md")
	if err != nil {
		t.Fatal(err)
	}
	sessions := session.FindAllStringSubmatch(string(page), -1)
	if len(sessions) != 2 {
		t.Fatalf("spec/PORTS.md has %d sessions, want 2", len(sessions))
	}
	for _, match := range sessions {
		t.Run(match[1], func(t *testing.T) {
			_, segment, lockPath := porttest.NewBarrier(t)
			cmd, in, out := start(t)
			answers := bufio.NewScanner(out)
			said := func(line string) bool { return answers.Scan() && answers.Text() == line }
			for i, line := range strings.Split(strings.TrimSpace(match[2]), "\n") {
				line = strings.ReplaceAll(line, "open demo /tmp/demo.lock", "open "+segment+" "+lockPath)
				request, is := strings.CutPrefix(line, "> ")
				answer := strings.TrimPrefix(line, "< ")
				switch kind, _, _ := strings.Cut(answer, " "); {
				case is:
					io.WriteString(in, request+"\n")
				case kind == "port" || kind == "error": // and what it can do, or a text
					if !answers.Scan() || !strings.HasPrefix(answers.Text(), kind+" ") {
						t.Fatalf("line %d: got %q, want %q", i+1, answers.Text(), answer)
					}
				case !said(answer):
					t.Fatalf("line %d: got %q, want %q", i+1, answers.Text(), answer)
				}
			}
			if answers.Scan() {
				t.Errorf("after the session it says %q", answers.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// start starts the go port.
func start(t *testing.T) (cmd *exec.Cmd, in io.WriteCloser, out io.Reader) {
	t.Helper()
	cmd, err := registry.Command(t.Context(), "go")
	if err != nil {
		t.Fatal(err)
	}
	if in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(port.Limit, func() { cmd.Process.Kill() }) // a port that says nothing
	t.Cleanup(func() { limit.Stop(); cmd.Process.Kill() })
	return cmd, in, out
}

// TestProc_Requests sends what is in place and what is not, in both modes.
func TestProc_Requests(t *testing.T) {
	for _, c := range []struct{ name, port, session string }{
		{"out of place", "go", "call 1: error|close: error|go: error|giveup: error|dance: error|: error"},
		{"bad arguments", "go", "open: error|open /x /y: error|open no-such-segment-here LOCK: error|open SEGMENT LOCK: opened|call: error|call 0: error|call x: error|call 1: returned|close: closed"},
		{"modes", "go", "splitRMW: error|white: ok|open SEGMENT LOCK: opened|white: error|close: closed"},
		{"black box", "go", "open SEGMENT LOCK: opened|call 1: returned|call 1: returned|open SEGMENT LOCK: error|close: closed"},
		{"white box", "go", "white: ok|open SEGMENT LOCK: opened|call 1: at Call|giveup: error|abandon: error|call 1: error|close: error|go: at LockInit|giveup: withdrawn|call 2: at Call|close: error"},
		{"blocked at the flag", "go", "white: ok|open SEGMENT LOCK: opened|call 2: at Call|go: at LockInit|go: at InitExit|go: at UnlockInit|go: at LockEnter|go: at TestFirst|go: at UnlockFirst|" +
			"go: at AwaitDrain|go: at LockFirst|go: at LowerFlag|go: at CountEnter|go: at UnlockEnter|go: at AwaitFlag|go: at AwaitFlag|go: at AwaitFlag|" +
			"giveup: at LockWithdraw|go: at TestFlag|go: at UncountEnter|go: at UnlockWithdraw|go: withdrawn|close: closed"},
		{"abandoned", "go", "white: ok|open SEGMENT LOCK: opened|call 2: at Call|go: at LockInit|go: at InitExit|go: at UnlockInit|go: at LockEnter|go: at TestFirst|go: at UnlockFirst|" +
			"go: at AwaitDrain|abandon: abandoned|call 2: at Call"},
		{"constructs", "go@construct", "white: ok|open SEGMENT LOCK: at MakeEnter|go: at MakeExit|go: at MakeFlag|go: opened|call 1: at Call"},
		{"constructs unseen", "go@construct", "open SEGMENT LOCK: opened|call 1: returned|close: closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, segment, lockPath := porttest.NewBarrier(t)
			p, err := registry.Start(t.Context(), c.port)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Kill()
			for _, exchange := range strings.Split(c.session, "|") {
				request, want, _ := strings.Cut(exchange, ": ")
				if exchange == ": error" {
					request, want = "", "error"
				}
				request = strings.ReplaceAll(strings.Replace(request, "SEGMENT", segment, 1), "LOCK", lockPath)
				got, err := p.Ask(request)
				if _, failed := port.Failure(got); failed {
					got = "error"
				}
				if err != nil || got != want {
					t.Fatalf("%q: %q, %v; want %q", request, got, err, want)
				}
			}
		})
	}
}

// TestProc_LeavingInBlackBox has the only party that has come give up, and
// another one abandon: the words tell the difference.
func TestProc_LeavingInBlackBox(t *testing.T) {
	for _, c := range []struct {
		request, answer string
		enter           int32
	}{{"giveup", "withdrawn", 0}, {"abandon", "abandoned", 1}} {
		b, segment, lockPath := porttest.NewBarrier(t)
		cmd, stdin, stdout := start(t)
		io.WriteString(stdin, "open "+segment+" "+lockPath+"\ncall 2\n")
		for counted := false; !counted; {
			if porttest.HasEnded(t, cmd.Process) {
				t.Fatalf("the port has ended before it was counted: %v", cmd.Wait())
			}
			words, err := b.Words()
			if err != nil {
				t.Fatal(err)
			}
			counted = words.Enter == 1
			runtime.Gosched()
		}
		io.WriteString(stdin, c.request+"\n")
		var got []string
		for answers := bufio.NewScanner(stdout); len(got) < 3 && answers.Scan(); {
			got = append(got, answers.Text())
		}
		stdin.Close() // at the end of its input a port ends
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if words, err := b.Words(); len(got) < 3 || got[2] != c.answer || words.Enter != c.enter {
			t.Errorf("%s: answers %q, words %v (%v); want %s, enter=%d", c.request, got, words, err, c.answer, c.enter)
		}
	}
}
