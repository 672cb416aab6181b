//go:build linux

package run

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/oracle"
)

// TestMain has a program for each barrier: a worker at it.
func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for name, open := range barriers {
		programs[name] = func() { os.Exit(WorkerMain(open, os.Args[1], os.Stdin, os.Stdout)) }
	}
	reexec.Main(m, programs)
}

// workersAt returns a function that describes a worker at the barrier with the
// name.
func workersAt(barrier string) func() *exec.Cmd {
	return func() *exec.Cmd { return reexec.Command(context.Background(), barrier) }
}

// patient is a stall limit that no slow machine reaches.
const patient = 5 * time.Minute

// mustRun runs c and checks that nothing of it is left behind.
func mustRun(t *testing.T, c Config) Report {
	t.Helper()
	rep, err := runIn(t, t.Context(), c)
	if err != nil {
		t.Fatalf("Run(%d workers, %d rounds) = %v", c.Procs, c.Rounds, err)
	}
	return rep
}

func runIn(t *testing.T, ctx context.Context, c Config) (Report, error) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var segments []string
	var workers []int
	started := c.Started
	c.Started = func(pids []int) {
		segments, workers = entries(t, dir), pids
		if started != nil {
			started(pids)
		}
	}
	rep, err := Run(ctx, c)
	if left := entries(t, dir); len(left) > 0 {
		t.Errorf("Run left %v in %s", left, dir)
	}
	for _, name := range segments {
		if _, err := os.Lstat("/dev/shm/" + name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Run left the segment /dev/shm/%s (%v)", name, err)
		}
	}
	for _, pid := range workers {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("Run left worker process %d (%v)", pid, err)
		}
	}
	return rep, err
}

// entries lists what is in dir: while a run lasts its one folder, which has the
// name of its segment.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}

func TestProc_RealBarrierPasses(t *testing.T) {
	for _, procs := range []int{1, 2, 5, 64} { // 64: many more than there are processors
		rep := mustRun(t, Config{Procs: procs, Rounds: 300, Stall: patient, Seed: 1, Pauses: true, Command: workersAt("real")})
		if rep.Verdict != spec.Passed || rep.Rounds != 300 || rep.Calls != int64(300*procs) || rep.Violations != 0 {
			t.Errorf("%d workers, 300 rounds: %v after %d rounds, %d calls, %d violations; want passed, 300, %d, 0",
				procs, rep.Verdict, rep.Rounds, rep.Calls, rep.Violations, 300*procs)
		}
		if rep.Rate <= 0 || rep.Latency.P50 <= 0 || rep.Latency.Max < rep.Latency.P99 || rep.Latency.P99 < rep.Latency.P50 {
			t.Errorf("%d workers: rate %v, latency %+v", procs, rep.Rate, rep.Latency)
		}
	}
}

// The oracle must see that these barriers are wrong; beside each stands what
// makes it right.
func TestHazard_OracleCatchesWrongBarriers(t *testing.T) {
	for _, c := range []struct {
		barrier string
		want    spec.Verdict
	}{
		{"no-waiting", spec.Violated},
		{"early-by-one", spec.Violated},
		{"early-by-none", spec.Passed},
	} {
		rep := mustRun(t, Config{Procs: 4, Rounds: 2000, Stall: patient, Seed: 1, Pauses: true, Command: workersAt(c.barrier)})
		if rep.Verdict != c.want {
			t.Errorf("barrier %s: %v, want %v", c.barrier, rep.Verdict, c.want)
		}
		if c.want == spec.Passed {
			continue
		}
		if rep.Violations == 0 || rep.Early == nil || rep.Early.Begun >= rep.Early.Round {
			t.Errorf("barrier %s: %d violations, first %+v", c.barrier, rep.Violations, rep.Early)
		}
		if got := rep.ExitCode(); got != spec.ExitSafety {
			t.Errorf("barrier %s: exit code %d, want %d", c.barrier, got, spec.ExitSafety)
		}
	}
}

func TestProc_EndsWhenTimeIsUp(t *testing.T) {
	rep := mustRun(t, Config{Procs: 3, For: 300 * time.Millisecond, Stall: patient, Seed: 1, Pauses: true, Command: workersAt("real")})
	if rep.Verdict != spec.Passed || rep.Rounds == 0 || rep.Calls != 3*rep.Rounds || rep.Interrupted {
		t.Errorf("got %v after %d rounds and %d calls, interrupted %v; want passed, and 3 calls for each round",
			rep.Verdict, rep.Rounds, rep.Calls, rep.Interrupted)
	}
}

func TestProc_InterruptKeepsWhatWasMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rep, err := runIn(t, ctx, Config{
		Procs: 3, Stall: patient, Seed: 1, Pauses: true, Command: workersAt("real"),
		Progress: func(rounds int64) {
			if rounds > 0 {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Verdict != spec.Passed || !rep.Interrupted || rep.Rounds == 0 || rep.Calls != 3*rep.Rounds || rep.ExitCode() != spec.ExitInterrupted {
		t.Errorf("got %v after %d rounds and %d calls, interrupted %v, exit code %d; want passed, interrupted, 3 calls a round, %d",
			rep.Verdict, rep.Rounds, rep.Calls, rep.Interrupted, rep.ExitCode(), spec.ExitInterrupted)
	}
}

// TestProc_StoppedWorkerIsAHang stops one worker for ever. The neighbour, one
// signal away, is continued and passes.
func TestProc_StoppedWorkerIsAHang(t *testing.T) {
	var pids []int
	stopped := false
	config := Config{
		Procs: 3, Stall: 5 * time.Second, Seed: 1, Pauses: true, Command: workersAt("real"),
		Started: func(p []int) { pids = p },
		Progress: func(rounds int64) {
			if rounds > 0 && !stopped {
				stopped = true
				if err := syscall.Kill(pids[1], syscall.SIGSTOP); err != nil {
					t.Error(err)
				}
			}
		},
	}
	rep := mustRun(t, config)
	if rep.Verdict != spec.Hang || rep.Stuck == nil || rep.ExitCode() != spec.ExitHang {
		t.Fatalf("got %v, stuck %+v, exit code %d; want hang", rep.Verdict, rep.Stuck, rep.ExitCode())
	}
	if len(rep.Stuck.Workers) != 3 || rep.Stuck.Workers[1].State != "stopped" || rep.Stuck.Workers[1].PID != pids[1] {
		t.Errorf("workers %+v; want worker 1 (pid %d) stopped", rep.Stuck.Workers, pids[1])
	}
	// A worker announces a step before it takes it: at a step under the lock it
	// surely holds it, before and after an acquire or a release either may be so.
	if w := rep.Stuck.Workers[1]; w.Step.Lock() == spec.Held && rep.Stuck.Holder != 1 {
		t.Errorf("worker 1 was stopped at %v, and the lock holder is %d", w.Step, rep.Stuck.Holder)
	}
	// All others have come as far as they can: nobody can return from the next round.
	for _, w := range rep.Stuck.Workers {
		if w.Begun < rep.Rounds || w.Returned > rep.Rounds+1 {
			t.Errorf("worker %+v, after %d rounds", w, rep.Rounds)
		}
	}

	stopped = false
	config.For, config.Stall = 300*time.Millisecond, patient
	config.Progress = func(rounds int64) {
		if rounds > 0 && !stopped {
			stopped = true
			syscall.Kill(pids[1], syscall.SIGSTOP)
			syscall.Kill(pids[1], syscall.SIGCONT)
		}
	}
	if rep := mustRun(t, config); rep.Verdict != spec.Passed || !stopped {
		t.Errorf("worker stopped and continued: %v, want passed", rep.Verdict)
	}
}

// TestProc_StuckSaysWhoIsWhere has worker 1 stop itself at a step under the lock, in
// the first round: the words, the holder and everybody's step are known.
func TestProc_StuckSaysWhoIsWhere(t *testing.T) {
	rep := mustRun(t, Config{Procs: 3, Stall: 5 * time.Second, Seed: 1, Pauses: true, Command: workersAt("stops-itself")})
	if rep.Verdict != spec.Hang || rep.Stuck == nil {
		t.Fatalf("got %v, %+v; want a hang", rep.Verdict, rep.Stuck)
	}
	s := rep.Stuck
	if s.Holder != 1 || s.Words.Exit != 3 || s.Words.Enter < 0 || s.Words.Enter > 2 || s.Words.Flag != spec.Down {
		t.Errorf("lock holder %d, %v; want worker 1 and the words of a round that gathers", s.Holder, s.Words)
	}
	for i, w := range s.Workers {
		state := "running"
		if i == 1 {
			state = "stopped"
		}
		if w.State != state || w.Returned != 0 {
			t.Errorf("worker %d: %+v, want it %s in its first call", i, w, state)
		}
	}
	if w := s.Workers[1]; *w.Step != spec.CountEnter || w.Begun != 1 {
		t.Errorf("worker 1 has begun %d calls and is at %v, want 1, CountEnter", w.Begun, *w.Step)
	}
}

// TestOverdue: stall is about rounds, and not about the end of the workers.
func TestOverdue(t *testing.T) {
	SetLimits(t, time.Minute, time.Minute)
	witness, err := oracle.NewLedger(2)
	if err != nil {
		t.Fatal(err)
	}
	defer witness.Close()
	const stall = time.Second
	check := func(when string, gone time.Duration, want string) {
		t.Helper()
		if got := Overdue(witness, gone, stall); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s, %v after the last round: %q, want %q", when, gone, got, want)
		}
	}
	check("at the beginning", stall, "")
	check("at the beginning", 2*stall, "no round was completed for 1s")
	witness.Decide(1, 1)
	for worker := range 2 {
		check("in the last round", 2*stall, "no round was completed for 1s")
		witness.Begin(worker, 1, 0)
	}
	for worker := range 2 {
		witness.Return(worker, 1)
	}
	check("when all have returned from it", 2*stall, "")
	check("when all have returned from it", 2*time.Minute, "not all workers have ended for 1m0s")
}

func TestProc_DeadWorkerIsNamed(t *testing.T) {
	var pids []int
	rep := mustRun(t, Config{
		Procs: 3, Stall: patient, Seed: 1, Pauses: true, Command: workersAt("real"),
		Started: func(p []int) { pids = p },
		Progress: func(rounds int64) {
			if rounds > 0 {
				syscall.Kill(pids[2], syscall.SIGKILL)
			}
		},
	})
	if rep.Verdict != spec.Hang || rep.Stuck == nil {
		t.Fatalf("got %v, stuck %v; want hang", rep.Verdict, rep.Stuck)
	}
	for _, want := range []string{"worker 2", "killed"} {
		if !strings.Contains(rep.Stuck.Why, want) {
			t.Errorf("the hang is put down to %q, want %q in it", rep.Stuck.Why, want)
		}
	}
}

// TestProc_HolderOutsideTheGroup: a worker holds what is held by a process that it
// has started, whose group is another.
func TestProc_HolderOutsideTheGroup(t *testing.T) {
	var pids []int
	killed := false
	rep := mustRun(t, Config{
		Procs: 2, Stall: patient, Command: workersAt("delegating"),
		Started: func(p []int) { pids = p },
		Progress: func(int64) {
			dir := os.Getenv("TMPDIR")
			holder, err := lockprobe.Holder(filepath.Join(dir, entries(t, dir)[0], "lock"))
			if err != nil {
				t.Error(err)
			}
			if holder > 0 && !killed {
				killed = true
				syscall.Kill(pids[1], syscall.SIGKILL)
			}
		},
	})
	if rep.Verdict != spec.Hang || rep.Stuck == nil || rep.Stuck.Holder != 0 || rep.Stuck.HolderPID == pids[0] || rep.Stuck.HolderPID <= 0 {
		t.Errorf("got %v, %+v; want a hang in which worker 0 holds the lock by another process", rep.Verdict, rep.Stuck)
	}
}

// TestRun_StartUpIsNotJudgedByStall has a stall limit that is over before any
// process can start. What becomes of the rounds is the machine's affair.
func TestRun_StartUpIsNotJudgedByStall(t *testing.T) {
	started := false
	rep := mustRun(t, Config{
		Procs: 2, Rounds: 1, Stall: time.Nanosecond, Command: workersAt("real"),
		Started: func([]int) { started = true },
	})
	if !started {
		t.Errorf("got %v, %+v, before the workers had begun; want them to begin", rep.Verdict, rep.Stuck)
	}
}

func TestRun_WorkerThatIsNeverReady(t *testing.T) {
	SetLimits(t, 100*time.Millisecond, time.Minute)
	rep := mustRun(t, Config{Procs: 2, Rounds: 1, Stall: time.Millisecond, Command: workersAt("never-ready")})
	if rep.Verdict != spec.Hang || rep.Stuck == nil || !strings.Contains(rep.Stuck.Why, "worker 0") || !strings.Contains(rep.Stuck.Why, "not ready after 100ms") {
		t.Errorf("got %v, %+v; want a hang of worker 0, not ready after 100ms", rep.Verdict, rep.Stuck)
	}
}

// TestRun_InterruptedWhileStuck wants no more patience after an interrupt than
// the round under way needs.
func TestRun_InterruptedWhileStuck(t *testing.T) {
	SetLimits(t, time.Minute, 100*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	rep, err := runIn(t, ctx, Config{
		Procs: 2, Stall: 30 * time.Second, Command: workersAt("stuck"),
		Progress: func(int64) { cancel() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Verdict != spec.Hang || !rep.Interrupted || rep.Stuck == nil || !strings.Contains(rep.Stuck.Why, "for 100ms after the interrupt") {
		t.Errorf("got %v, interrupted %v, %+v; want a hang 100ms after the interrupt", rep.Verdict, rep.Interrupted, rep.Stuck)
	}
}

// TestRun_InterruptedBeforeItBegan: nothing was tried, and so nothing has passed.
func TestRun_InterruptedBeforeItBegan(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rep, err := runIn(t, ctx, Config{Procs: 2, Stall: patient, Command: workersAt("never-ready")})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Verdict != spec.Unfinished || !rep.Interrupted || rep.Rounds != 0 || rep.ExitCode() != spec.ExitInterrupted {
		t.Errorf("got %v, interrupted %v, %d rounds, exit code %d; want unfinished, interrupted, 0, %d",
			rep.Verdict, rep.Interrupted, rep.Rounds, rep.ExitCode(), spec.ExitInterrupted)
	}
}

// TestRun_InterruptedAsItStarts: once the context has ended, that a worker cannot
// start or begin is no error.
func TestRun_InterruptedAsItStarts(t *testing.T) {
	for _, command := range []func() *exec.Cmd{
		workersAt("unopened"),
		func() *exec.Cmd { return exec.Command("/nonexistent") },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		rep, err := runIn(t, ctx, Config{Procs: 2, Stall: patient, Command: func() *exec.Cmd {
			cancel()
			return command()
		}})
		if err != nil || rep.Verdict != spec.Unfinished || !rep.Interrupted {
			t.Errorf("got %v, interrupted %v, %v; want unfinished and interrupted", rep.Verdict, rep.Interrupted, err)
		}
	}
}

func TestRun_WorkerThatCannotBegin(t *testing.T) {
	for _, c := range []struct {
		command func() *exec.Cmd
		want    string
	}{
		{workersAt("unopened"), "did not begin: " + errUnopened.Error()},
		{func() *exec.Cmd { return exec.Command("/nonexistent") }, "start worker 0"},
	} {
		_, err := runIn(t, t.Context(), Config{Procs: 2, Rounds: 1, Stall: patient, Command: c.command})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Run = %v, want an error with %q", err, c.want)
		}
	}
}

// TestProc_FailingBarrierIsNamed has one worker's barrier fail in mid-run.
func TestProc_FailingBarrierIsNamed(t *testing.T) {
	rep := mustRun(t, Config{Procs: 2, Rounds: 50, Stall: patient, Seed: 1, Command: workersAt("failing")})
	if rep.Verdict != spec.Hang || rep.Stuck == nil || !strings.Contains(rep.Stuck.Why, errFailing.Error()) {
		t.Errorf("got %v, %+v; want a hang put down to %q", rep.Verdict, rep.Stuck, errFailing)
	}
}

func TestReport_RateCountsFromTheFirstRound(t *testing.T) {
	rep := mustRun(t, Config{Procs: 1, Rounds: 1, Stall: patient, Seed: 1, Command: workersAt("real")})
	if rep.Rate != 0 {
		t.Errorf("rate after one round is %v, want 0", rep.Rate)
	}
}
