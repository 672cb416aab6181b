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
	"sync/atomic"
	"syscall"
	"time"

	"sharedbarrier/model/cli/procgroup"
)

// process is one worker process as Run sees it.
type process struct {
	worker    int // its number
	port      string
	cmd       *exec.Cmd
	stdin     io.WriteCloser
	ready     chan bool         // receives true each time that the worker is ready; closed when it has said all it says
	gone      chan struct{}     // closed when the process has ended and is reaped
	goneAt    int64             // the time of that (now), once it is gone
	strays    []procgroup.Stray // that its end has killed, once it is gone
	disturb   *disturber
	announces atomic.Bool // it records its steps
	found     *findings   // what the worker has reported, once it is gone; nil: nothing
}

// startProcess starts the worker with the assignment, in a process group of its
// own, which its port is in too. r.exits receives the process when it is gone.
func (r *run) startProcess(ctx context.Context, a assignment) (*process, error) {
	cmd := r.worker()
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // a programmer's mistake: every assignment can be marshalled
	}
	cmd.Args = append(cmd.Args, string(text))
	cmd.ExtraFiles = []*os.File{r.ledger.File()} // becomes ledgerFD
	if r.journals != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, r.journals[a.Worker]) // becomes journalFD
	}
	if cmd.Stderr = os.Stderr; r.Stderr != nil {
		cmd.Stderr = r.Stderr
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := procgroup.StartCleaner(ctx, cmd); err != nil {
		return nil, err
	}
	p := &process{worker: a.Worker, port: a.Port, cmd: cmd, stdin: stdin, ready: make(chan bool, 2), gone: make(chan struct{}), disturb: r.disturb}
	p.announces.Store(a.Port == "")
	go p.listen(stdout, r.exits)
	return p, nil
}

// listen reads what the worker says until it is gone.
func (p *process) listen(stdout io.Reader, exits chan<- *process) {
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		switch fault, pid, stops := parseStop(string(line)); {
		case string(line) == ready:
			p.ready <- true
		case string(line) == announcing:
			p.announces.Store(true)
		case stops:
			p.disturb.stop(p, fault, pid)
		default:
			if f := parseFindings(line); f != nil {
				p.found = f
			}
		}
	}
	close(p.ready)
	p.strays, _ = procgroup.WaitStrays(p.cmd) // the error says no more than p.cmd.ProcessState
	p.goneAt = now()
	close(p.gone)
	exits <- p
}

// String identifies the worker.
func (p *process) String() string { return fmt.Sprintf("worker %d (pid %d)", p.worker, p.pid()) }

func (p *process) pid() int { return p.cmd.Process.Pid }

// write sends a line to the worker. The error of one that is gone is found
// elsewhere.
func (p *process) write(line string) { io.WriteString(p.stdin, line) }

// failure returns why the process, which is gone, has ended: the error that it
// has reported, or its exit status.
func (p *process) failure() error {
	if p.found != nil && p.found.Failure != "" {
		return errors.New(p.found.Failure)
	}
	return errors.New(p.cmd.ProcessState.String())
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// signalled reports whether a signal that interrupts a command (cli.Main) may
// have ended the process, which is gone. At SIGQUIT and SIGABRT the runtime of
// Go prints the goroutines and exits with 2.
func (p *process) signalled() bool {
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.ExitStatus() == 2 && p.found == nil {
		return true
	}
	switch status.Signal() {
	case syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT:
		return true
	}
	return false
}

// state describes the process in a word or two.
func (p *process) state() string {
	if p.isGone() {
		return p.cmd.ProcessState.String()
	}
	switch stopped, err := procgroup.Stopped(p.pid()); {
	case err != nil:
		return "unknown"
	case stopped:
		return "stopped"
	}
	return "running"
}

// findings waits until the process, which was asked to report, is gone. It kills
// one that is stopped after grace, or still there after reporting, and adds its
// time to what was waited for all workers. It returns what the worker has
// reported; nil: nothing.
func (p *process) findings(waited *time.Duration) *findings {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-p.gone:
			return p.found
		case <-ticker.C:
		}
		*waited += look // no more, however long this process did not run
		stopped, err := procgroup.Stopped(p.pid())
		if *waited >= reporting || *waited >= grace && err == nil && stopped {
			p.kill()
		}
	}
}

// kill ends the process, whatever it does, and waits until it is gone.
func (p *process) kill() {
	p.cmd.Process.Kill() // fails only when it is gone
	<-p.gone
	p.stdin.Close()
}
