//go:build linux

package kit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"sharedbarrier/stress/port"
)

// A talk is a conversation with a port of its own in which a request may come
// before the last one is answered, and whose input can end. (A port.Port
// is asked one thing at a time.) No method blocks longer than port.Limit.
type talk struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	leave func() bool // stops watching the context
}

// startTalk starts the port with the name and hears its hello.
func startTalk(ctx context.Context, name string) (*talk, error) {
	cmd, err := port.Command(ctx, name)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &talk{cmd: cmd, in: in, out: bufio.NewReader(out)}
	k.leave = context.AfterFunc(ctx, k.kill)
	if _, err := k.hear("its hello"); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// kill kills the port and what it has started.
func (k *talk) kill() { syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL) }

// close ends the port, whatever it is doing.
func (k *talk) close() {
	k.leave()
	k.kill()
	k.in.Close()
	k.cmd.Wait()
}

// say makes a request.
func (k *talk) say(request string) error {
	defer time.AfterFunc(port.Limit, k.kill).Stop() // a port that reads nothing
	if _, err := io.WriteString(k.in, request+"\n"); err != nil {
		return fmt.Errorf("asked %.80q, it is gone: %w", request, err)
	}
	return nil
}

// hear returns the next line, which is about what.
func (k *talk) hear(what string) (string, error) {
	limit := time.AfterFunc(port.Limit, k.kill)
	line, err := k.out.ReadString('\n')
	switch inTime := limit.Stop(); {
	case err == nil:
		return line[:len(line)-1], nil
	case !inTime:
		return "", fmt.Errorf("%s did not come for %v", what, port.Limit)
	}
	return "", fmt.Errorf("it ended, and %s did not come", what)
}

// ask makes a request whose answer must be want; "error" stands for any failure.
func (k *talk) ask(request, want string) error {
	if err := k.say(request); err != nil {
		return err
	}
	got, err := k.hear(fmt.Sprintf("the answer to %.80q", request))
	if _, failed := port.Failure(got); failed && want == "error" {
		return nil
	}
	if err == nil && got != want {
		err = fmt.Errorf("it answers %.80q with %.80q, want %q", request, got, want)
	}
	return err
}

// end ends the port's input. The port must end then; what it says until then is
// its own affair.
func (k *talk) end() error {
	limit := time.AfterFunc(port.Limit, k.kill)
	err := k.in.Close()
	_, ended := io.Copy(io.Discard, k.out)
	if err = errors.Join(err, ended); !limit.Stop() {
		err = fmt.Errorf("its input has ended, and it goes on for %v", port.Limit)
	}
	return err
}
