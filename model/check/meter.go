package main

import (
	"fmt"
	"time"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model/cli"
	"sharedbarrier/model/explore"
)

// A meter shows on a terminal how far an exploration is, once that takes longer
// than patience.
type meter struct {
	question string
	begun    time.Time
	bar      *pb.ProgressBar // nil: not yet
	phase    explore.Phase
	since    time.Time // the phase began
}

const (
	patience    = 200 * time.Millisecond
	meterLayout = `{{string . "question"}}: {{string . "phase"}}, {{counters . "%s of %s states" "%[1]s states"}}, {{string . "rate"}}, {{string . "where"}}, {{etime .}} gone, {{string . "left"}}`
)

func newMeter(question string) *meter {
	now := time.Now()
	return &meter{question: question, begun: now, since: now, phase: explore.Exploring}
}

func (m *meter) show(p explore.Progress) {
	if p.Phase != m.phase {
		m.phase, m.since = p.Phase, time.Now()
	}
	if m.bar == nil {
		if time.Since(m.begun) < patience {
			return
		}
		m.bar = cli.Bar(meterLayout, 0)
		m.bar.Set("question", m.question)
	}
	done, total := p.Distinct, int64(0)
	if p.Phase == explore.Looping {
		done, total = p.Looked, p.Looked+p.Queue
	}
	m.bar.SetCurrent(done).SetTotal(total)
	m.bar.Set("phase", string(p.Phase))
	m.bar.Set("where", fmt.Sprintf("depth %d, queue %d", p.Depth, p.Queue))
	rate := float64(done) / time.Since(m.since).Seconds()
	m.bar.Set("rate", fmt.Sprintf("%.0f/s", rate))
	m.bar.Set("left", left(p, rate))
}

// left says how long the phase still takes at so many states a second, where
// that can be known. How many states are yet to be found cannot: in reuse with
// 7 processes a level falls from 108430 states to 7 half way, and rises again.
// How many are yet to be looked at for loops is known.
func left(p explore.Progress, rate float64) string {
	if p.Phase != explore.Looping || rate <= 0 {
		return "time left unknown"
	}
	return fmt.Sprintf("about %v left", time.Duration(float64(p.Queue)/rate*float64(time.Second)).Round(time.Second))
}

func (m *meter) finish() {
	if m.bar != nil {
		m.bar.Finish()
	}
}
