//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
)

// accepted returns the trace at the path, which must be a behaviour of the
// model.
func accepted(t *testing.T, path string) *accept.Trace {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	trace, err := accept.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if no := accept.Check(trace).Rejection; no != nil {
		t.Errorf("the trace is rejected: line %d, %v: %s", no.Line, no.Event, no.Why)
	}
	return trace
}

// TestProc_Trace: the trace of a run is where the report says, its head and the
// report have the command that records it again, and it replaces an older one.
func TestProc_Trace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a trace")
	for _, rounds := range []string{"20", "30"} {
		p := newCommand(t, "--procs", "2", "--rounds", rounds, "--seed", "7", "--trace", path, "--json")
		p.run(t)
		rep := p.report(t)
		trace := accepted(t, path)
		if rep.Verdict != spec.Passed || rep.Trace.File != path || rep.Trace.Events != int64(len(trace.Events)) || len(trace.Events) < 20*2*15 {
			t.Errorf("%s rounds: %v, trace %+v; want passed, %s, and its %d events, 15 or more a call", rounds, rep.Verdict, rep.Trace, path, len(trace.Events))
		}
		head, _, _ := strings.Cut(content(t, filepath.Dir(path), filepath.Base(path)), "\n")
		for _, want := range []string{"--rounds " + rounds, "--seed 7", "--trace '" + path + "'"} {
			if !strings.Contains(head, want) {
				t.Errorf("the head of the trace lacks %q: %s", want, head)
			}
		}
		p.checkNothingLeft(t)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("beside the trace are %v (%v)", list, err)
	}
}

// TestProc_TraceInterrupted: what was recorded until Ctrl-C is a trace.
func TestProc_TraceInterrupted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trace")
	p := startCommand(t, "--procs", "3", "--for", "10m", "--stall", "5m", "--trace", path)
	p.awaitRounds(t, 3)
	if err := p.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.exitCode(t); code != spec.ExitInterrupted {
		t.Errorf("exit code %d, want %d; %s", code, spec.ExitInterrupted, p.err.String())
	}
	if trace := accepted(t, path); len(trace.Events) == 0 {
		t.Error("the trace has no events")
	}
	p.checkNothingLeft(t)
}

// TestUnit_TraceFlag: a path that no trace can have, or that has something else,
// is refused with one line that says what would do. A disk that has no room for
// the trace does not keep the verdict from being printed.
func TestUnit_TraceFlag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	if err := os.WriteFile(notes, []byte("{\"mine\": 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--trace", notes}, "is there and is no trace, so it is not replaced; name another file"},
		{[]string{"--trace", dir}, "is a directory; name a file"},
		{[]string{"--trace", filepath.Join(dir, "none", "trace")}, "no such file or directory"},
		{[]string{"--trace", ""}, "the name of the file is empty"},
		{[]string{"--trace", filepath.Join(dir, "trace"), "--scenario", "all"}, "none of the others can be"},
		{[]string{"--trace", filepath.Join(dir, "trace"), "--mutants"}, "leave out --trace"},
		{[]string{"--trace", filepath.Join(dir, "trace"), "--fault", "relink"}, "leave out --trace, or this fault"},
		{[]string{"--trace", "/dev/full", "--procs", "2", "--rounds", "50"}, "--trace /dev/full: write /dev/full: no space left on device; make room there"},
	} {
		p := startCommand(t, c.args...)
		code := p.exitCode(t)
		if lines := strings.Count(p.err.String(), "\n"); code != spec.ExitUsage || lines != 1 || !strings.Contains(p.err.String(), c.want) {
			t.Errorf("stress %q: exit code %d, %q; want %d, one line with %q", c.args, code, p.err.String(), spec.ExitUsage, c.want)
		}
		if verdict := strings.HasPrefix(p.out.String(), "verdict      passed\n"); verdict != (c.args[1] == "/dev/full") {
			t.Errorf("stress %q prints %q", c.args, p.out.String())
		}
		p.checkNothingLeft(t)
	}
	if text := content(t, dir, "notes"); text != "{\"mine\": 1}\n" {
		t.Errorf("the file that was there has %q now", text)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("the runs left %v (%v)", list, err)
	}
}
