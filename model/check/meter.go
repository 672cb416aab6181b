package main

import (
	"fmt"

	"github.com/cheggaaa/pb/v3"

	"sharedbarrier/model"
	"sharedbarrier/model/door"
)

// A meter shows on a terminal how far an exploration is.
type meter struct{ bar *pb.ProgressBar }

const meterLayout = `{{string . "question"}}: {{counters .}} states, {{speed . "%s/s"}}, {{string . "where"}}, {{etime .}}`

func newMeter(cfg model.Config) *meter {
	m := &meter{door.Bar(meterLayout, 0)}
	m.bar.Set("question", fmt.Sprintf("%v, %d processes", cfg.Scenario, cfg.Procs))
	return m
}

func (m *meter) show(p model.Progress) {
	m.bar.SetCurrent(p.Distinct)
	m.bar.Set("where", fmt.Sprintf("depth %d, queue %d", p.Depth, p.Queue))
}

func (m *meter) finish() { m.bar.Finish() }
