//go:build linux

package run

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// BenchmarkRecorder compares runs with the flight recorder and without.
func BenchmarkRecorder(b *testing.B) {
	compare(b, []string{""}, func(_ *Config, s *setting, with bool) { s.bare = !with })
}

// BenchmarkTrace compares runs with a trace and without. Ports announce their
// steps in both.
func BenchmarkTrace(b *testing.B) {
	compare(b, []string{"", "c"}, func(c *Config, _ *setting, with bool) {
		if c.White = true; with {
			c.Trace = filepath.Join(b.TempDir(), "trace")
		}
	})
}

// compare compares runs with something and without, by turns. Each ratio is the
// median of those of the pairs: what else the machine does slows both of a pair.
// Where every processor is busy, the processor time of a round says more than
// the rate, as it counts no other process.
func compare(b *testing.B, ports []string, change func(c *Config, s *setting, with bool)) {
	rounds := map[int]int64{2: 8000, 4: 4000, 8: 1500}
	for _, port := range ports {
		for _, procs := range []int{2, 4, 8} {
			for pauses, on := range map[string]bool{"off": false, "on": true} {
				name := fmt.Sprintf("procs=%d/pauses=%s", procs, pauses)
				c := Config{Procs: procs, Rounds: rounds[procs], Stall: patient, Pauses: on}
				if port != "" {
					name = "port=" + port + "/" + name
					c.Ports = slices.Repeat([]string{port}, procs)
				}
				if on || port != "" {
					c.Rounds /= 10
				}
				b.Run(name, func(b *testing.B) {
					var rates, times []float64
					for i := range b.N {
						var rate, time [2]float64 // without, with
						for turn := range 2 {
							which := (i + turn) % 2
							c, s := c, at("real")
							change(&c, &s, which == 1)
							before := childrenTime(b)
							rep, err := c.run(b.Context(), s)
							if err != nil {
								b.Fatal(err)
							}
							rate[which], time[which] = rep.Rate, childrenTime(b)-before
						}
						rates = append(rates, rate[1]/rate[0])
						times = append(times, time[1]/time[0])
					}
					slices.Sort(rates)
					slices.Sort(times)
					b.ReportMetric(rates[len(rates)/2], "rate-with/without")
					b.ReportMetric(times[len(times)/2], "time-with/without")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// childrenTime returns the processor time of the processes that have ended.
func childrenTime(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		b.Fatal(err)
	}
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}
