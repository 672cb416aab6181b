//go:build linux

package port_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/stress/port"
	"sharedbarrier/stress/port/porttest"
)

// TestHazard_Fork is scenario fork: the original's handle is made in a parent
// and used in forked children. Whether that works depends on filelock; that each
// child makes a handle of its own always does.
func TestHazard_Fork(t *testing.T) {
	for _, c := range []struct{ variant, inherited string }{
		{"old", "returned returned"},
		{"unlinking", "returned returned"},
		{"", "returned returned"},
		{"newest", "RuntimeError RuntimeError"},
	} {
		t.Run("filelock="+c.variant, func(t *testing.T) {
			porttest.Need(t, strings.TrimSuffix("python@"+c.variant, "@"))
			for how, want := range map[string]string{"inherited": c.inherited, "own": "returned returned"} {
				_, segment, lockPath := porttest.NewBarrier(t)
				cmd, err := port.PythonScript(t.Context(), c.variant, "fork.py")
				if err != nil {
					t.Fatal(err)
				}
				cmd.Args = append(cmd.Args, how, segment, lockPath)
				var stderr strings.Builder
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("two children with the handle %s: %q (%v), want %q; stderr: %s", how, got, err, want, stderr.String())
				}
				if want != "returned returned" && !strings.Contains(stderr.String(), "fork") {
					t.Errorf("the error does not speak of a fork: %s", stderr.String())
				}
			}
		})
	}
}

// TestHazard_NotTheOriginal changes one line of the original, in a copy, which
// the port must refuse: its steps are found by the lines that they come from.
func TestHazard_NotTheOriginal(t *testing.T) {
	porttest.Need(t, "python")
	cmd, err := port.Command(t.Context(), "python")
	if err != nil {
		t.Fatal(err)
	}
	environment := filepath.Dir(filepath.Dir(cmd.Path))
	published, err := filepath.Glob(filepath.Join(environment, "lib", "python*", "site-packages", "streaming"))
	if err != nil || len(published) != 1 {
		t.Fatalf("the package is at %v (%v), want one place", published, err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"as published", "self.flag = False", "self.flag = False", ""},
		{"changed", "self.flag = False", "self.flag = 0", "it is not the original"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scripts := t.TempDir()
			script := cmd.Args[len(cmd.Args)-1]
			if err := os.CopyFS(scripts, os.DirFS(filepath.Dir(script))); err != nil {
				t.Fatal(err)
			}
			// The folder of the script is looked through first.
			for _, file := range []string{"__init__.py", "base/constant.py", "base/shared/array.py", "base/shared/memory.py", "base/shared/barrier.py"} {
				text, err := os.ReadFile(filepath.Join(published[0], file))
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(scripts, "streaming", file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			copied := exec.Command(cmd.Path, "-E", "-s", "-B", filepath.Join(scripts, filepath.Base(script)))
			p, err := port.StartCommand("copy", copied, port.Limit)
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
