//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/cli/clitest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
	"sharedbarrier/stress/port/porttest"
)

// runLockstep runs stress lockstep to its end.
func runLockstep(t *testing.T, stdin string, args ...string) (c *command, code int, reports []lockstep.Report) {
	t.Helper()
	c = newCommand(t, append([]string{"lockstep"}, args...)...)
	c.Stdin = strings.NewReader(stdin)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	code = c.exitCode(t)
	for _, line := range bytes.Split(bytes.TrimSpace(c.out.Bytes()), []byte("\n")) {
		var r lockstep.Report
		if json.Unmarshal(line, &r) == nil {
			reports = append(reports, r)
		}
		if slices.Contains(args, "--json") && bytes.Contains(line, []byte("null")) {
			t.Errorf("lockstep %q prints %s; want no null, an empty list is []", args, line)
		}
	}
	return c, code, reports
}

func TestProc_LockstepTour(t *testing.T) {
	c, code, reports := runLockstep(t, "", "--procs", "2", "--json")
	if code != spec.ExitOK || len(reports) != 1 || c.err.Len() > 0 {
		t.Fatalf("exit code %d, stdout %q, stderr %q; want 0, one object, nothing", code, c.out.String(), c.err.String())
	}
	r := reports[0]
	if r.Version != lockstep.Version || r.Mode != "tour" || r.Scenario != "withdraw" || r.Verdict != spec.Passed ||
		r.Edges == 0 || r.Covered != r.Edges || r.Blocked == 0 || r.Rate <= 0 {
		t.Errorf("report %+v, want a tour of withdraw that passed, with every edge covered", r)
	}
	c.checkNothingLeft(t)
}

// TestProc_LockstepSchedule replays what model/check prints, from a file and
// from standard input.
func TestProc_LockstepSchedule(t *testing.T) {
	found := explore.Explore(t.Context(), model.Config{Scenario: spec.Crash, Procs: 3}, explore.Options{})
	text, err := json.Marshal(found.Result)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for stdin, name := range map[string]string{"": file, string(text): "-"} {
		c, code, reports := runLockstep(t, stdin, "--schedule", name, "--json")
		if code != spec.ExitOK || len(reports) != 1 || !slices.Equal(reports[0].Observed, []string{"NoHang"}) {
			t.Errorf("--schedule %s: exit code %d, %s%s; want 0 and NoHang observed", name, code, c.out.String(), c.err.String())
		}
	}
}

// TestProc_LockstepDifference runs a port that has one label wrong, and one
// that differs before there is any move. The printed command reproduces the
// difference, and a port that is right passes.
func TestProc_LockstepDifference(t *testing.T) {
	for _, c := range []struct {
		port, difference string
		reproduce        []string
	}{
		{"exec:" + porttest.GoPort(t) + " | sed -u 's/at UnlockInit/at UnlockEnter/'=2",
			`(its line 7): got "at UnlockEnter", want "at UnlockInit"`, []string{"--moves", "1:2 1 1"}},
		{`exec:echo "port 1 white withdraw"; read -r white; echo ok; read -r open; echo closed; read -r end=2`,
			`answer of p1 (its line 3), while it opens the barrier: got "closed", want "at MakeEnter"`, []string{"--random", "--steps", "1"}},
	} {
		page := filepath.Join(t.TempDir(), "timeline.html")
		p, code, _ := runLockstep(t, "", "--port", c.port, "--timeline", page, "--shorten", "10m")
		command := strings.ReplaceAll(p.err.String(), "'", "")
		if code != spec.ExitSafety || !strings.Contains(p.out.String(), c.difference) || !strings.HasSuffix(command, strings.Join(c.reproduce, " ")+"\n") {
			t.Errorf("--port %s: exit code %d, stdout %s, stderr %s; want 12, %s, and %q", c.port, code, p.out.String(), p.err.String(), c.difference, c.reproduce)
		}
		if strings.Contains(p.err.String(), "looking for fewer moves") != (c.reproduce[0] == "--moves") {
			t.Errorf("--port %s: stderr %s; want the difference first, before fewer moves are looked for", c.port, p.err.String())
		}
		html, err := os.ReadFile(page)
		if moves := c.reproduce[0] == "--moves"; moves != (err == nil) || moves && !strings.Contains(string(html), "The real barrier differs from the model: ") {
			t.Errorf("--port %s --timeline: %v; want a page if there are moves: %v", c.port, err, moves)
		}
		p.checkNothingLeft(t)
		for port, want := range map[string]int{c.port: spec.ExitSafety, "go=2": spec.ExitOK} {
			if p, code, _ := runLockstep(t, "", append(c.reproduce, "--port", port)...); code != want {
				t.Errorf("%q with --port %s: exit code %d, want %d\n%s%s", c.reproduce, port, code, want, p.out.String(), p.err.String())
			}
		}
	}
}

// TestProc_LockstepEnds ends the command by each signal, once with the lock
// file in the folder of the segments. Nothing is left, after kill -9 by the
// next start.
func TestProc_LockstepEnds(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		temp   string // empty: that of the command
		code   int
	}{
		{syscall.SIGTERM, "", spec.ExitInterrupted},
		{syscall.SIGHUP, "", spec.ExitInterrupted},
		{syscall.SIGQUIT, "/dev/shm", spec.ExitInterrupted},
		{syscall.SIGKILL, "/dev/shm", -1},
		{syscall.SIGKILL, "", -1},
	} {
		p := newCommand(t, "lockstep", "--random", "--steps", "1000000000", "--procs", "2")
		if c.temp != "" {
			p.Env = append(p.Env, "TMPDIR="+c.temp)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		p.awaitWorkers(t, 2)
		signal(t, p.Process.Pid, c.signal)
		if code := p.exitCode(t); code != c.code || p.err.Len() > 0 {
			t.Errorf("%v: exit code %d, stderr %q; want %d and nothing", c.signal, code, p.err.String(), c.code)
		}
		if c.signal == syscall.SIGKILL {
			if next, code, _ := runLockstep(t, "", "--moves", "0"); code != spec.ExitOK {
				t.Errorf("the next start: exit code %d, %s", code, next.err.String())
			}
		}
		p.checkNothingLeft(t)
	}
}

// TestConform_PagesOnRealProcesses: the command that each page of a hazard shows
// makes the moves of its counterexample with real processes.
func TestConform_PagesOnRealProcesses(t *testing.T) {
	porttest.Need(t, "c")
	pages, err := filepath.Glob("../spec/states/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages of hazards: found %v, %v", pages, err)
	}
	for _, page := range pages {
		html, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		command, moves := leadingPane(t, html)
		flags, ok := strings.CutPrefix(command, "go run ./stress lockstep ")
		if !ok || moves == "" {
			t.Fatalf("%s: its command is %q with the moves %q, want one of stress lockstep", page, command, moves)
		}
		c, code, reports := runLockstep(t, "", append(strings.Fields(flags), moves, "--json")...)
		if code != spec.ExitOK || len(reports) != 1 || !slices.Contains(reports[0].Observed, lockstep.Refused) && reports[0].Steps < len(strings.Fields(moves)) {
			t.Errorf("%s: %s '%s': exit code %d, reports %+v, stderr %q; want 0 and a run with these moves, or up to a call that is refused",
				page, command, moves, code, reports, c.err.String())
		}
	}
}

// leadingPane returns the command of the first pane of a page, and the moves of
// its counterexample (package browse).
func leadingPane(t *testing.T, html []byte) (command, moves string) {
	t.Helper()
	data := regexp.MustCompile(`id="data">([^<]*)<`).FindSubmatch(html)
	if data == nil {
		t.Fatal("the page has no data")
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(data[1])))
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Panes []struct {
			Real    string
			Actions []struct{ Move string }
			Example []int
		}
	}
	if err := json.NewDecoder(z).Decode(&content); err != nil {
		t.Fatal(err)
	}
	pane := content.Panes[0]
	words := make([]string, len(pane.Example))
	for i, a := range pane.Example {
		words[i] = pane.Actions[a].Move
	}
	return pane.Real, strings.Join(words, " ")
}

// TestProc_LockstepHazards: the command names other ports that show what this
// one refuses or cannot do, and no port where there is nothing of that.
func TestProc_LockstepHazards(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	refused := regexp.MustCompile(`\nRefused: [1-9][0-9]*\. --port python .*\n\nLeft out: [1-9][0-9]*\. --port c .*\n`)
	c, code, _ := runLockstep(t, "", "--hazards", "--procs", "2")
	if code != spec.ExitOK || !refused.MatchString(c.out.String()) {
		t.Errorf("exit code %d, stdout %s, stderr %s; want 0 and a line like %v", code, c.out.String(), c.err.String(), refused)
	}
	c, code, _ = runLockstep(t, "", "--crash", "--procs", "2")
	if code != spec.ExitOK || strings.Contains(c.out.String(), ". --port") {
		t.Errorf("exit code %d, stdout %s, stderr %s; want 0, and no other port named", code, c.out.String(), c.err.String())
	}
}

func TestProc_LockstepBadFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"--tour", "--random"}, "tour"},
		{"", []string{"--port", "fortran"}, "fortran"},
		{"", []string{"--port", "go=0"}, "give 1 to 1024"},
		{"", []string{"--port", "exec:exit 3"}, "exec:exit 3"},
		{"", []string{"--procs", "-1"}, "-1"},
		{"", []string{"--procs", "2", "--port", "go=3"}, "3 ports for 2 processes"},
		{`{"version":2,"scenario":"reuse","procs":2,"trace":[{"proc":0,"label":"Call","parties":2,"words":{"enter":0,"exit":-1,"flag":1}}]}`, []string{"--schedule", "-", "--port", "go=3"}, "3 ports for 2 processes"},
		{"", []string{"--scenario", "nonsense"}, "nonsense"},
		{"", []string{"--scenario", "crash", "--tour"}, "no tour"},
		{"", []string{"--procs", "5"}, "no tour"},
		{"", []string{"--random", "--steps", "0"}, "--steps is 0"},
		{"", []string{"--seed", "1"}, "--random"},
		{"", []string{"--shorten", "-1s"}, "--shorten is -1s"},
		{"", []string{"--crash", "--steps", "5"}, "--random"},
		{"", []string{"--moves", ""}, "--moves: it is empty"},
		{"", []string{"--moves", " "}, "--moves: it is empty"},
		{"", []string{"--schedule", ""}, "--schedule"},
		{"", []string{"--moves", "0 x"}, `"x" is no move`},
		{"", []string{"--moves", "3"}, "no process 3 of 3"},
		{"", []string{"--moves", "0~", "--scenario", "fork"}, "fork"},
		{"", []string{"--schedule", "/nowhere"}, "/nowhere"},
		{"", []string{"--schedule", empty}, "no trace"},
		{"{", []string{"--schedule", "-"}, "line 1"},
		{`{"version":9}`, []string{"--schedule", "-"}, "version 9"},
		{`{"version":2,"scenario":"reuse","procs":2,"trace":[{"proc":0,"label":"RaiseFlag"}]}`, []string{"--schedule", "-"}, "entry 1"},
		{"", []string{"--schedule", "-", "--procs", "2"}, "procs schedule"},
		{"", []string{"--hazards", "--rounds", "2"}, "hazards rounds"},
		{"", []string{"--hazards", "--procs", "4"}, "2 or 3"},
		{"", []string{"surprise"}, "surprise"},
	} {
		p, code, _ := runLockstep(t, c.stdin, c.args...)
		if line := p.err.String(); code != spec.ExitUsage || !strings.Contains(line, c.want) || strings.Count(line, "\n") != 1 {
			t.Errorf("lockstep %q: exit code %d, stderr %q; want %d and one line with %q", c.args, code, line, spec.ExitUsage, c.want)
		}
		p.checkNothingLeft(t)
	}
}

// TestProc_LockstepWrongPorts: what a port answers, or does to the segment or
// to the lock file, is a difference, for which the command does not wait. It
// notices the death of a port though a process that the port has left behind
// keeps its output open.
func TestProc_LockstepWrongPorts(t *testing.T) {
	const opens = `exec:echo "port 1 white withdraw"; read -r white; echo ok; read -r open name path; echo opened; read -r call; `
	for _, c := range []struct{ port, want string }{
		{"echo at Call; read -r go; echo at LockInit; read -r go; echo what; read -r end", `its line 6 is "what"`},
		{`echo at Call; read -r go; printf 'error \033[2J\n'; read -r end`, `"error \x1b[2J"`},
		{`echo at Call; read -r go; : >"/dev/shm/$name"; echo at LockInit; read -r end`, "wrong size"},
		{`echo at Call; read -r go; rm -f "$path"; mkfifo "$path"; echo at LockInit; read -r end`, "not a regular file"},
		{"exec 3<&0; setsid sh -c 'while read -r request; do :; done' <&3 & exit 3", "exit status 3"},
	} {
		p, code, _ := runLockstep(t, "", "--port", opens+c.port, "--procs", "1", "--scenario", "single", "--moves", "0 0")
		if code != spec.ExitSafety || !strings.Contains(p.out.String(), c.want) || strings.Contains(p.out.String()+p.err.String(), "\x1b") {
			t.Errorf("port %q: exit code %d, stdout %s, stderr %s; want 12 and %q", c.port, code, p.out.String(), p.err.String(), c.want)
		}
		p.checkNothingLeft(t)
	}
}

// interruptAsleep starts the command and interrupts it when a process that it
// has started sleeps for the marker's seconds. It must end as interrupted, and
// the sleepers with it.
func interruptAsleep(t *testing.T, p *command, marker string) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	awaitSleepers(t, p, marker, true)
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.exitCode(t); code != spec.ExitInterrupted || p.err.Len() > 0 {
		t.Errorf("%q: exit code %d, stderr %q; want %d and nothing\n%s", p.Args[1:], code, p.err.String(), spec.ExitInterrupted, p.out.String())
	}
	awaitSleepers(t, p, marker, false)
}

// TestProc_InterruptedWhileAPortIsSilent: an interrupt ends the wait for a
// port.
func TestProc_InterruptedWhileAPortIsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	marker := uniqueSeconds()
	silent := "exec sleep " + marker
	for name, args := range map[string][]string{
		"hello in lockstep":     {"lockstep", "--port", "exec:" + silent},
		"hello in conformance":  {"conformance", "--port", "exec:" + silent},
		"a step":                {"lockstep", "--port", `exec:echo "port 1 white"; read -r white; echo ok; read -r open; echo opened; read -r call; ` + silent, "--moves", "0"},
		"a call in conformance": {"conformance", "--port", `exec:echo "port 1"; read -r call; ` + silent},
	} {
		t.Run(name, func(t *testing.T) {
			p := newCommand(t, args...)
			interruptAsleep(t, p, marker)
			p.checkNothingLeft(t)
		})
	}
}

// TestProc_InterruptedWhileAPortIsMade has a Python whose child takes an
// endless time to make a virtual environment. No process stays, and nothing is
// left in the cache.
func TestProc_InterruptedWhileAPortIsMade(t *testing.T) {
	marker, tools := uniqueSeconds(), t.TempDir()
	clitest.Script(t, filepath.Join(tools, "python3"), "case $# in 3) echo a python;; *) mkdir -p \"$4/lib\"; sleep "+marker+" & wait;; esac")
	for _, args := range [][]string{{"lockstep"}, {"conformance"}, {}} {
		p, cache := newCommand(t, append(args, "--port", "python")...), t.TempDir()
		p.Env = append(p.Env, "PATH="+toolcache.OnPath(t, tools)+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+cache)
		interruptAsleep(t, p, marker)
		if left, err := os.ReadDir(filepath.Join(cache, "sharedbarrier")); err != nil || len(left) > 0 {
			t.Errorf("%q: left in the cache: %v (%v)", args, left, err)
		}
	}
}
