//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// TestGolden_Page: times cannot be checked, but the number of
// states can, and that each size has each engine.
func TestGolden_Page(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\| (\d) \| (\d+) \| ([^|]+) \|`).FindAllStringSubmatch(string(text), -1)
	engines := map[string]string{}
	for _, line := range lines {
		engines[line[1]] += line[3] + ", "
		var n int
		fmt.Sscan(line[1], &n)
		if n > 5 {
			continue // as long as all tests together
		}
		r := explore.Explore(context.Background(), model.Config{Scenario: spec.Reuse, Procs: n, Rounds: 3}, explore.Options{})
		if got := fmt.Sprint(r.Distinct); got != line[2] {
			t.Errorf("README.md, n = %d: %s states, the model has %s: run go run ./model/bench --update", n, line[2], got)
		}
	}
	for _, n := range []string{"4", "5", "6"} {
		if want := "model/check, Stateright 0.30.2, TLC, "; engines[n] != want {
			t.Errorf("README.md, n = %s: engines %q, want %q: run go run ./model/bench --update", n, engines[n], want)
		}
	}
}

// fake is an engine that finds so many states at any size.
func fake(name, states string) engine {
	return engine{name: name, measure: func(context.Context, int) (sample, error) {
		return sample{seconds: 1, megabyte: 2, distinct: states}, nil
	}}
}

// TestUnit_EnginesMustAgree: different numbers of states make no table.
func TestUnit_EnginesMustAgree(t *testing.T) {
	f := flags{procs: []int{2}, runs: 3}
	if _, err := measure(context.Background(), []engine{fake("a", "10"), fake("b", "11")}, f); err == nil || !strings.Contains(err.Error(), "do not explore the same") {
		t.Errorf("measure with engines that disagree: %v, want an error", err)
	}
	rows, err := measure(context.Background(), []engine{fake("a", "10"), fake("b", "10")}, f)
	if err != nil || len(rows) != 1 || len(rows[0].runs[1]) != 3 {
		t.Errorf("measure with engines that agree: %v, %v, want three runs of each", rows, err)
	}
}

func TestUnit_MedianOfEach(t *testing.T) {
	m := median([]sample{{seconds: 9, megabyte: 1}, {seconds: 1, megabyte: 7}, {seconds: 2, megabyte: 3}})
	if m.seconds != 2 || m.megabyte != 3 {
		t.Errorf("median: %v seconds and %v MB, want 2 and 3", m.seconds, m.megabyte)
	}
}

// TestProc_MeasuresMemory: a process that holds 64 MB is seen to.
func TestProc_MeasuresMemory(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh: install a POSIX shell")
	}
	_, small, err1 := timed(t.Context(), exec.Command(shell, "-c", "true"))
	_, large, err2 := timed(t.Context(), exec.Command(shell, "-c", "x=$(head -c 64000000 /dev/zero | tr '\\0' x); true"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if large.megabyte < small.megabyte+60 {
		t.Errorf("peak memory %.0f MB and %.0f MB, want 60 MB between them", small.megabyte, large.megabyte)
	}
	if _, _, err := timed(t.Context(), exec.Command(shell, "-c", "echo sorry >&2; exit 3")); err == nil || !strings.Contains(err.Error(), "sorry") {
		t.Errorf("timed of a command that fails: %v, want its last words", err)
	}
}
