//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
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
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/spec/reexec"
	"sharedbarrier/stress/leftover"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
	"sharedbarrier/stress/scratch"
)

// TestProc_CleanBadFlags: bad input is one clear line.
func TestProc_CleanBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"clean --shm x":                  "give both names of the barrier: --shm NAME and --lock PATH",
		"clean --lock /tmp/x":            "give both names of the barrier: --shm NAME and --lock PATH",
		"clean --shm none --lock /no/ne": "there is nothing at /dev/shm/none and /no/ne",
		"clean --shm= --lock= --yes":     "give both names of the barrier", // of variables that are empty
		"clean x":                        "unknown command",
	} {
		wantUsageError(t, want, strings.Fields(args)...)
	}
}

// inOwnFolders runs the test again, alone, in a mount namespace where /dev/shm
// and /tmp are its own: there, what clean finds can be compared with all there
// is. It returns true in that namespace.
func inOwnFolders(t *testing.T) bool {
	t.Helper()
	const variable = "STRESS_TEST_OWN_FOLDERS"
	if os.Getenv(variable) != "" {
		return true
	}
	dir := t.TempDir()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	program := filepath.Join(dir, "stress.test") // its own path may be hidden
	file, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o700)
	if err == nil {
		_, err = io.Copy(file, self)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs none /dev/shm && mount --bind "$0" /tmp && exec /tmp/stress.test "$@"`
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script, dir,
		"-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout="+flag.Lookup("test.timeout").Value.String(), fmt.Sprintf("-test.short=%v", testing.Short()),
		"-kills", strconv.Itoa(*kills), "-kills-seed", strconv.FormatUint(*killsSeed, 10), "-update="+flag.Lookup("update").Value.String())
	cmd.Env = append(os.Environ(), variable+"=1", "TMPDIR=/tmp")
	reexec.InMountNamespace(cmd)
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.ProcessState == nil && reexec.NoNamespace(err), strings.Contains(string(out), "mount: "):
		t.Skipf("no mount namespace of its own: %v %s", err, out)
	case strings.Contains(string(out), "--- SKIP: "+t.Name()):
		t.Skipf("%s", out)
	case err != nil, !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("%v\n%s", err, out)
	default:
		t.Logf("%s", out)
	}
	return false
}

// cleaned are the commands of TestProc_Clean, which kills them.
var cleaned = []victim{
	victims[0], // workers
	{"stress", []string{"--port", "go=2", "--port", "python", "--for", "1h", "--stall", "5m"}, 500 * time.Millisecond},
	{"stress", []string{"--procs", "3", "--fault", "stop:any:20ms:5%", "--fault", "busy:1", "--fault", "eintr", "--fault", "give-up:5%", "--for", "1h", "--stall", "5m"}, 300 * time.Millisecond},
	{"stress", []string{"lockstep", "--random", "--steps", "1000000000"}, 150 * time.Millisecond},
	{"stress", []string{"conformance", "--port", "go"}, 5 * time.Second},
	{"stress", []string{"lockstep", "--port", "c"}, time.Second}, // compiles it
	{"stress", []string{"--port", "go@construct=3", "--for", "1h", "--stall", "5m"}, 200 * time.Millisecond},
	{"stress", []string{"--scenario", "all", "--for", "1h"}, 5 * time.Second},
}

// TestProc_Clean kills commands, some of their processes, or all of these, at
// any moment, by SIGKILL. Then stress clean finds all that is there, which the
// test lists itself, and no more; with --yes it removes that. It says of each
// barrier that lives beside it that it lives, and never touches it.
func TestProc_Clean(t *testing.T) {
	if !inOwnFolders(t) {
		return
	}
	t.Chdir("/") // the present folder may be hidden, which wrappers of Python do not bear
	porttest.Need(t, "python", "c")
	runs := *kills
	switch {
	case runs > 0:
	case testing.Short():
		runs = 2
	default:
		runs = 4
	}
	live := liveBarriers(t)
	random := rand.New(rand.NewPCG(*killsSeed, 3))
	t.Logf("-kills-seed %d", *killsSeed)
	found, kills := map[string]int{}, map[string]int{}
	for run := range runs {
		v := cleaned[run%len(cleaned)]
		x := &execution{victim: v, tmp: os.TempDir(), delay: time.Duration(random.Int64N(int64(v.within)))}
		whom := []string{"the runner", "some workers, then the runner", "some", "all"}[random.IntN(4)]
		what := fmt.Sprintf("run %d: %s, SIGKILL to %s after %v", run, strings.Join(v.args, " "), whom, x.delay)
		x.kill(t, random, whom, what)
		kills[whom]++
		for _, kind := range x.checkClean(t, live, what) {
			found[kind]++
		}
	}
	t.Logf("killed %v; found and removed %v", kills, found)
	if len(found) == 0 && runs >= len(cleaned) {
		t.Error("the kills have left nothing to find")
	}
	for _, l := range live {
		l.check(t, "after all runs")
		l.goesOn()
	}
}

// kill starts the command, kills whom it is told, and waits until no process is
// left.
func (x *execution) kill(t *testing.T, random *rand.Rand, whom, what string) {
	t.Helper()
	x.command, _ = x.prepare(t, nil)
	if err := x.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(x.delay) // any moment will do
	family := procgroup.Family(x.Process.Pid)
	workers := slices.DeleteFunc(slices.Clone(family[1:]), func(int) bool { return random.IntN(2) == 0 })
	order := map[string][]int{
		"the runner":                    family[:1],
		"some workers, then the runner": append(workers, family[0]),
		"some":                          workers,
		"all":                           family,
	}[whom]
	for _, pid := range order {
		syscall.Kill(pid, syscall.SIGKILL) // fails if the process is gone
	}
	if whom == "some" {
		syscall.Kill(x.Process.Pid, syscall.SIGTERM) // it may go on without them
	}
	x.exitCode(t)
	x.awaitNoProcess(t, what, family...)
}

// checkClean checks what stress clean finds, and what it leaves. It returns the
// kinds of what it has removed.
func (x *execution) checkClean(t *testing.T, live []*liveBarrier, what string) (kinds []string) {
	t.Helper()
	var alive []string
	for _, l := range live {
		alive = append(alive, l.paths...)
	}
	for _, args := range [][]string{nil, {"--yes"}} {
		there := x.all(t)
		r := cleanReport(t, spec.ExitOK, append([]string{"XDG_CACHE_HOME=" + filepath.Dir(x.cache)}, "TMPDIR="+x.dir), args...)
		if got := r.allPaths(); !slices.Equal(got, there) {
			t.Errorf("%s: clean %v finds %v\nand there is %v\n%+v", what, args, got, there, r.Leftovers)
		}
		for _, l := range r.Leftovers {
			lives := slices.ContainsFunc(l.Paths, func(path string) bool { return slices.Contains(alive, path) })
			want := map[bool]leftover.Verdict{true: leftover.Live, false: leftover.Dead}[lives]
			if want == leftover.Dead && args != nil {
				want = leftover.Removed
				kinds = append(kinds, string(l.Kind))
			}
			if l.Verdict != want {
				t.Errorf("%s: clean %v: %v: %s (%s), want %s", what, args, l.Paths, l.Verdict, l.Why, want)
			}
		}
		for _, l := range live {
			l.check(t, what)
		}
	}
	if left := x.all(t); !slices.Equal(left, sorted(alive)) {
		t.Errorf("%s: clean --yes leaves %v, want %v", what, left, sorted(alive))
	}
	return kinds
}

// all lists what is there: in /dev/shm everything, in /tmp everything that is
// not of this test, and in the cache what is in the making.
func (x *execution) all(t *testing.T) (list []string) {
	t.Helper()
	for folder, patterns := range map[string][]string{"/dev/shm": {"*", ".*"}, x.dir: {"sharedbarrier-*", "*_filelock*"}, x.cache: {".making-*"}} {
		for _, pattern := range patterns {
			paths, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, paths...)
		}
	}
	return sorted(list)
}

// TestProc_CleanDeadJob: two processes of the original make a barrier, wait at
// it, and are killed. Clean removes the segment and the lock file that they
// leave. The control is the barrier while one of them lives.
func TestProc_CleanDeadJob(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Python twice: seconds")
	}
	if !inOwnFolders(t) {
		return
	}
	t.Chdir("/") // as in TestProc_Clean
	porttest.Need(t, "python")
	segment, lock := jobNames(0)
	var ports []*port.Port
	for range 2 {
		p, err := registry.Start(t.Context(), "python")
		if err == nil {
			err = p.Open(segment, lock) // the first one makes the segment
		}
		if err != nil {
			t.Fatal(err)
		}
		defer p.Kill()
		ports = append(ports, p)
	}
	for _, p := range ports { // after both constructors, which write the words
		if err := p.Send("call 3"); err != nil {
			t.Fatal(err)
		}
	}
	b, err := impl.Attach(t.Context(), segment, lock)
	if err != nil {
		t.Fatal(err)
	}
	awaitWords(t, b, spec.Words{Enter: 2, Exit: 3, Flag: spec.Down})
	b.Close()
	files := []string{filepath.Join("/dev/shm", segment), lock}
	clean := func(want leftover.Verdict, left int) {
		t.Helper()
		old := time.Now().Add(-time.Hour)
		for _, path := range files {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
		r := cleanReport(t, spec.ExitOK, []string{"TMPDIR=/tmp"}, "--yes")
		if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != want || !slices.Equal(r.allPaths(), files) || r.Leftovers[0].Words == nil || r.Leftovers[0].Words.Enter != 2 {
			t.Errorf("clean finds %+v, want one barrier with its two files, and %s", r.Leftovers, want)
		}
		for _, path := range files {
			if inodeOf(t, path) != 0 {
				left--
			}
		}
		if left != 0 {
			t.Errorf("%s: %d files too many are gone", want, left)
		}
	}
	for i, p := range ports {
		signal(t, -p.PID(), syscall.SIGKILL) // its group: the resource_tracker of the first one would remove the segment
		p.Kill()
		if i == 0 {
			clean(leftover.Live, 2)
		} else {
			clean(leftover.Removed, 0)
		}
	}
}

// TestProc_CleanStray: a run is dead, and a process that it has left has the
// segment. Clean says which it is, and leaves the files.
func TestProc_CleanStray(t *testing.T) {
	if !inOwnFolders(t) {
		return
	}
	c := newCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stray, err := os.Open(killAll(t, c))
	if err != nil {
		t.Fatal(err)
	}
	environment := []string{"TMPDIR=" + c.dir}
	r := cleanReport(t, spec.ExitOK, environment, "--yes")
	if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != leftover.Live || len(r.Leftovers[0].Paths) != 3 {
		t.Fatalf("clean finds %+v, want one run that lives, with its mark, segment and directory", r.Leftovers)
	}
	if uses := r.Leftovers[0].Processes; len(uses) != 1 || uses[0].PID != os.Getpid() || !slices.Equal(uses[0].Has, []string{"open"}) {
		t.Errorf("the processes are %+v, want this one, %d, which has the segment open", uses, os.Getpid())
	}
	stray.Close()
	r = cleanReport(t, spec.ExitOK, environment, "--yes")
	if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != leftover.Removed {
		t.Errorf("the control, without the process: %+v, want one run, which is removed", r.Leftovers)
	}
	c.checkNothingLeft(t)
}

// TestGolden_Clean shows that the output in README.md has the lines of a real
// one, of a run that was killed, a dead job, and one that lives.
func TestGolden_Clean(t *testing.T) {
	if !inOwnFolders(t) {
		return
	}
	c := newCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m")
	c.Env = append(c.Env, "TMPDIR=/tmp")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	killAll(t, c)
	for i, words := range []string{initialWords(t), ""} {
		segment, lock := jobNames(i)
		path := filepath.Join("/dev/shm", segment)
		if words == "" {
			b, err := impl.Create(segment, lock)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			continue
		}
		old := time.Now().Add(-3 * time.Hour)
		if err := errors.Join(os.WriteFile(path, []byte(words), 0o600), os.WriteFile(lock, nil, 0o600), os.Chtimes(path, old, old), os.Chtimes(lock, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	run := newCommand(t, "clean")
	run.Env = append(run.Env, "TMPDIR=/tmp")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if code := run.exitCode(t); code != spec.ExitOK || run.err.Len() > 0 {
		t.Fatalf("exit code %d, stderr %q; want 0, nothing", code, run.err.String())
	}
	out := regexp.MustCompile(`(?m)^Not seen: .*\n`).ReplaceAllString(run.out.String(), "") // it is of this machine
	want := "```console\n$ go run ./stress clean\n" + out + "```\n"
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(page), "<!-- output:clean -->\n")
	got, _, _ = strings.Cut(got, "<!-- /output:clean -->")
	if cleanShape(got) == cleanShape(want) {
		want = got
	}
	golden.Part(t, "README.md", "output", "clean", want)
}

// cleanShape returns the text without what differs from run to run: numbers,
// the width of columns, and the units of ages.
func cleanShape(text string) string {
	text = regexp.MustCompile(`[0-9a-f]{16}`).ReplaceAllString(strings.ReplaceAll(text, "exit=-1", "exit=2"), "0")
	return spaces.ReplaceAllString(regexp.MustCompile(`\d+[smhd] `).ReplaceAllString(shape(text), "0s "), " ")
}

// killAll kills the command and its workers, so that none cleans up.
func killAll(t *testing.T, c *command) (segment string) {
	t.Helper()
	workers, segment := c.awaitWorkers(t, 2)
	stop(t, c.Process.Pid) // else it cleans up when the workers die
	for _, pid := range append(workers, c.Process.Pid) {
		signal(t, pid, syscall.SIGKILL)
	}
	c.exitCode(t)
	for _, pid := range workers {
		for !isGone(pid) {
			runtime.Gosched()
		}
	}
	return segment
}

// TestProc_CleanElsewhere: in a PID namespace of its own, clean sees no process
// outside of it. The kernel still counts them.
func TestProc_CleanElsewhere(t *testing.T) {
	files, err := scratch.Make("", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	segment, lock := files.Segment, filepath.Join(files.Dir, "lock")
	b, err := impl.Create(segment, lock)
	if err != nil {
		t.Fatal(err)
	}
	run := func(code int) cleaning {
		t.Helper()
		c := newCommand(t, "clean", "--json", "--yes", "--shm", segment, "--lock", lock)
		c.inNamespace("mount -t proc proc /proc", unix.CLONE_NEWPID)
		if err := c.Start(); reexec.NoNamespace(err) {
			t.Skip("no PID namespace of its own: ", err)
		} else if err != nil {
			t.Fatal(err)
		}
		return readCleaning(t, c, code)
	}
	r := run(spec.ExitUnfinished)
	if len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != leftover.Live || len(r.Leftovers[0].Processes) > 0 || !strings.Contains(r.Leftovers[0].Why, "cannot be seen from here") {
		t.Errorf("clean finds %+v, want a barrier that lives, by processes that it does not see", r.Leftovers)
	}
	if limits := strings.Join(r.Limits, "; "); !strings.Contains(limits, "outside of this PID namespace") || !strings.Contains(limits, "on the host") {
		t.Errorf("the limits are %q, want the processes outside, and what to do", limits)
	}
	if w, err := b.Words(); w != spec.Initial || err != nil || inodeOf(t, lock) == 0 {
		t.Errorf("afterwards: %v, %v, lock file %d", w, err, inodeOf(t, lock))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if r := run(spec.ExitOK); len(r.Leftovers) != 1 || r.Leftovers[0].Verdict != leftover.Removed {
		t.Errorf("the control, which no process has: %+v, want that it is removed", r.Leftovers)
	}
}

// A cleaning is the report of stress clean.
type cleaning struct{ leftover.Report }

func (r *cleaning) allPaths() (list []string) {
	for _, l := range r.Leftovers {
		list = append(list, l.Paths...)
	}
	return sorted(list)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// cleanReport runs stress clean --json and returns what it prints.
func cleanReport(t *testing.T, code int, environment []string, args ...string) (r cleaning) {
	t.Helper()
	c := newCommand(t, append([]string{"clean", "--json"}, args...)...)
	c.Env = append(c.Env, environment...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return readCleaning(t, c, code)
}

func readCleaning(t *testing.T, c *command, code int) (r cleaning) {
	t.Helper()
	got := c.exitCode(t)
	decoder := json.NewDecoder(&c.out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || got != code || c.err.Len() > 0 {
		t.Fatalf("stress %q: exit code %d (%v), stderr %s; want %d, and a report", c.Args[1:], got, err, c.err.String(), code)
	}
	return r
}

// A liveBarrier is one that lives beside what is cleaned, with files that must
// stay as they are.
type liveBarrier struct {
	name   string
	paths  []string
	files  map[string]string // what each path names, and, unless the barrier moves, has
	moves  bool
	goesOn func() // checks that its parties go on, and ends them
}

// check checks that the files are those that they were, and have the same
// words.
func (l *liveBarrier) check(t *testing.T, when string) {
	t.Helper()
	for path, want := range l.files {
		if got := l.file(t, path); got != want {
			t.Errorf("%s: %s: %s is file %s, want %s", when, l.name, path, got, want)
		}
	}
}

// file identifies what the path names.
func (l *liveBarrier) file(t *testing.T, path string) string {
	t.Helper()
	text := fmt.Sprint(inodeOf(t, path))
	if !l.moves {
		content, err := os.ReadFile(path)
		text += fmt.Sprintf(" with %x, %v", content, err)
	}
	return text
}

// inodeOf returns the number of a file; 0: there is none.
func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// liveBarriers starts what lives: in each, something else shows that it does.
func liveBarriers(t *testing.T) (list []*liveBarrier) {
	t.Helper()
	add := func(name string, moves bool, goesOn func(), paths ...string) {
		l := &liveBarrier{name, paths, map[string]string{}, moves, goesOn}
		for _, path := range paths {
			l.files[path] = l.file(t, path)
		}
		list = append(list, l)
	}
	name, paths, goesOn := liveRun(t)
	add(name, true, goesOn, paths...)
	for i, name := range []string{"python", "c"} {
		segment, lock := jobNames(i)
		b, err := impl.Create(segment, lock)
		if err != nil {
			t.Fatal(err)
		}
		goesOn := portsAt(t, name, segment, lock)
		awaitWords(t, b, spec.Words{Enter: 1, Exit: 2, Flag: spec.Down})
		b.Close()
		add("ports "+name, false, goesOn, filepath.Join("/dev/shm", segment), lock)
	}
	for i, hold := range []func(*testing.T, *os.File) (name string, end func()){
		heldOpen, heldUnlinked, heldByOtherUser, heldInOtherNamespace, heldInFlight,
	} {
		segment, lock := jobNames(10 + i)
		path := filepath.Join("/dev/shm", segment)
		err := errors.Join(os.WriteFile(path, []byte(initialWords(t)), 0o600), os.WriteFile(lock, nil, 0o600))
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		name, end := hold(t, file)
		paths := []string{path, lock}
		if inodeOf(t, path) == 0 {
			paths = paths[1:]
		}
		for _, path := range paths {
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
		add(name, false, end, paths...)
	}
	return list
}

// jobNames returns names as MosaicML Streaming gives them.
func jobNames(number int) (segment, lock string) {
	segment = fmt.Sprintf("%06d_barrier", number)
	return segment, filepath.Join(os.TempDir(), segment+"_filelock")
}

// liveRun starts a run of stress.
func liveRun(t *testing.T) (name string, paths []string, goesOn func()) {
	t.Helper()
	c := newCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m")
	c.Env = append(c.Env, "TMPDIR="+os.TempDir())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.awaitRounds(t, 2)
	paths = c.files(t)
	dirs, err := filepath.Glob(fmt.Sprintf("%s/sharedbarrier-stress-%d-*", os.TempDir(), c.Process.Pid))
	if err != nil || len(dirs) != 1 || len(paths) != 2 {
		t.Fatalf("the run has %v and %v (%v), want a mark and a segment, and a directory", paths, dirs, err)
	}
	return "a run", append(paths, dirs...), func() {
		segment := paths[slices.IndexFunc(paths, func(path string) bool { return strings.HasSuffix(path, ".segment") })]
		before, _ := os.ReadFile(segment)
		c.await(t, "another step", func() bool {
			now, err := os.ReadFile(segment)
			return err == nil && string(now) != string(before)
		})
		signal(t, c.Process.Pid, syscall.SIGINT)
		if code := c.exitCode(t); code != spec.ExitInterrupted || c.err.Len() > 0 {
			t.Errorf("the run that went on: exit code %d, stderr %q; want %d, nothing", code, c.err.String(), spec.ExitInterrupted)
		}
	}
}

// portsAt has one port wait at a barrier for two. They complete the round, and
// another one, in the end.
func portsAt(t *testing.T, name, segment, lock string) (goesOn func()) {
	t.Helper()
	var ports []*port.Port
	for range 2 {
		p, err := registry.Start(t.Context(), name)
		if err == nil {
			err = p.Open(segment, lock)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		ports = append(ports, p)
	}
	call := func(p *port.Port) {
		if err := p.Send("call 2"); err != nil {
			t.Fatal(err)
		}
	}
	call(ports[0])
	return func() {
		call(ports[1])
		for range 2 {
			for _, p := range ports {
				if answer, err := p.Receive(); answer != port.Returned || err != nil {
					t.Errorf("ports %s, a call: %q, %v", name, answer, err)
				}
			}
			call(ports[0])
			call(ports[1])
		}
	}
}

// heldOpen: a process has the segment open, as its maker before it maps it.
func heldOpen(t *testing.T, file *os.File) (name string, end func()) {
	return "open and not mapped", func() { file.Close() }
}

// heldUnlinked: a process has the segment mapped, whose name is gone. The lock
// file lives.
func heldUnlinked(t *testing.T, file *os.File) (name string, end func()) {
	t.Helper()
	defer file.Close()
	memory, err := unix.Mmap(int(file.Fd()), 0, spec.Size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err == nil {
		err = os.Remove(file.Name())
	}
	if err != nil {
		t.Fatal(err)
	}
	return "mapped and unlinked", func() { unix.Munmap(memory) }
}

// heldInFlight: a descriptor of the segment is in a socket.
func heldInFlight(t *testing.T, file *os.File) (name string, end func()) {
	t.Helper()
	defer file.Close()
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Sendmsg(sockets[0], []byte{0}, unix.UnixRights(int(file.Fd())), nil, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "in flight", func() { unix.Close(sockets[0]); unix.Close(sockets[1]) }
}

// heldByOtherUser: a process of another user has the segment open.
func heldByOtherUser(t *testing.T, file *os.File) (name string, end func()) {
	return "of another user", heldBy(t, file, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}})
}

// heldInOtherNamespace: a process in another PID namespace has the segment open.
func heldInOtherNamespace(t *testing.T, file *os.File) (name string, end func()) {
	return "in another PID namespace", heldBy(t, file, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID})
}

// heldBy gives a child the file. Where this user may start no such child, this
// process keeps it.
func heldBy(t *testing.T, file *os.File, how *syscall.SysProcAttr) (end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cat")
	cmd.SysProcAttr, cmd.ExtraFiles = how, []*os.File{file}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	switch err := cmd.Start(); {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL):
		t.Logf("left out: %v: %+v", err, how)
		return func() { file.Close() }
	case err != nil:
		t.Fatal(err)
	}
	file.Close()
	return func() { stdin.Close(); cmd.Wait() }
}
