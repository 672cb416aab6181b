//go:build linux

package run

import "math/bits"

// A Histogram is how the latencies of all calls that have returned are
// distributed.
type Histogram struct {
	Percentiles []Percentile `json:"percentiles"`
	Bars        []Bar        `json:"bars"` // without those that have no call
}

// A Percentile is a latency that so many of a hundred calls do not exceed, to
// the nearest call.
type Percentile struct {
	Percent float64 `json:"percent"`
	Latency float64 `json:"us"` // in microseconds
}

// A Bar counts the calls with a latency from From on and below To, in
// microseconds.
type Bar struct {
	From  float64 `json:"from_us"`
	To    float64 `json:"to_us"`
	Calls int64   `json:"calls"`
}

var percents = []float64{50, 75, 90, 95, 99, 99.9, 99.99, 100}

// report returns the histogram with four bars for each factor of two.
func (h histogram) report() *Histogram {
	r := &Histogram{}
	for _, p := range percents {
		r.Percentiles = append(r.Percentiles, Percentile{p, micros(h.ValueAtPercentile(p))})
	}
	for _, fine := range h.Distribution() {
		if fine.Count == 0 {
			continue
		}
		from := bucket(fine.From, leadingBits)
		if n := len(r.Bars); n > 0 && r.Bars[n-1].From == micros(from) {
			r.Bars[n-1].Calls += fine.Count
			continue
		}
		r.Bars = append(r.Bars, Bar{micros(from), micros(after(from)), fine.Count})
	}
	return r
}

// leadingBits of a latency tell its bar.
const leadingBits = 3

// after returns the beginning of the bar after the one that begins with from.
func after(from int64) int64 {
	return from + 1<<max(0, bits.Len64(uint64(from))-leadingBits)
}
