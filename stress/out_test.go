//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/report"
)

// breaks is a port that dies in its first call. It needs a file of its working
// directory, and says something on its standard error.
const breaks = `exec:. ./breaks.sh`

// breaksIn makes the file that breaks needs.
func breaksIn(t *testing.T, dir string) {
	t.Helper()
	script := `echo "port 1"; read -r open; echo opened; printf 'a line\nthe disk is \033full' >&2; read -r call; exit 7`
	if err := os.WriteFile(filepath.Join(dir, "breaks.sh"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kept reads report.json of a directory that --out names, and checks it against
// its schema, and that report.html is made from it.
func kept(t *testing.T, dir string) (doc report.Document, text string) {
	t.Helper()
	text = content(t, dir, "report.json")
	schema := golden.Schema(t, "report/report.schema.json")
	if err := schema.Validate(golden.JSON(t, text)); err != nil {
		t.Errorf("report.json: %v", err)
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := doc.HTML(&page); err != nil || content(t, dir, "report.html") != page.String() {
		t.Errorf("report.html is not the page of report.json (%v)", err)
	}
	return doc, text
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A run at a bad port keeps its report, what was said, and a script that
// repeats it from anywhere, in each shell, and with its exit code.
func TestProc_OutKeepsAFailure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	here := t.TempDir()
	breaksIn(t, here)
	dir := filepath.Join(t.TempDir(), "it's new", "out")
	p := newCommand(t, "--port", breaks, "--for", "2m", "--seed", "5", "--json", "--out", dir, "--junit", "junit.xml")
	p.Dir = here
	p.run(t)
	if xml := content(t, here, "junit.xml"); !strings.Contains(xml, `tests="5" failures="1"`) || !strings.Contains(xml, `<testcase name="NoHang" classname="stress">`) {
		t.Errorf("the JUnit file has no failure of NoHang:\n%s", xml)
	}
	doc, text := kept(t, dir)
	if code := p.ProcessState.ExitCode(); code != spec.ExitHang || doc.Verdict != spec.Hang || doc.Runs[0].End != "port-died" || text != p.out.String() {
		t.Errorf("exit code %d, verdict %v, end %q; want %d, hang, port-died; stdout is %s\nwant report.json: %s", code, doc.Verdict, doc.Runs[0].End, spec.ExitHang, p.out.String(), text)
	}
	said := content(t, dir, "log.txt")
	for _, want := range []string{"standard error of the port of worker 0: a line\n", `of worker 0: the disk is \u001bfull` + "\n", "reproduce: " + doc.Command + "\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("log.txt lacks %q:\n%s", want, said)
		}
	}
	if strings.Contains(p.err.String(), "a line") {
		t.Errorf("stderr has what the port has said: %s", p.err.String())
	}
	p.checkNothingLeft(t)

	root, err := report.Repository()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "repro.sh")
	for _, shell := range [][]string{{"bash", script, root}, {"dash", script, root}} {
		again := exec.CommandContext(t.Context(), shell[0], shell[1:]...)
		again.Dir = "/"
		out, err := again.Output()
		if again.ProcessState.ExitCode() != spec.ExitHang || !strings.Contains(string(out), "exit status 7") {
			t.Errorf("%q: %v, want exit code %d and the same death of the port:\n%s", shell, err, spec.ExitHang, out)
		}
	}
	for _, args := range [][]string{nil, {here}, {filepath.Join(here, "none")}} {
		lost := exec.CommandContext(t.Context(), script, args...)
		lost.Dir = "/"
		var exit *exec.ExitError
		if out, err := lost.Output(); !errors.As(err, &exit) || exit.ExitCode() != spec.ExitUsage || !strings.Contains(string(exit.Stderr), "give its path") || len(out) > 0 {
			t.Errorf("repro.sh %q away from the repository: %v, %q, want exit code %d and what to do", args, err, out, spec.ExitUsage)
		}
	}
}

// The command that a failure prints works in the root of the repository, though
// the port was named in another folder. It stands in the script, too.
func TestProc_ReproduceWorksAtTheRoot(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	here := t.TempDir()
	breaksIn(t, here)
	p := newCommand(t, "--port", breaks, "--for", "2m", "--seed", "5")
	p.Dir = here
	p.run(t)
	_, line, _ := strings.Cut(p.err.String(), "reproduce: ")
	root, err := report.Repository()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), "sh", "-c", line)
	again.Dir = root
	if out, err := again.Output(); again.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "exit status 7") { // 1: as go run has it
		t.Errorf("%s: %v, want the same death of the port:\n%s", line, err, out)
	}
}

// A command keeps what it has when it is interrupted; when it is killed, what
// is there says that it has not ended.
func TestProc_OutOfARunThatIsStopped(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		end    string
	}{{syscall.SIGINT, "interrupted"}, {syscall.SIGKILL, "under-way"}} {
		t.Run(c.end, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() // new and empty
			p := startCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m", "--out", dir)
			p.awaitRounds(t, 2)
			if doc, _ := kept(t, dir); doc.Runs[0].End != "under-way" {
				t.Errorf("while it runs, the end is %q, want under-way", doc.Runs[0].End)
			}
			signal(t, p.Process.Pid, c.signal)
			p.exitCode(t)
			doc, _ := kept(t, dir)
			rep := doc.Runs[0]
			if doc.Verdict != spec.Unfinished || rep.End != c.end || rep.Cause == "" || !strings.Contains(rep.Next, doc.Command) || rep.Asked.For != 3600 {
				t.Errorf("verdict %v, %+v; want unfinished, end %q, a cause, and a next action with the command %q", doc.Verdict, rep, c.end, doc.Command)
			}
			if info, err := os.Stat(filepath.Join(dir, "repro.sh")); err != nil || info.Mode().Perm()&0o100 == 0 {
				t.Errorf("repro.sh: %v, %v; want it executable", info, err)
			}
		})
	}
}

// Reports of all kinds fit the schema, are what --json prints, and have a
// command that parses and a JUnit file with a suite for each run.
func TestProc_ReportsFitTheSchema(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		runs int
		end  string // of the first run; empty: any
	}{
		"samples":  {[]string{"--procs", "2", "--for", "1s"}, 1, "completed"},
		"fault":    {[]string{"--procs", "3", "--rounds", "50", "--fault", "kill:one@CountEnter", "--fault", "give-up:20%"}, 1, "misuse"},
		"scenario": {[]string{"--scenario", "surplus", "--rounds", "5"}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(t.TempDir(), "junit.xml")
			p := newCommand(t, append(c.args, "--stall", "5m", "--seed", "3", "--json", "--out", dir, "--junit", file)...)
			p.run(t)
			doc, text := kept(t, dir)
			if text != p.out.String() || len(doc.Runs) != c.runs || c.end != "" && doc.Runs[0].End != c.end {
				t.Errorf("%d runs, the first ends as %q; want %d, %q; stdout is %s\nwant report.json: %s", len(doc.Runs), doc.Runs[0].End, c.runs, c.end, p.out.String(), text)
			}
			if err := parses(t, doc.Command); err != nil {
				t.Errorf("%s: %v", doc.Command, err)
			}
			if xml := content(t, filepath.Dir(file), filepath.Base(file)); strings.Count(xml, "<testsuite ") != c.runs {
				t.Errorf("the JUnit file has not %d suites:\n%s", c.runs, xml)
			}
			p.checkNothingLeft(t)
		})
	}
}

// What a worker writes on its standard error is in the log, and on that of the
// command. The last steps of all workers have a file.
func TestProc_LogHasWhatWorkersSay(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	p := startCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m", "--out", dir)
	signal(t, p.awaitRounds(t, 2)[1], syscall.SIGSEGV) // has the runtime print the goroutines
	p.exitCode(t)
	if steps := content(t, dir, "recorder.txt"); !strings.Contains(steps, spec.CountEnter.String()) {
		t.Errorf("recorder.txt has no steps:\n%s", steps)
	}
	if said := content(t, dir, "log.txt"); !strings.Contains(said, "SIGSEGV") || !strings.Contains(p.err.String(), "SIGSEGV") {
		t.Errorf("log.txt is %q, stderr %q; want SIGSEGV in both", said, p.err.String())
	}
}

// TestHazard_OutReplacesNothing: --out refuses a directory that has files, and
// what is no directory or cannot be one. The run does not take place.
func TestHazard_OutReplacesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "report.json")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:            "has files, such as report.json; name a new directory",
		file:           "not a directory",
		file + "/new":  "not a directory",
		"/proc/1/new":  "--out",
		"/proc/1/fd/0": "--out",
	} {
		wantUsageError(t, want, "--procs", "1", "--rounds", "1", "--out", path)
	}
	wantUsageError(t, "--junit", "--procs", "1", "--rounds", "1", "--junit", filepath.Join(dir, "none", "junit.xml"))
	wantUsageError(t, "is a directory; name a file", "--procs", "1", "--rounds", "1", "--junit", dir)
	if text := content(t, dir, "report.json"); text != "mine" {
		t.Errorf("the file that was there is %q now", text)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("the directory has %v (%v) now, want only the file", list, err)
	}
}

// TestHazard_OutIsFull: the verdict is printed though the directory cannot keep
// it. Without room for the first files the run does not take place.
func TestHazard_OutIsFull(t *testing.T) {
	for size, want := range map[string]struct{ stdout, stderr string }{
		"4k":  {"", "no space left"},
		"64k": {"verdict      passed\n", "is not kept in"},
		"4m":  {"verdict      passed\n", ""}, // report.html has half a megabyte
	} {
		dir := filepath.Join(t.TempDir(), "out")
		p := newCommand(t, "--procs", "1", "--rounds", "1", "--out", dir)
		p.inNamespace("mkdir "+dir+"; mount -t tmpfs -o size="+size+" none "+dir, 0)
		if started := p.run(t); !started || strings.Contains(p.err.String(), "permission denied") {
			t.Skipf("no mount namespace of its own: %s", p.err.String())
		}
		code, said := p.ProcessState.ExitCode(), p.err.String()
		wantCode, lines := spec.ExitUsage, 1
		if want.stderr == "" {
			wantCode, lines = spec.ExitOK, 0
		}
		if code != wantCode || !strings.HasPrefix(p.out.String(), want.stdout) || !strings.Contains(said, want.stderr) || strings.Count(said, "\n") != lines {
			t.Errorf("--out with %s of room: exit code %d, stdout %q, stderr %q; want %d, and the beginning %q, and one line with %q if any", size, code, p.out.String(), said, wantCode, want.stdout, want.stderr)
		}
	}
	gone := filepath.Join(t.TempDir(), "out")
	p := startCommand(t, "--procs", "2", "--for", "1h", "--stall", "5m", "--out", gone)
	p.awaitRounds(t, 2)
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	signal(t, p.Process.Pid, syscall.SIGINT)
	if code := p.exitCode(t); !strings.Contains(p.out.String(), "unfinished (interrupted)") || !strings.Contains(p.err.String(), "is not kept in") {
		t.Errorf("the directory was removed: exit code %d, stdout %q, stderr %q; want the verdict, and what is not kept", code, p.out.String(), p.err.String())
	}
}
