package main

import (
	"fmt"
	"time"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
)

// A meter shows on a terminal how far an exploration is.
type meter struct {
	bar    *pb.ProgressBar
	start  time.Time
	levels []level
}

// A level is how wide a level of the graph is, and how many states were known
// when its expansion began.
type level struct{ width, known int64 }

const meterLayout = `{{string . "question"}}: {{string . "phase"}}, {{counters . "%s of %s states" "%[1]s states"}}, {{string . "rate"}}, {{string . "where"}}, {{etime .}} gone, {{string . "left"}}`

func newMeter(cfg model.Config) *meter {
	m := &meter{bar: door.Bar(meterLayout, 0), start: time.Now()}
	m.bar.Set("question", fmt.Sprintf("%s, %d processes", title(cfg), cfg.Procs))
	return m
}

func (m *meter) show(p model.Progress) {
	if p.Phase == model.Exploring && p.Depth > len(m.levels) {
		m.levels = append(m.levels, level{p.Queue, p.Distinct})
	}
	m.bar.SetCurrent(p.Distinct)
	m.bar.Set("phase", string(p.Phase))
	m.bar.Set("where", fmt.Sprintf("depth %d, queue %d", p.Depth, p.Queue))
	rate := float64(p.Distinct) / time.Since(m.start).Seconds()
	m.bar.Set("rate", fmt.Sprintf("%.0f/s", rate))
	m.bar.Set("left", m.left(p, rate))
}

// left estimates the time left. Levels grow and then shrink, and nobody knows
// in advance how far they grow; but once they shrink, as much may lie ahead as
// was known when they were as wide for the first time.
func (m *meter) left(p model.Progress, rate float64) string {
	last := m.levels[len(m.levels)-1]
	for _, l := range m.levels[:len(m.levels)-1] {
		if l.width > last.width && p.Phase == model.Exploring {
			return fmt.Sprintf("about %v left", time.Duration(float64(l.known)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	return "time left unknown"
}

func (m *meter) finish() { m.bar.Finish() }
