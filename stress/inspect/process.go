//go:build linux

package inspect

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"sharedbarrier/spec"
	"sharedbarrier/stress/fileuse"
)

// A Process is one process that has to do with the barrier.
type Process struct {
	PID       int
	Inner     []int // its numbers in the PID namespaces below that of /proc, if any
	Parent    int
	User      string
	Command   string
	Name      string // of the program, as the kernel has it
	Rank      string // what its environment says about its rank, such as LOCAL_RANK=3
	Started   time.Time
	State     string   // the letter of proc(5): R, S, D, T, t, Z, X, I
	Maps      bool     // it has the segment mapped
	MapsOther bool     // it has another file of the segment's name mapped
	LockOpen  bool     // it has the lock file open
	OldLock   bool     // it has a file open that has or had the name of the lock file, and is another one
	Holds     bool     // it holds the lock
	Waits     bool     // it blocks in flock(2)
	Sibling   bool     // it is dead and not waited for, and has the parent and the name of a party
	Shares    []int    // processes that have the lock file open by the same descriptor, which was inherited
	Frozen    string   // the control group that is frozen, and the process with it
	Barriers  []string // others that it has mapped, by name

	start       uint64    // when it started, in ticks: no other process has had the number and this
	others      []string  // names of other segments that it has mapped
	descriptors []int     // of the lock file
	at          time.Time // when its threads were looked at
	threads     map[int]thread
}

// A thread is what /proc says about one thread.
type thread struct {
	state     string
	wchan     string // where in the kernel it waits; empty: nowhere, or hidden
	voluntary uint64 // context switches by which it gave up the processor
	ran       uint64 // nanoseconds on a processor
	delayed   uint64 // nanoseconds in which it waited for a processor
}

// describe reads all else about the process. It returns false if the process is
// gone.
func (p *Process) describe() bool {
	proc, err := procfs.NewProc(p.PID)
	if err != nil {
		return false
	}
	stat, err := proc.Stat()
	if err != nil {
		return false
	}
	p.State, p.Parent, p.Name, p.User = stat.State, stat.PPID, stat.Comm, fileuse.User(p.PID)
	p.Command, p.start = command(proc, stat.Comm), stat.Starttime
	if start, err := stat.StartTime(); err == nil {
		p.Started = time.UnixMicro(int64(start * 1e6))
	}
	if status, err := proc.NewStatus(); err == nil && len(status.NSpids) > 1 {
		for _, inner := range status.NSpids[1:] {
			p.Inner = append(p.Inner, int(inner))
		}
	}
	p.Rank, p.Barriers = rank(p.PID), p.barriers()
	p.at, p.threads = time.Now(), threads(p.PID)
	p.Frozen = frozen(p.PID, p.State, p.wchan())
	return true
}

// barriers returns those of the other segments that have the size of a barrier.
func (p *Process) barriers() (names []string) {
	for _, name := range p.others {
		info, err := os.Stat(fmt.Sprintf("/proc/%d/root%s%s", p.PID, shm, name))
		if err == nil && info.Size() == spec.Size {
			names = append(names, name)
		}
	}
	return names
}

// suspended reports whether the process does nothing until something else lets
// it go on.
func (p *Process) suspended() bool { return p.State == "T" || p.State == "t" || p.Frozen != "" }

// command returns the command line in one printable line.
func command(proc procfs.Proc, name string) string {
	args, err := proc.CmdLine()
	if err != nil || len(args) == 0 {
		return "[" + name + "]"
	}
	text := strings.Join(args, " ")
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// ranks are the variables by which launchers tell a process its rank: torchrun
// and composer, Open MPI, Slurm.
var ranks = []string{"LOCAL_RANK", "RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"}

// rank returns the first of ranks in the environment with which the process was
// started, with its value; empty: none, or it may not be seen.
func rank(pid int) string {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return ""
	}
	for _, name := range ranks {
		for variable := range bytes.SplitSeq(environment, []byte{0}) {
			if value, ok := bytes.CutPrefix(variable, []byte(name+"=")); ok {
				if _, err := strconv.Atoi(string(value)); err == nil {
					return name + "=" + string(value)
				}
			}
		}
	}
	return ""
}

// threads looks at each thread of the process.
func threads(pid int) map[int]thread {
	list, err := procfs.AllThreads(pid)
	if err != nil {
		return nil
	}
	seen := map[int]thread{}
	for _, p := range list {
		stat, err := p.Stat()
		if err != nil {
			continue // it has ended
		}
		t := thread{state: stat.State}
		t.wchan, _ = p.Wchan() // hidden from other users
		if status, err := p.NewStatus(); err == nil {
			t.voluntary = status.VoluntaryCtxtSwitches
		}
		if s, err := p.Schedstat(); err == nil {
			t.ran, t.delayed = s.RunningNanoseconds, s.WaitingNanoseconds
		}
		seen[p.PID] = t
	}
	return seen
}
