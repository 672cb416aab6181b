//go:build linux

package lockprobe

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestProc_Queue: a process that blocks in flock(2) is a waiter, and the one
// that holds the lock is none. A free lock has neither.
func TestProc_Queue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	if _, err := QueueOf(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("QueueOf a missing file: %v, want %v", err, fs.ErrNotExist)
	}
	f := hold(t, path)
	waiter := exec.CommandContext(t.Context(), "flock", path, "true")
	if err := waiter.Start(); err != nil {
		t.Skip("flock(1) is missing:", err)
	}
	var q Queue
	for deadline := time.Now().Add(time.Minute); len(q.Waiters) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		var err error
		if q, err = QueueOf(path); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(q.Holders, []int{os.Getpid()}) || !slices.Equal(q.Waiters, []int{waiter.Process.Pid}) {
		t.Errorf("QueueOf a lock that %d holds and %d waits for: %+v", os.Getpid(), waiter.Process.Pid, q)
	}
	f.Close()
	if err := waiter.Wait(); err != nil {
		t.Fatal(err)
	}
	if q, err := QueueOf(path); err != nil || len(q.Holders)+len(q.Waiters) > 0 {
		t.Errorf("QueueOf a free lock: %+v, %v", q, err)
	}
}
