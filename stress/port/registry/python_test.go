//go:build linux

package registry_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/port/registry"
)

// TestHazard_Fork is scenario fork: forked children use a handle of the
// original that their parent made. It depends on filelock whether that works. A
// handle of its own in each child always works. The results are a table of
// PORTING.md.
func TestHazard_Fork(t *testing.T) {
	table := [][]string{{"port", "filelock", "handles made in the parent", "a handle of its own in each child"}}
	for _, c := range []struct{ port, lock, inherited string }{
		{"python@old", "filelock-old.txt", "returned returned"},
		{"python@unlinking", "filelock-unlinking.txt", "returned returned"},
		{"python", "filelock.txt", "returned returned"},
		{"python@newest", "filelock-newest.txt", "RuntimeError RuntimeError"},
	} {
		porttest.Need(t, c.port)
		pins, err := os.ReadFile(filepath.Join("../python", c.lock))
		if err != nil {
			t.Fatal(err)
		}
		version := pinned.FindSubmatch(pins)
		if version == nil {
			t.Fatalf("%s pins no version of filelock", c.lock)
		}
		row := []string{"`" + c.port + "`", string(version[1])}
		for _, handle := range []struct{ how, want string }{{"inherited", c.inherited}, {"own", "returned returned"}} {
			got := fork(t, c.port, handle.how)
			if got != handle.want {
				t.Errorf("two children of %s with the handle %s: %q, want %q", c.port, handle.how, got, handle.want)
			}
			row = append(row, got)
		}
		table = append(table, row)
	}
	golden.Part(t, "../../PORTING.md", "table", "fork", golden.Table(table))
}

var pinned = regexp.MustCompile(`(?m)^filelock==([\d.]+)`)

// fork has two forked children call once each, with the original of the port,
// and returns the results of their calls.
func fork(t *testing.T, name, how string) string {
	t.Helper()
	_, segment, lockPath := porttest.NewBarrier(t)
	cmd, err := registry.Command(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	script := &cmd.Args[len(cmd.Args)-1]
	*script = filepath.Join(filepath.Dir(*script), "fork.py")
	cmd.Args = append(cmd.Args, how, segment, lockPath)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	got := strings.TrimSpace(string(out))
	if err != nil || got != "returned returned" && !strings.Contains(stderr.String(), "fork") {
		t.Errorf("%s, handle %s: %q, %v, and its errors do not speak of a fork: %s", name, how, got, err, stderr.String())
	}
	return got
}

// TestHazard_NotTheOriginal changes one line in a copy of the original. The
// port must refuse it.
func TestHazard_NotTheOriginal(t *testing.T) {
	porttest.Need(t, "python")
	cmd, err := registry.Command(t.Context(), "python")
	if err != nil {
		t.Fatal(err)
	}
	environment := filepath.Dir(filepath.Dir(cmd.Path))
	published, err := filepath.Glob(filepath.Join(environment, "lib", "python*", "site-packages", "streaming"))
	if err != nil || len(published) != 1 {
		t.Fatalf("the package is at %v (%v), want one place", published, err)
	}
	for _, c := range []struct{ name, file, from, to, want string }{
		{"as published", "base/shared/barrier.py", "self.flag = False", "self.flag = False", ""},
		{"a step", "base/shared/barrier.py", "self.flag = False", "self.flag = 0", "barrier.py: it is not the original"},
		{"a sleep", "base/shared/barrier.py", "sleep(TICK)", "sleep(2 * TICK)", "barrier.py: it is not the original"},
		{"the tick", "base/constant.py", "TICK = 0.007", "TICK = 7", "constant.py: it is not the original"},
		{"an element", "base/shared/array.py", "import numpy as np", "import numpy as np ", "array.py: it is not the original"},
		{"the mapping", "base/shared/memory.py", "import atexit", "import atexit ", "memory.py: it is not the original"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripts := t.TempDir()
			script := cmd.Args[len(cmd.Args)-1]
			if err := os.CopyFS(scripts, os.DirFS(filepath.Dir(script))); err != nil {
				t.Fatal(err)
			}
			// Python looks for modules in the folder of the script first.
			if err := os.CopyFS(filepath.Join(scripts, "streaming"), os.DirFS(published[0])); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(scripts, "streaming", c.file)
			text, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(text), c.from) {
				t.Fatalf("%s has not the line %q (%v)", c.file, c.from, err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			copied := exec.Command(cmd.Path, "-E", "-s", "-B", filepath.Join(scripts, filepath.Base(script)))
			p, err := port.Start(t.Context(), "copy", copied, port.Limit)
			if err == nil {
				p.Kill()
			}
			if c.want == "" && err != nil {
				t.Errorf("the original as it is: %v", err)
			}
			if c.want != "" && (!errors.Is(err, port.ErrDied) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("started on a changed original: %v, want it to die with %q", err, c.want)
			}
		})
	}
}
