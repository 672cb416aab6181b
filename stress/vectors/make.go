//go:build linux

package vectors

import (
	"context"
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
)

// All returns the files by name: the tours of reuse and withdraw for 2 and 3
// processes, and one file for each hazard that the model decides.
func All(ctx context.Context) (map[string]File, error) {
	files := map[string]File{}
	for _, cfg := range []model.Config{
		{Scenario: spec.Reuse, Procs: 2},
		{Scenario: spec.Reuse, Procs: 3},
		{Scenario: spec.Withdraw, Procs: 2},
		{Scenario: spec.Withdraw, Procs: 3},
	} {
		f, err := tour(cfg)
		if err != nil {
			return nil, err
		}
		files[fmt.Sprintf("%v-%d.json", cfg.Scenario, cfg.Procs)] = f
	}
	hazards, err := lockstep.Hazards(ctx)
	if err != nil {
		return nil, err
	}
	makers := map[spec.Scenario]*maker{}
	for _, h := range hazards {
		m, known := makers[h.Config.Scenario]
		if !known {
			m = newMaker(h.Config.Scenario)
			makers[h.Config.Scenario] = m
		}
		m.begin(h.Config, fmt.Sprintf("%v, %d processes", h.Property, h.Config.Procs))
		for _, move := range h.Schedule {
			m.move(move)
		}
		m.end()
	}
	makers[spec.Crash].crashes()
	for sc, m := range makers {
		files[sc.String()+".json"] = m.file
	}
	return files, nil
}

// tour takes every edge of the state graph. A schedule ends where everything is
// as in the beginning. In each state every process that is blocked tries its
// step.
func tour(cfg model.Config) (File, error) {
	g := explore.NewGraph(model.NewMachine(cfg))
	tour, err := lockstep.CoveringTour(g)
	if err != nil {
		return File{}, err
	}
	m := newMaker(cfg.Scenario)
	tried := make([]bool, len(g.States))
	at := 0
	for i, e := range tour {
		if at == 0 {
			if i > 0 {
				m.end()
			}
			m.begin(cfg, fmt.Sprint(len(m.file.Schedules)+1))
		}
		if !tried[at] {
			tried[at] = true
			m.tryAll()
		}
		m.take(e.Action)
		at = e.To
	}
	m.end()
	return m.file, nil
}

// A maker fills a file along the states of the model.
type maker struct {
	file  File
	index map[Move]int

	cfg   model.Config
	state model.State
	now   Schedule
}

func newMaker(sc spec.Scenario) *maker {
	return &maker{file: File{Version: Version, Scenario: sc.String(), Columns: columns}, index: map[Move]int{}}
}

func (m *maker) begin(cfg model.Config, name string) {
	m.cfg, m.state = cfg, model.Init(cfg)
	m.now = Schedule{Name: name, Procs: cfg.Procs, Needs: []string{"white"}, Start: []string{}, Shows: []string{}, Moves: []int{}}
	for p := range cfg.Procs {
		m.now.Start = append(m.now.Start, m.state.Step(p).String())
	}
}

// end adds the schedule to the file. In a deadlock every process first tries
// its step.
func (m *maker) end() {
	stuck := model.Stuck(m.cfg, m.state)
	if stuck {
		m.tryAll()
	}
	for _, p := range spec.AllProperties {
		if model.Violates(m.cfg, m.state, p) || stuck && p == spec.NoHang {
			m.now.Shows = append(m.now.Shows, p.String())
		}
	}
	m.file.Schedules = append(m.file.Schedules, m.now)
}

// move makes the move if it is enabled, and tries it if it is blocked.
func (m *maker) move(move lockstep.Move) {
	for _, a := range model.Enabled(m.cfg, m.state) {
		if a.Proc == move.Proc && a.Event == move.Event {
			m.take(a)
			return
		}
	}
	if lockstep.Blocked(m.cfg, m.state, move.Proc) {
		m.try(move.Proc)
	}
}

func (m *maker) take(a model.Action) {
	before := m.state
	m.state = model.Apply(m.cfg, before, a)
	lines := lockstep.Exchanges(m.state, a)
	for i, line := range lines {
		after := m.state
		if i < len(lines)-1 {
			after = before
		}
		m.add(Move{line.Proc, line.Request, line.Answer, after.Words(), after.Holder()})
	}
	switch {
	case a.Event == spec.GiveUp:
		m.need("withdraw")
	case a.Event == spec.Abandon:
		m.need("abandon")
	case m.cfg.Scenario == spec.SplitLock && a.Event == spec.NoEvent &&
		(a.Step == spec.InitExit || a.Step == spec.CountEnter || a.Step == spec.CountExit):
		m.need("splitRMW")
	}
}

func (m *maker) need(capability string) {
	if !slices.Contains(m.now.Needs, capability) {
		m.now.Needs = append(m.now.Needs, capability)
	}
}

// try has process p, which is blocked, try its step.
func (m *maker) try(p int) {
	m.add(Move{p, "go", "at " + m.state.Step(p).String(), m.state.Words(), m.state.Holder()})
}

func (m *maker) tryAll() {
	for p := range m.cfg.Procs {
		if lockstep.Blocked(m.cfg, m.state, p) {
			m.try(p)
		}
	}
}

func (m *maker) add(move Move) {
	i, known := m.index[move]
	if !known {
		i = len(m.file.Moves)
		m.index[move] = i
		m.file.Moves = append(m.file.Moves, move)
	}
	m.now.Moves = append(m.now.Moves, i)
}

// crashes adds a schedule for each step that process 0 can die at. The others
// then go on in turn until none can move.
func (m *maker) crashes() {
	for _, procs := range []int{2, 3} {
		for _, step := range spec.CallSteps {
			cfg, s, ok := lockstep.CrashSchedule(procs, step)
			if !ok {
				continue
			}
			m.begin(cfg, fmt.Sprintf("dies at %v, %d processes", step, procs))
			for _, move := range append(s, lockstep.Move{Proc: 0, Event: spec.Die}) {
				m.move(move)
			}
			for before := (model.State{}); before != m.state; {
				before = m.state
				for p := range procs {
					m.move(lockstep.Move{Proc: p})
				}
			}
			m.end()
		}
	}
}
