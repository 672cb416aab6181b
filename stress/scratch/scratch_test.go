//go:build linux

package scratch

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec/reexec"
)

func TestMain(m *testing.M) {
	reexec.Main(m, map[string]func(){"run": func() {
		s := mustMake(os.Args[1])
		fmt.Printf("%s\n%s\n", s.Dir, s.Segment)
		time.Sleep(time.Hour) // until it is killed; without a goroutine, select {} would end it
	}})
}

// mustMake makes a run in parent, with a barrier.
func mustMake(parent string) *Scratch {
	s, err := Make(parent, "test")
	if err != nil {
		panic(err)
	}
	b, err := impl.Create(s.Segment, filepath.Join(s.Dir, "lock"))
	if err != nil {
		panic(err)
	}
	b.Close()
	return s
}

// existing counts which of the segment, the directory and the mark exist.
func existing(n Names) (count int) {
	for _, path := range []string{shm + n.Segment, n.Dir, n.markPath()} {
		if _, err := os.Lstat(path); err == nil {
			count++
		}
	}
	return count
}

// TestProc_SweepRemovesDeadRuns: Sweep removes all that a killed run has left,
// and nothing of one that lives. The directory is in a temporary one, and in
// /dev/shm, where the segment is.
func TestProc_SweepRemovesDeadRuns(t *testing.T) {
	for _, parent := range []string{t.TempDir(), "/dev/shm"} {
		cmd := reexec.Command(t.Context(), "run", parent)
		out := reexec.Start(t, cmd)
		lines := bufio.NewScanner(out)
		lines.Scan()
		n := Names{Dir: lines.Text()}
		lines.Scan()
		n.Segment = lines.Text()
		if Sweep(); existing(n) != 3 {
			t.Errorf("Sweep while %s runs: %d of its 3 files are left", n.Segment, existing(n))
		}
		cmd.Process.Kill()
		cmd.Wait()
		sweepUntil(func() bool { return existing(n) == 0 })
	}
}

// sweepUntil sweeps until done returns true: another process may be sweeping
// the same run.
func sweepUntil(done func() bool) {
	for Sweep(); !done(); Sweep() {
		runtime.Gosched()
	}
}

// TestProc_MakeWhileOthersSweep: a Sweep may take a mark for a dead run's before
// it is locked. Make then makes another.
func TestProc_MakeWhileOthersSweep(t *testing.T) {
	dir, done := t.TempDir(), make(chan struct{})
	var sweeps sync.WaitGroup
	for range 2 {
		sweeps.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					Sweep()
				}
			}
		})
	}
	for range 300 {
		s, err := Make(dir, "test")
		if err != nil {
			t.Error(err)
			break
		}
		s.Close()
	}
	close(done)
	sweeps.Wait()
}

// TestHazard_SweepOfOtherDirectories: a dead mark whose path is that of another
// directory takes the mark away, and not the directory.
func TestHazard_SweepOfOtherDirectories(t *testing.T) {
	other := t.TempDir()
	s := mustMake(other)
	if err := os.WriteFile(s.markPath(), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	s.mark.Close()
	sweepUntil(func() bool { return existing(Names{Segment: s.Segment}) == 0 })
	if existing(s.Names) != 1 {
		t.Error("Sweep of a mark with another path has removed the directory")
	}
}

func TestUnit_KindThatNoSweepFinds(t *testing.T) {
	for _, kind := range []string{"", "two-words", "Test", "x1"} {
		parent := t.TempDir()
		if s, err := Make(parent, kind); err == nil {
			t.Errorf("Make(%q): got %v, want an error", kind, s.Dir)
			s.Close()
		}
		if left, err := os.ReadDir(parent); len(left) > 0 || err != nil {
			t.Errorf("Make(%q) has left %v, %v", kind, left, err)
		}
	}
}

func TestUnit_CloseRemovesAll(t *testing.T) {
	s := mustMake(t.TempDir())
	beside := shm + s.Segment + "-target"
	if err := os.Rename(shm+s.Segment, beside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(beside, shm+s.Segment); err != nil {
		t.Fatal(err)
	}
	if got := existing(s.Names); got != 3 {
		t.Errorf("Make: %d files, want 3", got)
	}
	if err := s.Close(); err != nil || existing(s.Names) != 0 {
		t.Errorf("Close: %v, and %d files are left", err, existing(s.Names))
	}
	if _, err := os.Lstat(beside); err == nil {
		t.Errorf("Close has left %s", beside)
	}
	if err := s.Names.Remove(); err != nil {
		t.Errorf("Remove of what is gone: %v, want no error", err)
	}
}
