package browse

import (
	"encoding/json"
	"fmt"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

// A pane is a View as page.js takes it. A state is a row of numbers in States:
// what all processes share, what each process has, and why each cannot take its
// step, all as indices; and its marks.
type pane struct {
	Name    string `json:"name"`
	Doc     string `json:"doc"`
	Procs   int    `json:"procs"`
	Rounds  int    `json:"rounds"`
	Command string `json:"command"`
	Real    string `json:"real,omitempty"` // the command that makes moves, which follow in quotes; empty: there is none

	Actions []action            `json:"actions"`
	Shared  []model.Snapshot    `json:"shared"` // without processes
	Locals  []model.ProcSummary `json:"locals"`
	Reasons []string            `json:"reasons"` // 0: it can
	States  []int               `json:"states"`
	First   []int               `json:"first"` // by state: its first edge; one more at the end
	Edges   []int               `json:"edges"` // action and state, action and state, …

	Picture drawing `json:"picture"` // the steps
	Folds   []fold  `json:"folds"`

	Example  []int  `json:"example"`            // the actions of the counterexample
	Property string `json:"property,omitempty"` // that it refutes
	Loop     int    `json:"loop,omitempty"`     // as model.Result
}

// The marks of a state, above the bits of the safety properties that it refutes.
const (
	stuck = 1 << (8 + iota) // no process can move, though not all rest
	lost                    // from here on, no call that has begun returns
)

// An action is a model.Action in words.
type action struct {
	Proc    int    `json:"proc"`
	Label   string `json:"label"`
	Event   bool   `json:"event,omitempty"` // it happens to the process, or to none
	Parties int    `json:"parties,omitempty"`
	Move    string `json:"move"`
	Doc     string `json:"doc"`
}

func newAction(a model.Action) action {
	doc := a.Step.Doc()
	if a.Event != spec.NoEvent {
		doc = a.Event.Doc()
	}
	return action{Proc: a.Proc, Label: a.Label(), Event: a.Event != spec.NoEvent, Parties: a.Parties, Move: a.Move(), Doc: doc}
}

// newPane returns the pane of v.
func newPane(v View) pane {
	p := pane{Name: v.Config.Name(), Doc: what(v.Config), Procs: v.Config.Procs, Rounds: v.Config.Rounds, Command: v.Command, Real: onRealProcesses(v.Config),
		Property: v.Result.Property, Loop: v.Result.Loop, Example: []int{}, Picture: picture(v)}
	p.addStates(v)
	actions := p.addEdges(v)
	for _, a := range example(v) {
		p.Example = append(p.Example, actions.number[a])
	}
	for _, by := range foldings {
		p.Folds = append(p.Folds, by.fold(v))
	}
	return p
}

// what describes the question in a sentence.
func what(cfg model.Config) string {
	text := cfg.Scenario.Doc()
	if cfg.Control {
		text = "the same situation, but " + model.ControlOf(cfg.Scenario)
	}
	if cfg.Mutant != nil {
		text += "; mistake: " + cfg.Mutant.Doc
	}
	return cli.Sentence(text)
}

// onRealProcesses returns the command that makes moves of cfg with real
// processes, up to the moves; empty: none does.
func onRealProcesses(cfg model.Config) string {
	if cfg.Control || cfg.WeakReads {
		return ""
	}
	port := ""
	switch {
	case cfg.Mutant != nil:
		port = fmt.Sprintf(" --port c@%s=%d", cfg.Mutant.Name, cfg.Procs)
	case cfg.Scenario == spec.SplitLock: // only this port takes a step in halves
		port = fmt.Sprintf(" --port c=%d", cfg.Procs)
	}
	return fmt.Sprintf("go run ./stress lockstep --scenario %v --procs %d --rounds %d%s --moves", cfg.Scenario, cfg.Procs, cfg.Rounds, port)
}

func (p *pane) addStates(v View) {
	var shared, locals, reasons = newNumbers[string](), newNumbers[string](), newNumbers[string]()
	reasons.of("")
	lostIn := lostStates(v)
	for i, s := range v.Graph.States {
		all := s.Snapshot(v.Config)
		list := all.Procs
		all.Procs = nil
		row := []int{shared.of(key(all))}
		if len(p.Shared) < len(shared.list) {
			p.Shared = append(p.Shared, all)
		}
		for _, one := range list {
			row = append(row, locals.of(key(one)))
			if len(p.Locals) < len(locals.list) {
				p.Locals = append(p.Locals, one)
			}
		}
		for q := range v.Config.Procs {
			row = append(row, reasons.of(model.Reason(v.Config, s, q)))
		}
		p.States = append(p.States, append(row, marks(v, i, lostIn[i]))...)
	}
	p.Reasons = reasons.list
}

// key tells values apart whose JSON differs.
func key(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a programmer's mistake: all parts of a state can be marshalled
	}
	return string(text)
}

// marks returns the bits of the state.
func marks(v View, state int, isLost bool) (set int) {
	s := v.Graph.States[state]
	for _, p := range spec.AllProperties {
		if model.Violates(v.Config, s, p) {
			set |= 1 << p
		}
	}
	if model.Stuck(v.Config, s) {
		set |= stuck
	}
	if isLost {
		set |= lost
	}
	return set
}

func (p *pane) addEdges(v View) *numbers[model.Action] {
	actions := newNumbers[model.Action]()
	for _, edges := range v.Graph.Edges {
		p.First = append(p.First, len(p.Edges)/2)
		for _, e := range edges {
			p.Edges = append(p.Edges, actions.of(e.Action), e.To)
		}
	}
	p.First = append(p.First, len(p.Edges)/2)
	for _, a := range actions.list {
		p.Actions = append(p.Actions, newAction(a))
	}
	return actions
}

// example returns the actions of the counterexample of v.
func example(v View) (list []model.Action) {
	state := 0
	for _, e := range v.Result.Trace {
		for _, edge := range v.Graph.Edges[state] {
			if a := edge.Action; a.Proc == e.Proc && a.Label() == e.Label && a.Parties == e.Parties {
				list, state = append(list, a), edge.To
				break
			}
		}
	}
	return list
}

// numbers numbers values in the order in which they come.
type numbers[T comparable] struct {
	number map[T]int
	list   []T
}

func newNumbers[T comparable]() *numbers[T] { return &numbers[T]{number: map[T]int{}} }

// of returns the number of v.
func (n *numbers[T]) of(v T) int {
	i, ok := n.number[v]
	if !ok {
		i = len(n.list)
		n.number[v] = i
		n.list = append(n.list, v)
	}
	return i
}
