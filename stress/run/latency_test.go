//go:build linux

package run

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
)

// BenchmarkRound measures the latency of a round when the processes do nothing
// but call: this barrier, multiprocessing.Barrier of Python's standard library
// as the peer, and the published original. Compare the results of one run only.
//
//	go test -bench Round -run '^$' ./stress/run
func BenchmarkRound(b *testing.B) {
	for _, procs := range []int{2, 4, 8, 16} {
		b.Run(fmt.Sprintf("impl=sharedbarrier/procs=%d", procs), func(b *testing.B) {
			benchmarkRounds(b, Config{Procs: procs})
		})
		b.Run(fmt.Sprintf("impl=multiprocessing/procs=%d", procs), func(b *testing.B) {
			out, err := exec.CommandContext(b.Context(), "python3", "testdata/multiprocessing_barrier.py",
				strconv.Itoa(procs), strconv.Itoa(b.N+1)).Output()
			if err != nil {
				b.Fatalf("the peer needs python3 (Debian package python3): %v", err)
			}
			nanoseconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(nanoseconds, "ns/op")
		})
		b.Run(fmt.Sprintf("impl=original/procs=%d", procs), func(b *testing.B) {
			original := slices.Repeat([]string{"python@newest"}, procs)
			porttest.Need(b, original[0])
			benchmarkRounds(b, Config{Procs: procs, Ports: original})
		})
	}
}

func benchmarkRounds(b *testing.B, c Config) {
	c.Rounds, c.Stall = int64(b.N)+1, patient
	s := at("real")
	s.bare = true
	rep, err := c.run(b.Context(), s)
	if err != nil || rep.Verdict != spec.Passed {
		b.Fatalf("Run: %v, %v, want passed", rep.Verdict, err)
	}
	b.ReportMetric(1e9/rep.Rate, "ns/op")
}
