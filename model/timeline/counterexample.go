package timeline

import (
	"fmt"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// Of returns the timeline of r, a counterexample to a property of cfg, by any
// engine.
func Of(cfg model.Config, r model.Result) Timeline {
	var moves []Move
	for _, e := range r.Trace {
		moves = append(moves, Move{Entry: e})
	}
	t := OfMoves(cfg, moves, r.Verdict == spec.Hang && r.Loop == 0)
	t.Loop = int64(r.Loop)
	t.Doc = fmt.Sprintf("A counterexample of %d steps.", len(moves))
	if p, err := spec.ParseProperty(r.Property); err == nil {
		t.Doc = fmt.Sprintf("%v fails: %s. %s", p, strings.ReplaceAll(p.Doc(), "`", ""), t.Doc)
	} else if r.Property != "" { // one that only its engine has
		t.Doc = fmt.Sprintf("%s fails. %s", r.Property, t.Doc)
	}
	if r.Loop > 0 {
		t.Doc += fmt.Sprintf(" After the last one it goes on with step %d, without end.", r.Loop)
	} else if r.Verdict == spec.Violated {
		t.MarkLast()
	}
	return t
}

// A Move is an entry of a trace and what came of it.
type Move struct {
	model.Entry
	Blocked bool   // the process has tried the step in vain
	Note    string // see Item
}

// OfMoves returns the timeline of moves from the initial state of cfg on. It
// shows who waits as far as the model can make the moves. Stuck says that no
// process can move after the last one: the timeline has a place more, in which
// all wait.
func OfMoves(cfg model.Config, moves []Move, stuck bool) Timeline {
	t := Timeline{Title: cfg.Title(), Axis: Order, Words: []Change{{0, spec.Initial}}}
	for p := range cfg.Procs {
		t.Lanes = append(t.Lanes, Lane{Name: fmt.Sprintf("p%d", p)})
	}
	var made model.Trace
	for i, m := range moves {
		t.addMove(cfg, m, int64(i+1))
		if !m.Blocked {
			made = append(made, m.Entry)
		}
	}
	end := int64(len(moves))
	if stuck {
		end++
	}
	if cfg.Validate() == nil {
		states, _ := made.Replay(cfg) // as far as it goes
		t.addWaits(cfg, moves, states, stuck)
	}
	for p := range cfg.Procs {
		t.Lanes[p].addSpans(moves, p, end)
	}
	return t
}

// addMove adds the step or event that m is, and the words after it.
func (t *Timeline) addMove(cfg model.Config, m Move, at int64) {
	item := Item{Kind: Event, From: at, To: at, Label: m.Label, Note: m.Note}
	if m.Parties > 0 {
		item.Label = fmt.Sprintf("%s(%d)", m.Label, m.Parties)
	}
	if _, err := spec.ParseStep(m.Label); err == nil {
		item.Kind = Step
	}
	p := m.Proc
	if p < 0 {
		p = cfg.Procs
		if len(t.Lanes) == p {
			t.Lanes = append(t.Lanes, Lane{Name: "environment"})
		}
	}
	t.Lanes[p].Items = append(t.Lanes[p].Items, item)
	t.Words = append(t.Words, Change{at, m.Words})
}

// addWaits adds, for each place, which processes could not take their step
// before it. If the end is stuck, these waits are wrong.
func (t *Timeline) addWaits(cfg model.Config, moves []Move, states []model.State, stuck bool) {
	state := 0 // before the move
	for i := 0; i <= len(moves) && state < len(states); i++ {
		last := i == len(moves)
		if last && !stuck {
			return
		}
		s := states[state]
		for p := range cfg.Procs {
			if why := model.Reason(cfg, s, p); why != "" && s.Alive(p) && s.Inside(p) {
				t.Lanes[p].span(Item{Kind: Wait, From: int64(i + 1), To: int64(i + 1), Label: s.Step(p).String(), Doc: why, Open: last, Wrong: last})
			}
		}
		if !last && !moves[i].Blocked {
			state++
		}
	}
}

// span adds a wait, or what else lasts, or makes the one before it longer.
func (l *Lane) span(w Item) {
	for i := len(l.Items) - 1; i >= 0; i-- {
		if before := &l.Items[i]; before.Kind == w.Kind {
			if before.To == w.From-1 && before.Doc == w.Doc {
				before.To, before.Open, before.Wrong = w.To, w.Open, w.Wrong
				return
			}
			break
		}
	}
	l.Items = append(l.Items, w)
}

// addSpans adds when process p holds the lock, and that it is dead, up to the
// end.
func (l *Lane) addSpans(moves []Move, p int, end int64) {
	since := int64(0) // it holds the lock
	hold := func(to int64, open bool) {
		if since > 0 {
			l.Items = append(l.Items, Item{Kind: Lock, From: since, To: to, Open: open})
		}
		since = 0
	}
	for i, m := range moves {
		at, step := int64(i+1), spec.Call
		if m.Proc != p || m.Blocked {
			continue
		}
		if named, err := spec.ParseStep(m.Label); err == nil {
			step = named
		}
		switch {
		case m.Label == spec.Die.String():
			hold(at, false)
			if at < end {
				l.Items = append(l.Items, Item{Kind: Dead, From: at + 1, To: end, Open: true})
			}
		case step.Lock() == spec.Acquire:
			since = at
		case step.Lock() == spec.Release:
			hold(at, false)
		}
	}
	hold(end, true)
}

// MarkLast marks the last step or event as wrong.
func (t *Timeline) MarkLast() {
	var last *Item
	for _, lane := range t.Lanes {
		for i := range lane.Items {
			if item := &lane.Items[i]; item.Kind.happens() && (last == nil || item.From >= last.From) {
				last = item
			}
		}
	}
	if last != nil {
		last.Wrong = true
	}
}
