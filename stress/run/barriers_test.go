//go:build linux

package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// barriers are what the workers of the tests wait at: the real one, and some
// with a mistake.
var barriers = map[string]opener{
	"real":       open,
	"no-waiting": func(context.Context, assignment, func(spec.Step)) (barrier, error) { return noWaiting{}, nil },

	"early-by-one":  openTicket(1),
	"early-by-none": openTicket(0),

	"does-not-open": func(context.Context, assignment, func(spec.Step)) (barrier, error) { return nil, errNotOpen },
	"never-ready":   func(context.Context, assignment, func(spec.Step)) (barrier, error) { select {} },
	"blocks":        func(context.Context, assignment, func(spec.Step)) (barrier, error) { return blocks{}, nil },
	"delegates": func(_ context.Context, a assignment, _ func(spec.Step)) (barrier, error) {
		return delegates{assignment: a}, nil
	},

	"stops-itself": func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		return open(ctx, a, func(s spec.Step) {
			hook(s)
			if a.Worker == 1 && s == spec.CountEnter {
				syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
				select {} // the signal may stop another thread first
			}
		})
	},
	"stays": func(context.Context, assignment, func(spec.Step)) (barrier, error) {
		return ends(func() { select {} }), nil
	},
	"dies-closing": func(context.Context, assignment, func(spec.Step)) (barrier, error) {
		return ends(func() { syscall.Kill(0, syscall.SIGKILL) }), nil
	},

	"fails": func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		b, err := open(ctx, a, hook)
		return &fails{barrier: b, left: 10 + a.Worker}, err
	},
}

func init() {
	barriers["forgets-to-uncount"] = func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		b, err := open(ctx, a, func(s spec.Step) {
			if hook(s); s == spec.LockWithdraw {
				panic(errForgets)
			}
		})
		return wrongWithdrawal{b, true}, err
	}
	barriers["refutes-and-dies"] = func(_ context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		return refutesAndDies{segment: a.Segment, hook: hook}, nil
	}
	barriers["returns-instead"] = func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		b, err := open(ctx, a, hook)
		return wrongWithdrawal{b, false}, err
	}
	barriers["until-eintr"] = func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		b, err := openTicket(0)(ctx, a, hook)
		return untilEINTR{b}, err
	}
}

// refutesAndDies shows words that are out of range, and is gone.
type refutesAndDies struct {
	noWaiting
	segment string
	hook    func(spec.Step)
}

func (b refutesAndDies) Wait(context.Context, int) error {
	segment, err := os.OpenFile("/dev/shm/"+b.segment, os.O_WRONLY, 0)
	if err == nil {
		_, err = segment.Write(bytes.Repeat([]byte{7}, spec.Size))
	}
	if err != nil {
		return err
	}
	b.hook(spec.InitExit)
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {}
}

// untilEINTR is a barrier at which a party arrives when a system call of its
// call has failed with EINTR.
type untilEINTR struct{ barrier }

func (u untilEINTR) Wait(ctx context.Context, parties int) error {
	for {
		second := unix.NsecToTimespec(int64(time.Second))
		if unix.Nanosleep(&second, nil) == unix.EINTR {
			return u.barrier.Wait(ctx, parties)
		}
	}
}

// wrongWithdrawal does not undo a call that it withdraws, or says that the call
// has returned.
type wrongWithdrawal struct {
	barrier
	forgets bool
}

func (b wrongWithdrawal) Wait(ctx context.Context, parties int) (err error) {
	defer func() {
		if r := recover(); r == errForgets {
			err = ctx.Err()
		} else if r != nil {
			panic(r)
		}
	}()
	if err = b.barrier.Wait(ctx, parties); errors.Is(err, context.Canceled) && !b.forgets {
		return nil
	}
	return err
}

var (
	errForgets = errors.New("forgets to undo the call")
	errNotOpen = errors.New("this barrier does not open")
	errFails   = errors.New("this barrier fails")
)

// noWaiting returns from every call at once.
type noWaiting struct{}

func (noWaiting) Wait(context.Context, int) error { return nil }
func (noWaiting) Close() error                    { return nil }

// ends is a barrier for one party that calls itself when it is closed.
type ends func()

func (ends) Wait(context.Context, int) error { return nil }
func (e ends) Close() error                  { e(); return nil }

// blocks returns from no call.
type blocks struct{}

func (blocks) Wait(context.Context, int) error { select {} }
func (blocks) Close() error                    { return nil }

// delegates blocks, while a process outside the group of worker 0, which has
// started it, holds the lock.
type delegates struct {
	blocks
	assignment
}

func (d delegates) Wait(ctx context.Context, parties int) error {
	if d.Worker == 0 {
		cmd := exec.Command("flock", d.LockPath, "cat")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if _, err := cmd.StdinPipe(); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		delegate = cmd
	}
	return d.blocks.Wait(ctx, parties)
}

// delegate is kept, since the lock is free when its standard input is collected.
var delegate *exec.Cmd

// fails is a barrier that fails after some calls.
type fails struct {
	barrier
	left int
}

func (f *fails) Wait(ctx context.Context, parties int) error {
	if f.left--; f.left < 0 {
		return errFails
	}
	return f.barrier.Wait(ctx, parties)
}

// ticket is a barrier with one counter, in a file that is never unmapped. The
// call that draws ticket t waits until all tickets of its round are drawn; with
// the mistake, until all but early are.
type ticket struct {
	noWaiting
	drawn *atomic.Int64
	early int64
}

func openTicket(early int64) opener {
	return func(_ context.Context, a assignment, _ func(spec.Step)) (barrier, error) {
		file, err := os.OpenFile(filepath.Join(a.Dir, "ticket"), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if err := file.Truncate(8); err != nil {
			return nil, err
		}
		m, err := syscall.Mmap(int(file.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return nil, err
		}
		return ticket{drawn: (*atomic.Int64)(unsafe.Pointer(&m[0])), early: early}, nil
	}
}

func (b ticket) Wait(_ context.Context, parties int) error {
	n := int64(parties)
	mine := b.drawn.Add(1) - 1
	for full := (mine/n + 1) * n; b.drawn.Load() < full-b.early; {
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return nil
}
