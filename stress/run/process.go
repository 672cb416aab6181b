//go:build linux

package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"sharedbarrier/model/cli/procgroup"
)

// process is one worker process as the supervisor sees it.
type process struct {
	worker int
	port   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser

	mustered chan struct{} // closed when the worker is ready or can be so no more
	ready    bool          // which of the two; written before mustered is closed

	gone  chan struct{}    // closed when the process has ended; what follows is written before
	state *os.ProcessState // how it ended
	found *Findings        // the worker's last words; nil: it had none
}

// startProcess starts cmd as a worker. It is sent on exits when it has ended. A
// port is in its worker's group.
func startProcess(ctx context.Context, cmd *exec.Cmd, a assignment, witness *os.File, exits chan<- *process) (*process, error) {
	assignment, err := json.Marshal(a)
	if err != nil {
		panic(err) // a programmer's mistake: all of an assignment can be marshalled
	}
	cmd.Args = append(cmd.Args, string(assignment))
	cmd.ExtraFiles = []*os.File{witness}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := procgroup.Start(ctx, cmd); err != nil {
		return nil, err
	}
	p := &process{
		worker: a.Worker, port: a.Port, cmd: cmd, stdin: stdin,
		mustered: make(chan struct{}), gone: make(chan struct{}),
	}
	go p.listen(stdout, exits)
	return p, nil
}

// listen reads what the worker says until it is gone.
func (p *process) listen(stdout io.Reader, exits chan<- *process) {
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var f Findings
		if string(line) == ready {
			p.ready = true
			close(p.mustered)
		} else if json.Unmarshal(line, &f) == nil {
			p.found = &f
		}
	}
	if !p.ready {
		close(p.mustered)
	}
	procgroup.Wait(p.cmd) // the error says no more than the state
	p.state = p.cmd.ProcessState
	close(p.gone)
	exits <- p
}

// String says which worker it is.
func (p *process) String() string {
	return fmt.Sprintf("worker %d (pid %d)", p.worker, p.pid())
}

// notReady says why it may not be ready.
func (p *process) notReady() string {
	if p.port == "" {
		return ""
	}
	return fmt.Sprintf(": its port %s has not said hello and opened the barrier", p.port)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// died reports whether the process, which is gone, ended in another way than
// by its own will.
func (p *process) died() bool { return !p.state.Success() }

// failure says why the process, which is gone, ended: by its own words, or
// else by its exit status.
func (p *process) failure() error {
	if p.found != nil && p.found.Failure != "" {
		return errors.New(p.found.Failure)
	}
	return errors.New(p.state.String())
}

// begin tells the worker that all barriers are open. That a worker is gone is
// noticed elsewhere.
func (p *process) begin() { io.WriteString(p.stdin, begin) }

// askForReport tells the worker to say what it has found, and to end. A worker
// that is gone has said it already.
func (p *process) askForReport() { io.WriteString(p.stdin, report) }

// findings waits until the process is gone, or kills it when ctx ends, and
// returns what it has found: nil, if it left without a word.
func (p *process) findings(ctx context.Context) *Findings {
	select {
	case <-p.gone:
	case <-ctx.Done():
		p.kill()
	}
	return p.found
}

// describe says in a word or two what has become of the process.
func (p *process) describe() string {
	select {
	case <-p.gone:
		return p.state.String()
	default:
	}
	switch stopped, err := procgroup.Stopped(p.pid()); {
	case err != nil:
		return "unknown"
	case stopped:
		return "stopped"
	}
	return "running"
}

// kill ends the process, whatever it is doing, and waits until it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // fails only when it is gone
	<-p.gone
	p.stdin.Close()
}
