//go:build linux

package inspect

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
)

// Obstacles are causes of which the model knows nothing, because they are no
// hang: all goes on as soon as some process does.
type obstacles struct {
	status    Status // of the last one
	causes    []Cause
	outsiders bool // they are only processes that may be outside
}

func (o *obstacles) add(status Status, c Cause) {
	o.status = status
	o.causes = append(o.causes, c)
}

// obstacles returns what the processes wait for that needs no model: the holder
// of the lock; if there is none, processes that cannot run; if all can, those
// that may be outside. The parties elsewhere are there, and have not the
// segment mapped.
func (v *seen) obstacles(elsewhere []int) (o obstacles) {
	if v.addHolders(&o); len(o.causes) > 0 {
		return o
	}
	if pids := v.those(Starved); len(pids) > 0 {
		o.add(Starves, Cause{
			Why: listed("process", pids, "waits", "wait") + " for a processor",
			Do:  "wait, or look for what keeps the processors busy: a slow machine is no hang",
		})
	}
	if pids := v.those(Stopped); len(pids) > 0 {
		o.add(HeldUp, Cause{Why: listed("process", pids, "is", "are") + " stopped", Do: resume(pids)})
	}
	if pids := v.those(Frozen); len(pids) > 0 {
		o.add(HeldUp, Cause{Why: listed("process", pids, "is", "are") + " frozen by the control group " + v.groups(pids), Do: thaw})
	}
	if len(elsewhere) > 0 {
		o.add(Waiting, Cause{
			Why: fmt.Sprintf("party %s is there, and has not this segment mapped", Ranges(elsewhere)),
			Do:  "look at which segment it has opened, and whether it has opened one at all",
		})
	}
	if len(o.causes) > 0 {
		return o
	}
	if pids := slices.Sorted(slices.Values(append(v.those(Quiet), v.those(Runs)...))); len(pids) > 0 {
		o.outsiders = true
		o.add(Waiting, Cause{
			Why: listed("process", pids, "has", "have") + " the segment mapped and may be outside: the others wait for " + it(pids),
			Do:  "find out what it does: " + stack(pids[0]),
		})
	}
	return o
}

const thaw = "thaw it: docker unpause, or echo 0 > cgroup.freeze in the folder of the group"

func resume(pids []int) string {
	return "continue: kill -CONT " + join(pids) + " (or end the debugger)"
}

func stack(pid int) string { return fmt.Sprintf("py-spy dump --pid %d, or gdb -p %[1]d", pid) }

// groups returns the control groups that have frozen the processes.
func (v *seen) groups(pids []int) string {
	var names []string
	for _, pid := range pids {
		names = append(names, v.last.process(pid).Frozen)
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

// addHolders adds the processes that hold the lock: none does for long while it
// goes on.
func (v *seen) addHolders(o *obstacles) {
	l := v.last
	for _, pid := range l.Lock.Holders {
		holds := fmt.Sprintf("process %d holds the lock", pid)
		switch p := l.process(pid); {
		case v.acts[pid] == Stopped:
			o.add(HeldUp, Cause{Why: holds + " and is stopped", Do: resume([]int{pid})})
		case v.acts[pid] == Frozen:
			o.add(HeldUp, Cause{Why: holds + " and is frozen by the control group " + p.Frozen, Do: thaw})
		case v.acts[pid] == Starved:
			o.add(Starves, Cause{Why: holds + " and waits for a processor", Do: "wait, or give it a processor: this is no hang"})
		case p != nil && l.sharer(p) != 0:
			o.add(Waiting, v.inherited(p, l.sharer(p)))
		case p == nil || !p.Maps:
			o.add(Waiting, Cause{
				Why: holds + " and has not the segment mapped: it is no party, or a child that inherited the descriptor",
				Do:  fmt.Sprintf("find out what it is: ps -fp %d; the lock is free when it has closed the lock file", pid),
			})
		default:
			o.add(Waiting, Cause{Why: holds + " and does not go on", Do: "find out what it does under the lock: " + stack(pid)})
		}
	}
	if l.Lock.Abroad {
		o.add(Waiting, Cause{Why: "a process that cannot be seen from here holds the lock: it is in another PID namespace, or another user's", Do: "run inspect on the host, as root"})
	}
}

// sharer returns the process that has locked the descriptor by which p holds
// the lock, if that is another one; 0: it is not.
func (l *Look) sharer(p *Process) int {
	switch {
	case l.Lock.Locker != 0 && l.Lock.Locker != p.PID:
		return l.Lock.Locker
	case l.Lock.Locker == 0 && slices.Contains(p.Shares, p.Parent):
		return p.Parent // /proc/locks does not say it
	default:
		return 0
	}
}

// inherited is the cause that the process holds the lock by a descriptor that
// another process has locked.
func (v *seen) inherited(p *Process, locker int) Cause {
	other := fmt.Sprintf("process %d", locker)
	switch q := v.last.process(locker); {
	case q == nil || v.acts[locker] == Gone:
		other += " (ended)"
	case !q.Holds:
		other += " (has closed it)"
	}
	return Cause{
		Scenario: spec.Fork.String(),
		Why:      fmt.Sprintf("process %d holds the lock by the descriptor that %s has locked: one has inherited it from the other", p.PID, other),
		Do:       fmt.Sprintf("end process %d, or have it close the lock file; open the barrier in each child, after the fork (spec/HAZARDS.md#fork)", p.PID),
	}
}

// those returns the processes that have the segment mapped and did what a says.
func (v *seen) those(a Activity) (pids []int) {
	for _, pid := range v.last.mappers() {
		if v.acts[pid] == a {
			pids = append(pids, pid)
		}
	}
	return pids
}

// split returns the causes that are seen whatever the words are: two files
// have the name of the segment, or of the lock file, and processes use both.
func (v *seen) split() (causes []Cause) {
	if pids := v.with(func(p Process) bool { return p.MapsOther }); len(pids) > 0 {
		causes = append(causes, Cause{
			Why: fmt.Sprintf("two segments have the name: %s another one mapped, which was unlinked", listed("process", pids, "has", "have")),
			Do:  "let no process unlink the segment while others use it: in Python, its creator does when it exits; then end all parties and start them",
		})
	}
	if pids := v.with(func(p Process) bool { return p.OldLock }); len(pids) > 0 {
		named := v.with(func(p Process) bool { return p.LockOpen && p.Maps })
		has := "no process has open the one that the path names"
		if len(named) > 0 {
			has = listed("process", named, "has", "have") + " open the one that the path names"
		}
		causes = append(causes, Cause{
			Scenario: spec.SplitLock.String(),
			Why:      fmt.Sprintf("two lock files are in use: %s, and %s one that was unlinked", has, listed("process", pids, "has", "have")),
			Do:       splitLock.do,
		})
	}
	return causes
}

// with returns the processes of which is is true.
func (v *seen) with(is func(Process) bool) (pids []int) {
	for _, p := range v.last.Processes {
		if is(p) {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

func it(pids []int) string {
	if len(pids) == 1 {
		return "it"
	}
	return "them"
}

// counted returns "1 party" or "3 parties".
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// listed returns "process 3 is" or "processes 3, 5 are".
func listed(noun string, pids []int, one, several string) string {
	if len(pids) == 1 {
		return fmt.Sprintf("%s %d %s", noun, pids[0], one)
	}
	return fmt.Sprintf("%ses %s %s", noun, list(pids), several)
}

// list returns "3, 5"; join returns "3 5".
func list(pids []int) string { return strings.ReplaceAll(join(pids), " ", ", ") }

func join(pids []int) string { return strings.Trim(fmt.Sprint(pids), "[]") }
