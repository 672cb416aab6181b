//go:build linux

// Package goport offers package impl as a port (spec/PORTS.md):
// black box, white box, withdrawal and abandoning.
//
// In white-box mode one goroutine does everything: the hook of the barrier
// announces the step and reads the request. In black-box mode the call has a
// goroutine of its own.
package goport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
)

// The arguments of Main.
const (
	// Construct has the port construct on open, as the original does.
	Construct = "construct"
	// Unlink has the port take the lock again and again between its calls and
	// unlink the file before it releases it, as some versions of Python's
	// filelock do.
	Unlink = "unlink"
)

// Main serves the port until it is closed or its input ends, and returns the
// exit code.
func Main(args []string, stdin io.Reader, stdout io.Writer) int {
	p := &goPort{in: bufio.NewReader(stdin), out: stdout, constructs: slices.Contains(args, Construct), unlinks: slices.Contains(args, Unlink)}
	p.say("port 1 white withdraw abandon")
	for {
		request, argument := p.read()
		if err := p.obey(request, argument); err != nil {
			p.fail(err)
		} else if request == "close" {
			return spec.ExitOK
		}
	}
}

type goPort struct {
	in         *bufio.Reader
	out        io.Writer
	constructs bool
	unlinks    bool
	barrier    *impl.Barrier
	white      bool
	giveUp     context.CancelFunc // ends the context of the call under way, or of the last one
	abandon    atomic.Bool        // black box: the call leaves its wait at the next poll
	inCall     atomic.Bool        // black box
}

// errAbandon is what the hook panics with to leave a wait.
var errAbandon = errors.New("abandoned")

func (p *goPort) say(line string) {
	if _, err := io.WriteString(p.out, line+"\n"); err != nil {
		os.Exit(spec.ExitUsage) // the runner is gone
	}
}

// read returns the next request. At the end of the input it ends the process;
// the kernel frees the lock.
func (p *goPort) read() (request, argument string) {
	line, err := p.in.ReadString('\n')
	if err != nil {
		os.Exit(spec.ExitOK)
	}
	request, argument, _ = strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	return request, argument
}

func (p *goPort) obey(request, argument string) error {
	during := p.inCall.Load()
	switch {
	case argument != "" && request != "open" && request != "call":
		return fmt.Errorf("%q takes no argument", request)
	case request == "giveup" && !p.white && p.barrier != nil:
		if p.giveUp != nil {
			p.giveUp() // has no effect if it crossed with the call's answer
		}
	case request == "abandon" && !p.white && p.barrier != nil:
		p.abandon.Store(true)
	case request == "white" && p.barrier == nil:
		p.white = true
		p.say("ok")
	case request == "open" && p.barrier == nil:
		return p.open(argument)
	case request == "call" && p.barrier != nil && !during:
		return p.call(argument)
	case request == "close" && p.barrier != nil && !during:
		if err := p.barrier.Close(); err != nil {
			return err
		}
		p.say("closed")
	default:
		return fmt.Errorf("%.80q is not in place, or no request", request)
	}
	return nil
}

func (p *goPort) open(argument string) (err error) {
	name, path, _ := strings.Cut(argument, " ")
	if p.barrier, err = impl.Attach(context.Background(), name, path); err != nil {
		return err
	}
	if p.white {
		p.barrier.SetHook(p.announce)
	}
	if p.constructs {
		if err := p.barrier.Reset(); err != nil {
			return err
		}
	}
	if p.unlinks {
		go unlink(path)
	}
	p.say("opened")
	return nil
}

// unlink takes the lock, unlinks its file and releases it, until the directory
// is gone.
func unlink(path string) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return
		}
		fd := int(file.Fd())
		var st unix.Stat_t
		if unix.Flock(fd, unix.LOCK_EX) == nil && unix.Fstat(fd, &st) == nil && st.Nlink > 0 {
			os.Remove(path)
		}
		unix.Flock(fd, unix.LOCK_UN)
		file.Close()
		time.Sleep(time.Duration(rand.Int64N(int64(50 * time.Microsecond))))
	}
}

func (p *goPort) call(argument string) error {
	n, err := strconv.Atoi(argument)
	if err != nil {
		return fmt.Errorf("call %q: want a party count", argument)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.giveUp = cancel
	if p.white {
		p.answer(p.wait(ctx, n))
		return nil
	}
	p.abandon.Store(false)
	p.barrier.SetHook(p.leave)
	p.inCall.Store(true)
	go func() {
		err := p.wait(ctx, n)
		p.inCall.Store(false) // the next request may follow the answer at once
		p.answer(err)
	}()
	return nil
}

// wait makes the call. It returns errAbandon if the hook panics with that.
func (p *goPort) wait(ctx context.Context, n int) (err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case errAbandon:
			err = errAbandon
		default:
			panic(r)
		}
	}()
	return p.barrier.Wait(ctx, n)
}

func (p *goPort) answer(err error) {
	switch {
	case err == nil:
		p.say("returned")
	case errors.Is(err, context.Canceled):
		p.say("withdrawn")
	case errors.Is(err, errAbandon):
		p.say("abandoned")
	default:
		p.fail(err)
	}
}

// fail answers with an error, cut so that it fits in a line of PORTS.md.
func (p *goPort) fail(err error) {
	const most = 1000 // characters
	text := []rune(strings.ReplaceAll(err.Error(), "\n", "; "))
	p.say("error " + string(text[:min(len(text), most)]))
}

// leave is the hook in black-box mode. A step that blocks calls it again before
// each attempt.
func (p *goPort) leave(s spec.Step) {
	if polls(s) && p.abandon.Load() {
		panic(errAbandon)
	}
}

// announce is the hook in white-box mode.
func (p *goPort) announce(s spec.Step) {
	p.say("at " + s.String())
	for {
		switch request, _ := p.read(); {
		case request == "go":
			return
		case request == "giveup" && withdraws(s):
			p.giveUp()
			return
		case request == "abandon" && polls(s):
			panic(errAbandon)
		default:
			p.fail(fmt.Errorf("%.80q is not in place at %v, or no request", request, s))
		}
	}
}

func polls(s spec.Step) bool { return s == spec.AwaitDrain || s == spec.AwaitFlag }

// withdraws reports whether the end of its context has an effect on a call at
// s.
func withdraws(s spec.Step) bool {
	switch s {
	case spec.LockInit, spec.LockEnter, spec.AwaitDrain, spec.LockFirst, spec.AwaitFlag:
		return true
	}
	return false
}
