//go:build linux

package lockstep

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// BenchmarkStep is one step of one of three parties, with all comparisons after
// it: through the pipes of processes, and without them.
func BenchmarkStep(b *testing.B) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 3}
	for _, bm := range []struct {
		parties string
		start   starter
	}{{"processes", ports(b, "go", cfg)}, {"coroutines", coroutines(cfg.Scenario, nil)}} {
		b.Run("parties="+bm.parties, func(b *testing.B) {
			s, err := newSession(cfg, bm.start)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for p := 0; b.Loop(); p++ {
				if err := s.move(Move{Proc: p % 3}); err != nil {
					b.Fatal(err)
				}
				s.trace, s.notes = s.trace[:0], s.notes[:0]
			}
			b.ReportMetric(float64(s.steps)/b.Elapsed().Seconds(), "steps/s")
		})
	}
}
