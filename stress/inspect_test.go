//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/scratch"
)

// hangingPython makes three originals call, kills one in its wait, and returns
// the others when they wait for it in the next round.
func hangingPython(t *testing.T) (ports []*port.Port, barrier []string) {
	t.Helper()
	porttest.Need(t, "python")
	files, err := scratch.Make("", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	segment, lockPath := files.Segment, filepath.Join(files.Dir, "lock")
	b, err := impl.Create(segment, lockPath)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close() // so that only the originals have it mapped
	ports = startAtOnce(t, 3)
	for apart(t, ports) > 0.9 { // one that starts a second later may have constructed late
		for _, p := range ports {
			p.Kill()
		}
		ports = startAtOnce(t, 3)
	}
	for _, p := range ports {
		if err := p.Open(segment, lockPath); err != nil {
			t.Fatal(err)
		}
	}
	call := func(list ...*port.Port) {
		for _, p := range list {
			if err := p.Send("call 3"); err != nil {
				t.Fatal(err)
			}
		}
	}
	call(ports[0])
	awaitWords(t, b, spec.Words{Enter: 1, Exit: 3, Flag: 0})
	ports[0].Kill()
	ports = ports[1:]
	call(ports...)
	for _, p := range ports {
		if answer, err := p.Receive(); answer != port.Returned || err != nil {
			t.Fatalf("a call: %q, %v", answer, err)
		}
	}
	awaitWords(t, b, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	sleeps := make([]uint64, len(ports))
	for i, p := range ports {
		sleeps[i] = sleepsOf(t, p)
	}
	call(ports...)
	for i, p := range ports {
		for sleepsOf(t, p) < sleeps[i]+20 { // until it polls: before that, it sleeps a few times
			time.Sleep(time.Millisecond)
		}
	}
	return ports, []string{"inspect", "--shm", segment, "--lock", lockPath}
}

// startAtOnce starts so many originals.
func startAtOnce(t *testing.T, count int) []*port.Port {
	t.Helper()
	ports := make([]*port.Port, count)
	var starts sync.WaitGroup
	for i := range ports {
		starts.Go(func() {
			p, err := registry.Start(t.Context(), "python")
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(p.Kill)
			ports[i] = p
		})
	}
	if starts.Wait(); t.Failed() {
		t.FailNow()
	}
	return ports
}

// apart returns how many seconds after the first of the ports the last one has
// started.
func apart(t *testing.T, ports []*port.Port) float64 {
	t.Helper()
	var times []float64
	for _, p := range ports {
		stat, err := processOf(t, p).Stat()
		if err != nil {
			t.Fatal(err)
		}
		at, err := stat.StartTime()
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, at)
	}
	return slices.Max(times) - slices.Min(times)
}

// sleepsOf returns how often the port has given up its processor.
func sleepsOf(t *testing.T, p *port.Port) uint64 {
	t.Helper()
	status, err := processOf(t, p).NewStatus()
	if err != nil {
		t.Fatal(err)
	}
	return status.VoluntaryCtxtSwitches
}

func processOf(t *testing.T, p *port.Port) procfs.Proc {
	t.Helper()
	proc, err := procfs.NewProc(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	return proc
}

func awaitWords(t *testing.T, b *impl.Barrier, want spec.Words) {
	t.Helper()
	for {
		got, err := b.Words()
		if err != nil || t.Context().Err() != nil {
			t.Fatalf("the words are %v (%v), want %v", got, err, want)
		}
		if got == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestGolden_Inspect shows that the outputs in README.md have the lines of real
// ones. It also checks the exit code for each status, of the same processes.
func TestGolden_Inspect(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ports, barrier := hangingPython(t)
	run := func(code int, args ...string) string {
		t.Helper()
		for {
			c := startCommand(t, append(slices.Clone(barrier), args...)...)
			got, out := c.exitCode(t), c.out.String()
			if got == spec.ExitUnfinished && (strings.Contains(out, "starved") || strings.Contains(out, `"starves"`)) {
				continue // a process got no processor, so that nothing is known of it
			}
			if got != code || c.err.Len() > 0 {
				t.Fatalf("stress %q: exit code %d, want %d; %s%s", c.Args[1:], got, code, out, c.err.String())
			}
			return out
		}
	}
	inspectPart(t, "inspect", "", run(spec.ExitHang, "--for", "2s"))
	watched := strings.SplitAfter(run(spec.ExitOK, "--watch", "--for", "1ns"), "\n")
	inspectPart(t, "watch", " --watch", watched[0])

	var r inspect.Report
	if err := json.Unmarshal([]byte(run(spec.ExitHang, "--json", "--procs", "3", "--for", "200ms")), &r); err != nil || r.Verdict != spec.Hang || r.Procs != 3 {
		t.Errorf("--json: %v, %d processes (%v), want %v, 3", r.Verdict, r.Procs, err, spec.Hang)
	}
	var tick inspect.Tick
	if err := json.Unmarshal([]byte(run(spec.ExitOK, "--json", "--watch", "--for", "1ns")), &tick); err != nil || len(tick.Changed) > 0 {
		t.Errorf("--watch --json: %+v (%v), want nothing changed", tick, err)
	}
	stop(t, ports[0].PID())
	if out := run(spec.ExitUnfinished, "--for", "200ms"); !strings.Contains(out, fmt.Sprintf("process %d is stopped", ports[0].PID())) {
		t.Errorf("with a process that is stopped:\n%s", out)
	}
	for _, p := range ports {
		p.Kill()
	}
	if out := run(spec.ExitOK, "--for", "200ms"); !strings.Contains(out, "no process waits") {
		t.Errorf("without processes:\n%s", out)
	}
}

// inspectPart compares the output with the part of README.md. Numbers may
// differ, and what is of this machine is left out.
func inspectPart(t *testing.T, name, flags, out string) {
	t.Helper()
	out = regexp.MustCompile(`(?m)^(\d+ .* mapped +).*$`).ReplaceAllString(out, "${1}python train.py")
	out = regexp.MustCompile(`(?m)\n\nNot seen: .*$`).ReplaceAllString(out, "")
	want := "```console\n$ go run ./stress inspect --shm 000000_barrier --lock /tmp/000000_barrier_filelock" + flags + "\n" + out + "```\n"
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "<!-- output:"+name+" -->\n")
	got, _, _ = strings.Cut(got, "<!-- /output:"+name+" -->")
	if inspectShape(got) == inspectShape(want) {
		want = got
	}
	golden.Part(t, "README.md", "output", name, want)
}

var spaces = regexp.MustCompile(` +`)

// inspectShape returns the text without what differs from run to run: numbers,
// the width of columns, the user, how long ago, and whether a process was seen
// asleep.
func inspectShape(text string) string {
	if u, err := user.Current(); err == nil {
		text = strings.ReplaceAll(text, " "+u.Username+" ", " root ")
	}
	text = regexp.MustCompile(`\S+ ago:`).ReplaceAllString(text, "0s ago:")
	text = regexp.MustCompile(`(?m)^alive .*$`).ReplaceAllString(text, "alive") // two numbers, or a range
	text = regexp.MustCompile(`(polls|naps) +\S+ +mapped`).ReplaceAllString(text, "polls - mapped")
	return spaces.ReplaceAllString(shape(text), " ")
}

// TestProc_InspectBadFlags: bad input is one clear line.
func TestProc_InspectBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"inspect":                                      "give the barrier: --shm NAME and --lock PATH",
		"inspect --shm x":                              "give the barrier: --shm NAME and --lock PATH",
		"inspect --shm x/y --lock /tmp/x":              "no barrier at x/y: there is no such file",
		"inspect --shm x --lock y --for 0":             "--for is 0s; give more than 0",
		"inspect --shm x --lock y --procs -1":          "--procs is -1; give 0 to 1024",
		"inspect --shm x --lock y --procs 2 --watch":   "watch",
		"inspect --shm sharedbarrier-none --lock /tmp": "ls /dev/shm lists the segments",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}

// TestProc_InspectWatchInterrupted: Ctrl-C ends --watch.
func TestProc_InspectWatchInterrupted(t *testing.T) {
	_, segment, lockPath := porttest.NewBarrier(t)
	c := newCommand(t, "inspect", "--shm", segment, "--lock", lockPath, "--watch")
	c.Stdout = nil
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, spec.Initial.String()) {
		t.Errorf("the first line is %q (%v), want %v in it", line, err, spec.Initial)
	}
	signal(t, c.Process.Pid, syscall.SIGINT)
	if code := c.exitCode(t); code != spec.ExitInterrupted || c.err.Len() > 0 {
		t.Errorf("exit code %d, stderr %q; want %d, nothing", code, c.err.String(), spec.ExitInterrupted)
	}
}
