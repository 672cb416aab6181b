//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

func TestMain(m *testing.M) { reexec.Main(m, map[string]func(){"stress": main, "forger": forger}) }

// A command is one run of the program, with a directory of its own for
// temporary files.
type command struct {
	*exec.Cmd
	out, err bytes.Buffer
	dir      string
}

func newCommand(t *testing.T, args ...string) *command {
	c := &command{Cmd: reexec.Command(t.Context(), "stress", args...), dir: t.TempDir()}
	c.Env = append(c.Env, "TMPDIR="+c.dir)
	c.Stdout, c.Stderr = &c.out, &c.err
	return c
}

func startCommand(t *testing.T, args ...string) *command {
	t.Helper()
	c := newCommand(t, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// exitCode waits until the program and, because they inherit its standard
// error, all workers are gone.
func (c *command) exitCode(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// report returns the report of the one run that the program has printed as
// JSON.
func (c *command) report(t *testing.T) run.Report {
	t.Helper()
	var doc report.Document
	if err := json.Unmarshal(c.out.Bytes(), &doc); err != nil || bytes.Count(c.out.Bytes(), []byte("\n")) != 1 || len(doc.Runs) != 1 {
		t.Fatalf("stdout is %q (%v), want one line of JSON, of one run; stderr: %s", c.out.String(), err, c.err.String())
	}
	return doc.Runs[0]
}

// signal sends the signal to a process, or to a group if pid is negative.
func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// stop stops a process, and waits until it is stopped.
func stop(t *testing.T, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGSTOP)
	for !procgroup.AwaitStopped([]int{pid}) {
	}
}

// await waits until done returns true. The end of the program before that
// fails the test.
func (c *command) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for !done() {
		if porttest.HasEnded(t, c.Process) {
			t.Fatalf("the program has ended before %s: exit code %d\n%s", what, c.exitCode(t), c.err.String())
		}
		runtime.Gosched()
	}
}

// awaitWorkers waits until the program has so many children and a segment:
// without one, a child is not a worker yet. It returns their process IDs and
// the path of the first segment.
func (c *command) awaitWorkers(t *testing.T, workers int) (pids []int, segment string) {
	t.Helper()
	c.await(t, fmt.Sprintf("it had %d workers", workers), func() bool {
		files := c.files(t)
		if i := slices.IndexFunc(files, func(f string) bool { return strings.HasSuffix(f, ".segment") }); i >= 0 {
			segment = files[i]
		}
		pids = c.children(t)
		return segment != "" && len(pids) >= workers
	})
	return pids, segment
}

// awaitRounds waits until the program has so many workers, and they call.
func (c *command) awaitRounds(t *testing.T, workers int) (pids []int) {
	t.Helper()
	pids, segment := c.awaitWorkers(t, workers)
	c.await(t, "a call", func() bool {
		words, err := os.ReadFile(segment)
		return err == nil && string(words) != initialWords(t)
	})
	return pids
}

// initialWords is what a segment has before the first call.
func initialWords(t *testing.T) string {
	t.Helper()
	words, err := binary.Append(nil, binary.NativeEndian, []int32{spec.Initial.Enter, spec.Initial.Exit, spec.Initial.Flag})
	if err != nil {
		t.Fatal(err)
	}
	return string(words)
}

// files lists what the program has in /dev/shm: the names contain its process
// ID.
func (c *command) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/dev/shm/sharedbarrier-*-%d-*", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// children lists the children of the program. The kernel has a list for each
// thread that starts some.
func (c *command) children(t *testing.T) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // fails if the thread is gone
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkNothingLeft checks that the program, which has ended, has left no file.
// The control of files is awaitWorkers, which finds one.
func (c *command) checkNothingLeft(t *testing.T) {
	t.Helper()
	if entries, err := os.ReadDir(c.dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind in the temporary directory: %v (%v)", entries, err)
	}
	if files := c.files(t); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestProc_PrintsOneObject(t *testing.T) {
	p := startCommand(t, "--procs", "2", "--rounds", "50", "--seed", "7", "--stall", "5m", "--json")
	code, rep := p.exitCode(t), p.report(t)
	if code != spec.ExitOK || rep.Verdict != spec.Passed || rep.Procs != 2 || rep.Rounds != 50 || rep.Calls != 100 || rep.Violations != 0 || rep.Seed != 7 || rep.Interrupted {
		t.Errorf("exit code %d, %+v; want 0, passed, 2 processes, 50 rounds, 100 calls, no violation, seed 7, not interrupted", code, rep)
	}
	if rep.Rate <= 0 || rep.Latency.P50 <= 0 || rep.Latency.P99 <= 0 || rep.Latency.Max <= 0 || p.err.Len() > 0 {
		t.Errorf("rate %v, latency %+v, stderr %q; want all above 0, and nothing", rep.Rate, rep.Latency, p.err.String())
	}
}

// A signal in mid-run ends the program, its workers and their files. After one
// that it can catch, the program reports what it has measured.
func TestProc_Signals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{
		{syscall.SIGINT, spec.ExitInterrupted},
		{syscall.SIGTERM, spec.ExitInterrupted},
		{syscall.SIGQUIT, spec.ExitInterrupted},
		{syscall.SIGKILL, -1},
	} {
		t.Run(c.signal.String(), func(t *testing.T) {
			p := startCommand(t, "--procs", "3", "--for", "2m", "--stall", "5m", "--json")
			p.awaitRounds(t, 3)
			signal(t, p.Process.Pid, c.signal)
			if code := p.exitCode(t); code != c.code {
				t.Errorf("exit code %d, want %d; stderr: %s", code, c.code, p.err.String())
			}
			p.checkNothingLeft(t)
			if c.signal == syscall.SIGKILL {
				return
			}
			if rep := p.report(t); rep.Verdict != spec.Unfinished || !rep.Interrupted || rep.Rounds == 0 || rep.Calls != 3*rep.Rounds {
				t.Errorf("%v, interrupted %v, after %d rounds and %d calls; want unfinished, interrupted, 3 calls a round",
					rep.Verdict, rep.Interrupted, rep.Rounds, rep.Calls)
			}
		})
	}
}

// The signal goes to the whole process group, as from a terminal, when the
// program has a segment and a child, which may still be starting. The port of
// the first run never says hello: no worker begins.
func TestProc_InterruptedWhileItStarts(t *testing.T) {
	for _, args := range [][]string{
		{"--port", "exec:exec sleep " + uniqueSeconds(), "--json"},
		{"--procs", "8", "--for", "1h", "--stall", "5m"},
		{"--port", "go=8", "--for", "1h", "--stall", "5m"},
		{"lockstep", "--random", "--steps", "1000000000", "--procs", "8"},
		{"conformance", "--port", "go", "--for", "1h", "--stall", "5m"},
		{"bench", "--contender", "plain", "--parties", "8", "--for", "1h", "--stall", "5m"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			p := newCommand(t, args...)
			p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			p.awaitWorkers(t, 1)
			signal(t, -p.Process.Pid, syscall.SIGINT)
			if code := p.exitCode(t); code != spec.ExitInterrupted || p.err.Len() > 0 {
				t.Errorf("exit code %d, stderr %q; want %d and nothing\n%s", code, p.err.String(), spec.ExitInterrupted, p.out.String())
			}
			p.checkNothingLeft(t)
			if !slices.Contains(args, "--json") {
				return
			}
			if rep := p.report(t); rep.Verdict != spec.Unfinished || !rep.Interrupted {
				t.Errorf("%v, interrupted %v; want unfinished and interrupted", rep.Verdict, rep.Interrupted)
			}
		})
	}
}

// wantUsageError runs the command with flags that it must refuse, in one line
// that contains want.
func wantUsageError(t *testing.T, want string, args ...string) {
	t.Helper()
	p := startCommand(t, args...)
	code, line := p.exitCode(t), p.err.String()
	if code != spec.ExitUsage || !strings.Contains(line, want) || strings.Count(line, "\n") != 1 {
		t.Errorf("stress %v: exit code %d, stderr %q; want %d and one line with %q", args, code, line, spec.ExitUsage, want)
	}
}

func TestProc_BadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--procs 0":                   "--procs is 0; give 1 to 1024",
		"--procs x":                   "--procs",
		"--procs 1000000000":          "--procs is 1000000000; give 1 to 1024",
		"lockstep --procs 1000000000": "--procs is 1000000000; give 0 to 1024",
		"--rounds -1":                 "--rounds is -1",
		"--for -1s":                   "--for is -1s",
		"--for 0":                     "give one of them",
		"--stall 0":                   "--stall is 0s",
		"--seeds 1":                   "--seeds",
		"surprise":                    "surprise",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}

// A port that dies in its first call is a hang at once.
func TestHazard_HangPrintsTheCommand(t *testing.T) {
	port := `exec:echo "port 1"; read -r open; echo opened; read -r call; exit 7`
	p := newCommand(t, "--port", port, "--for", "2m", "--stall", "3s", "--seed", "5")
	p.Dir = ".."
	p.run(t)
	code := p.ProcessState.ExitCode()
	want := "\nreproduce: go run ./stress --port '" + port + "=1' --rounds 0 --for 2m0s --stall 3s --seed 5\n"
	if code != spec.ExitHang || !regexp.MustCompile(`(?m)^lock +free;`).MatchString(p.out.String()) || !strings.HasSuffix(p.err.String(), want) {
		t.Errorf("exit code %d, stderr %q; want %d, the end %q, and no lock held in:\n%s", code, p.err.String(), spec.ExitHang, want, p.out.String())
	}
	p.checkNothingLeft(t)
}

// forger is a port without a barrier. It looks for the oracle's ledger among
// its own descriptors and those of its two ancestors, and refuses to open if it
// finds one: with it, the port could forge the counts.
func forger() {
	fmt.Println("port 1")
	parent := os.Getppid()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", parent))
	if err != nil {
		panic(err)
	}
	runner := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')'):]))[2]
	found := ""
	for _, pid := range []string{"self", strconv.Itoa(parent), runner} {
		links, err := filepath.Glob("/proc/" + pid + "/fd/*")
		if err != nil {
			panic(err)
		}
		for _, link := range links {
			if target, _ := os.Readlink(link); strings.HasPrefix(target, "/memfd:") {
				found += " " + link + " is " + target
			}
		}
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch request, _, _ := strings.Cut(lines.Text(), " "); {
		case request == "open" && found != "":
			fmt.Println("error found" + found)
		case request == "open":
			fmt.Println("opened")
		case request == "call":
			fmt.Println("returned")
		default:
			fmt.Println("closed")
			return
		}
	}
}

// A port has no descriptor of the ledger, and finds none in the processes that
// have started it. So its early exits count.
func TestHazard_PortFindsNoLedger(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := startCommand(t, "--port", "exec:SHAREDBARRIER_REEXEC=forger exec '"+self+"'=3", "--for", "1h", "--stall", "5m", "--json")
	code := p.exitCode(t)
	if p.err.Len() == 0 || code != spec.ExitSafety {
		t.Fatalf("exit code %d, want %d; %s", code, spec.ExitSafety, p.err.String())
	}
	if rep := p.report(t); rep.Verdict != spec.Violated || rep.Early == nil {
		t.Errorf("%v, first early exit %v; want violated", rep.Verdict, rep.Early)
	}
}
