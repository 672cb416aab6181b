//go:build linux

package run

import (
	"math"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// A Guide has the workers of a run begin with one schedule. A schedule is a
// sequence of turns. In a turn one worker takes steps at full speed, and the
// others wait before their next one. After the last turn all go on as they
// like.
//
// Only workers that announce their steps can be guided. A worker that waits in
// vain, since the barrier does not do as the schedule says, ends the guide for
// all of them: no verdict depends on it.
type Guide struct {
	Turns   int      `json:"turns"`
	Workers [][]Turn `json:"workers"` // by worker, in their order
}

// A Turn is what one worker does while the others wait.
type Turn struct {
	Number int          `json:"number"` // from 0
	Steps  int          `json:"steps"`  // how many it takes; an event at a step counts as one
	Events []GuideEvent `json:"events,omitempty"`
}

// A GuideEvent happens before a step. Relink is followed by the step.
type GuideEvent struct {
	At    int        `json:"at"` // a step of the turn, from 0
	Event spec.Event `json:"event"`
}

// guided is the part of a worker that follows the guide.
type guided struct {
	turns  []Turn // that are left
	all    int
	ledger *oracle.Ledger
	taken  int       // steps of the first turn
	at     spec.Step // the step that was announced last
	over   bool      // the worker goes on as it likes
}

// patienceOfGuide is how long a worker waits for its turn though no turn ends.
// It only costs time: the trial is made again.
const patienceOfGuide = 2 * time.Second

// newGuided returns what the worker follows; nil: nothing.
func newGuided(g *Guide, worker int, ledger *oracle.Ledger) *guided {
	if g == nil {
		return nil
	}
	return &guided{turns: g.Workers[worker], all: g.Turns, ledger: ledger, at: spec.MakeFlag}
}

// isNext reports whether the announcement of s is that of another step: a step
// that blocks may be announced again.
func (g *guided) isNext(s spec.Step) bool {
	again := s == g.at && (s.Lock() == spec.Acquire || s == spec.AwaitDrain || s == spec.AwaitFlag)
	g.at = s
	return !again
}

// before waits until it is the turn of the worker, which takes the step s next.
// It returns what then happens to the worker.
func (g *guided) before(s spec.Step) (events []spec.Event) {
	if g == nil || g.over || !g.isNext(s) {
		return nil
	}
	if len(g.turns) > 0 && g.taken == g.turns[0].Steps {
		g.ledger.EndTurn(g.turns[0].Number)
		g.turns, g.taken = g.turns[1:], 0
	}
	if len(g.turns) == 0 {
		g.await(g.all)
		g.over = true
		return nil
	}
	turn := g.turns[0]
	if g.taken == 0 {
		g.await(turn.Number)
	}
	for _, e := range turn.Events {
		if e.At == g.taken {
			events = append(events, e.Event)
		}
	}
	g.taken++
	return events
}

// waits reports whether before may wait.
func (g *guided) waits() bool {
	return !g.over && (len(g.turns) == 0 || g.taken == 0 || g.taken == g.turns[0].Steps)
}

// end ends the turn under way: the worker takes no further step.
func (g *guided) end() {
	if g != nil && !g.over && len(g.turns) > 0 {
		g.ledger.EndTurn(g.turns[0].Number)
	}
}

// await waits until so many turns are over.
func (g *guided) await(turns int) {
	seen, since := int64(-1), time.Now()
	for {
		over := g.ledger.Turns()
		switch {
		case over >= int64(turns):
			return
		case over != seen:
			seen, since = over, time.Now()
		case time.Since(since) > patienceOfGuide:
			g.ledger.EndTurn(math.MaxInt32)
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// awaitTurn waits, before the worker takes the step, until it is its turn. It
// returns what then happens to it. A call begins in round, before its first
// step. Others see where the worker waits.
func (w *worker) awaitTurn(s spec.Step) []spec.Event {
	if w.guide == nil || s == spec.Call || s >= spec.MakeEnter && !w.late {
		return nil // a port may construct when it opens the barrier, before all begin
	}
	if w.guide.waits() {
		w.judge(w.observer.Wait(s, w.words.Read()))
	}
	return w.guide.before(s)
}

// guided lets happen what the guide has.
func (w *worker) guided(events []spec.Event) {
	for _, e := range events {
		switch e {
		case spec.Die:
			w.guide.end()
			w.inject.kill()
		case spec.GiveUp:
			w.inject.cancel()
		case spec.Abandon:
			panic(errWalkedAway)
		case spec.Relink:
			relink(w.LockPath)
		}
	}
}
