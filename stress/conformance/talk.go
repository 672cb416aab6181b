//go:build linux

package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/registry"
)

// longest is how long an answer may be, in bytes: far longer than any is.
const longest = 4096

// A talk is a conversation with a port of its own in which a request may come
// before the last one is answered, and whose input can end. (A port.Port
// is asked one thing at a time.) No method blocks longer than port.Limit.
type talk struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	leave func() bool  // stops watching the context
	wait  func() error // waits for the process, once
}

// startTalk starts the port with the name and hears its hello.
func startTalk(ctx context.Context, name string) (*talk, error) {
	cmd, err := registry.Command(ctx, name)
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := procgroup.Start(ctx, cmd); err != nil {
		return nil, err
	}
	k := &talk{cmd: cmd, in: in, out: bufio.NewReaderSize(out, longest)}
	k.wait = sync.OnceValue(func() error { return procgroup.Wait(cmd) })
	k.leave = context.AfterFunc(ctx, k.kill)
	if _, err := k.hear("to say hello"); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// kill kills the port and what it has started. Once it was waited for, its number
// may be another's.
func (k *talk) kill() {
	if k.cmd.Process.Signal(syscall.Signal(0)) == nil {
		syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// close ends the port, whatever it is doing.
func (k *talk) close() {
	k.leave()
	k.kill()
	k.in.Close()
	k.wait()
}

// say makes a request.
func (k *talk) say(request string) error {
	defer time.AfterFunc(port.Limit, k.kill).Stop() // a port that reads nothing
	if _, err := io.WriteString(k.in, request+"\n"); err != nil {
		return fmt.Errorf("asked %.80q, it is gone: %w", request, err)
	}
	return nil
}

// hear returns the next line, which answers the request.
func (k *talk) hear(request string) (string, error) {
	limit := time.AfterFunc(port.Limit, k.kill)
	line, err := k.out.ReadSlice('\n')
	switch inTime := limit.Stop(); {
	case err == nil && !utf8.Valid(line):
		return "", fmt.Errorf("asked %.80q, it says %.80q, which is not UTF-8 text", request, line)
	case err == nil:
		return string(line[:len(line)-1]), nil
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("asked %.80q, it says %.80q…, which is longer than %d bytes", request, line, longest)
	case !inTime:
		return "", fmt.Errorf("asked %.80q, it says nothing for %v", request, port.Limit)
	}
	return "", fmt.Errorf("asked %.80q, it has ended, with %.80q", request, line)
}

// ask makes a request and expects the answer.
func (k *talk) ask(request, want string) error {
	if err := k.say(request); err != nil {
		return err
	}
	return k.expect(request, want)
}

// expect hears the answer to the request, which must be want; "error" stands for
// any failure.
func (k *talk) expect(request, want string) error {
	got, err := k.hear(request)
	if err != nil {
		return fmt.Errorf("%q did not come: %w", want, err)
	}
	if _, failed := port.Failure(got); got != want && !(failed && want == "error") {
		return fmt.Errorf("it answers %.80q with %.80q, want %q", request, got, want)
	}
	return nil
}

// bye has the port close its handle and end, with exit code 0 and nothing more
// to say.
func (k *talk) bye() error {
	if err := k.ask("close", port.Closed); err != nil {
		return err
	}
	limit := time.AfterFunc(port.Limit, k.kill)
	defer limit.Stop()
	if more, _ := k.out.Peek(1); len(more) > 0 {
		return fmt.Errorf("closed, it goes on with %q", more)
	}
	err := k.wait()
	switch inTime := limit.Stop(); {
	case !inTime:
		return fmt.Errorf("closed, it does not end for %v", port.Limit)
	case err != nil:
		return fmt.Errorf("closed, it ends with %w", err)
	}
	return nil
}

// end ends the port's input. The port must end then; what it says until then is
// its own affair.
func (k *talk) end() error {
	limit := time.AfterFunc(port.Limit, k.kill)
	k.in.Close()
	io.Copy(io.Discard, k.out)
	k.wait()
	if !limit.Stop() {
		return fmt.Errorf("its input has ended, and it goes on for %v", port.Limit)
	}
	return nil
}
