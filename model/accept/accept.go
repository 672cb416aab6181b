// Package accept decides whether a trace of real processes is a behaviour of
// the model. spec/TRACES.md has the format.
//
// A trace says in which order the steps under the lock were taken, and what the
// words were before each of them. It has an interval for each other step. The
// trace is accepted if the steps of all processes can be put into one order
// that keeps within all intervals, and in which the model takes each of them.
//
// No order has to be searched for. Of the steps without the lock, only the polls
// depend on what others do, and no other process notices when they are taken. So
// a poll is taken as soon as it can go on, and a call, an acquire and the end of
// a context just before the next step of their process under the lock. If any
// order is right, this one is. What remains open is whether the last step of a
// process was taken, and when one whose step is lost has died: Check follows all
// of that, as a frontier of states.
package accept

import (
	"fmt"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Result is what Check has found.
type Result struct {
	Events    int        // that were read
	Frontier  int        // the most states that were possible at once
	Rejection *Rejection // nil: the trace is a behaviour of the model
}

// A Part is what of an event contradicts the model.
type Part string

// The parts of an event.
const (
	Word  Part = "word"  // a word had another value, or a poll went on though its word did not let it
	Lock  Part = "lock"  // the process took a step under the lock while another one held it, or without acquiring
	Step  Part = "step"  // the process was at another step
	Order Part = "order" // numbers are missing, repeated, or in another order
)

// A Rejection is why a trace is no behaviour of the model.
type Rejection struct {
	Line   int              // of the first event that cannot be explained; the lines up to it are the shortest trace that is wrong
	Event  Event            // on this line
	Part   Part             // of an event that contradicts
	Why    string           // one sentence
	States []model.Snapshot // that were possible before the event, as far as most
	Could  []string         // by process: what it could do in the first of these states
}

const most = 8 // states that a Rejection shows

// Check decides whether the trace is a behaviour of the model. It takes the
// memory of the trace and little more.
func Check(t *Trace) Result {
	c := newChecker(t, len(t.Events))
	why := c.run()
	r := Result{Events: len(t.Events), Frontier: c.most}
	if why != nil {
		r.Rejection = shortest(t, why)
	}
	return r
}

// shortest returns the rejection of the shortest prefix that is still wrong. The
// prefixes of a behaviour are behaviours, so it bisects, and tries first where
// the last contradiction was.
func shortest(t *Trace, why *contradiction) *Rejection {
	right, wrong := newChecker(t, 0), len(t.Events)
	for guess := true; len(right.events)+1 < wrong; {
		length := (len(right.events) + wrong) / 2
		if guess {
			length = min(max(why.at+1, len(right.events)+1), wrong-1)
		}
		c := newChecker(t, length)
		switch again := c.run(); again {
		case nil:
			right, guess = c, !guess
		default:
			why, wrong, guess = again, length, true
		}
	}
	r := &Rejection{Line: t.line(wrong - 1), Event: t.Events[wrong-1], Part: why.part, Why: why.text}
	right.describe(r)
	return r
}

// describe adds the states that are possible at the end of the prefix.
func (c *checker) describe(r *Rejection) {
	for _, h := range c.frontier[:min(most, len(c.frontier))] {
		r.States = append(r.States, h.state.Snapshot(c.cfg))
	}
	r.Could = could(c.cfg, c.frontier[0].state)
}

// could says what each process can do in s.
func could(cfg model.Config, s model.State) (list []string) {
	for p := range cfg.Procs {
		text := fmt.Sprintf("waits at %v", s.Step(p))
		if !s.Alive(p) {
			text = "is dead"
		}
		for _, a := range model.Enabled(cfg, s) {
			if a.Proc == p && a.Event == spec.NoEvent {
				text = fmt.Sprintf("can take %v", a.Step)
			}
		}
		list = append(list, text)
	}
	return list
}

// A contradiction is why no state is left at an event.
type contradiction struct {
	at   int // index of the event
	part Part
	text string
}
