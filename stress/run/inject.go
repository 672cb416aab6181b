//go:build linux

package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/port"
)

// An injector does to one worker what the plan has for it. A fault at a step
// happens in the goroutine of the call, exactly before the step. One at a
// moment happens in a goroutine of its own, while the call goes on.
//
// A worker with a port, which the faults are for, lives on while its port is
// stopped, and dies with it.
type injector struct {
	*worker
	usual time.Duration  // the time that a call takes
	since time.Time      // the begin of the call under way
	over  chan struct{}  // closed when the call has ended
	timed sync.WaitGroup // the goroutines of the call

	mu      sync.Mutex
	asked   int64             // the calls for which the plan was asked
	due     []fault.Injection // that have not happened
	cancel  context.CancelFunc
	gaveUp  *fault.Injection  // has ended the context of the call
	leaves  *fault.Injection  // ends the next wait
	delayed time.Duration     // of the next step
	held    int               // steps under the lock, since the holder was hit
	missed  []fault.Injection // that the call has ended before
	dying   bool
}

// errWalkedAway is what the hook panics with to leave a wait.
var errWalkedAway = errors.New("walked away")

// ask asks the plan for all calls up to that of the round.
func (i *injector) ask(round int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for ; i.asked < round; i.asked++ {
		i.due = append(i.due, i.plan.Of(i.Worker, i.asked+1)...)
	}
}

// begin prepares what happens in the call of the round, and returns the context
// of the call. end must follow.
func (i *injector) begin(round int64) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	i.since, i.over = time.Now(), make(chan struct{})
	i.ask(round)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel, i.gaveUp, i.delayed = cancel, nil, 0
	i.due = slices.DeleteFunc(i.due, func(in fault.Injection) bool {
		switch {
		case in.At != fault.Anywhere || in.Holder && i.black() == nil:
			return false
		case in.Holder:
			i.timed.Go(func() { i.whenHolding(in) })
		default:
			i.timed.Go(func() { i.atMoment(in) })
		}
		return true
	})
	return ctx
}

// atMoment lets the injection happen at its moment of the call, or when the
// call has ended.
func (i *injector) atMoment(in fault.Injection) {
	select {
	case <-time.After(time.Duration(in.Moment * float64(i.usual))):
	case <-i.over:
	}
	i.happen(in, false)
}

// before lets happen what is due before step s. It panics with errWalkedAway if
// the call leaves its wait there.
func (i *injector) before(s spec.Step) {
	i.mu.Lock()
	delay := i.delayed
	i.delayed = 0
	var now []fault.Injection
	i.due = slices.DeleteFunc(i.due, func(in fault.Injection) bool {
		if in.At != fault.Before(s) && !(in.Holder && i.isHolding(s, in)) {
			return false
		}
		now = append(now, in)
		return true
	})
	i.mu.Unlock()
	if delay > 0 {
		nap(delay)
	}
	for _, in := range now {
		i.held = 0
		i.happen(in, true)
	}
	i.mu.Lock()
	leaves := i.leaves != nil && fault.PollsAt(s)
	i.mu.Unlock()
	if leaves {
		panic(errWalkedAway)
	}
}

// happen lets the injection happen: at a step, at which the worker waits until
// it is over, or while the call goes on.
func (i *injector) happen(in fault.Injection, atStep bool) {
	length := i.plan.Faults()[in.Fault].Duration()
	switch in.Kind {
	case fault.Kill:
		i.die(in)
	case fault.Stop:
		i.stop(in)
	case fault.Delay:
		i.ledger.AddHappened(i.Worker, in.Fault)
		if atStep || i.black() != nil {
			nap(length)
			return
		}
		i.mu.Lock()
		i.delayed += length
		i.mu.Unlock()
	case fault.GiveUp:
		i.take(&i.gaveUp, in)
		i.cancel()
	case fault.WalkAway:
		i.take(&i.leaves, in)
		if p := i.black(); p != nil {
			p.Abandon()
		}
	}
}

// take puts the injection in its place, unless another one has it in this call.
func (i *injector) take(place **fault.Injection, in fault.Injection) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if *place != nil {
		i.missed = append(i.missed, in)
		return
	}
	*place = &in
}

// end records how the call has ended, with the error of Wait, once all that
// was to happen in it has happened. What was to happen so many times and has not
// is due again in the next call.
func (i *injector) end(err error) {
	took := time.Since(i.since)
	close(i.over)
	i.timed.Wait()
	i.cancel()
	if err == nil { // the others do not tell how long a call takes
		i.usual += (took - i.usual) / 8
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.due, i.missed = append(i.due, i.missed...), nil
	i.due = slices.DeleteFunc(i.due, func(in fault.Injection) bool { return !in.Once })
	i.settle(&i.gaveUp, errors.Is(err, context.Canceled))
	i.settle(&i.leaves, err == errWalkedAway)
}

// settle records whether the injection has had the effect that it was for.
func (i *injector) settle(in **fault.Injection, happened bool) {
	switch {
	case *in == nil:
	case happened:
		i.ledger.AddHappened(i.Worker, (*in).Fault)
	case (*in).Once:
		i.due = append(i.due, **in)
	}
	*in = nil
}

// atEnd lets happen what is due when the worker has returned from its last call.
func (i *injector) atEnd() {
	for _, in := range i.due {
		if in.At == fault.End {
			i.happen(in, true)
		}
	}
}

// die is the fault that kills the worker.
func (i *injector) die(in fault.Injection) {
	i.ledger.AddHappened(i.Worker, in.Fault)
	i.kill()
}

// kill kills the worker, and before that its port.
func (i *injector) kill() {
	i.mu.Lock()
	i.dying = true
	i.mu.Unlock()
	i.observer.Die()
	for _, pid := range i.victims() {
		unix.Kill(pid, unix.SIGKILL)
	}
	unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

func (i *injector) isDying() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.dying
}

// victims lists the processes of the port; none: there is none.
func (i *injector) victims() []int {
	if p := i.port(); p != nil {
		return procgroup.Family(p.PID())
	}
	return nil
}

// stop has Run stop the worker, or its port, and waits until Run has continued
// it.
func (i *injector) stop(in fault.Injection) {
	pid := os.Getpid()
	if p := i.port(); p != nil {
		pid = p.PID()
	}
	i.stopping.Lock()
	defer i.stopping.Unlock()
	if _, err := io.WriteString(os.Stdout, stopLine(in.Fault, pid)); err == nil {
		<-i.continued
	}
}

// stopLine is what a worker prints to have Run stop a process. Run answers with
// goOn when it has continued it.
func stopLine(fault, pid int) string { return fmt.Sprintf("stop %d %d\n", fault, pid) }

func parseStop(line string) (fault, pid int, is bool) {
	n, err := fmt.Sscanf(line, "stop %d %d\n", &fault, &pid)
	return fault, pid, err == nil && n == 2
}

// port returns the port of the worker; nil: it has none.
func (i *injector) port() *port.Port {
	switch b := i.barrier.(type) {
	case *port.Port:
		return b
	case *whitePort:
		return b.Port
	}
	return nil
}

// black returns the port of the worker if it announces no steps.
func (i *injector) black() *port.Port {
	p, _ := i.barrier.(*port.Port)
	return p
}

// nap sleeps in the kernel, since the runtime's timers round up to a
// millisecond.
func nap(d time.Duration) {
	for left := unix.NsecToTimespec(int64(d)); unix.Nanosleep(&left, &left) == unix.EINTR; {
	}
}
