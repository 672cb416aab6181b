//go:build linux

package lockstep

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// A coroutine is a party within this process: a handle of the real barrier
// whose hook stops before each step. It moves only within Ask, which makes it
// faster than a process. It can have a mistake.
type coroutine struct {
	constructs bool
	mutant     *mutant // nil: the barrier as it is
	resume     func() (string, bool)
	stop       func()

	request string
	lines   int // how often it has answered
	barrier *impl.Barrier
	lock    int // descriptor of the lock file, which is the handle's
	words   mapped
	parties int32 // of its call
	cancel  context.CancelFunc
	undo    func() // ends the interference with a step
}

// How a hook leaves a call from within.
var (
	errStopped   = errors.New("the party is stopped")
	errAbandoned = errors.New("the call is abandoned")
)

func newCoroutine(constructs bool, m *mutant) *coroutine {
	c := &coroutine{constructs: constructs, mutant: m, cancel: func() {}}
	c.resume, c.stop = iter.Pull(c.run)
	return c
}

// coroutines starts a coroutine for each process, all with the mistake.
func coroutines(sc spec.Scenario, m *mutant) starter {
	return func(p int, _ bool) (party, error) {
		return newCoroutine(p == 0 && sc == spec.LateConstruction, m), nil
	}
}

func (c *coroutine) Ask(request string) (string, error) {
	c.request = request
	answer, alive := c.resume()
	if !alive {
		return "", errStopped
	}
	c.lines++
	return answer, nil
}

func (c *coroutine) Lines() int { return c.lines }

func (c *coroutine) Can() port.Capabilities {
	return port.Capabilities{White: true, Withdraw: true, Abandon: true}
}

func (c *coroutine) Kill() {
	c.stop()
	c.cancel()
	if c.barrier != nil {
		c.barrier.Close()
		c.words.unmap()
		c.barrier = nil
	}
}

func (c *coroutine) Close() error {
	c.Kill()
	return nil
}

// Holds asks the kernel whether the lock is held through the descriptor of the
// party's handle: /proc/locks knows only the process that all parties share.
func (c *coroutine) Holds(string) (bool, error) {
	if c.barrier == nil {
		return false, nil // it is dead
	}
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", c.lock))
	return bytes.Contains(info, []byte("FLOCK  ADVISORY  WRITE")), err
}

func (c *coroutine) run(yield func(string) bool) {
	defer func() {
		if p := recover(); p != nil && p != errStopped {
			panic(p)
		}
	}()
	say := func(answer string) {
		c.restore()
		if !yield(answer) {
			panic(errStopped)
		}
	}
	for {
		if err := c.obey(say); err != nil {
			say("error " + err.Error())
		}
	}
}

// obey carries out the request, and says how it ended.
func (c *coroutine) obey(say func(string)) error {
	word, rest, _ := strings.Cut(c.request, " ")
	switch word {
	case "white":
		say("ok")
	case "open":
		name, path, _ := strings.Cut(rest, " ")
		if err := c.open(name, path); err != nil {
			return err
		}
		c.barrier.SetHook(func(s spec.Step) { c.stopBefore(s, say) })
		if c.constructs {
			if err := c.barrier.Reset(); err != nil {
				return err
			}
		}
		say("opened")
	case "call":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return err
		}
		return c.call(n, say)
	default:
		return fmt.Errorf("%q is out of place", c.request)
	}
	return nil
}

func (c *coroutine) open(name, lockPath string) (err error) {
	before, err := descriptors(lockPath)
	if err != nil {
		return err
	}
	if c.barrier, err = impl.Attach(context.Background(), name, lockPath); err != nil {
		return err
	}
	after, err := descriptors(lockPath)
	if err != nil {
		return err
	}
	for _, fd := range after {
		if !slices.Contains(before, fd) {
			c.lock = fd
		}
	}
	c.words, err = mapWords(name)
	return err
}

// descriptors lists those that this process has of the file.
func descriptors(path string) (list []int, err error) {
	links, err := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if target, _ := os.Readlink(link); target == path {
			fd, err := strconv.Atoi(filepath.Base(link))
			if err != nil {
				return nil, err
			}
			list = append(list, fd)
		}
	}
	return list, err
}

// stopBefore is the hook.
func (c *coroutine) stopBefore(s spec.Step, say func(string)) {
	say("at " + s.String())
	switch c.request {
	case "giveup":
		if c.mutant == nil || !c.mutant.ignores || c.mutant.step != s {
			c.cancel()
		}
	case "abandon":
		panic(errAbandoned)
	default:
		c.interfere(s)
	}
}

func (c *coroutine) call(n int, say func(string)) error {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.parties = cancel, int32(n)
	defer cancel()
	switch err := c.wait(ctx, n); {
	case err == nil:
		say("returned")
	case errors.Is(err, context.Canceled):
		say("withdrawn")
	case errors.Is(err, errAbandoned):
		say("abandoned")
	default:
		return err
	}
	return nil
}

// wait is Wait; that it is abandoned is an error like any other.
func (c *coroutine) wait(ctx context.Context, n int) (err error) {
	defer func() {
		if p := recover(); p == errAbandoned {
			err = errAbandoned
		} else if p != nil {
			panic(p)
		}
	}()
	return c.barrier.Wait(ctx, n)
}

// interfere and restore make the party behave as its mutant does in the step.
func (c *coroutine) interfere(s spec.Step) {
	if c.mutant != nil && c.mutant.step == s && c.mutant.interfere != nil {
		c.undo = c.mutant.interfere(c)
	}
}

func (c *coroutine) restore() {
	if undo := c.undo; undo != nil {
		c.undo = nil
		undo()
	}
}

// serve makes the party a port, so that a wrong party can be a process of its
// own.
func (c *coroutine) serve(stdin io.Reader, stdout io.Writer) {
	fmt.Fprintln(stdout, "port 1 white withdraw abandon")
	for lines := bufio.NewScanner(stdin); lines.Scan(); {
		if lines.Text() == "close" {
			fmt.Fprintln(stdout, "closed")
			return
		}
		answer, err := c.Ask(lines.Text())
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Fprintln(stdout, answer)
	}
}
