//go:build linux

package group

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec/reexec"
)

// deadline is how long an answer may take on the slowest machine. What takes
// longer hangs.
const deadline = 2 * time.Minute

// A process is a member, as the driver sees it.
type process struct {
	cmd   *exec.Cmd
	in    io.Writer
	lines [2]chan string // by thread
	held  [2]string      // by thread: the step that it has announced; empty: none that has been read
}

func startProcess(t testing.TB) *process {
	cmd := reexec.Command(t.Context(), "member")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, lines: [2]chan string{make(chan string, 100), make(chan string, 100)}}
	out := reexec.Start(t, cmd)
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			thread, text, _ := strings.Cut(scan.Text(), " ")
			p.lines[int(thread[0]-'0')] <- text
		}
		close(p.lines[caller])
		close(p.lines[guardian])
	}()
	return p
}

// kill kills the process, and returns when the kernel has ended it.
func (p *process) kill() {
	p.cmd.Process.Kill()
	for range p.lines[caller] { // Wait would close the pipe before the last line is read
	}
	p.cmd.Wait()
}

func (p *process) ask(format string, args ...any) { fmt.Fprintf(p.in, format+"\n", args...) }

// next returns the next line of the thread.
func (p *process) next(thread int) (string, error) {
	select {
	case line, more := <-p.lines[thread]:
		if !more {
			return "", fmt.Errorf("thread %d: the process has ended", thread)
		}
		return line, nil
	case <-time.After(deadline):
		return "", fmt.Errorf("thread %d hangs", thread)
	}
}

// reach waits until the thread says what it must.
func (p *process) reach(thread int, want string) error {
	if p.held[thread] == "" {
		line, err := p.next(thread)
		if err != nil {
			return fmt.Errorf("next: %w, want %s", err, want)
		}
		p.held[thread] = line
	}
	if got := p.held[thread]; got != want {
		return fmt.Errorf("next: got %s, want %s", got, want)
	}
	if strings.HasPrefix(want, "= ") {
		p.held[thread] = ""
	}
	return nil
}

// letGo has the thread take the step, which it has announced or will.
func (p *process) letGo(thread int, step string) error {
	if err := p.reach(thread, step); err != nil {
		return err
	}
	p.held[thread] = ""
	p.ask("go %d", thread)
	return nil
}

// leave has a member leave. Its steps are free then. If it is in a call that is
// withdrawn.
func (p *process) leave(calls bool) error {
	p.ask("free")
	if calls {
		p.ask("cancel")
		for line := ""; line != "= withdrawn"; {
			var err error
			if line, err = p.next(caller); err != nil {
				return err
			}
		}
	}
	p.ask("leave")
	for {
		switch line, err := p.next(caller); {
		case err != nil:
			return err
		case line == "= nil":
			for len(p.lines[guardian]) > 0 { // a guardian that has seen what another thread has handled
				<-p.lines[guardian]
			}
			p.held = [2]string{}
			return nil
		case strings.HasPrefix(line, "= "):
			return fmt.Errorf("Leave: got %s", line)
		}
	}
}
