//go:build linux

package run

import (
	"maps"
	"math/bits"
	"slices"
	"time"
)

// Samples are what a run has measured, cut into slices of equal length: so the
// noise of a measurement can be told. Neither the first nor the last slice is
// there, which are not whole. All lists have one value for each slice.
type Samples struct {
	Start   int64     `json:"start,omitempty"` // of the first slice, in nanoseconds on the clock of trace.Now
	Seconds float64   `json:"slice_seconds"`   // length of a slice
	Rounds  []float64 `json:"rounds"`          // that ended in it
	P50     []float64 `json:"p50_us"`          // median latency of the calls that returned in it; 0: none did
	P99     []float64 `json:"p99_us"`
}

const (
	shortestSlice = 100 * time.Millisecond
	mostSlices    = 128 // more of them are joined in pairs
)

// sliced is what one worker has measured, or all of them.
type sliced struct {
	Length time.Duration    // of a slice
	List   map[int64]*slice // by the number of whole lengths since the clock began
}

// A slice counts the returns in one slice of time.
type slice struct {
	Calls     int64
	Latencies map[int64]int64 // how many had it; nanoseconds, rounded by bucket
}

func newSliced() sliced { return sliced{shortestSlice, map[int64]*slice{}} }

// bucket rounds a latency off to some of its leading bits.
func bucket(nanoseconds int64, leading int) int64 {
	shift := max(0, bits.Len64(uint64(nanoseconds))-leading)
	return nanoseconds >> shift << shift
}

// at returns the slice of the number, which it makes if there is none.
func (s *sliced) at(number int64) *slice {
	one := s.List[number]
	if one == nil {
		one = &slice{Latencies: map[int64]int64{}}
		s.List[number] = one
	}
	return one
}

// record records a return at the time now. A negative latency counts as none.
func (s *sliced) record(now, latency int64) {
	one := s.at(now / int64(s.Length))
	one.Calls++
	if latency >= 0 {
		one.Latencies[bucket(latency, 6)]++
	}
	if len(s.List) > mostSlices {
		s.join(2 * s.Length)
	}
}

// join makes the slices longer. The length must be a multiple of the present
// one.
func (s *sliced) join(length time.Duration) {
	old, factor := s.List, int64(length/s.Length)
	s.Length, s.List = length, map[int64]*slice{}
	for number, one := range old {
		s.at(number / factor).add(one)
	}
}

// add adds what another worker has measured.
func (s *sliced) add(other sliced) {
	switch {
	case other.Length > s.Length:
		s.join(other.Length)
	case other.Length < s.Length:
		other.join(s.Length)
	}
	for number, one := range other.List {
		s.at(number).add(one)
	}
}

func (s *slice) add(other *slice) {
	s.Calls += other.Calls
	for latency, count := range other.Latencies {
		s.Latencies[latency] += count
	}
}

// samples returns the whole slices of so many workers; nil: there are none.
func (s *sliced) samples(workers int) *Samples {
	numbers := slices.Sorted(maps.Keys(s.List))
	if len(numbers) < 3 || workers == 0 {
		return nil
	}
	r := &Samples{Start: (numbers[0] + 1) * int64(s.Length), Seconds: s.Length.Seconds()}
	for number := numbers[0] + 1; number < numbers[len(numbers)-1]; number++ {
		one := s.at(number)
		r.Rounds = append(r.Rounds, float64(one.Calls)/float64(workers))
		r.P50 = append(r.P50, one.quantile(0.50))
		r.P99 = append(r.P99, one.quantile(0.99))
	}
	return r
}

// quantile returns the latency, in microseconds, that the given part of the
// calls does not exceed; 0: no call has one.
func (s *slice) quantile(part float64) float64 {
	var sum, seen int64
	for _, count := range s.Latencies {
		sum += count
	}
	for _, latency := range slices.Sorted(maps.Keys(s.Latencies)) {
		if seen += s.Latencies[latency]; float64(seen) >= part*float64(sum) {
			return float64(latency) / 1e3
		}
	}
	return 0
}
