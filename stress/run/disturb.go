//go:build linux

package run

import (
	"context"
	"fmt"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/oracle"
)

// A disturber does those faults of a run that the workers cannot do to
// themselves: it stops and continues them, interrupts their system calls, keeps
// the machine busy, and replaces the lock file.
type disturber struct {
	*run
	ctx    context.Context // ends with the time of the run
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	busy   []*exec.Cmd
	held   atomic.Int32 // processes that a fault has stopped

	happened [oracle.MostFaults]atomic.Int64 // by fault; the rest is in the ledger
}

// newDisturber returns a disturber that goes on until ctx ends, or cancel is
// called: no fault makes a run longer than it was asked to be.
func newDisturber(ctx context.Context, r *run) *disturber {
	d := &disturber{run: r}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d
}

// begin begins what goes on as long as the run, before the first call. The
// workers are ready.
func (d *disturber) begin() error {
	for i, f := range d.Faults {
		switch f.Kind {
		case fault.CPUs:
			d.countPinned(i, f.Amount)
		case fault.Busy:
			if err := d.startBusy(f.Amount); err != nil {
				return err
			}
		case fault.Relink:
			d.tasks.Go(func() { d.relinkAgain(i, f) })
		case fault.EINTR:
			d.tasks.Go(func() { d.interruptAgain(i, f) })
		}
	}
	return nil
}

// end ends all that the disturber does, and waits until it has ended. Ending
// again does nothing.
func (d *disturber) end() {
	d.cancel()
	d.tasks.Wait()
	d.endBusy()
}

// stop stops the process of a worker, which has asked for that, for as long as
// the fault says.
func (d *disturber) stop(p *process, index, pid int) {
	d.tasks.Go(func() {
		defer p.write(goOn)
		if has, err := procgroup.Has(p.pid(), pid); err != nil || !has {
			return // it has ended meanwhile
		}
		d.held.Add(1)
		defer d.held.Add(-1)
		family := []int{pid}
		if pid != p.pid() {
			family = procgroup.Family(pid)
		}
		defer send(family, unix.SIGCONT)
		if send(family, unix.SIGSTOP); !procgroup.AwaitStopped(family) {
			return
		}
		d.happened[index].Add(1)
		select {
		case <-time.After(d.Faults[index].Duration()):
		case <-p.gone:
		case <-d.ctx.Done():
		}
	})
}

// send sends a signal to the processes that are still there.
func send(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		unix.Kill(pid, s)
	}
}

// wasKilled returns what has killed the worker, which is gone, on purpose;
// empty: it died of something else.
func (r *run) wasKilled(p *process) string {
	if p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return ""
	}
	if r.Guide != nil && r.ledger.Entry(p.worker).Dead {
		return "the guide"
	}
	for i, f := range r.Faults {
		if f.Kind == fault.Kill && r.ledger.Happened(p.worker, i) > 0 {
			return f.String()
		}
	}
	return ""
}

// death says how the worker was killed on purpose, and by what.
func (r *run) death(p *process, f string) string {
	e := r.ledger.Entry(p.worker)
	switch {
	case e.Begun == e.Returned:
		return fmt.Sprintf("%s killed %v after its call %d", f, p, e.Returned)
	case p.announces.Load():
		return fmt.Sprintf("%s killed %v at %v in its call %d", f, p, e.Step, e.Begun)
	default:
		return fmt.Sprintf("%s killed %v in its call %d", f, p, e.Begun)
	}
}

// injected counts what has happened of each fault.
func (r *run) injected() (list []Injected) {
	var begun []int64
	for i := range r.workers {
		begun = append(begun, r.ledger.Entry(i).Begun)
	}
	for i, f := range r.Faults {
		in := Injected{Fault: f.String(), Planned: r.plan.Count(i, begun), Happened: r.disturb.happened[i].Load(), Plan: r.plan.Says(i, 3)}
		for w := range r.workers {
			in.Happened += r.ledger.Happened(w, i)
		}
		switch f.Kind {
		case fault.Parties, fault.Surplus: // they are in the calls
			if r.begun {
				in.Happened = 1
			}
		case fault.Relink, fault.EINTR: // may go on as long as the run
			if f.Times == 0 && f.Duration() > 0 && r.plan.Relinks() == nil {
				in.Planned = max(1, in.Happened)
			}
		}
		list = append(list, in)
	}
	return list
}

// ends counts the calls that have ended otherwise than by a return.
func (r *run) ends() Ends {
	var ends Ends
	for i, p := range r.workers {
		e := r.ledger.Entry(i)
		ends.Withdrawn += e.Withdrawn
		ends.Abandoned += e.Abandoned
		if !p.isGone() {
			continue
		}
		switch {
		case p.found != nil && p.found.Failure != "" && e.Begun > e.Returned:
			if ends.Refused == nil {
				ends.Refused = map[string]int64{}
			}
			ends.Refused[p.found.Failure]++
		case p.found == nil && e.Begun > e.Returned:
			ends.Died++
		}
	}
	return ends
}
