//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sharedbarrier/model/cli/procgroup"
	"sharedbarrier/spec"
)

// TestProc_Suspended stops the ports, or the runner too, for longer than the
// limits, and then lets them go on. No right port is accused: the run goes on
// until it is interrupted. Only stress itself ends while the ports are stopped,
// and says that they hold the run up.
func TestProc_Suspended(t *testing.T) {
	const limit = 2 * time.Second
	check := append([]string{"conformance", "--port", "go", "--for", "1h", "--stall", limit.String(), "--limit", limit.String()}, without("stress")...)
	run := []string{"--port", "go=4", "--for", "1h", "--stall", limit.String()}
	for _, c := range []struct {
		name          string
		args          []string
		ports, runner bool
		code          int
	}{
		{"conformance, its ports", check, true, false, spec.ExitInterrupted},
		{"conformance, and its ports", check, true, true, spec.ExitInterrupted},
		{"stress", run, false, true, spec.ExitInterrupted},
		{"stress, and its ports", run, true, true, spec.ExitInterrupted},
		{"stress, its ports", run, true, false, spec.ExitUnfinished},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := startCommand(t, c.args...)
			p.awaitChange(t, initialWords(t))
			var frozen []int
			if c.ports {
				frozen = ports(p.children(t))
			}
			if c.runner {
				frozen = append(frozen, p.Process.Pid) // last: it sees the others stopped
			}
			for _, pid := range frozen {
				signal(t, pid, syscall.SIGSTOP)
				p.await(t, "it was stopped", func() bool {
					is, err := procgroup.Stopped(pid)
					return err != nil || is
				})
			}
			if c.code == spec.ExitInterrupted {
				time.Sleep(2 * limit)
				before := p.words(t)
				for _, pid := range slices.Backward(frozen) {
					syscall.Kill(pid, syscall.SIGCONT) // fails if the run has ended
				}
				p.awaitChange(t, before)
				signal(t, p.Process.Pid, syscall.SIGINT)
			}
			if code := p.exitCode(t); code != c.code || strings.Contains(p.out.String(), "violated") || strings.Contains(p.out.String(), "Hang") {
				t.Errorf("exit code %d, want %d, and nothing that is wrong with the port\n%s%s", code, c.code, p.out.String(), p.err.String())
			}
			p.checkNothingLeft(t)
		})
	}
}

// words returns the words of the segment of the stress run; empty: there is none.
func (c *command) words(t *testing.T) string {
	t.Helper()
	segments, err := filepath.Glob(fmt.Sprintf("/dev/shm/sharedbarrier-stress-%d-*.segment", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	words := []byte(nil)
	if len(segments) == 1 {
		words, _ = os.ReadFile(segments[0]) // fails if it is gone
	}
	return string(words)
}

// awaitChange waits until the words of the stress run are others.
func (c *command) awaitChange(t *testing.T, from string) {
	t.Helper()
	c.await(t, "a word of the stress run changed", func() bool {
		now := c.words(t)
		return now != "" && now != from
	})
}

// ports lists the ports of the workers.
func ports(workers []int) (pids []int) {
	for _, worker := range workers {
		pids = append(pids, procgroup.Children(worker)...)
	}
	return pids
}
