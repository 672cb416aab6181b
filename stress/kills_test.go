//go:build linux

package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/model/cli/workdir"
	"sharedbarrier/spec"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/leftover"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/scratch"
)

// kills is the number of runs of TestProc_Kills and of TestProc_Clean. More of
// them, by hand:
//
//	go test ./stress -run 'TestProc_Kills|TestProc_Clean' -v -timeout 0 -kills 500
var (
	kills     = flag.Int("kills", 0, "runs of TestProc_Kills and of TestProc_Clean (0: a few)")
	killsSeed = flag.Uint64("kills-seed", 1, "seed of these runs")
)

// A victim is a command that TestProc_Kills kills, at any time up to a limit.
type victim struct {
	program string // stress, a package to build, or go run
	args    []string
	within  time.Duration
}

// ends reports whether the command may end before it is killed.
func (v victim) ends() bool {
	return !slices.ContainsFunc(v.args, func(arg string) bool { return slices.Contains([]string{"1h", "1000000", "1000000000"}, arg) })
}

// FILE stands for a file that the user names.
const namedFile = "FILE"

var victims = []victim{
	{"stress", []string{"--procs", "3", "--for", "1h", "--stall", "5m"}, 150 * time.Millisecond},
	{"stress", []string{"--port", "go@construct=3", "--for", "1h", "--stall", "5m"}, 200 * time.Millisecond}, // makes a segment that is not there
	{"stress", []string{"lockstep", "--random", "--steps", "1000000000"}, 150 * time.Millisecond},
	{"stress", []string{"lockstep", "--hazards"}, 500 * time.Millisecond},
	{"stress", []string{"conformance", "--port", "go"}, 5 * time.Second},
	{"stress", []string{"bench", "--contender", "plain,multiprocessing,original", "--parties", "4", "--for", "100ms", "--repeat", "1000000"}, 3 * time.Second},
	{"stress", []string{"lockstep", "--port", "c"}, time.Second}, // compiles it
	{"./model/check", []string{"--procs", "4", "--graph-json", namedFile}, 500 * time.Millisecond},
	{"./model/check", []string{"--scenario", "withdraw", "--procs", "6"}, 500 * time.Millisecond},
	{"./model/prove", nil, time.Second},
	{"./model/bench", []string{"--procs", "4", "--runs", "1000000"}, 2 * time.Second},
	{"./tla/check", []string{"single-n1-safety", "withdraw-n6-safety", "--record", namedFile}, 3 * time.Second},
	{"./tla/check", []string{"withdraw-n6-safety", "--distributed", "2"}, 3 * time.Second},
	{"go run", []string{"./stress", "--procs", "3", "--for", "1h", "--stall", "5m"}, 3 * time.Second},
	{"go run", []string{"./model/prove"}, 3 * time.Second},
}

var deadly = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGKILL}

// TestProc_Kills kills each command, a child of it, all of these, or its
// process group as a terminal does, with each signal that can end it, at any
// moment. No process is left. After a signal that the command catches no file
// is left either; after kill -9 there are those that README.md names, until the
// next start. A file that the user has named is as it was, or complete.
func TestProc_Kills(t *testing.T) {
	runs := *kills
	list := victims
	switch {
	case testing.Short():
		list = victims[:3]
		runs = max(runs, 6)
	case runs == 0:
		runs = len(list)
	}
	for _, s := range deadly[:len(deadly)-1] { // a command must not ignore one because the test does, after nohup or &
		ossignal.Notify(make(chan os.Signal, 1), s)
		defer ossignal.Reset(s)
	}
	t.Logf("-kills-seed %d", *killsSeed)
	random := rand.New(rand.NewPCG(*killsSeed, 2))
	b := &builder{t.TempDir(), map[string]string{}}
	count, left := map[string]int{}, map[string]int{}
	for run := range runs {
		v := list[run%len(list)]
		s, target := deadly[random.IntN(len(deadly))], []string{"command", "command", "child", "all", "group"}[random.IntN(5)]
		if v.program == "go run" && s == syscall.SIGABRT { // it ends go run with a core
			s = syscall.SIGTERM
		}
		if v.program == "go run" && target == "command" && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
			target = "group" // go run ignores them: a terminal sends them to all
		}
		x := execution{victim: v, signal: s, target: target, delay: time.Duration(random.Int64N(int64(v.within)))}
		what := fmt.Sprintf("run %d: %s %s, %v to %s after %v", run, v.program, strings.Join(v.args, " "), s, target, x.delay)
		after, ok := x.run(t, b, what)
		if !ok {
			continue
		}
		count[fmt.Sprintf("%s %s, %v", v.program, strings.Join(v.args[:min(1, len(v.args))], ""), s)]++
		for _, kind := range after {
			left[kind]++
		}
	}
	for _, key := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%4d of %s", count[key], key)
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		t.Logf("%4d left by kill -9 until the next start: %s", left[key], key)
	}
}

// An execution is a victim that is killed once.
type execution struct {
	victim
	signal syscall.Signal
	target string
	delay  time.Duration

	tmp string // TMPDIR of the command; empty: a directory of its own

	*command
	file, cache, marker string
}

// old is what the file that the user names has before.
const old = "what the user had\n"

// run kills the command once, and checks what is left. It returns the kinds of
// what kill -9 has left for the next start; ok is false if a tool is missing.
func (x *execution) run(t *testing.T, b *builder, what string) (left []string, ok bool) {
	t.Helper()
	if x.command, ok = x.prepare(t, b); !ok {
		return nil, false
	}
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(x.delay) // any moment will do
	ended := porttest.HasEnded(t, x.Process)
	family := procgroup.Family(x.Process.Pid)
	for _, pid := range x.pids() {
		syscall.Kill(pid, x.signal) // fails if the process is gone
	}
	if x.target == "child" && !ended {
		syscall.Kill(x.Process.Pid, syscall.SIGTERM) // it may go on without the child
	}
	code := x.exitCode(t)
	x.awaitNoProcess(t, what, family...)
	files := x.left(t)
	killed := x.signal == syscall.SIGKILL && x.target != "child"
	if len(files) > 0 && !killed {
		t.Errorf("%s: left behind: %v", what, files)
	}
	for _, f := range files {
		kind := kindOf(f)
		if left = append(left, kind); kind == "" {
			t.Errorf("%s: left behind: %s, which README.md does not name", what, f)
		}
	}
	x.checkFound(t, files, what)
	began, stays := time.Now(), x.nextStart(t)
	for len(stays) > 0 && time.Since(began) < 5*time.Minute { // another process may be sweeping the same run
		stays = x.nextStart(t)
	}
	if len(stays) > 0 {
		t.Errorf("%s: left behind after the next start: %s", what, stays)
	}
	x.checkNamedFile(t, what)
	if said := x.err.String(); strings.Contains(said, "panic: ") || strings.Contains(said, "fatal error: ") {
		t.Errorf("%s: %s", what, said)
	}
	done := code == spec.ExitOK && x.ends() // just before the signal
	if want := x.codes(); !ended && !done && !slices.Contains(want, code) {
		t.Errorf("%s: exit code %d, want one of %v\n%s%s", what, code, want, x.out.String(), x.err.String())
	}
	return left, true
}

// nextStart removes what the next start does, and lists what stays.
func (x *execution) nextStart(t *testing.T) []string {
	t.Helper()
	scratch.Sweep()
	workdir.Sweep(x.dir, "sharedbarrier-tlc-")
	workdir.Sweep(x.dir, "sharedbarrier-bench-")
	workdir.Sweep(x.cache, ".making-")
	return slices.DeleteFunc(x.left(t), func(f string) bool { return kindOf(f) == ofNamedFile })
}

// prepare returns the command, which has a directory, a marker in its
// environment, and a cache of its own if it compiles.
func (x *execution) prepare(t *testing.T, b *builder) (c *command, ok bool) {
	t.Helper()
	dir := t.TempDir()
	x.file = filepath.Join(dir, "named", namedFile)
	x.cache = filepath.Join(dir, "cache", "sharedbarrier")
	c = &command{dir: cmp.Or(x.tmp, filepath.Join(dir, "tmp"))}
	for _, path := range []string{c.dir, filepath.Dir(x.file)} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(x.file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	args := slices.Clone(x.args)
	for i, arg := range args {
		if arg == namedFile {
			args[i] = x.file
		}
	}
	switch x.program {
	case "stress":
		c.Cmd = reexec.Command(t.Context(), "stress", args...)
	case "go run":
		c.Cmd = exec.CommandContext(t.Context(), "go", append([]string{"run", "-buildvcs=false"}, args...)...)
	default:
		built, ok := b.build(t, x.program)
		if !ok {
			return nil, false
		}
		c.Cmd = exec.CommandContext(t.Context(), built, args...)
	}
	if c.Env == nil {
		c.Env = os.Environ()
	}
	if x.program != "stress" {
		c.Dir = ".."
	}
	x.marker = fmt.Sprintf("STRESS_TEST_KILLED=%d.%x", os.Getpid(), rand.Uint64())
	c.Env = append(c.Env, x.marker, "TMPDIR="+c.dir)
	if slices.Contains(args, "c") {
		c.Env = append(c.Env, "XDG_CACHE_HOME="+filepath.Dir(x.cache))
	}
	c.Stdout, c.Stderr = &c.out, &c.err
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c, true
}

// pids are the processes to kill.
func (x *execution) pids() []int {
	pid, children := x.Process.Pid, procgroup.Children(x.Process.Pid)
	switch x.target {
	case "child":
		return children[:min(1, len(children))]
	case "all":
		return append(children, pid)
	case "group":
		return []int{-pid}
	}
	return []int{pid}
}

// awaitNoProcess waits until no process has the marker any more, and those and
// the given ones have ended: the kernel, the guard, and what looks for the end
// of go run take a moment.
func (x *execution) awaitNoProcess(t *testing.T, what string, pids ...int) {
	t.Helper()
	live := map[int]string{}
	for _, pid := range pids {
		live[pid] = "of the command"
	}
	for began := time.Now(); ; runtime.Gosched() {
		maps.Copy(live, x.processes())
		maps.DeleteFunc(live, func(pid int, _ string) bool { return isGone(pid) })
		switch {
		case len(live) == 0:
			return
		case time.Since(began) > 5*time.Minute: // for good
			t.Errorf("%s: processes go on: %v", what, live)
			for pid := range x.processes() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			return
		}
	}
}

// isGone reports whether the process has ended with all its threads. Before
// that it may have files open, though its memory, and with it the marker, is
// gone.
func isGone(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return true
	}
	stat, err := p.Stat()
	return err != nil || stat.State == "Z" && stat.NumThreads <= 1 || stat.State == "X"
}

// processes are those with the marker, with their arguments.
func (x *execution) processes() map[int]string {
	list := map[int]string{}
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environment, _ := os.ReadFile(path) // fails if it is gone
		if bytes.Contains(environment, []byte(x.marker)) {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			args, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			list[pid] = strings.ReplaceAll(string(args), "\x00", " ")
		}
	}
	return list
}

// left lists what the command has in /dev/shm, in TMPDIR, in the cache, and
// beside the named file. What go itself leaves in TMPDIR when it is killed is
// not of this project.
func (x *execution) left(t *testing.T) (files []string) {
	t.Helper()
	files = x.files(t)
	marks, err := filepath.Glob("/dev/shm/sharedbarrier-*.mark")
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range marks {
		if dir, _ := os.ReadFile(mark); strings.HasPrefix(string(dir), x.dir+"/") { // fails if it is gone
			files = append(files, mark)
		}
	}
	for _, dir := range []string{x.dir, filepath.Dir(x.file), x.cache} {
		entries, _ := os.ReadDir(dir) // none: no cache
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			switch {
			case path == x.file, strings.HasPrefix(e.Name(), "port-"):
			case x.program == "go run" && strings.HasPrefix(e.Name(), "go-build"):
			default:
				files = append(files, path)
			}
		}
	}
	return files
}

// checkFound checks that stress clean finds the files, and that they are dead.
// The next start of another test may have removed them already, or does so just
// then: while it has claimed them, they are not dead.
func (x *execution) checkFound(t *testing.T, files []string, what string) {
	t.Helper()
	t.Setenv("TMPDIR", x.dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Dir(x.cache))
	files = slices.DeleteFunc(slices.Clone(files), func(f string) bool { return kindOf(f) == ofNamedFile })
	if len(files) == 0 {
		return
	}
	isOurs := func(path string) bool { return slices.Contains(files, path) } // other tests may need theirs
	for began := time.Now(); ; runtime.Gosched() {
		r, err := leftover.Clean(t.Context(), leftover.Options{Only: isOurs})
		if err != nil {
			t.Fatal(err)
		}
		var wrong []string
		for _, f := range files {
			i := slices.IndexFunc(r.Leftovers, func(l leftover.Leftover) bool { return slices.Contains(l.Paths, f) })
			switch _, err := os.Lstat(f); {
			case err != nil:
			case i < 0:
				wrong = append(wrong, fmt.Sprintf("clean does not find %s", f))
			case r.Leftovers[i].Verdict != leftover.Dead:
				wrong = append(wrong, fmt.Sprintf("clean says of %s: %s (%s), want dead", f, r.Leftovers[i].Verdict, r.Leftovers[i].Why))
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Since(began) > 5*time.Minute {
			t.Errorf("%s: %s", what, strings.Join(wrong, "; "))
			return
		}
	}
}

// kindOf returns the kind of a file that kill -9 may leave, as README.md names
// it; empty: none.
func kindOf(path string) string {
	for kind, pattern := range map[string]string{
		"/dev/shm/sharedbarrier-*": `^/dev/shm/sharedbarrier-`,
		"$TMPDIR/sharedbarrier-*":  `/tmp/sharedbarrier-[^/]*$`,
		".making-*":                `/cache/sharedbarrier/\.making-[0-9a-f]{16}$`,
		ofNamedFile:                `/named/` + namedFile + `\.[0-9a-f]{16}$`,
	} {
		if regexp.MustCompile(pattern).MatchString(path) {
			return kind
		}
	}
	return ""
}

const ofNamedFile = "FILE.*"

// checkNamedFile checks that the file is as it was, or complete.
func (x *execution) checkNamedFile(t *testing.T, what string) {
	t.Helper()
	text, err := os.ReadFile(x.file)
	if err != nil {
		t.Errorf("%s: the named file: %v", what, err)
	}
	if string(text) != old && !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("%s: the named file is neither as it was nor complete: it ends with %q", what, text[max(0, len(text)-100):])
	}
}

// codes are the exit codes that the command may have. A signal may come before
// the program can catch it, or before a worker has begun. What a child is
// killed for is any failure.
func (x *execution) codes() []int {
	switch {
	case x.program == "go run":
		return []int{-1, 1, spec.ExitUsage}
	case x.target == "child", x.target == "all" && x.signal != syscall.SIGKILL: // the child may die first
		return []int{-1, spec.ExitUsage, spec.ExitHang, spec.ExitSafety, spec.ExitInterrupted}
	case x.signal == syscall.SIGKILL:
		return []int{-1}
	case x.signal == syscall.SIGQUIT, x.signal == syscall.SIGABRT:
		return []int{-1, spec.ExitUsage, spec.ExitInterrupted}
	}
	return []int{-1, spec.ExitInterrupted}
}

// builder builds commands of the project.
type builder struct {
	dir   string
	built map[string]string // by package; empty: a tool is missing
}

// build returns the path of the command. There is none if the command says that
// a tool is missing, unless none may be missing.
func (b *builder) build(t *testing.T, name string) (path string, ok bool) {
	t.Helper()
	if path, known := b.built[name]; known {
		return path, path != ""
	}
	path = filepath.Join(b.dir, fmt.Sprintf("command%d", len(b.built)))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, name)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	if probe := map[string]string{"./tla/check": "--jar", "./model/prove": "--scenario=reuse"}[name]; probe != "" {
		if out, err := exec.CommandContext(t.Context(), path, probe).CombinedOutput(); err != nil {
			if os.Getenv("SHAREDBARRIER_STRICT") == "1" {
				t.Fatalf("%s: %s", name, out)
			}
			t.Logf("left out: %s: %s", name, out)
			path = ""
		}
	}
	b.built[name] = path
	return path, path != ""
}
