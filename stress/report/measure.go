//go:build linux

package report

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"sharedbarrier/stress/run"
)

// A Measure is one quantity of a run in both documents. The samples of a run
// are its slices of time.
//
// Two runs of one program differ, and by more than the confidence intervals of
// their medians say: the slices of a run are alike, since what else goes on at
// the machine lasts longer than a slice. So a difference counts only if the
// Mann-Whitney U test says that there is one, and the ratio is larger than the
// noise: what lies between the medians and nine tenths of the slices.
type Measure struct {
	Name  string   `json:"name"`
	A     Sample   `json:"a"`
	B     Sample   `json:"b"`
	Ratio float64  `json:"ratio"`           // of the medians, B/A; 0: there is none
	Noise float64  `json:"noise,omitempty"` // a factor; ratios from 1/Noise to Noise are noise
	P     *float64 `json:"p,omitempty"`     // of the test: how likely such samples are if both have one distribution
	Says  Change   `json:"says"`
}

// A Sample sums up the slices of a run.
type Sample struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // of the 95 % confidence interval of the median
	High   float64 `json:"high"` // of the same
	N      int     `json:"n"`    // slices; 0: there are none, and the median is the one value of the run
}

// A Change says whether B is better than A.
type Change string

// The changes.
const (
	Same    Change = "same"    // the difference is noise
	Faster  Change = "faster"  // B is
	Slower  Change = "slower"  // B is
	Unclear Change = "unclear" // there are not enough samples to tell
)

// leastSlices is how many slices a side must have: the test can tell nothing
// from fewer.
const leastSlices = 5

// measures compares what two runs have measured. The slices of both get the
// same length, since shorter ones vary more. All lengths are 100 ms, doubled
// some times.
func measures(a, b run.Report) []Measure {
	var x, y run.Samples
	if a.Samples != nil && b.Samples != nil {
		seconds := max(length(*a.Samples), length(*b.Samples))
		x, y = cut(*a.Samples, seconds), cut(*b.Samples, seconds)
	}
	return []Measure{
		compare("rounds/s", x.Rounds, y.Rounds, true),
		compare("p50 latency, µs", x.P50, y.P50, false),
		compare("p99 latency, µs", x.P99, y.P99, false),
		single("max latency, µs", a.Latency.Max, b.Latency.Max),
	}
}

// leastRounds is how many rounds a slice must have on the average, or several
// are joined: the median of slices with one round or none says nothing.
const leastRounds = 5

// length returns how long, in seconds, the slices of a run must at least be.
func length(s run.Samples) float64 {
	rounds := 0.0
	for _, n := range s.Rounds {
		rounds += n
	}
	seconds := s.Seconds
	for rounds > 0 && rounds/float64(len(s.Rounds)) < leastRounds*s.Seconds/seconds {
		seconds *= 2
	}
	return seconds
}

// cut returns the samples in slices of so many seconds, which must be a
// multiple of those that they have: with rounds a second, and without the
// latencies of slices in which nothing returned.
func cut(s run.Samples, seconds float64) (longer run.Samples) {
	size := max(1, int(math.Round(seconds/s.Seconds)))
	longer.Rounds = joined(s.Rounds, size, false)
	for i := range longer.Rounds {
		longer.Rounds[i] /= s.Seconds
	}
	longer.P50, longer.P99 = joined(s.P50, size, true), joined(s.P99, size, true)
	return longer
}

// joined returns the means of so many values each. With some it leaves out
// values that are 0.
func joined(list []float64, size int, some bool) (means []float64) {
	for part := range slices.Chunk(list, size) {
		sum, n := 0.0, 0
		for _, v := range part {
			if v > 0 || !some {
				sum, n = sum+v, n+1
			}
		}
		if n > 0 && len(part) == size {
			means = append(means, sum/float64(n))
		}
	}
	return means
}

// compare compares the samples of two runs. more says that more is faster.
func compare(name string, a, b []float64, more bool) Measure {
	if len(a) == 0 || len(b) == 0 {
		return Measure{Name: name, Says: Unclear}
	}
	thresholds := benchmath.DefaultThresholds
	x, y := benchmath.NewSample(a, &thresholds), benchmath.NewSample(b, &thresholds)
	m := Measure{Name: name, A: sum(x), B: sum(y), Says: Unclear}
	if m.A.Median == 0 || m.B.Median == 0 {
		return m
	}
	m.Ratio = m.B.Median / m.A.Median
	m.Noise = noise(x.Values, y.Values)
	if m.Ratio < 1 {
		m.Noise = noise(y.Values, x.Values)
	}
	test := benchmath.AssumeNothing.Compare(x, y)
	m.P = &test.P
	switch {
	case min(len(a), len(b)) < leastSlices:
	case test.P > test.Alpha || math.Abs(math.Log(m.Ratio)) <= math.Log(m.Noise):
		m.Says = Same
	case m.Ratio > 1 == more:
		m.Says = Faster
	default:
		m.Says = Slower
	}
	return m
}

// sum sums up a sample.
func sum(s *benchmath.Sample) Sample {
	c := benchmath.AssumeNothing.Summary(s, 0.95)
	low, high := c.Lo, c.Hi
	if math.IsInf(low, 0) || math.IsInf(high, 0) { // too few for an interval
		low, high = s.Values[0], s.Values[len(s.Values)-1]
	}
	return Sample{Median: c.Center, Low: low, High: high, N: len(s.Values)}
}

// noise returns the factor by which the slices of two runs may come together:
// nine tenths of the lower one reach so far up, and of the higher one so far
// down. The quartiles tell it, as of a normal distribution of logarithms, since
// a stall of the machine for a slice or two would move the outer tenths. Both
// are in ascending order.
func noise(lower, higher []float64) float64 {
	const tenths = 2.44 // 1.645, up to which nine tenths are, over 0.674, up to which three quarters are
	up := at(lower, 0.75) / at(lower, 0.5)
	down := at(higher, 0.5) / max(at(higher, 0.25), math.SmallestNonzeroFloat64)
	return math.Min(math.Exp(tenths*math.Hypot(math.Log(up), math.Log(down))), math.MaxFloat64)
}

// at returns the value below which a part of an ascending list is.
func at(list []float64, part float64) float64 {
	return list[int(math.Round(part*float64(len(list)-1)))]
}

// single compares two values that have no samples.
func single(name string, a, b float64) Measure {
	m := Measure{Name: name, A: Sample{Median: a, Low: a, High: a}, B: Sample{Median: b, Low: b, High: b}, Says: Unclear}
	if a > 0 && b > 0 {
		m.Ratio = b / a
	}
	return m
}

// String gives the median and its confidence interval.
func (s Sample) String() string {
	switch {
	case s.Median == 0:
		return "-"
	case s.N == 0:
		return fmt.Sprintf("%.0f", s.Median)
	}
	return fmt.Sprintf("%.0f ±%.0f%%", s.Median, 100*max(s.High/s.Median-1, 1-s.Low/s.Median))
}

func (m Measure) ratio() string {
	if m.Ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", m.Ratio)
}

// says says whether there is a difference, and why.
func (m Measure) says() string {
	why := "no samples"
	if m.P != nil {
		why = fmt.Sprintf("noise ×%.2f, p=%.3f n=%d+%d", m.Noise, *m.P, m.A.N, m.B.N)
	}
	switch m.Says {
	case Same:
		return "~ (" + why + ")"
	case Unclear:
		return "? (" + why + ")"
	}
	return fmt.Sprintf("%s (%s)", m.Says, why)
}
