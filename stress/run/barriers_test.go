//go:build linux

package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"unsafe"

	"sharedbarrier/spec"
)

// barriers are what the workers of the tests wait at: the real one, and some
// that are wrong on purpose.
var barriers = map[string]Opener{
	"real": OpenReal,
	"port": Open,
	"no-waiting": func(assignment, func(spec.Step)) (Barrier, error) {
		return noWaiting{}, nil
	},
	"early-by-one":  openTicket(1),
	"early-by-none": openTicket(0),
	"unopened": func(assignment, func(spec.Step)) (Barrier, error) {
		return nil, errUnopened
	},
	"never-ready": func(assignment, func(spec.Step)) (Barrier, error) { select {} },
	"stuck": func(assignment, func(spec.Step)) (Barrier, error) {
		return stuck{}, nil
	},
	"stops-itself": func(a assignment, hook func(spec.Step)) (Barrier, error) {
		return OpenReal(a, func(s spec.Step) {
			hook(s)
			if a.Worker == 1 && s == spec.CountEnter {
				syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
				select {} // another thread may be the one that the signal stops first
			}
		})
	},
	"delegating": func(a assignment, _ func(spec.Step)) (Barrier, error) {
		return delegating{a}, nil
	},
	"failing": func(a assignment, hook func(spec.Step)) (Barrier, error) {
		b, err := OpenReal(a, hook)
		return &failing{Barrier: b, left: 10 + a.Worker}, err
	},
}

var (
	errUnopened = errors.New("this barrier does not open")
	errFailing  = errors.New("this barrier fails")
)

// noWaiting lets everybody through.
type noWaiting struct{}

func (noWaiting) Wait(context.Context, int) error { return nil }
func (noWaiting) Close() error                    { return nil }

// stuck lets nobody through.
type stuck struct{}

func (stuck) Wait(context.Context, int) error { select {} }
func (stuck) Close() error                    { return nil }

// delegating lets nobody through either, and worker 0 has a process that has left
// its group hold the lock until it is gone itself.
type delegating struct{ assignment }

func (d delegating) Wait(context.Context, int) error {
	if d.Worker == 0 {
		cmd := exec.Command("flock", d.LockPath, "cat")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if _, err := cmd.StdinPipe(); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	select {}
}

func (delegating) Close() error { return nil }

// failing is a real barrier that fails after some calls.
type failing struct {
	Barrier
	left int
}

func (f *failing) Wait(ctx context.Context, parties int) error {
	if f.left--; f.left < 0 {
		return errFailing
	}
	return f.Barrier.Wait(ctx, parties)
}

// ticket is a barrier by one counter in shared memory: the call that draws
// ticket t waits until all tickets of its round are drawn, or, when it is wrong
// on purpose, until all but a few are.
type ticket struct {
	drawn   *atomic.Int64
	early   int64
	mapping []byte
}

func openTicket(early int64) Opener {
	return func(a assignment, _ func(spec.Step)) (Barrier, error) {
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
		return &ticket{(*atomic.Int64)(unsafe.Pointer(&m[0])), early, m}, nil
	}
}

func (b *ticket) Wait(_ context.Context, parties int) error {
	n := int64(parties)
	mine := b.drawn.Add(1) - 1
	for full := (mine/n + 1) * n; b.drawn.Load() < full-b.early; {
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return nil
}

func (b *ticket) Close() error { return syscall.Munmap(b.mapping) }
