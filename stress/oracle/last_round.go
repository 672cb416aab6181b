//go:build linux

package oracle

// How a run ends: every worker must make the same number of calls, or those
// who make one more wait for ever. The workers agree by the rounds themselves.
// Worker 0 alone decides, before it begins a round, that this round is the last.
// Nobody returns from that round before worker 0 has begun it (that is
// what NoEarlyExit says, and what Return has just checked), so everybody sees
// the decision on return.

// RequestStop asks the workers to end after the round that comes next.
func (w *Ledger) RequestStop() { w.run.stop.Store(true) }

// Decide is called by worker 0 before it begins a round: if the run has been
// asked to stop, or rounds (0: no bound) is reached, this round is the last.
func (w *Ledger) Decide(round, rounds int64) {
	if w.run.stop.Load() || round == rounds {
		w.run.last.Store(round)
	}
}

// IsLast reports on return from round whether it was the last.
func (w *Ledger) IsLast(round int64) bool { return w.run.last.Load() == round }

// Over reports whether all workers have returned from the last round.
func (w *Ledger) Over() bool {
	last := w.run.last.Load()
	return last > 0 && w.Rounds() >= last
}
