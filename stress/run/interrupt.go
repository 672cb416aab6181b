//go:build linux

package run

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/stress/fault"
)

// interruptAgain interrupts the system calls of all workers, again and again.
func (d *disturber) interruptAgain(index int, f fault.Fault) {
	ticker := time.NewTicker(f.Duration())
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-d.ctx.Done():
			return
		}
		for _, p := range d.workers {
			for _, pid := range procgroup.Family(p.pid()) {
				if d.held.Load() == 0 { // else it might continue what another fault has stopped
					d.happened[index].Add(interrupt(pid))
				}
			}
		}
	}
}

// interrupt signals each thread of the process, and returns how many there are.
// A system call that the signal interrupts fails with EINTR, or the kernel
// starts it again (signal(7)). A program in Go has a handler for SIGURG. To one
// that has none a signal does nothing but stop it: stopped and continued, it
// has the kernel start its system calls again.
func interrupt(pid int) (threads int64) {
	if !catches(pid, unix.SIGURG) {
		if unix.Kill(pid, unix.SIGSTOP) == nil && unix.Kill(pid, unix.SIGCONT) == nil {
			return 1
		}
		return 0
	}
	for _, tid := range procgroup.Threads(pid) {
		if unix.Tgkill(pid, tid, unix.SIGURG) == nil {
			threads++
		}
	}
	return threads
}

// catches reports whether the process has a handler for the signal.
func catches(pid int, s unix.Signal) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "SigCgt:\t")
	mask, err := strconv.ParseUint(strings.Fields(rest + " -")[0], 16, 64)
	return err == nil && mask>>(s-1)&1 == 1
}
