//go:build linux

package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/oracle"
)

// faults reads a list of faults that are separated by spaces.
func faults(t *testing.T, texts string) []fault.Fault {
	t.Helper()
	list, err := fault.ParseAll(strings.Fields(texts))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// quick is the setting of a run that looks for a hang soon. A shorter time
// between the looks makes no hang of a slow machine: the model confirms it.
func quick() setting {
	s := at("real")
	s.between = 100 * time.Millisecond
	return s
}

// wantInjected wants that a fault has happened so often.
func wantInjected(t *testing.T, rep Report, planned, happened int64) {
	t.Helper()
	if len(rep.Faults) == 0 || rep.Faults[0].Planned != planned || rep.Faults[0].Happened != happened {
		t.Errorf("faults %+v, want the first %d of %d times", rep.Faults, happened, planned)
	}
}

var everyStep = flag.Bool("every-step", false, "kill a worker at every step of a call, instead of some")

// TestProc_KillAtStep: a worker dies of SIGKILL exactly before the step, whether
// it uses package impl or a port that announces its steps, and the run says so.
func TestProc_KillAtStep(t *testing.T) {
	steps := []spec.Step{spec.CountEnter, spec.AwaitFlag, spec.Call, spec.ClearExit, spec.LockInit}
	switch {
	case *everyStep:
		steps = spec.CallSteps
	case testing.Short():
		steps = steps[:2]
	}
	for i, step := range steps {
		c := Config{Procs: 3, Pauses: true, Seed: uint64(i), Faults: faults(t, "kill:one@"+step.String())}
		if i%4 == 0 {
			c.Ports = []string{"go", "go", "go"}
		}
		rep := mustTrace(t, quick(), c)
		wantHang(t, rep, "kill:one@"+step.String()+" killed worker", "at "+step.String())
		wantInjected(t, rep, 1, 1)
		dead := 0
		for _, w := range rep.Hang.Workers {
			if w.State != "signal: killed" {
				continue
			}
			if dead++; *w.Step != step || rep.Hang.Missing != fmt.Sprint(w.Worker) {
				t.Errorf("%v: worker %+v is dead, missing %q; want it at %v, and missing", step, w, rep.Hang.Missing, step)
			}
		}
		if outside := step == spec.Call; dead != 1 || rep.Ends.Died != 1 {
			t.Errorf("%v: %d workers are dead, calls %+v, outside %v; want one, 1 died", step, dead, rep.Ends, outside)
		}
	}
}

// TestProc_DeathThatHurtsNobody: a worker that dies after its last call, or that
// never comes to the step, leaves the run as it is. The report tells the two
// apart.
func TestProc_DeathThatHurtsNobody(t *testing.T) {
	for text, happened := range map[string]int64{"kill:one@end": 1, "kill:all@end": 3, "kill:one@LockWithdraw": 0} {
		for _, ports := range [][]string{nil, {"go", "go", "go"}} {
			rep := mustTrace(t, quick(), Config{Procs: 3, Ports: ports, Rounds: 20, Pauses: true, Faults: faults(t, text)})
			if rep.Verdict != spec.Passed || rep.Rounds != 20 || rep.Calls != 60 || rep.Ends.Died != 0 {
				t.Errorf("%s, ports %v: %v after %d rounds and %d calls, %+v; want passed, 20, 60, none died", text, ports, rep.Verdict, rep.Rounds, rep.Calls, rep.Ends)
			}
			wantInjected(t, rep, max(1, happened), happened)
		}
	}
}

// TestHazard_DeathOfAnotherCause: a worker that something else kills has not
// died of the fault that was planned for it.
func TestHazard_DeathOfAnotherCause(t *testing.T) {
	s := quick()
	var pids []int
	s.started = func(p []int) { pids = p }
	rep := mustTrace(t, s, Config{Procs: 2, Pauses: true, Faults: faults(t, "kill:1@LockWithdraw"), Progress: func(int64) {
		syscall.Kill(pids[1], syscall.SIGKILL)
	}})
	wantHang(t, rep, "worker 1", "died: signal: killed")
	if strings.Contains(rep.Hang.Why, "kill:1") {
		t.Errorf("the hang is explained by %q, and no fault killed the worker", rep.Hang.Why)
	}
	wantInjected(t, rep, 1, 0)
}

// TestProc_StopIsSeen: the process of the worker, or of its port, is in state T
// for as long as the fault says, here until the test has seen it, and holds the
// lock then if the fault says so. The end of the run continues it.
func TestProc_StopIsSeen(t *testing.T) {
	for _, c := range []struct {
		fault string
		port  string
		white bool
	}{
		{"stop:one:1h", "", false}, {"stop:any@CountEnter:1h:50%", "", false}, {"stop:holder:1h", "", false},
		{"stop:one:1h", "go", false}, {"stop:one@AwaitFlag:1h", "go", false}, {"stop:holder:1h", "go", true}, {"stop:holder:1h", "go", false},
	} {
		s := quick()
		s.parent = t.TempDir()
		config := Config{Procs: 2, Pauses: true, White: c.white, Faults: faults(t, c.fault)}
		if c.port != "" {
			config.Ports = []string{c.port, c.port}
		}
		ctx, cancel := context.WithCancel(t.Context())
		holder, looks := strings.Contains(c.fault, "holder"), 0 // looks in a row that saw it
		config.Progress = func(int64) {}
		s.started = func(pids []int) {
			lockPath := filepath.Join(directory(t, s.parent), "lock")
			go func() {
				defer cancel()
				for ctx.Err() == nil && looks < 20 { // a port is stopped for a moment to see whether it holds the lock
					if stopped := stoppedOf(pids); len(stopped) == 0 || holder && !holdsLock(lockPath, stopped) {
						looks = -1
					}
					looks++
					time.Sleep(time.Millisecond) // leaves the processor to the workers
				}
			}()
		}
		rep, err := runIn(t, ctx, s, config)
		if err != nil || rep.Verdict != spec.Unfinished || !rep.Interrupted {
			t.Errorf("%s, port %q: %v, interrupted %v, %v; want unfinished, since the test has seen it and ended the run", c.fault, c.port, rep.Verdict, rep.Interrupted, err)
		}
		if rep.Faults[0].Happened == 0 {
			t.Errorf("%s, port %q: faults %+v, want that it happened", c.fault, c.port, rep.Faults)
		}
		cancel()
	}
}

// stoppedOf lists those of the processes and their descendants that are stopped.
func stoppedOf(pids []int) (list []int) {
	for _, leader := range pids {
		for _, pid := range procgroup.Family(leader) {
			if is, err := procgroup.Stopped(pid); err == nil && is {
				list = append(list, pid)
			}
		}
	}
	return list
}

// TestUnit_StopByAFaultIsNoHang: time in which a fault has stopped a process
// does not count. The control is the same time without it.
func TestUnit_StopByAFaultIsNoHang(t *testing.T) {
	ledger, err := oracle.NewLedger(1, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	for held, want := range map[int32]bool{0: true, 1: false} {
		r := &run{Config: Config{Stall: time.Second}, setting: defaults, ledger: ledger, workers: []*process{nil}, disturb: &disturber{}}
		r.disturb.held.Store(held)
		idle := idleness{entries: r.entries()}
		for range 100 {
			idle.looked = time.Now().Add(-time.Hour) // counts as 10 looks
			r.look(&idle)
		}
		if got := r.overdue(&idle) != ""; got != want {
			t.Errorf("%d processes stopped by a fault: overdue %v, want %v", held, got, want)
		}
	}
}

// TestProc_GiveUp: calls withdraw where and as often as the fault says, and the
// worker calls again. Every round is completed. At a moment that names no step
// most calls have ended: some of several runs have one that gives up.
func TestProc_GiveUp(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, c := range []struct {
		faults string
		port   string
		most   uint64 // runs until a call gives up
	}{
		{"give-up:20%", "", 20}, {"give-up:any@AwaitFlag:20%", "", 1}, {"give-up:all@AwaitFlag:x2", "", 1}, {"give-up:one:100%", "", 20},
		{"give-up:any@AwaitFlag:20%", "go", 1}, {"give-up:30%", "go", 20},
	} {
		config := Config{Procs: 3, Rounds: 100, Pauses: true, Faults: faults(t, c.faults)}
		if c.port != "" {
			config.Ports = slices.Repeat([]string{c.port}, 3)
		}
		happened := int64(0)
		for config.Seed = 1; config.Seed <= c.most && happened == 0; config.Seed++ {
			rep := mustTrace(t, quick(), config)
			f := rep.Faults[0]
			if rep.Verdict != spec.Passed || rep.Rounds != 100 || rep.Calls != 300 {
				t.Errorf("%s, port %q: %v after %d rounds and %d calls, want passed, 100, 300; %v", c.faults, c.port, rep.Verdict, rep.Rounds, rep.Calls, rep.Hang)
			}
			if happened = f.Happened; happened != rep.Ends.Withdrawn || happened > f.Planned {
				t.Errorf("%s, port %q: %+v, %d calls withdrawn; want as many as happened", c.faults, c.port, f, rep.Ends.Withdrawn)
			}
		}
		if happened == 0 {
			t.Errorf("%s, port %q: no call gave up in %d runs", c.faults, c.port, c.most)
		}
	}
}

// TestHazard_OracleCatchesWrongWithdrawals: the oracle finds a barrier that lets
// a call withdraw in a wrong way, in one of several runs: in the others it
// hangs. The control withdraws as the protocol says.
func TestHazard_OracleCatchesWrongWithdrawals(t *testing.T) {
	for barrier, wrong := range map[string]bool{"forgets-to-uncount": true, "returns-instead": true, "real": false} {
		s, most, violated := at(barrier), uint64(3), false
		s.between = 100 * time.Millisecond
		if wrong {
			most = 40
		}
		for seed := uint64(1); seed <= most && !violated; seed++ {
			rep := mustRun(t, s, Config{Procs: 2, Rounds: 100, Pauses: true, Seed: seed, Faults: faults(t, "give-up:any@AwaitFlag:30%")})
			violated = rep.Verdict == spec.Violated
			if !wrong && (rep.Verdict != spec.Passed || rep.Ends.Withdrawn == 0) {
				t.Errorf("barrier %s: %v, %d calls withdrawn; want passed, some; %v", barrier, rep.Verdict, rep.Ends.Withdrawn, rep.Hang)
			}
		}
		if violated != wrong {
			t.Errorf("barrier %s: one of %d runs was violated: %v, want %v", barrier, most, violated, wrong)
		}
	}
}

// TestProc_WalkAway: a call that leaves its wait for the flag undoes nothing,
// and its worker calls again. That breaks the barrier. The control withdraws
// there, in TestProc_GiveUp. A call that leaves its wait at AwaitDrain has not
// been counted.
func TestProc_WalkAway(t *testing.T) {
	for _, port := range []string{"", "go"} {
		for _, text := range []string{"walk-away", "walk-away@AwaitFlag"} {
			config := Config{Procs: 2, Rounds: 300, Pauses: true, Faults: faults(t, text)}
			if port != "" {
				config.Ports = []string{port, port}
			}
			rep := mustTrace(t, quick(), config)
			if rep.Ends.Abandoned != 1 || rep.Verdict == spec.Passed && text != "walk-away" {
				t.Errorf("%s, port %q: %v, %+v; want violated or a hang, 1 call abandoned", text, port, rep.Verdict, rep.Ends)
			}
			wantInjected(t, rep, 1, 1)
			if rep.Hang != nil && len(rep.Hang.Causes) > 0 && rep.Hang.Causes[0].Scenario != spec.AbandonWait.String() {
				t.Errorf("%s, port %q: the likeliest cause of the hang is %v, want what the run has done", text, port, rep.Hang.Causes[0])
			}
		}
	}
}

// TestProc_PartyCounts: the counts that the workers pass break the barrier. The
// controls, in which the count changes between the rounds, do not.
func TestProc_PartyCounts(t *testing.T) {
	const procs, rounds = 3, 30
	for _, c := range []struct {
		fault  string
		breaks bool
	}{
		{"parties:one-less", true}, {"surplus:1", true},
		{"parties:shrink-after-return", false}, {"parties:grow-after-return", false},
	} {
		config := Config{Procs: procs, Rounds: rounds, Pauses: true, Seed: 3, Faults: faults(t, c.fault)}
		rep := mustTrace(t, quick(), config)
		wantInjected(t, rep, 1, 1)
		if c.breaks {
			if rep.Verdict == spec.Passed {
				t.Errorf("%s: passed, want that it breaks the barrier", c.fault)
			}
			continue
		}
		plan, err := config.Plan()
		if err != nil {
			t.Fatal(err)
		}
		calls := int64(0)
		for worker := range procs {
			first, last := plan.Member(worker)
			if last == 0 {
				last = rounds
			}
			calls += last - first + 1
		}
		if rep.Verdict != spec.Passed || rep.Rounds != rounds || rep.Calls != calls || calls == procs*rounds {
			t.Errorf("%s: %v after %d rounds and %d calls, want passed, %d, %d; %v", c.fault, rep.Verdict, rep.Rounds, rep.Calls, rounds, calls, rep.Hang)
		}
	}
}

// TestHazard_ChangeOfPartyCount: shrinking and growing break the barrier in some
// of the runs, and so does constructing late.
func TestHazard_ChangeOfPartyCount(t *testing.T) {
	for _, text := range []string{"parties:shrink", "parties:grow", "construct:late"} {
		const most = 40
		for seed := uint64(1); ; seed++ {
			rep := mustRun(t, quick(), Config{Procs: 3, Rounds: 40, Pauses: true, Seed: seed, Faults: faults(t, text)})
			wantInjected(t, rep, 1, 1)
			if rep.Verdict != spec.Passed {
				break
			}
			if seed == most {
				t.Errorf("%s: %d runs passed, want one that does not", text, most)
				break
			}
		}
	}
}

// TestProc_Relink: the path of the lock file names another file while the
// workers go on. That breaks the barrier now and then, which ends no run here.
func TestProc_Relink(t *testing.T) {
	for _, text := range []string{"relink:x3", "relink:1ms"} {
		s := quick()
		s.parent = t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		replaced := make(chan bool, 1)
		s.started = func([]int) {
			path := filepath.Join(directory(t, s.parent), "lock")
			file, err := os.Open(path)
			for errors.Is(err, fs.ErrNotExist) { // it is just being replaced
				file, err = os.Open(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			first, err := file.Stat()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer cancel()
				defer file.Close() // until then no new file gets its number
				for ctx.Err() == nil {
					if now, err := os.Stat(path); err == nil && !os.SameFile(first, now) {
						replaced <- true
						return
					}
					time.Sleep(time.Millisecond)
				}
				replaced <- false
			}()
		}
		rep, err := runIn(t, ctx, s, Config{Procs: 2, Pauses: true, KeepGoing: true, Faults: faults(t, text)})
		cancel()
		if err != nil || !<-replaced || rep.Faults[0].Happened == 0 {
			t.Errorf("%s: %v, faults %+v; want that the test has seen another file", text, err, rep.Faults)
		}
	}
}

// TestProc_CPUs: every thread of every worker, and of its port, may use one
// processor.
func TestProc_CPUs(t *testing.T) {
	s := quick()
	s.started = func(pids []int) {
		for _, leader := range pids {
			for _, pid := range procgroup.Family(leader) {
				for _, thread := range procgroup.Threads(pid) {
					var set unix.CPUSet
					if err := unix.SchedGetaffinity(thread, &set); err != nil && !errors.Is(err, unix.ESRCH) || err == nil && set.Count() != 1 {
						t.Errorf("thread %d of worker process %d may use %d processors, %v; want 1", thread, pid, set.Count(), err)
					}
				}
			}
		}
	}
	rep := mustRun(t, s, Config{Procs: 2, Ports: []string{"go", ""}, Rounds: 20, Pauses: true, Faults: faults(t, "cpus:1")})
	if rep.Verdict != spec.Passed {
		t.Errorf("%v, want passed", rep.Verdict)
	}
	wantInjected(t, rep, 1, 1)
}

// TestProc_Busy: the processes beside the workers compute, here until the test
// has seen that they do, and end with the run.
func TestProc_Busy(t *testing.T) {
	var busy []int
	s := quick()
	s.started = func(pids []int) { busy = busyProcesses(t, os.Getpid()) }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rep, err := runIn(t, ctx, s, Config{Procs: 2, Pauses: true, Faults: faults(t, "busy:2"), Progress: func(int64) {
		if !slices.ContainsFunc(busy, func(pid int) bool { return userTicks(t, pid) == 0 }) {
			cancel()
		}
	}})
	if err != nil || rep.Verdict != spec.Unfinished || len(busy) != 2 {
		t.Errorf("%v, %v, busy processes %v; want unfinished, 2", rep.Verdict, err, busy)
	}
	wantInjected(t, rep, 2, 2)
	for _, pid := range busy {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("busy process %d after the run: %v, want that it is gone", pid, err)
		}
	}
}

// userTicks returns how long the process has computed (proc(5)).
func userTicks(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	ticks, err := strconv.Atoi(strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))[12])
	if err != nil {
		t.Fatal(err)
	}
	return ticks
}

// TestProc_FaultsOfAKilledRun: when the runner is killed, its busy processes
// end, and workers that a fault has stopped go on, clean up and end.
func TestProc_FaultsOfAKilledRun(t *testing.T) {
	for _, text := range []string{"busy:2", "stop:one:1h"} {
		runner := reexec.Command(t.Context(), "faulty-run")
		runner.Args = append(runner.Args, text)
		runner.Env = append(runner.Environ(), "TMPDIR="+t.TempDir())
		out, err := runner.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Start(); err != nil {
			t.Fatal(err)
		}
		var pids [2]int
		if _, err := fmt.Fscan(out, &pids[0], &pids[1]); err != nil {
			t.Fatal(err)
		}
		for text != "busy:2" && len(stoppedOf(pids[:])) == 0 { // or until the time of the test is up
			time.Sleep(time.Millisecond)
		}
		runner.Process.Kill()
		runner.Wait()
		for _, pid := range pids {
			for !hasEnded(pid) {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// faultyRun is a program that runs a stress test with the fault in its last
// argument. It prints the numbers of the busy processes, or else of the workers.
func faultyRun() {
	text := os.Args[len(os.Args)-1]
	s := at("real")
	s.started = func(pids []int) {
		if text == "busy:2" {
			pids = busyProcesses(nil, os.Getpid())
		}
		fmt.Println(pids[0], pids[1])
	}
	list, _ := fault.ParseAll([]string{text})
	Config{Procs: 2, Stall: patient, Faults: list}.run(context.Background(), s)
}

// hasEnded reports whether the process is gone, or has ended and nobody has
// waited for it.
func hasEnded(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// busyProcesses lists the busy processes that the process has started.
func busyProcesses(t *testing.T, parent int) (list []int) {
	for _, pid := range procgroup.Children(parent) {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil && t != nil && !hasEnded(pid) {
			t.Error(err)
		}
		if strings.Contains(string(environment), "=busy\x00") {
			list = append(list, pid)
		}
	}
	return list
}

// TestProc_EINTR: a system call of a worker fails with EINTR. A worker at the
// barrier "until-eintr" sleeps until that has happened.
func TestProc_EINTR(t *testing.T) {
	rep := mustRun(t, at("until-eintr"), Config{Procs: 2, Rounds: 1, Faults: faults(t, "eintr")})
	if rep.Verdict != spec.Passed || rep.Faults[0].Happened == 0 {
		t.Errorf("%v, %+v; want passed, and some signals", rep.Verdict, rep.Faults)
	}
}

// TestProc_FaultsTogether: several faults in one run of several ports, and of
// package impl. Whatever they do to the words, they do it as planned.
func TestProc_FaultsTogether(t *testing.T) {
	rep := mustTrace(t, quick(), Config{
		Procs: 4, Ports: []string{"", "", "go", "go@construct"}, Rounds: 60, Pauses: true, White: true, Seed: 6,
		Faults: faults(t, "give-up:100% stop:any:1ms:5% delay:any@CountExit:100µs:5% eintr busy:1 cpus:1 kill:one@end"),
	})
	if rep.Verdict != spec.Passed || rep.Rounds != 60 {
		t.Errorf("%v after %d rounds, want passed, 60; %v", rep.Verdict, rep.Rounds, rep.Hang)
	}
	for _, f := range rep.Faults {
		if f.Happened == 0 || f.Happened > f.Planned {
			t.Errorf("%+v, want that it happened, not more often than planned", f)
		}
	}
}

// TestHazard_PortThatCannot: a fault that a port cannot have is refused before
// the first call, and the error says what would do.
func TestHazard_PortThatCannot(t *testing.T) {
	fake := func(can string) string {
		return "exec:echo port 1 " + can + "; while read request rest; do case $request in open) echo opened;; call) echo returned;; close) echo closed; exit;; esac; done"
	}
	for _, c := range []struct{ port, fault, want string }{
		{fake(""), "kill:one@CountEnter", "has not the capability white, which fault kill:one@CountEnter needs; name no step"},
		{fake("white"), "give-up:5%", "capability withdraw"},
		{fake("white withdraw"), "walk-away", "capability abandon"},
		{"c", "construct:late", "attaches and never constructs: name a worker that does (port python or go@construct)"},
		{"", "cpus:100000", "this process may use"},
		{"", "kill:2", "the workers are 0 to 1"},
	} {
		_, err := runIn(t, t.Context(), quick(), Config{Procs: 2, Ports: []string{c.port, c.port}, Rounds: 3, Faults: faults(t, c.fault)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s at port %.20q: %v, want an error with %q", c.fault, c.port, err, c.want)
		}
	}
}
