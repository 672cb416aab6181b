//go:build linux

package main

import (
	"time"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model/cli"
	"sharedbarrier/stress/run"
)

// progress is the line that a run draws on a terminal: rounds, rate, time left.
// The bar itself counts what ends the run: rounds, or else milliseconds.
type progress struct {
	bar      *pb.ProgressBar
	start    time.Time
	byRounds bool
}

func newProgress(c run.Config) progress {
	const layout = `{{string . "rounds"}} rounds {{bar . }} {{string . "rate"}} rounds/s, {{rtime . "%s left" "" "? left"}}`
	total := c.For.Milliseconds()
	if c.Rounds > 0 {
		total = c.Rounds
	}
	return progress{cli.Bar(layout, total), time.Now(), c.Rounds > 0}
}

func (p progress) show(rounds int64) {
	elapsed := time.Since(p.start)
	p.bar.Set("rounds", rounds).Set("rate", int64(float64(rounds)/elapsed.Seconds()))
	if p.byRounds {
		p.bar.SetCurrent(rounds)
	} else {
		p.bar.SetCurrent(min(elapsed.Milliseconds(), p.bar.Total()))
	}
}

// finish removes the line: the report says all that it said.
func (p progress) finish() { p.bar.Set(pb.CleanOnFinish, true).Finish() }
