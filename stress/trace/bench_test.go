//go:build linux

package trace

import (
	"context"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/spec"
)

// BenchmarkStep is the cost of one record: of a step under the lock, of one
// outside, and of one more attempt at a step.
func BenchmarkStep(b *testing.B) {
	track := NewRecorder(memory(b, 1), 1).Track(0, false)
	for name, steps := range map[string][2]spec.Step{
		"held":    {spec.TestFirst, spec.CountEnter},
		"outside": {spec.LockInit, spec.LockEnter},
		"again":   {spec.AwaitFlag, spec.AwaitFlag},
	} {
		b.Run("step="+name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				track.Step(steps[i%2], spec.Initial)
			}
		})
	}
}

// BenchmarkCall is a call of a party that is alone: all of it is work, and no
// run is slowed more. Turns without and with the recorder follow each other so
// closely that both have the same machine; the ratio is the median of the pairs.
func BenchmarkCall(b *testing.B) {
	for clock, timed := range map[string]bool{"seldom": false, "each": true} {
		b.Run("clock="+clock, func(b *testing.B) {
			var turns [2]func()
			for i := range turns {
				s := newStage(b, 1)
				barrier, err := impl.Attach(b.Context(), s.segment, s.lockPath)
				must(err)
				defer barrier.Close()
				words, err := OpenWords(s.segment, true)
				must(err)
				defer words.Close()
				track := s.recorder.Track(0, timed)
				if i == 0 {
					track = nil
				} else {
					barrier.SetHook(func(step spec.Step) {
						var seen spec.Words
						if step.Holds() {
							seen = words.Load()
						}
						track.Step(step, seen)
					})
				}
				turns[i] = func() {
					for round := range int64(20) {
						track.Begin(round, 0, 1)
						must(barrier.Wait(context.Background(), 1))
						track.End(Returned, 0)
					}
				}
			}
			var ratios []float64
			for b.Loop() {
				var took [2]time.Duration
				for i, turn := range turns {
					start := time.Now()
					turn()
					took[i] = time.Since(start)
				}
				ratios = append(ratios, float64(took[1])/float64(took[0]))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "with/without")
		})
	}
}

// BenchmarkWrite is the time of one event of a trace.
func BenchmarkWrite(b *testing.B) {
	r, journals := NewRecorder(memory(b, 4), 4), newJournals(b, 4)
	var tracks []*Track
	var sources []Source
	for w, journal := range journals {
		tracks = append(tracks, r.Track(w, true))
		tracks[w].Keep(journal)
		tracks[w].Begin(1, 0, 4)
		sources = append(sources, Source{Journal: journal})
	}
	steps := []spec.Step{spec.LockEnter, spec.TestFirst, spec.CountEnter, spec.UnlockEnter, spec.AwaitFlag}
	for i := range b.N {
		tracks[i/len(steps)%4].Step(steps[i%len(steps)], spec.Initial)
	}
	b.ResetTimer()
	if events, err := r.Write(io.Discard, Head{Procs: 4}, sources, math.MaxInt64, nil); err != nil || events != int64(b.N) {
		b.Fatalf("Write: %d events, %v; want %d", events, err, b.N)
	}
}
