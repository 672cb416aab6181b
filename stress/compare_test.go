//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/report"
)

// A port that sleeps for 50 ms before each call makes at most 20 rounds a second.
// It is slower than the same port without the sleep, where that makes five times
// as many: on a quiet machine it makes hundreds. Both run at the same time: what
// slows the machine slows both. If the machine does so much else that the fast
// one makes fewer, or that the noise is larger than a factor of 4, or it gave a
// run no time, that cannot be told; the reports of real runs in package report
// stay the same on each machine.
func TestProc_CompareFindsASlowPort(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	relay := `exec:while read -r line; do case $line in call*) %s;; esac; echo "$line"; [ "$line" != close ] || break; done | ` + porttest.GoPort(t)
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "fast"), filepath.Join(dir, "slow")}
	var runs []*command
	for i, pause := range []string{":", "sleep 0.05"} {
		runs = append(runs, startCommand(t, "--port", fmt.Sprintf(relay, pause)+"=2", "--for", "6s", "--stall", "5m", "--out", paths[i]))
	}
	for _, p := range runs {
		if code := p.exitCode(t); code != spec.ExitOK {
			t.Fatalf("exit code %d, want 0; %s%s", code, p.out.String(), p.err.String())
		}
	}
	p := newCommand(t, "compare", paths[0], filepath.Join(paths[1], "report.json"), "--json")
	p.run(t)
	var c report.Comparison
	if err := json.Unmarshal(p.out.Bytes(), &c); err != nil || p.ProcessState.ExitCode() != spec.ExitOK {
		t.Fatalf("compare: exit code %d, %v, %s%s", p.ProcessState.ExitCode(), err, p.out.String(), p.err.String())
	}
	m := c.Runs[0].Measures[0]
	tells := min(m.A.N, m.B.N) >= 5 && m.Noise <= 4 && m.A.Median >= 5*20
	if m.Name != "rounds/s" || m.Says == report.Faster || tells && m.Says != report.Slower {
		t.Errorf("the slow port: %+v, want its rounds/s slower", m)
	}
	if text := strings.Join(c.Warnings, "; "); !strings.Contains(text, "other ports") {
		t.Errorf("the warnings are %q, want that the ports differ", text)
	}
}

func TestProc_CompareRefuses(t *testing.T) {
	dir := t.TempDir()
	wantUsageError(t, "accepts 2 arg(s)", "compare", dir)
	wantUsageError(t, "name a report.json, or a directory of --out", "compare", dir, dir)
	wantUsageError(t, "is no report of stress", "compare", "report/compare.schema.json", "report/report.schema.json")
}
