//go:build linux

package port

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sharedbarrier/model/cli/procgroup"
)

// Limit is how long a port may take for an answer: much longer than any port
// needs, an interpreter that starts on a busy machine included.
const Limit = 30 * time.Second

// A Port is one running port process. Its methods are for one goroutine, but
// for Kill and PID, which may be called at any time.
type Port struct {
	ctx   context.Context // its end kills the port
	name  string
	limit time.Duration
	leads bool // it has a process group of its own
	can   Capabilities

	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	lines  lines
	stderr tail

	gone   chan struct{} // closed when the process has ended
	forget func() bool   // ctx may end without effect
}

// Start starts the port with the name (see Command), in a process group of its
// own, and waits for its first line: for Limit at most, building or installing not
// counted. The end of ctx ends that, and kills the port whenever it comes; what is
// asked of the port from then on fails with the error of ctx. Another error says what is
// missing, or is an *Error.
func Start(ctx context.Context, name string) (*Port, error) {
	cmd, err := Command(ctx, name)
	if err != nil {
		return nil, err
	}
	return launch(&Port{ctx: ctx, name: name, cmd: cmd, limit: Limit, leads: true})
}

// StartCommand is Start for cmd as a port that is called name and has limit for
// each answer; it stays in the process group of the caller. The standard streams
// of cmd are set by it.
func StartCommand(ctx context.Context, name string, cmd *exec.Cmd, limit time.Duration) (*Port, error) {
	return launch(&Port{ctx: ctx, name: name, cmd: cmd, limit: limit})
}

func launch(p *Port) (*Port, error) {
	if err := p.start(); err != nil {
		if p.ctx.Err() != nil {
			return nil, p.interrupted()
		}
		return nil, &Error{Port: p.name, Kind: err, Detail: "it cannot be started"}
	}
	go p.watch()
	p.forget = context.AfterFunc(p.ctx, p.end)
	if err := p.greet(); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// greet reads the port's first line.
func (p *Port) greet() error {
	line, err := p.read("", p.deadline())
	if err != nil {
		return err
	}
	if p.can, err = parseHello(line); err != nil {
		return p.fault("", ErrNonsense, line, err.Error())
	}
	return nil
}

// watch waits for the process.
func (p *Port) watch() {
	if p.leads {
		procgroup.Wait(p.cmd)
	} else {
		p.cmd.Wait()
	}
	close(p.gone)
	p.stdout.SetReadDeadline(time.Now()) // wakes who reads; see lines.read
}

func (p *Port) start() error {
	theirIn, ourIn, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirIn.Close()
	ourOut, theirOut, err := os.Pipe()
	if err != nil {
		ourIn.Close()
		return err
	}
	defer theirOut.Close()
	p.stdin, p.stdout, p.gone = ourIn, ourOut, make(chan struct{})
	p.lines.pipe, p.lines.gone = ourOut, p.gone
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, theirOut, &p.stderr
	// What the port has started may keep its standard error open.
	p.cmd.WaitDelay = time.Second
	begin := p.cmd.Start
	if p.leads {
		begin = func() error { return procgroup.Start(p.ctx, p.cmd) }
	}
	if err := begin(); err != nil {
		ourIn.Close()
		ourOut.Close()
		return err
	}
	return nil
}

// Name returns the name by which the port was started.
func (p *Port) Name() string { return p.name }

// PID returns the number of the port's process.
func (p *Port) PID() int { return p.cmd.Process.Pid }

// Lines returns how many lines the port has said.
func (p *Port) Lines() int { return p.lines.number }

// Can returns what the port can do.
func (p *Port) Can() Capabilities { return p.can }

// Ask sends a request and returns the answer, which is one of those that a port
// may give at all; whether it is right in its place is for the caller to judge.
// White-box mode is a sequence of such calls. It blocks for the limit at most,
// so that in black-box mode calls are for Wait.
func (p *Port) Ask(request string) (answer string, err error) {
	if err := p.write(request); err != nil {
		return "", err
	}
	return p.answer(request, p.deadline())
}

// Open has the port make its handle, in black-box mode.
func (p *Port) Open(segment, lockPath string) error {
	return p.demand("open "+segment+" "+lockPath, Opened)
}

// Wait makes one call in black-box mode and blocks until it has returned. When
// ctx ends, a port that can withdraw is asked to, and then, unless the round was
// complete, the error is that of ctx. One that cannot goes on waiting.
func (p *Port) Wait(ctx context.Context, n int) error {
	request := "call " + strconv.Itoa(n)
	if err := p.write(request); err != nil {
		return err
	}
	if p.can.Withdraw {
		defer context.AfterFunc(ctx, func() { p.write("giveup") })()
	}
	switch answer, err := p.answer(request, time.Time{}); {
	case err != nil:
		return err
	case answer == Withdrawn && ctx.Err() != nil:
		return ctx.Err()
	default:
		return p.expect(request, answer, Returned)
	}
}

// Close has the port close its handle and end. It is an error if it does not,
// or ends with another exit code than 0. The process is gone in any case.
func (p *Port) Close() error {
	defer p.Kill()
	if err := p.demand("close", Closed); err != nil {
		return err
	}
	switch line, err := p.lines.next(p.deadline()); {
	case err == nil || line != nil:
		return p.fault("close", ErrNonsense, string(line), "nothing may follow")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return p.fault("close", ErrSilent, "", fmt.Sprintf("it did not end for %v", p.limit))
	}
	if err := p.ended("close"); !errors.Is(err, ErrDied) || !p.cmd.ProcessState.Success() {
		return err
	}
	return nil
}

// Kill ends the process, whatever it is doing, and returns when it is gone. A
// Wait that is under way fails. Kill after Kill or Close does nothing.
func (p *Port) Kill() {
	p.forget()
	p.end()
}

func (p *Port) end() {
	p.cmd.Process.Kill() // fails only when it is gone
	p.stdin.Close()      // for what it has started, which may keep the streams open
	<-p.gone
	p.stdout.Close()
}

// demand is Ask for a request that has one right answer.
func (p *Port) demand(request, want string) error {
	answer, err := p.Ask(request)
	if err != nil {
		return err
	}
	return p.expect(request, answer, want)
}

func (p *Port) expect(request, answer, want string) error {
	if answer == want {
		return nil
	}
	if text, is := Failure(answer); is {
		return p.fault(request, ErrFailed, answer, text)
	}
	return p.fault(request, ErrNonsense, answer, fmt.Sprintf("want %q", want))
}

func (p *Port) answer(request string, deadline time.Time) (string, error) {
	line, err := p.read(request, deadline)
	if err != nil {
		return "", err
	}
	if err := checkAnswer(line); err != nil {
		return "", p.fault(request, ErrNonsense, line, err.Error())
	}
	return line, nil
}

func (p *Port) deadline() time.Time { return time.Now().Add(p.limit) }

// write sends one line. That the port is gone is found out by read, which can
// tell more about it.
func (p *Port) write(request string) error {
	if strings.ContainsRune(request, '\n') {
		return fmt.Errorf("port %s: the request %q is more than one line", p.name, request)
	}
	if err := p.stdin.SetWriteDeadline(p.deadline()); err != nil {
		return p.fault(request, err, "", "")
	}
	switch _, err := io.WriteString(p.stdin, request+"\n"); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return p.fault(request, ErrSilent, "", fmt.Sprintf("it did not read the request for %v", p.limit))
	case err != nil && !errors.Is(err, syscall.EPIPE):
		return p.fault(request, err, "", "")
	}
	return nil
}

// read returns the next line.
func (p *Port) read(request string, deadline time.Time) (string, error) {
	line, err := p.lines.next(deadline)
	switch {
	case err == nil:
		return string(line), nil
	case errors.Is(err, io.EOF):
		return "", p.ended(request)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", p.fault(request, ErrSilent, "", fmt.Sprintf("nothing for %v", p.limit))
	default:
		return "", p.fault(request, ErrNonsense, string(line), err.Error())
	}
}

// ended says how the port ended, which has closed its output. One that stays
// nevertheless has the limit to end.
func (p *Port) ended(request string) error {
	select {
	case <-p.gone:
		return p.fault(request, ErrDied, "", p.cmd.ProcessState.String())
	case <-time.After(p.limit):
		return p.fault(request, ErrSilent, "", "it has closed its output and stays")
	}
}

// fault is the error of the given kind: about the last line, which is line, or
// about the one that did not come.
func (p *Port) fault(request string, kind error, line, detail string) error {
	if p.ctx.Err() != nil {
		return p.interrupted() // whatever it is, it comes of that
	}
	e := &Error{
		Port: p.name, PID: p.PID(), Request: request, Number: p.lines.number, Line: line,
		Kind: kind, Detail: detail, Stderr: p.stderr.String(),
	}
	if !e.came() {
		e.Number++
	}
	return e
}

func (p *Port) interrupted() error { return fmt.Errorf("port %s: %w", p.name, p.ctx.Err()) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 300

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(text), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
