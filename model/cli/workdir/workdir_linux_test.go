package workdir

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sharedbarrier/spec/reexec"
)

const kind = "test-"

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"run": func() {
		d, err := Make(os.Args[1], kind)
		if err != nil {
			panic(err)
		}
		fmt.Println(d.Path)
		time.Sleep(time.Hour) // until it is killed
	}})
}

// TestProc_SweepRemovesDeadRuns: Sweep removes the directory of a run that was
// killed, with what is in it. It removes nothing of a run that lives, and
// nothing that has another name or is no directory.
func TestProc_SweepRemovesDeadRuns(t *testing.T) {
	parent := t.TempDir()
	var others []string
	for _, name := range []string{"test-0123456789abcde", "test-0123456789abcdef0", "other-0123456789abcdef"} {
		others = append(others, filepath.Join(parent, name))
		if err := os.Mkdir(others[len(others)-1], 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(parent, "test-0123456789abcdef")
	if err := os.Symlink(others[0], link); err != nil {
		t.Fatal(err)
	}
	cmd := reexec.Command(t.Context(), "run", parent)
	out := reexec.Start(t, cmd)
	lines := bufio.NewScanner(out)
	lines.Scan()
	path := lines.Text()
	if err := os.MkdirAll(filepath.Join(path, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	Sweep(parent, kind)
	if _, err := os.Stat(path); err != nil {
		t.Errorf("Sweep has removed the directory of a run that lives: %v", err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	Sweep(parent, kind)
	if _, err := os.Stat(path); err == nil {
		t.Errorf("Sweep has left the directory of a dead run")
	}
	for _, other := range append(others, link) {
		if _, err := os.Lstat(other); err != nil {
			t.Errorf("Sweep has removed what is not its own: %v", err)
		}
	}
}

// TestProc_MakeAtOnce: a directory that Make has returned stays, though others
// sweep, until it is removed.
func TestProc_MakeAtOnce(t *testing.T) {
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				d, err := Make(parent, kind)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600); err != nil {
					t.Errorf("in a directory that was made: %v", err)
				}
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
