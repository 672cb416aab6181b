//go:build linux

package run

import (
	"context"
	"fmt"
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
// themselves: it stops and continues them.
type disturber struct {
	*run
	ctx    context.Context // ends when the run does
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	held   atomic.Int32 // processes that a fault has stopped

	happened [oracle.MostFaults]atomic.Int64 // by fault; the rest is in the ledger
}

func newDisturber(r *run) *disturber {
	d := &disturber{run: r}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// end ends all that the disturber does, and waits until it has ended.
func (d *disturber) end() {
	d.cancel()
	d.tasks.Wait()
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
		in := Injected{Fault: f.String(), Planned: r.plan.Count(i, begun), Happened: r.disturb.happened[i].Load()}
		for w := range r.workers {
			in.Happened += r.ledger.Happened(w, i)
		}
		switch f.Kind {
		case fault.Parties, fault.Surplus: // they are in the calls
			in.Happened = 1
			if r.ledger.Rounds() == 0 && !r.begun {
				in.Happened = 0
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
