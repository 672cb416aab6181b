//go:build linux

// Package port runs ports: programs that offer an implementation of the barrier
// in any language and talk to a runner in lines of text (spec/PORTS.md). A Port
// is the runner's side of one such process; package registry knows the ports of
// this project by name.
//
//	p, err := registry.Start(ctx, "go")
//	defer p.Kill()
//	p.Ask("white")              // ok: announce each step from now on
//	p.Ask("open NAME LOCKPATH") // opened
//	p.Ask("call 2")             // at Call
//	p.Ask("go")                 // at LockInit
//
// A port may be wrong in any way. No method but Wait blocks longer than the
// port's limit, and none blocks after the end of the context of Start. An
// *Error says what the port did wrong, with the number and the text of the
// line. After an error the only use of the port is Kill.
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
	"sync/atomic"
	"syscall"
	"time"

	"sharedbarrier/model/cli/procgroup"
)

// Limit is how long a port may take for an answer unless its caller says
// otherwise. It is much longer than any port needs, even an interpreter that
// starts on a busy machine.
const Limit = 30 * time.Second

// A Port is one running port process. Its methods are for one goroutine, except
// Kill and PID, which may be called at any time.
type Port struct {
	ctx      context.Context // its end kills the port
	name     string
	limit    time.Duration
	leads    bool // it has a process group of its own
	can      Capabilities
	abandons atomic.Bool // since the last call that was abandoned
	asked    string      // the last request; empty: none, the hello is awaited

	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	lines  lines
	stderr tail

	gone   chan struct{}     // closed when the process has ended
	told   chan struct{}     // closed when its standard error was read
	forget func() bool       // stops watching ctx
	strays []procgroup.Stray // that the end of the port has killed; see gone
}

// Start starts cmd as the port with the name, in a process group of its own,
// and waits for its first line. The port has limit for that and for each
// answer. Start sets the standard streams of cmd; what the port writes on its
// standard error goes to cmd.Stderr too, unless that is nil, with a line end
// after the last of it. The end of ctx kills the port; from then on every method fails with the error of ctx. Any other error
// is an *Error.
func Start(ctx context.Context, name string, cmd *exec.Cmd, limit time.Duration) (*Port, error) {
	return launch(&Port{ctx: ctx, name: name, cmd: cmd, limit: limit, leads: true})
}

// StartInGroup is Start, but the port stays in the process group of the caller:
// what ends that group ends the port.
func StartInGroup(ctx context.Context, name string, cmd *exec.Cmd, limit time.Duration) (*Port, error) {
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
	ourErr, theirErr, err := os.Pipe()
	if err != nil {
		ourIn.Close()
		ourOut.Close()
		return err
	}
	defer theirErr.Close()
	p.stdin, p.stdout, p.gone, p.told = ourIn, ourOut, make(chan struct{}), make(chan struct{})
	p.lines.pipe, p.lines.gone = ourOut, p.gone
	p.stderr.echo = p.cmd.Stderr
	// Files, so that to wait for the process is not to wait for a child that
	// keeps one of them open.
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, theirOut, theirErr
	begin := func() error { return procgroup.StartMember(p.cmd) }
	if p.leads {
		begin = func() error { return procgroup.Start(p.ctx, p.cmd) }
	}
	if err := begin(); err != nil {
		ourIn.Close()
		ourOut.Close()
		ourErr.Close()
		return err
	}
	go p.listen(ourErr)
	return nil
}

// listen keeps the end of the port's standard error. Once the process has ended
// it reads what is there and does not wait for more.
func (p *Port) listen(from *os.File) {
	defer close(p.told)
	defer p.stderr.end()
	defer from.Close()
	go func() {
		<-p.gone
		from.SetReadDeadline(time.Now())
	}()
	if _, err := io.Copy(&p.stderr, from); !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	var rest [tailSize]byte
	pipe := lines{pipe: from}
	for range 1000 { // a child may go on writing
		n, err := pipe.rest(rest[:])
		if err != nil {
			return
		}
		p.stderr.Write(rest[:n])
	}
}

// watch waits for the process.
func (p *Port) watch() {
	p.strays, _ = procgroup.WaitStrays(p.cmd) // the error says no more than p.cmd.ProcessState
	record(p.name, p.strays)
	close(p.gone)
	p.stdout.SetReadDeadline(time.Now()) // ends a read under way; see lines.read
}

// greet reads the port's first line.
func (p *Port) greet() error {
	line, err := p.read(p.limit)
	if err != nil {
		return err
	}
	if p.can, err = parseHello(line); err != nil {
		return p.fault(ErrNonsense, line, err.Error())
	}
	return nil
}

// Name returns the name by which the port was started.
func (p *Port) Name() string { return p.name }

// PID returns the number of the port's process.
func (p *Port) PID() int { return p.cmd.Process.Pid }

// Lines returns how many lines the port has written.
func (p *Port) Lines() int { return p.lines.number }

// Can returns what the port can do.
func (p *Port) Can() Capabilities { return p.can }

// Stderr returns the end of what the port has written on its standard error. Of
// a port that is gone it is the end of all.
func (p *Port) Stderr() string {
	if p.lines.ended() {
		<-p.told
	}
	return p.stderr.String()
}

// Ask sends a request and returns the answer: Send and Receive. White-box mode
// is a sequence of such calls. In black-box mode a call may take longer than
// the limit, and Wait makes it.
func (p *Port) Ask(request string) (answer string, err error) {
	if err := p.Send(request); err != nil {
		return "", err
	}
	return p.Receive()
}

// Send sends a request. It succeeds if the port is gone; Receive reports that.
func (p *Port) Send(request string) error {
	p.asked = request
	return p.write(request)
}

// Receive returns the next answer. It is one of those that a port may give at
// all; the caller judges whether it is right in its place.
func (p *Port) Receive() (answer string, err error) { return p.answer(p.limit) }

// TryReceive is Receive, but does not wait: came is false if no answer is
// there.
func (p *Port) TryReceive() (answer string, came bool, err error) {
	line, whole, err := p.lines.poll()
	switch {
	case errors.Is(err, io.EOF):
		return "", false, p.ended()
	case err != nil:
		return "", false, p.fault(ErrNonsense, string(line), err.Error())
	case !whole:
		return "", false, nil
	}
	if err := checkAnswer(string(line)); err != nil {
		return "", false, p.fault(ErrNonsense, string(line), err.Error())
	}
	return string(line), true, nil
}

// Failed reports whether the next answer has come and says that the request has
// failed. It stays the next answer.
func (p *Port) Failed() (answer string, failed bool) {
	line, whole := p.lines.peek()
	_, failed = Failure(line)
	return line, whole && failed
}

// Open has the port open the barrier.
func (p *Port) Open(segment, lockPath string) error {
	return p.demand("open "+segment+" "+lockPath, Opened)
}

// Wait makes one call in black-box mode and blocks until it has returned. When
// ctx ends, Wait asks a port that can withdraw to do so, and returns the error
// of ctx unless the round was complete. A port that cannot goes on waiting.
func (p *Port) Wait(ctx context.Context, n int) error {
	if err := p.Send("call " + strconv.Itoa(n)); err != nil {
		return err
	}
	if p.can.Withdraw {
		sent := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(sent)
			p.write("giveup")
		})
		defer func() {
			if !stop() { // a giveup that is sent after the next call is one for that call
				<-sent
			}
		}()
	}
	switch answer, err := p.answer(0); {
	case err != nil:
		return err
	case answer == Withdrawn && ctx.Err() != nil:
		return ctx.Err()
	case answer == Abandoned && p.abandons.Swap(false):
		return ErrAbandoned
	default:
		return p.expect(answer, Returned)
	}
}

// ErrAbandoned is the error of Wait after Abandon.
var ErrAbandoned = errors.New("the call was abandoned")

// Abandon asks a port that can abandon to leave the wait of the call under way.
// Wait then returns ErrAbandoned, unless the call has returned before. It may be
// called at any time while a handle is open.
func (p *Port) Abandon() error {
	p.abandons.Store(true)
	return p.write("abandon")
}

// Close has the port close its handle and end. Another answer, another line
// after it, and an exit code other than 0 are errors. The process is gone in
// any case.
func (p *Port) Close() error {
	defer p.Kill()
	if err := p.demand("close", Closed); err != nil {
		return err
	}
	switch line, err := p.lines.next(p.patience(p.limit)); {
	case err == nil || line != nil:
		return p.fault(ErrNonsense, string(line), "nothing may follow")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return p.fault(ErrSilent, "", fmt.Sprintf("it did not end for %v", p.limit))
	}
	if err := p.ended(); !errors.Is(err, ErrDied) || !p.cmd.ProcessState.Success() {
		return err
	}
	return nil
}

// EndInput ends the port's input. It is an error if the port does not end then,
// in whatever way. The process is gone in any case.
func (p *Port) EndInput() error {
	defer p.Kill()
	p.asked = ""
	p.stdin.Close()
	p.stdout.SetReadDeadline(time.Time{})
	go io.Copy(io.Discard, p.stdout) // until Kill closes it
	if p.awaitGone() {
		return nil
	}
	err := p.fault(ErrSilent, "", fmt.Sprintf("its input has ended, and it goes on for %v", p.limit))
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Number = 0 // no line was due
	}
	return err
}

// awaitGone waits until the process has ended, for at most the limit. It
// returns false then, and when the context ends.
func (p *Port) awaitGone() bool {
	for left := p.Patience(p.limit); ; {
		select {
		case <-p.gone:
			return true
		case <-p.ctx.Done():
			return false
		case <-time.After(slice / 2):
			if left.Spent() {
				return p.lines.ended()
			}
		}
	}
}

// patience is Patience; nil if the limit is 0, which is none.
func (p *Port) patience(limit time.Duration) *Patience {
	if limit == 0 {
		return nil
	}
	return p.Patience(limit)
}

// Kill kills the process and returns when it is gone. A Wait that is under way
// fails. Kill after Kill, Close or EndInput does nothing.
func (p *Port) Kill() {
	p.forget()
	p.end()
}

func (p *Port) end() {
	p.cmd.Process.Kill() // fails only when it is gone
	p.stdin.Close()
	<-p.gone
	p.stdout.Close()
}

// demand is Ask for a request that has one right answer.
func (p *Port) demand(request, want string) error {
	answer, err := p.Ask(request)
	if err != nil {
		return err
	}
	return p.expect(answer, want)
}

func (p *Port) expect(answer, want string) error {
	if answer == want {
		return nil
	}
	if _, is := Failure(answer); is {
		return p.fault(ErrFailed, answer, "")
	}
	return p.fault(ErrNonsense, answer, fmt.Sprintf("want %q", want))
}

func (p *Port) answer(limit time.Duration) (string, error) {
	line, err := p.read(limit)
	if err != nil {
		return "", err
	}
	if err := checkAnswer(line); err != nil {
		return "", p.fault(ErrNonsense, line, err.Error())
	}
	return line, nil
}

// write sends one line. It succeeds if the port is gone: read can say more
// about that.
func (p *Port) write(request string) error {
	if strings.ContainsRune(request, '\n') {
		return fmt.Errorf("port %s: the request %q is more than one line", p.name, request)
	}
	text := []byte(request + "\n")
	for left := p.Patience(p.limit); ; {
		if err := p.stdin.SetWriteDeadline(time.Now().Add(slice / 2)); err != nil {
			return p.fault(err, "", "")
		}
		n, err := p.stdin.Write(text)
		text = text[n:]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !left.Spent():
		case errors.Is(err, os.ErrDeadlineExceeded):
			return p.fault(ErrSilent, "", fmt.Sprintf("it did not read the request for %v", p.limit))
		case err != nil && !errors.Is(err, syscall.EPIPE):
			return p.fault(err, "", "")
		default:
			return nil
		}
	}
}

// read returns the next line. A limit of 0 is none.
func (p *Port) read(limit time.Duration) (string, error) {
	line, err := p.lines.next(p.patience(limit))
	switch {
	case err == nil:
		return string(line), nil
	case errors.Is(err, io.EOF):
		return "", p.ended()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", p.fault(ErrSilent, "", fmt.Sprintf("nothing for %v", p.limit))
	default:
		return "", p.fault(ErrNonsense, string(line), err.Error())
	}
}

// ended says how a port ended that has closed its output. A port that stays has
// the limit to end.
func (p *Port) ended() error {
	if p.awaitGone() {
		return p.fault(ErrDied, "", p.cmd.ProcessState.String())
	}
	return p.fault(ErrSilent, "", "it has closed its output and stays")
}

// fault is the error of the given kind about the last line, or about the line
// that did not come.
func (p *Port) fault(kind error, line, detail string) error {
	if p.ctx.Err() != nil {
		return p.interrupted() // and that is why anything else failed
	}
	e := &Error{
		Port: p.name, PID: p.PID(), Request: p.asked, Number: p.lines.number, Line: line,
		Kind: kind, Detail: detail, Stderr: p.Stderr(),
	}
	if !e.came() {
		e.Number++
	}
	return e
}

func (p *Port) interrupted() error { return fmt.Errorf("port %s: %w", p.name, p.ctx.Err()) }

// tail keeps the end of what is written to it.
type tail struct {
	echo io.Writer // has all of it too; nil: none
	mu   sync.Mutex
	text []byte
}

const tailSize = 300

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	if t.echo != nil {
		t.echo.Write(text)
	}
	return len(text), nil
}

// end ends the last line of the echo.
func (t *tail) end() {
	if t.echo != nil {
		io.WriteString(t.echo, "\n")
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
