// Package accepttest makes traces for tests: those of walks of the model, and
// spoiled ones. It also says what the steps do to the words, without the model.
package accepttest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
)

// A recorder makes a trace of a walk of the model, as the workers of a real run
// do: a process records each step before it takes it.
type recorder struct {
	random   *rand.Rand
	cfg      model.Config
	parties  int
	state    model.State
	counter  int64
	events   []accept.Event
	recorded []bool // by process: the step that it is at
	over     []bool // by process: it has died
	lost     []bool // by process: it has died, and what it had announced is not recorded
}

// A Walk is what the processes of a trace do.
type Walk struct {
	Procs   int
	Parties int     // the party count that calls pass; 0: Procs
	Events  int     // the length of the trace, about
	GiveUps float64 // how often a process gives up or leaves its wait rather than take a step
	Deaths  float64 // how often a process dies, or fails, rather than take a step
	Losses  float64 // how often one dies that another records for, when it is at a step under the lock
}

// Record returns the trace of a walk.
func Record(random *rand.Rand, w Walk) *accept.Trace {
	w.Parties = cmp.Or(w.Parties, w.Procs)
	cfg := model.Config{Scenario: spec.Withdraw, Procs: w.Procs}
	r := &recorder{random: random, cfg: cfg, parties: w.Parties, state: model.Init(cfg), recorded: make([]bool, w.Procs), over: make([]bool, w.Procs), lost: make([]bool, w.Procs)}
	for idle := 0; len(r.events) < w.Events && idle < 100*w.Procs; idle++ {
		p := random.IntN(w.Procs)
		before := len(r.events)
		switch {
		case r.over[p]:
		case r.lost[p]:
			r.note(p, r.state.Step(p).String())
			r.end(p)
		case !r.recorded[p] && w.Losses > 0 && r.state.Holder() == p && random.Float64() < w.Losses:
			r.lose(p)
		case !r.recorded[p]:
			r.note(p, r.state.Step(p).String())
			r.recorded[p] = true
		case random.Float64() < w.Deaths:
			r.state, _ = model.Happen(cfg, r.state, p, spec.Die)
			r.end(p)
		case random.Float64() < w.GiveUps:
			event, end := spec.GiveUp, accept.Withdrawn
			if random.IntN(8) == 0 {
				event, end = spec.Abandon, accept.Abandoned
			}
			if state, ok := model.Happen(cfg, r.state, p, event); ok {
				r.enter(p, state, end)
			}
		default:
			if state, ok := model.Advance(cfg, r.state, p, w.Parties); ok {
				end := accept.Returned
				if r.state.Step(p) == spec.UnlockWithdraw {
					end = accept.Withdrawn
				}
				r.enter(p, state, end)
				idle = 0
			}
		}
		if len(r.events) > before {
			idle = 0
		}
	}
	Sort(r.events)
	return &accept.Trace{Procs: w.Procs, Events: r.events}
}

// enter makes the state the present one, and records the end of a call.
func (r *recorder) enter(p int, state model.State, end string) {
	was := r.state.Inside(p)
	r.state, r.recorded[p] = state, false
	if was && !state.Inside(p) {
		r.note(p, end)
	}
}

// end records the end of a process.
func (r *recorder) end(p int) {
	r.note(p, []string{accept.Died, accept.Failed}[r.random.IntN(2)])
	r.over[p] = true
}

// lose has a process die before its step, which it has announced, is recorded, or
// after, when it has taken the step or not.
func (r *recorder) lose(p int) {
	r.last(p).Lost = true
	if r.random.IntN(2) == 0 {
		r.state, _ = model.Happen(r.cfg, r.state, p, spec.Die)
		r.lost[p] = true
		return
	}
	r.note(p, r.state.Step(p).String())
	if r.random.IntN(2) == 0 {
		r.state, _ = model.Advance(r.cfg, r.state, p, 0)
	}
	r.state, _ = model.Happen(r.cfg, r.state, p, spec.Die)
	r.end(p)
}

// last returns the last event of a process; nil: it has none.
func (r *recorder) last(p int) *accept.Event {
	for i := len(r.events) - 1; i >= 0; i-- {
		if r.events[i].Proc == p {
			return &r.events[i]
		}
	}
	return nil
}

func (r *recorder) note(p int, label string) {
	e := accept.Event{Proc: p, Label: label}
	if e.Locked() {
		r.counter++
		e.Words = r.state.Words()
	}
	if label == spec.Call.String() {
		e.Parties = r.parties
	}
	e.Number = r.counter
	if last := r.last(p); last != nil && !last.Locked() {
		last.Until = e.Number
	}
	r.events = append(r.events, e)
}

// Sort puts events into the order of TRACES.md. Those of each process are in
// its order, and the numbers of the steps under the lock differ.
func Sort(events []accept.Event) {
	owner := map[int64]int{} // by number: the process whose step under the lock has it
	for _, e := range events {
		if e.Locked() {
			owner[e.Number] = e.Proc
		}
	}
	class := func(e accept.Event) int {
		switch of, is := owner[e.Number]; {
		case e.Locked():
			return 1
		case is && of == e.Proc:
			return 2
		default:
			return 0
		}
	}
	slices.SortStableFunc(events, func(a, b accept.Event) int { return cmp.Or(cmp.Compare(a.Number, b.Number), class(a)-class(b)) })
}

// Text returns the trace as a file.
func Text(t *accept.Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"trace":1,"procs":%d,"words":{"enter":0,"exit":-1,"flag":1}}`+"\n", t.Procs)
	lines := json.NewEncoder(&b)
	for _, e := range t.Events {
		var words *spec.Words
		if e.Locked() {
			words = &e.Words
		}
		lines.Encode(struct {
			accept.Event
			Words *spec.Words `json:"words,omitempty"`
		}{e, words})
	}
	return b.String()
}
