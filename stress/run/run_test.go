//go:build linux

package run

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/trace"
)

func TestMain(m *testing.M) {
	registry.ServeGo()
	workers := map[string]func(){}
	for name, open := range barriers {
		workers[name] = func() { os.Exit(work(open)) }
	}
	workers["busy"] = func() { compute(os.Args[len(os.Args)-1]) }
	workers["faulty-run"] = faultyRun
	reexec.Main(m, workers)
}

// at returns the setting of a run at the barrier with the name. A worker at
// "nonexistent" does not start.
func at(barrier string) setting {
	s := defaults
	s.compute = func() *exec.Cmd { return reexec.Command(context.Background(), "busy") }
	s.worker = func() *exec.Cmd {
		if barrier == "nonexistent" {
			return exec.Command("/nonexistent")
		}
		return reexec.Command(context.Background(), barrier)
	}
	return s
}

// patient is a stall limit that no slow machine reaches. The tests run with it
// unless they set another.
const patient = 5 * time.Minute

// mustRun is runIn for a run that takes place.
func mustRun(t *testing.T, s setting, c Config) Report {
	t.Helper()
	rep, err := runIn(t, t.Context(), s, c)
	if err != nil {
		t.Fatalf("Run(%d workers, %d rounds) = %v", c.Procs, c.Rounds, err)
	}
	return rep
}

// runIn does what Run does, and checks that it leaves nothing behind.
func runIn(t *testing.T, ctx context.Context, s setting, c Config) (Report, error) {
	t.Helper()
	if c.Stall == 0 {
		c.Stall = patient
	}
	if s.parent == "" {
		s.parent = t.TempDir()
	}
	var name string
	var workers []*exec.Cmd
	worker := s.worker
	s.worker = func() *exec.Cmd {
		name = filepath.Base(directory(t, s.parent))
		workers = append(workers, worker())
		return workers[len(workers)-1]
	}
	rep, err := c.run(ctx, s)
	if left, _ := os.ReadDir(s.parent); len(left) > 0 {
		t.Errorf("Run left %v in %s", left, s.parent)
	}
	if left, err := filepath.Glob("/dev/shm/" + name + "*"); name != "" && len(left) > 0 || err != nil {
		t.Errorf("Run left %v (%v)", left, err)
	}
	for _, w := range workers {
		if w.Process != nil && syscall.Kill(w.Process.Pid, 0) != syscall.ESRCH {
			t.Errorf("Run left worker process %d", w.Process.Pid)
		}
	}
	return rep, err
}

// directory returns the directory of the run under way. The names of its other
// files begin with that of the directory.
func directory(t *testing.T, parent string) string {
	t.Helper()
	list, err := filepath.Glob(parent + "/*")
	if err != nil || len(list) != 1 {
		t.Errorf("the run has made %v (%v), want one directory", list, err)
		return ""
	}
	return list[0]
}

func TestProc_RealBarrierPasses(t *testing.T) {
	for _, c := range []Config{
		{Procs: 1, Rounds: 1},
		{Procs: 1, Rounds: 300},
		{Procs: 2, Rounds: 300},
		{Procs: 5, Rounds: 300},
		{Procs: 64, Rounds: 300}, // many more than there are processors
	} {
		if testing.Short() {
			c.Rounds = min(c.Rounds, 30)
		}
		c.Pauses = true
		rep := mustRun(t, at("real"), c)
		if calls := c.Rounds * int64(c.Procs); rep.Verdict != spec.Passed || rep.Rounds != c.Rounds || rep.Calls != calls || rep.Violations != 0 {
			t.Errorf("%d workers: %v after %d rounds, %d calls, %d violations; want passed, %d, %d, 0",
				c.Procs, rep.Verdict, rep.Rounds, rep.Calls, rep.Violations, c.Rounds, calls)
		}
		if (rep.Rate > 0) != (c.Rounds > 1) { // the clock starts at the end of the first round
			t.Errorf("%d workers, %d rounds: rate %v", c.Procs, c.Rounds, rep.Rate)
		}
		if l := rep.Latency; l.P50 <= 0 || l.Max < l.P99 || l.P99 < l.P50 {
			t.Errorf("%d workers: latency %+v", c.Procs, l)
		}
	}
}

// The oracle finds each mistake. The control is the same barrier without it.
func TestHazard_OracleCatchesWrongBarriers(t *testing.T) {
	for _, c := range []struct {
		barrier string
		rounds  int64
		want    spec.Verdict
	}{
		{"no-waiting", 0, spec.Violated}, // ends with the first early exit
		{"early-by-one", 2000, spec.Violated},
		{"early-by-none", 2000, spec.Passed},
	} {
		rep := mustRun(t, at(c.barrier), Config{Procs: 4, Rounds: c.rounds, Pauses: true})
		if rep.Verdict != c.want {
			t.Errorf("barrier %s: %v, want %v", c.barrier, rep.Verdict, c.want)
		}
		if c.want == spec.Passed {
			continue
		}
		if rep.Violations == 0 || rep.Early == nil || rep.Early.Begun >= rep.Early.Round || rep.ExitCode() != spec.ExitSafety {
			t.Errorf("barrier %s: %d violations, first %+v, exit code %d; want some, one of them, %d",
				c.barrier, rep.Violations, rep.Early, rep.ExitCode(), spec.ExitSafety)
		}
		if steps := rep.Recording.Of(rep.Early.Worker); len(steps) == 0 || steps[len(steps)-1].Label != "returned" || steps[len(steps)-1].Round != rep.Early.Round {
			t.Errorf("barrier %s: the recording of %v ends with %v, want its return", c.barrier, rep.Early, steps)
		}
	}
}

// A worker that has seen a property to fail may die before it reports that.
func TestHazard_RefutationOfADeadWorker(t *testing.T) {
	s := at("refutes-and-dies")
	s.between = quick().between
	rep := mustRun(t, s, Config{Procs: 1, Pauses: true})
	if rep.Verdict != spec.Violated || len(rep.Refuted) != 1 || rep.Refuted[0].Property != spec.WordsInRange.String() {
		t.Errorf("%v, refuted %v; want violated, %v", rep.Verdict, rep.Refuted, spec.WordsInRange)
	}
}

// At the end of a run a worker that runs has much more time to report than one
// that is stopped.
func TestUnit_TimeToReport(t *testing.T) {
	for _, c := range []struct {
		waited  time.Duration
		stopped bool
		sleeps  string // seconds
		want    string
	}{
		{grace, false, "0.2", "exit status 0"},
		{grace, true, "1000000", "signal: killed"},
		{reporting, false, "1000000", "signal: killed"},
	} {
		cmd := exec.Command("sleep", c.sleeps)
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.stopped {
			cmd.Process.Signal(syscall.SIGSTOP)
		}
		p := &process{cmd: cmd, stdin: stdin, gone: make(chan struct{})}
		go func() {
			cmd.Wait()
			close(p.gone)
		}()
		if p.findings(&c.waited); cmd.ProcessState.String() != c.want {
			t.Errorf("a worker that reports after %v, stopped %v: %v, want %s", c.waited, c.stopped, cmd.ProcessState, c.want)
		}
	}
}

func TestProc_EndsWhenTimeIsUp(t *testing.T) {
	rep := mustRun(t, at("real"), Config{Procs: 3, For: 300 * time.Millisecond, Pauses: true})
	if rep.Verdict != spec.Passed || rep.Rounds == 0 || rep.Calls != 3*rep.Rounds || rep.Interrupted {
		t.Errorf("%v after %d rounds and %d calls, interrupted %v; want passed, 3 calls a round, not interrupted",
			rep.Verdict, rep.Rounds, rep.Calls, rep.Interrupted)
	}
}

// The test stops one worker. The run is unfinished, and says which. The control
// continues it at once.
func TestHazard_StoppedWorkerIsNoHang(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	var suspicions []string
	stop := func(signals ...syscall.Signal) (rep Report, pids []int) {
		s, c := at("real"), Config{Procs: 3, Stall: 5 * time.Second, Pauses: true}
		suspicions = nil
		c.Suspect = func(state string) { suspicions = append(suspicions, state) }
		s.started = func(p []int) { pids = p }
		if len(signals) > 1 {
			c.Stall = patient
		}
		enough := int64(0) // rounds, the last ones after the signals
		c.Progress = func(rounds int64) {
			for ; rounds > 0 && len(signals) > 0; signals = signals[1:] {
				if err := syscall.Kill(pids[1], signals[0]); err != nil {
					t.Error(err)
				}
				enough = rounds + 10
			}
		}
		c.Enough = func(l *oracle.Ledger) bool { return len(signals) == 0 && l.Rounds() >= enough }
		return mustRun(t, s, c), pids
	}
	rep, pids := stop(syscall.SIGSTOP)
	if rep.Verdict != spec.Unfinished || rep.Hang == nil || len(rep.Hang.Workers) != 3 || rep.ExitCode() != spec.ExitUnfinished {
		t.Fatalf("%v, %+v, exit code %d; want an unfinished run of 3 workers, %d", rep.Verdict, rep.Hang, rep.ExitCode(), spec.ExitUnfinished)
	}
	wantStopped(t, rep.Hang, pids[1])
	if last := suspicions[max(0, len(suspicions)-1):]; len(last) != 1 || !strings.Contains(last[0], "no round was completed for 2.5s") || !strings.Contains(last[0], fmt.Sprintf("pid %d, stopped", pids[1])) {
		t.Errorf("a hang was suspected %q, want at last that no round was completed for 2.5s, and that process %d is stopped", suspicions, pids[1])
	}
	w := rep.Hang.Workers[1]
	if w.State != "stopped" || w.PID != pids[1] {
		t.Errorf("worker 1 is %+v, want it stopped, with pid %d", w, pids[1])
	}
	// A worker announces a step before it takes it. At a step under the lock it
	// holds the lock; around an acquisition or a release it may hold it or not.
	if w.Step.Lock() == spec.Held && rep.Hang.Holder != 1 {
		t.Errorf("worker 1 was stopped at %v, and the lock holder is %d, want 1", w.Step, rep.Hang.Holder)
	}
	for _, w := range rep.Hang.Workers { // no worker can return from the next round but one
		if w.Begun < rep.Rounds || w.Returned > rep.Rounds+1 {
			t.Errorf("worker %+v, after %d rounds", w, rep.Rounds)
		}
	}
	if rep, _ := stop(syscall.SIGSTOP, syscall.SIGCONT); rep.Verdict != spec.Passed || len(suspicions) > 0 {
		t.Errorf("worker stopped and continued: %v, suspicions %q; want passed, none", rep.Verdict, suspicions)
	}
}

// wantStopped wants the state of a run that is held up by a worker: the likely
// cause is that the process is stopped.
func wantStopped(t *testing.T, h *Hang, pid int) {
	t.Helper()
	if h.Status != inspect.HeldUp || len(h.Causes) == 0 || !strings.Contains(h.Causes[0].Why, fmt.Sprintf("process %d ", pid)) || !strings.Contains(h.Causes[0].Why, "stopped") {
		t.Errorf("status %q, causes %+v; want %q, and first that process %d is stopped", h.Status, h.Causes, inspect.HeldUp, pid)
	}
}

// Worker 1 stops itself at a step under the lock in the first round. The words,
// the holder and the step of each worker are then known.
func TestHazard_HangSaysWhereEachWorkerIs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	rep := mustRun(t, at("stops-itself"), Config{Procs: 3, Stall: 5 * time.Second, Pauses: true})
	h := rep.Hang
	if rep.Verdict != spec.Unfinished || h == nil {
		t.Fatalf("%v, %+v; want an unfinished run", rep.Verdict, h)
	}
	wantStopped(t, h, h.Workers[1].PID)
	if h.Holder != 1 || h.Words.Exit != 3 || h.Words.Enter < 0 || h.Words.Enter > 2 || h.Words.Flag != spec.Down {
		t.Errorf("lock holder %d, %v; want worker 1 and the words of a round that gathers", h.Holder, h.Words)
	}
	for i, w := range h.Workers {
		if want := []string{"running", "stopped", "running"}[i]; w.State != want || w.Returned != 0 {
			t.Errorf("worker %+v, want it %s in its first call", w, want)
		}
	}
	if w := h.Workers[1]; *w.Step != spec.CountEnter || w.Begun != 1 {
		t.Errorf("worker 1 has begun %d calls and is at %v, want 1, CountEnter", w.Begun, *w.Step)
	}
	for i := range h.Workers {
		steps := rep.Recording.Of(i)
		last := steps[len(steps)-1]
		if steps[0].Label != "Call" || last.Taken || last.Label != h.Workers[i].Step.String() {
			t.Errorf("worker %d, at %v, has recorded %v, want Call to its step", i, h.Workers[i].Step, steps)
		}
	}
	if last := rep.Recording.Of(1); last[len(last)-2].Label != "TestFirst" && last[len(last)-2].Label != "LowerFlag" || *last[len(last)-1].Words != *h.Words {
		t.Errorf("worker 1, at CountEnter in %v, has recorded %+v", h.Words, last)
	}
}

// TestUnit_Progress: which change in the ledger starts the stall limit again,
// and which limit ends a run. The runner looks once a second.
func TestUnit_Progress(t *testing.T) {
	for _, c := range []struct {
		what        string
		change      func(look int, e *oracle.Entry) // of worker 0, before each look
		interrupted bool
		want        string
		after       int // looks
	}{
		{"nothing", func(int, *oracle.Entry) {}, false, "no worker made progress for 20s", 41},
		{"nothing after an interrupt", func(int, *oracle.Entry) {}, true, "no worker made progress for 10s", 21},
		{"begins", func(look int, e *oracle.Entry) { e.Begun = int64(look) }, true, "", 500},
		{"returns", func(look int, e *oracle.Entry) { e.Returned = int64(look) }, true, "", 500},
		{"steps", func(look int, e *oracle.Entry) { e.Step = spec.Step(look % 2) }, false, "no call began or returned for 10 times 20s", 401},
	} {
		r := &run{Config: Config{Stall: 20 * time.Second}, setting: defaults, interrupted: c.interrupted}
		idle, entries, now := idleness{entries: make([]oracle.Entry, 2)}, make([]oracle.Entry, 2), time.Time{}
		idle.looked = now
		for look := 1; look <= c.after; look++ {
			c.change(look, &entries[0])
			now = now.Add(time.Second) // counts as half of one
			idle.look(slices.Clone(entries), now)
			want := ""
			if look == c.after {
				want = c.want
			}
			if got := r.overdue(&idle); got != want {
				t.Errorf("%s: overdue after look %d: got %q, want %q", c.what, look, got, want)
			}
		}
	}
}

// A run in which all calls have returned has passed, even if its worker then
// dies, or does not end.
func TestProc_NoHangAfterTheLastReturn(t *testing.T) {
	for _, barrier := range []string{"dies-closing", "stays"} {
		s := at(barrier)
		s.ending = 100 * time.Millisecond
		rep := mustRun(t, s, Config{Procs: 1, Rounds: 3})
		if rep.Verdict != spec.Passed || rep.Rounds != 3 || rep.Calls != 3 {
			t.Errorf("a worker that %s: %v after %d rounds and %d calls, want passed, 3, 3; %+v", barrier, rep.Verdict, rep.Rounds, rep.Calls, rep.Hang)
		}
	}
}

// An interrupted run is unfinished, unless the rounds that it was asked for
// were made. Nothing that it finds then is a hang.
func TestUnit_InterruptedVerdict(t *testing.T) {
	ledger, err := oracle.NewLedger(1, 0, trace.Size(1))
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	ledger.Begin(0, 2, 0)
	ledger.Return(0, 2)
	hang := &Hang{}
	for _, c := range []struct {
		asked       int64
		interrupted bool
		hang        *Hang
		want        spec.Verdict
	}{
		{0, false, nil, spec.Passed},
		{0, true, nil, spec.Unfinished},
		{2, true, nil, spec.Passed},
		{3, true, nil, spec.Unfinished},
		{3, true, hang, spec.Unfinished},
		{3, false, hang, spec.Hang},
	} {
		r := &run{Config: Config{Rounds: c.asked}, ledger: ledger, recorder: trace.NewRecorder(ledger.Beside(), 1), begun: true, interrupted: c.interrupted}
		if got := r.report(c.hang, c.interrupted); got.Verdict != c.want || got.Hang != c.hang {
			t.Errorf("2 of %d rounds, interrupted %v, hang %v: %v, %v; want %v", c.asked, c.interrupted, c.hang, got.Verdict, got.Hang, c.want)
		}
	}
}

func TestHazard_DeadWorkerIsAHang(t *testing.T) {
	var pids []int
	s := at("real")
	s.started = func(p []int) { pids = p }
	rep := mustRun(t, s, Config{Procs: 3, Pauses: true, Progress: func(rounds int64) {
		if rounds > 0 {
			syscall.Kill(pids[2], syscall.SIGKILL)
		}
	}})
	wantHang(t, rep, "worker 2", "killed")
	h := rep.Hang
	if h.Missing != "2" || h.Status != inspect.Hangs || len(h.Causes) == 0 {
		t.Fatalf("missing %q, status %q, causes %+v; want worker 2, %q, and a cause: words %v, workers %+v", h.Missing, h.Status, h.Causes, inspect.Hangs, h.Words, h.Workers)
	}
	// When it died decides what it has left in the words.
	w, c := h.Workers[2], h.Causes[0]
	switch {
	case w.Begun == w.Returned:
		if !strings.Contains(c.Why, "ended outside a call") {
			t.Errorf("worker 2 was outside, and the cause is %+v; want that it ended there", c)
		}
	case *w.Step != spec.Call && (c.Scenario != spec.Crash.String() || !slices.Contains(c.Died, *w.Step)):
		t.Errorf("worker 2 was at %v, and the cause is %+v; want a crash, and that step among those at which it may have died", *w.Step, c)
	}
}

// wantHang wants a hang whose reason contains all of want.
func wantHang(t *testing.T, rep Report, want ...string) {
	t.Helper()
	if rep.Verdict != spec.Hang || rep.Hang == nil {
		t.Fatalf("%v, %+v; want a hang", rep.Verdict, rep.Hang)
	}
	for _, w := range want {
		if !strings.Contains(rep.Hang.Why, w) {
			t.Errorf("the hang is explained by %q, want %q in it", rep.Hang.Why, w)
		}
	}
}

// A process that worker 0 has started, in another group, holds the lock: the
// worker counts as the holder.
func TestHazard_HolderOutsideTheGroup(t *testing.T) {
	var pids []int
	killed := false
	s := at("delegates")
	s.parent, s.started = t.TempDir(), func(p []int) { pids = p }
	rep := mustRun(t, s, Config{Procs: 2, Progress: func(int64) {
		holder, err := lockprobe.Holder(filepath.Join(directory(t, s.parent), "lock"))
		if err != nil {
			t.Error(err)
		}
		if holder > 0 && !killed {
			killed = true
			syscall.Kill(pids[1], syscall.SIGKILL)
		}
	}})
	wantHang(t, rep)
	if h := rep.Hang; h.Holder != 0 || h.HolderPID == pids[0] || h.HolderPID <= 0 {
		t.Errorf("lock holder %d, process %d; want worker 0, by another process than %d", h.Holder, h.HolderPID, pids[0])
	}
}

// The stall limit does not apply to the start. On a slow machine worker 1 is
// late even for what comes before.
func TestHazard_WorkerThatIsNeverReady(t *testing.T) {
	s := at("never-ready")
	s.startUp = 100 * time.Millisecond
	rep := mustRun(t, s, Config{Procs: 2, Rounds: 1, Stall: time.Millisecond})
	wantHang(t, rep, "worker ", " was not ready after 100ms")
}

// After an interrupt, a run that does not go on ends before the stall limit. It
// says where its workers are, and is no hang: the limit has not passed.
func TestHazard_InterruptedHang(t *testing.T) {
	s := at("blocks")
	s.lastCall = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	rep, err := runIn(t, ctx, s, Config{Procs: 2, Progress: func(int64) { cancel() }})
	if err != nil || !rep.Interrupted || rep.Verdict != spec.Unfinished || rep.ExitCode() != spec.ExitInterrupted {
		t.Errorf("%v, interrupted %v, exit code %d, %v; want unfinished, true, %d", rep.Verdict, rep.Interrupted, rep.ExitCode(), err, spec.ExitInterrupted)
	}
	if h := rep.Hang; h == nil || h.Why != "no worker made progress for 100ms" || len(h.Workers) != 2 {
		t.Errorf("the state is %+v, want why, and 2 workers", h)
	}
}

// A signal for the whole run ends a worker first, and then the context, perhaps
// only while the state of the run is looked at. That is an interrupt. The
// control is a signal for the worker alone.
func TestHazard_SignalForTheWholeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, c := range []struct {
		whole           bool
		signal          syscall.Signal
		spread, between time.Duration
		want            spec.Verdict
	}{
		{true, syscall.SIGTERM, patient, 0, spec.Unfinished},
		{true, syscall.SIGTERM, 0, patient, spec.Unfinished},
		{true, syscall.SIGQUIT, patient, 0, spec.Unfinished},
		{false, syscall.SIGTERM, 0, 0, spec.Hang},
		{false, syscall.SIGQUIT, 0, 0, spec.Hang},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s, worker := at("blocks"), 0
		s.spread, s.between = c.spread, c.between
		s.started = func(pids []int) {
			worker = pids[1]
			go func() {
				for syscall.Kill(worker, 0) == nil {
					runtime.Gosched()
				}
				if c.whole {
					cancel()
				}
			}()
		}
		rep, err := runIn(t, ctx, s, Config{Procs: 2, Progress: func(int64) { syscall.Kill(worker, c.signal) }})
		if err != nil || rep.Verdict != c.want || rep.ExitCode() == spec.ExitHang == c.whole {
			t.Errorf("%v for the whole run %v: %v, exit code %d, %v, want %v", c.signal, c.whole, rep.Verdict, rep.ExitCode(), err, c.want)
		}
		cancel()
	}
}

// A worker that does not begin is an error, except after the end of the
// context: nothing was tried then, so nothing has passed.
func TestHazard_WorkerThatDoesNotBegin(t *testing.T) {
	for barrier, want := range map[string]string{
		"does-not-open": "did not begin: " + errNotOpen.Error(),
		"nonexistent":   "start worker 0",
		"never-ready":   "", // is a hang
	} {
		s := at(barrier)
		if want != "" {
			if _, err := runIn(t, t.Context(), s, Config{Procs: 2}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: Run = %v, want an error with %q", barrier, err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		worker := s.worker
		s.worker = func() *exec.Cmd {
			cancel()
			return worker()
		}
		rep, err := runIn(t, ctx, s, Config{Procs: 2})
		if err != nil || rep.Verdict != spec.Unfinished || !rep.Interrupted || rep.Rounds != 0 || rep.ExitCode() != spec.ExitInterrupted {
			t.Errorf("%s, interrupted: %v, %v, interrupted %v, %d rounds, exit code %d; want unfinished, interrupted, 0, %d",
				barrier, err, rep.Verdict, rep.Interrupted, rep.Rounds, rep.ExitCode(), spec.ExitInterrupted)
		}
	}
}

func TestHazard_FailingBarrierIsAHang(t *testing.T) {
	rep := mustRun(t, at("fails"), Config{Procs: 2, Rounds: 50})
	wantHang(t, rep, errFails.Error())
}

// TestHazard_NoServeWorker: Run starts no worker in a program that would not
// serve it, as this one.
func TestHazard_NoServeWorker(t *testing.T) {
	defer func() {
		if r := recover(); r != "run: the program must call ServeWorker first in main" {
			t.Errorf("Run panics with %v", r)
		}
	}()
	Run(t.Context(), Config{Stall: time.Minute}) // of no process, in case it runs
	t.Error("Run returns in a program that serves no worker")
}
