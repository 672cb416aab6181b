//go:build linux

package run

import (
	"cmp"
	"slices"

	"sharedbarrier/stress/trace"
)

// A SlowRound is one of the slowest rounds of a run.
type SlowRound struct {
	Round     int64           `json:"round"`
	Latency   float64         `json:"latency_us"` // from the begin of the last worker to the return of the last one, in microseconds
	Recording trace.Recording `json:"recording"`  // what the workers did meanwhile
}

// keepSlow keeps what the workers did in the round, which has just returned
// after the latency, in nanoseconds, if this worker is the last one to return
// and the round one of the slowest. So a round is kept when its latency is
// known, and all its steps are; and of a million rounds, some forty are.
func (w *worker) keepSlow(round, latency int64) {
	if !w.Slowest || latency <= 0 || !w.ledger.AllReturned(round) || !w.recorder.IsSlow(latency) {
		return
	}
	recording := w.recorder.Read().During(round)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found.addSlow(SlowRound{Round: round, Latency: micros(latency), Recording: recording})
}

// addSlow adds slow rounds and keeps the slowest. Two workers may both be seen
// to be the last one to return.
func (f *findings) addSlow(rounds ...SlowRound) {
	f.Slowest = append(f.Slowest, rounds...)
	slices.SortFunc(f.Slowest, func(a, b SlowRound) int {
		return cmp.Or(cmp.Compare(b.Latency, a.Latency), cmp.Compare(a.Round, b.Round))
	})
	seen := map[int64]bool{}
	f.Slowest = slices.DeleteFunc(f.Slowest, func(s SlowRound) bool {
		again := seen[s.Round]
		seen[s.Round] = true
		return again
	})
	f.Slowest = f.Slowest[:min(len(f.Slowest), trace.Slowest)]
}

func micros(nanoseconds int64) float64 { return float64(nanoseconds) / 1e3 }
