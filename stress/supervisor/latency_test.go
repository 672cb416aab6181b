//go:build linux

package supervisor_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"sharedbarrier/stress/supervisor"
)

// BenchmarkRound measures how long a round takes when processes do nothing but
// call: this barrier, and multiprocessing.Barrier of Python's standard library
// as the peer. Compare the two of one run.
//
//	go test -bench Round -run '^$' ./stress/supervisor
func BenchmarkRound(b *testing.B) {
	for _, procs := range []int{2, 4, 8, 16} {
		b.Run(fmt.Sprintf("impl=sharedbarrier/procs=%d", procs), func(b *testing.B) {
			rep, err := supervisor.Run(b.Context(), supervisor.Config{
				Procs: procs, Rounds: int64(b.N) + 1, Stall: patient, Command: workersAt("real"),
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(1e9/rep.Rate, "ns/op")
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
	}
}
