//go:build linux

package main

import (
	"time"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model/door"
	"sharedbarrier/stress/supervisor"
)

// progress is the line that a run draws on a terminal: rounds, rate, time left.
type progress struct {
	bar    *pb.ProgressBar
	start  time.Time
	rounds bool // the bar counts rounds; otherwise milliseconds
}

func newBar(c supervisor.Config) progress {
	if c.Rounds > 0 {
		const layout = `{{counters . }} rounds {{bar . }} {{speed . "%s rounds/s" }} {{rtime . "%s left" }}`
		return progress{door.Bar(layout, c.Rounds), time.Now(), true}
	}
	const layout = `{{string . "rounds"}} rounds {{bar . }} {{string . "rate"}} rounds/s {{rtime . "%s left" }}`
	return progress{door.Bar(layout, c.For.Milliseconds()), time.Now(), false}
}

func (p progress) show(rounds int64) {
	if p.rounds {
		p.bar.SetCurrent(rounds)
		return
	}
	elapsed := time.Since(p.start)
	p.bar.SetCurrent(min(elapsed.Milliseconds(), p.bar.Total()))
	p.bar.Set("rounds", rounds).Set("rate", int64(float64(rounds)/elapsed.Seconds()))
}

// finish removes the line: the report says all that it said.
func (p progress) finish() { p.bar.Set(pb.CleanOnFinish, true).Finish() }
