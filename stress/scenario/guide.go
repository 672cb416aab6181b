//go:build linux

package scenario

import (
	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

// guideOf returns the guide by which the workers take a path of the model. The
// worker of a process has its number. The turns change where the path goes from
// one process to another.
func guideOf(cfg model.Config, path []model.Action) *run.Guide {
	g := &run.Guide{Workers: make([][]run.Turn, cfg.Procs)}
	state, last := model.Init(cfg), -1
	relinks := false // before the next step
	for _, a := range path {
		if cfg.Control && a.Step >= spec.MakeEnter {
			state = model.Apply(cfg, state, a) // the runner has constructed
			continue
		}
		if a.Proc < 0 {
			state, relinks = model.Apply(cfg, state, a), true
			continue
		}
		w := a.Proc
		if a.Proc != last {
			g.Workers[w] = append(g.Workers[w], run.Turn{Number: g.Turns})
			g.Turns++
			last = a.Proc
		}
		turn := &g.Workers[w][len(g.Workers[w])-1]
		event := func(e spec.Event) { turn.Events = append(turn.Events, run.GuideEvent{At: turn.Steps, Event: e}) }
		if relinks {
			event(spec.Relink)
			relinks = false
		}
		if a.Event != spec.NoEvent {
			event(a.Event)
		}
		state = model.Apply(cfg, state, a)
		if !readsOnly(cfg, state, a) {
			turn.Steps++
		}
	}
	return g
}

// readsOnly reports whether a, which has led to the state, is the first half of
// a step that reads and writes a word: a worker announces the whole step.
func readsOnly(cfg model.Config, after model.State, a model.Action) bool {
	return cfg.Scenario == spec.SplitLock && after.Snapshot(cfg).Procs[a.Proc].Read != nil
}

// roundsOf returns how many rounds a path begins.
func roundsOf(cfg model.Config, path []model.Action) int64 {
	calls := make([]int64, cfg.Procs)
	most := int64(0)
	for _, a := range path {
		if a.Proc >= 0 && a.Step == spec.Call && a.Event == spec.NoEvent {
			calls[a.Proc]++
			most = max(most, calls[a.Proc])
		}
	}
	return most
}
