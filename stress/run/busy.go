//go:build linux

package run

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/fault"
)

// busyCommand is the argument that makes a program a busy process. The next
// argument is a number of processors, as of pin.
const busyCommand = "stress-busy"

// compute computes until the process is killed, on so many processors.
func compute(cpus string) {
	if n, err := strconv.Atoi(cpus); err == nil {
		pin(n)
	}
	for n := uint64(1); ; n = n*6364136223846793005 + 1442695040888963407 {
		if n == 0 {
			runtime.Gosched()
		}
	}
}

// Busy returns the command of a process that computes until it is killed. The
// program must call ServeWorker first in main.
func Busy() *exec.Cmd { return exec.Command("/proc/self/exe", busyCommand, "0") }

// startBusy starts n busy processes. They end with this process, in whatever way
// it ends (package procgroup).
func (d *disturber) startBusy(n int) error {
	for range n {
		if d.ctx.Err() != nil {
			return nil
		}
		cmd := d.compute()
		cmd.Args = append(cmd.Args, strconv.Itoa(d.plan.Amount(fault.CPUs)))
		if err := procgroup.Start(context.Background(), cmd); err != nil {
			return fmt.Errorf("start a busy process: %w", err)
		}
		d.busy = append(d.busy, cmd)
	}
	return nil
}

// endBusy ends the busy processes and counts those that have computed.
func (d *disturber) endBusy() {
	for _, cmd := range d.busy {
		cmd.Process.Kill()
	}
	for _, cmd := range d.busy {
		procgroup.Wait(cmd)
		if cmd.ProcessState.UserTime() > 0 {
			d.happened[d.plan.Find(fault.Busy)].Add(1)
		}
	}
	d.busy = nil
}

// pin has this process run on the first n of the processors that it may use; 0:
// all. It starts the program again, since only then all threads are pinned.
func pin(n int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || n == 0 || set.Count() <= n {
		return err
	}
	first := firstOf(set, n)
	runtime.LockOSThread()
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		return fmt.Errorf("run on %d processors: %w", n, err)
	}
	return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
}

// firstOf returns the first n processors of the set.
func firstOf(set unix.CPUSet, n int) (first unix.CPUSet) {
	for cpu := 0; first.Count() < n; cpu++ {
		if set.IsSet(cpu) {
			first.Set(cpu)
		}
	}
	return first
}

// countPinned counts the fault as happened if every process of the workers may
// use n processors.
func (d *disturber) countPinned(index, n int) {
	for _, p := range d.workers {
		for _, pid := range procgroup.Family(p.pid()) {
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(pid, &set); err != nil || set.Count() != n {
				return
			}
		}
	}
	d.happened[index].Add(1)
}

// checkCPUs refuses a number of processors that this process has not.
func checkCPUs(n int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || n <= set.Count() {
		return err
	}
	return fmt.Errorf("%w \"cpus:%d\": this process may use %d processors: give at most %d", fault.ErrFault, n, set.Count(), set.Count())
}
