//go:build linux

package run

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sharedbarrier/stress/oracle"
)

// summary adds up what the workers found.
type summary struct {
	calls   int64
	elapsed time.Duration // of the worker that took longest
	early   *oracle.Violation
	latency *hdrhistogram.Histogram
}

func newSummary() *summary { return &summary{latency: NewHistogram()} }

func (s *summary) add(f Findings) {
	s.calls += f.Calls
	s.elapsed = max(s.elapsed, f.Elapsed)
	if s.early == nil {
		s.early = f.Early
	}
	if f.Latency != nil {
		s.latency.Merge(hdrhistogram.Import(f.Latency))
	}
}

// rate returns rounds a second. The clock runs from the end of the first round.
func (s *summary) rate(rounds int64) float64 {
	if rounds < 2 || s.elapsed <= 0 {
		return 0
	}
	return float64(rounds-1) / s.elapsed.Seconds()
}

func (s *summary) percentiles() Latency {
	if s.latency.TotalCount() == 0 {
		return Latency{}
	}
	micros := func(nanoseconds int64) float64 { return float64(nanoseconds) / 1e3 }
	return Latency{
		P50: micros(s.latency.ValueAtQuantile(50)),
		P99: micros(s.latency.ValueAtQuantile(99)),
		Max: micros(s.latency.Max()),
	}
}
