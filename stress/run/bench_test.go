//go:build linux

package run

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkRecorder is the rate of short runs with and without the flight
// recorder, by turns. The ratio is the median of those of the pairs: what else
// the machine does slows both of a pair.
func BenchmarkRecorder(b *testing.B) {
	for _, procs := range []int{2, 4, 8} {
		for name, pauses := range map[string]bool{"off": false, "on": true} {
			b.Run(fmt.Sprintf("procs=%d/pauses=%s", procs, name), func(b *testing.B) {
				var ratios []float64
				for i := range b.N {
					var rate [2]float64
					for turn := range 2 {
						s := at("real")
						s.bare = (i+turn)%2 == 0
						c := Config{Procs: procs, For: 100 * time.Millisecond, Stall: patient, Pauses: pauses}
						rep, err := c.run(b.Context(), s)
						if err != nil {
							b.Fatal(err)
						}
						rate[map[bool]int{true: 0, false: 1}[s.bare]] = rep.Rate
					}
					ratios = append(ratios, rate[1]/rate[0])
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "with/without")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
