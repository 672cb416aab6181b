package accept

import (
	"fmt"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A checker checks the first events of a trace.
type checker struct {
	cfg      model.Config
	events   []Event
	next     []int32               // by event: the next one of its process; none: beyond the events
	before   []int32               // by event: the one before it of its process, or none
	final    [model.MaxProcs]int32 // by process: its last event, or none
	lost     bool                  // an event is
	frontier []hypothesis
	most     int // hypotheses at once

	numbered int64 // of the last step under the lock
	gaps     int64 // numbers that may still be missing: each process that died may have lost one
}

// A hypothesis is a state that is possible after the steps under the lock so
// far. Other steps may be outstanding in it: todo has the first event of each
// process that the state has not taken.
type hypothesis struct {
	state model.State
	todo  [model.MaxProcs]int32
}

const none = 1<<31 - 1

func newChecker(t *Trace, length int) *checker {
	c := &checker{cfg: model.Config{Scenario: spec.Withdraw, Procs: t.Procs}, events: t.Events[:length], most: 1}
	c.next, c.before = make([]int32, length), make([]int32, length)
	start := hypothesis{state: model.Init(c.cfg)}
	for p := range start.todo {
		start.todo[p] = none
	}
	last := start.todo
	for i := range c.events {
		p := c.events[i].Proc
		c.before[i], last[p] = last[p], int32(i)
	}
	c.final = last
	for i := length - 1; i >= 0; i-- {
		p := c.events[i].Proc
		c.next[i], start.todo[p] = start.todo[p], int32(i)
	}
	for _, e := range t.Events {
		if e.Label == Died {
			c.gaps++
		}
		c.lost = c.lost || e.Lost
	}
	c.frontier = []hypothesis{start}
	return c
}

// run goes through the events. It returns why the last state was lost, or nil.
func (c *checker) run() *contradiction {
	for i := range c.events {
		if why := c.inOrder(i); why != nil {
			return why
		}
		c.perish(i)
		if !c.events[i].Locked() {
			for j := range c.frontier {
				c.poll(&c.frontier[j], c.events[i].Proc, i)
			}
			continue
		}
		if why := c.narrow(func(h hypothesis) ([]hypothesis, *contradiction) { return c.take(h, i) }); why != nil {
			return why
		}
	}
	return c.narrow(c.finish)
}

// narrow replaces each hypothesis by those that follow from it. It returns why
// none is left: what is certain last.
func (c *checker) narrow(follow func(hypothesis) ([]hypothesis, *contradiction)) (lost *contradiction) {
	var left []hypothesis
	for _, h := range c.frontier {
		after, why := follow(h)
		if why != nil && (lost == nil || why.at > lost.at) {
			lost = why
		}
		for _, h := range after {
			if len(c.frontier) == 1 && len(after) == 1 || !slices.Contains(left, h) {
				left = append(left, h)
			}
		}
	}
	if len(left) == 0 {
		return lost
	}
	c.frontier = left
	c.most = max(c.most, len(left))
	return nil
}

// inOrder checks the numbers of an event.
func (c *checker) inOrder(i int) *contradiction {
	e := &c.events[i]
	wrong := func(format string, args ...any) *contradiction {
		return &contradiction{i, Order, fmt.Sprintf(format, args...)}
	}
	if b := c.before[i]; b != none {
		last := &c.events[b]
		switch {
		case last.ends():
			return wrong("p%d has ended: %s is its last event", e.Proc, last.Label)
		case !last.Locked() && last.Until != e.Number:
			return wrong("the event of p%d before it is until %d, and this one has the number %d", e.Proc, last.Until, e.Number)
		case c.before[b] != none && c.events[c.before[b]].Lost && !e.ends():
			return wrong("p%d is lost after %s: nothing but its end follows %s", e.Proc, c.events[c.before[b]].Label, last.Label)
		case last.Lost && e.Lost:
			return wrong("p%d is lost after %s, and after %s, too", e.Proc, last.Label, e.Label)
		case e.Number < last.Number:
			return wrong("its number is %d, and the event of p%d before it has %d", e.Number, e.Proc, last.Number)
		}
	} else if e.Label != spec.Call.String() && !e.ends() {
		return &contradiction{i, Step, fmt.Sprintf("p%d is at %v", e.Proc, spec.Call)}
	}
	switch {
	case !e.Locked() && (e.Number > c.numbered+1 || e.Number < c.numbered) && e.Label != Died:
		return wrong("it stands after the step under the lock with number %d, and its number is %d", c.numbered, e.Number)
	case !e.Locked() && e.polls() && e.Number == c.numbered && !c.follows(i):
		return wrong("it stands after the step under the lock with its own number, %d, which may have come later", e.Number)
	case !e.Locked():
		return nil
	case e.Number <= c.numbered:
		return wrong("its number is %d, and the step under the lock before it has %d", e.Number, c.numbered)
	}
	if c.gaps -= e.Number - c.numbered - 1; c.gaps < 0 {
		return wrong("its number is %d, and the step under the lock before it has %d: one is missing, and no process that died can have lost it", e.Number, c.numbered)
	}
	c.numbered = e.Number
	return nil
}

// follows reports whether the event before it of its process is the last step
// under the lock.
func (c *checker) follows(i int) bool {
	b := c.before[i]
	return b != none && c.events[b].Locked() && c.events[b].Number == c.numbered
}

// take takes the step under the lock of event i. It returns two states if the
// process may have died before it took the step.
func (c *checker) take(h hypothesis, i int) ([]hypothesis, *contradiction) {
	e := &c.events[i]
	if why := c.overdue(&h, i); why != nil {
		return nil, why
	}
	lost, isLost := c.lose(h, i)
	why := c.settle(&h, e.Proc, i)
	if why == nil {
		why = c.fits(&h, i)
	}
	switch {
	case why != nil && isLost:
		return []hypothesis{lost}, nil
	case why != nil:
		return nil, why
	}
	after := h
	after.state, _ = model.Advance(c.cfg, h.state, e.Proc, 0)
	after.todo[e.Proc] = c.next[i]
	if n := c.next[i]; n != none && !c.events[n].ends() {
		if why := c.arrives(&after, i); why != nil {
			return nil, why
		}
	} else if isLost || !e.Lost {
		if h.todo[e.Proc] = n; isLost {
			h = lost
		}
		c.pollAll(&h, i)
		c.pollAll(&after, i)
		return []hypothesis{after, h}, nil
	}
	c.pollAll(&after, i)
	return []hypothesis{after}, nil
}

// lose returns the state in which the process of event i has died before that,
// and false if it is known to have been alive.
func (c *checker) lose(h hypothesis, i int) (hypothesis, bool) {
	p, b := c.events[i].Proc, c.before[i]
	if b == none || !c.events[b].Lost || !c.events[b].Locked() && h.state.Alive(p) {
		return h, false
	}
	h.state, _ = model.Happen(c.cfg, h.state, p, spec.Die)
	h.todo[p] = c.next[i]
	return h, true
}

// perish adds the states in which a process acquires the lock before event i and
// dies with it, if its acquire is lost: no process notices that.
func (c *checker) perish(i int) {
	for j := 0; c.lost && j < len(c.frontier); j++ {
		for p := range c.cfg.Procs {
			if h, ok := c.perishes(c.frontier[j], p, i); ok && !slices.Contains(c.frontier, h) {
				c.frontier = append(c.frontier, h)
				c.most = max(c.most, len(c.frontier))
			}
		}
	}
}

// perishes returns the state for perish, and false if there is none.
func (c *checker) perishes(h hypothesis, p, i int) (hypothesis, bool) {
	u := h.todo[p]
	for u < int32(i) && !c.events[u].Locked() && !c.events[u].Lost && !c.goesOn(int(u)) && c.pass(&h, int(u), i) == nil {
		u = h.todo[p]
	}
	if u >= int32(i) || c.events[u].Locked() || !c.events[u].Lost || c.next[u] == none {
		return h, false
	}
	if why := c.pass(&h, int(u), i); why != nil {
		return h, false
	}
	h.state, _ = model.Happen(c.cfg, h.state, p, spec.Die)
	return h, true
}

// fits compares the state with what event i, a step under the lock, says of it.
func (c *checker) fits(h *hypothesis, i int) *contradiction {
	e := &c.events[i]
	step, _ := e.step()
	switch words := h.state.Words(); {
	case h.state.Step(e.Proc) != step:
		return &contradiction{i, Step, fmt.Sprintf("p%d is at %v", e.Proc, h.state.Step(e.Proc))}
	case h.state.Holder() != e.Proc:
		return &contradiction{i, Lock, fmt.Sprintf("p%d does not hold the lock", e.Proc)}
	case words != e.Words:
		return &contradiction{i, Word, fmt.Sprintf("the words are %v", words)}
	}
	return nil
}

// arrives checks that the process of event i is where its next event has it.
func (c *checker) arrives(h *hypothesis, i int) *contradiction {
	n := c.next[i]
	e, then := &c.events[i], &c.events[n]
	at := h.state.Step(e.Proc)
	want, isStep := then.step()
	if !isStep {
		want = spec.Call
	}
	switch {
	case at != want:
		return &contradiction{int(n), Step, fmt.Sprintf("after %s p%d is at %v", e.Label, e.Proc, at)}
	case !isStep && !c.endsBy(i):
		return &contradiction{int(n), Step, fmt.Sprintf("a call does not end as %s after %s", then.Label, e.Label)}
	}
	return nil
}

// endsBy reports whether a call can end as the event after event i says.
func (c *checker) endsBy(i int) bool {
	switch label := c.events[i].Label; c.events[c.next[i]].Label {
	case Returned:
		return label == spec.UnlockExit.String()
	case Withdrawn:
		return label == spec.UnlockWithdraw.String() || c.happens(i) == spec.GiveUp
	case Abandoned:
		return c.happens(i) == spec.Abandon
	}
	return false
}

// settle takes the events of process p before event i, none of which is a step
// under the lock.
func (c *checker) settle(h *hypothesis, p, i int) *contradiction {
	for h.todo[p] < int32(i) {
		if why := c.pass(h, int(h.todo[p]), i); why != nil {
			return why
		}
	}
	return nil
}

// pass takes event u, which is no step under the lock, just before event i.
func (c *checker) pass(h *hypothesis, u, i int) *contradiction {
	e, n := &c.events[u], c.next[u]
	defer func() { h.todo[e.Proc] = n }()
	event := c.happens(u)
	switch {
	case e.ends():
		h.state, _ = model.Happen(c.cfg, h.state, e.Proc, spec.Die)
		return nil
	case n == none || c.events[n].ends():
		return nil // it may not have been taken, and nobody notices
	case !e.isStep():
		return c.arrives(h, u)
	case event != spec.NoEvent:
		var ok bool
		if h.state, ok = model.Happen(c.cfg, h.state, e.Proc, event); !ok {
			return &contradiction{int(n), Step, fmt.Sprintf("p%d is at %v, where %v cannot happen", e.Proc, h.state.Step(e.Proc), event)}
		}
		return c.arrives(h, u)
	}
	if step, _ := e.step(); h.state.Step(e.Proc) != step {
		return &contradiction{u, Step, fmt.Sprintf("p%d is at %v", e.Proc, h.state.Step(e.Proc))}
	}
	c.bury(h, i)
	state, ok := model.Advance(c.cfg, h.state, e.Proc, e.Parties)
	switch {
	case !ok && e.polls():
		return c.unmet(h, u, i)
	case !ok:
		return &contradiction{i, Lock, fmt.Sprintf("p%d acquires the lock, which p%d holds", e.Proc, h.state.Holder())}
	}
	h.state = state
	return c.arrives(h, u)
}

// happens returns what happens to the process of event u, as its next event
// shows; NoEvent: it takes its step, as it always does under the lock.
func (c *checker) happens(u int) spec.Event {
	n := c.next[u]
	if n == none || !c.events[u].isStep() || c.events[u].Locked() {
		return spec.NoEvent
	}
	label, then := c.events[u].Label, c.events[n].Label
	switch {
	case then == Withdrawn:
		return spec.GiveUp
	case then == spec.LockWithdraw.String() && label == spec.AwaitFlag.String():
		return spec.GiveUp
	case then == Abandoned:
		return spec.Abandon
	}
	return spec.NoEvent
}

// unmet is the contradiction of poll u, which went on before event i.
func (c *checker) unmet(h *hypothesis, u, i int) *contradiction {
	e := &c.events[u]
	return &contradiction{i, Word, fmt.Sprintf("p%d went on at %s between the numbers %d and %d, and in that time its word never let it; now the words are %v",
		e.Proc, e.Label, e.Number, e.Until, h.state.Words())}
}

// bury has the holder of the lock die, if it did.
func (c *checker) bury(h *hypothesis, i int) {
	p := h.state.Holder()
	if p < 0 {
		return
	}
	u := h.todo[p]
	last := c.final[p]
	if u != none {
		last = c.before[u]
	}
	if c.events[last].Lost {
		h.state, _ = model.Happen(c.cfg, h.state, p, spec.Die)
		return
	}
	if u != none && !c.events[u].ends() && !c.events[u].Locked() {
		u = c.next[u] // of a step that may not have been taken
	}
	if u < int32(i) && c.events[u].ends() {
		h.state, _ = model.Happen(c.cfg, h.state, p, spec.Die)
		h.todo[p] = c.next[u]
	}
}

// overdue finds a poll that must have been taken before event i, which is a
// step under the lock, and was not.
func (c *checker) overdue(h *hypothesis, i int) *contradiction {
	for p := range c.cfg.Procs {
		if u := h.todo[p]; u < int32(i) && c.goesOn(int(u)) && c.events[u].Until < c.events[i].Number {
			return c.unmet(h, int(u), i)
		}
	}
	return nil
}

// goesOn reports whether event u is a poll that went on to its next step.
func (c *checker) goesOn(u int) bool {
	n := c.next[u]
	if !c.events[u].polls() || n == none {
		return false
	}
	poll, _ := c.events[u].step()
	then, ok := c.events[n].step()
	return ok && then == poll.Next()[0].To
}

// poll takes the outstanding poll of process p, if there is one up to event i
// and it can go on.
func (c *checker) poll(h *hypothesis, p, i int) {
	u := h.todo[p]
	if u > int32(i) || !c.goesOn(int(u)) {
		return
	}
	if step, _ := c.events[u].step(); h.state.Step(p) != step {
		return
	}
	if state, ok := model.Advance(c.cfg, h.state, p, 0); ok {
		h.state, h.todo[p] = state, c.next[u]
	}
}

func (c *checker) pollAll(h *hypothesis, i int) {
	for p := range c.cfg.Procs {
		c.poll(h, p, i)
	}
}

// finish takes what is outstanding when there is no further step under the
// lock.
func (c *checker) finish(h hypothesis) ([]hypothesis, *contradiction) {
	end := len(c.events)
	for p := range c.cfg.Procs {
		for u := h.todo[p]; u < int32(end) && !c.undecided(&h, int(u)); u = h.todo[p] {
			if why := c.pass(&h, int(u), end); why != nil {
				why.at = min(why.at, end-1)
				return nil, why
			}
		}
	}
	return []hypothesis{h}, nil
}

// undecided reports whether event u is a poll that waits, and what let it go on
// may be a step under the lock after those of the trace.
func (c *checker) undecided(h *hypothesis, u int) bool {
	if !c.goesOn(u) || c.events[u].Until <= c.numbered {
		return false
	}
	p := c.events[u].Proc
	if step, _ := c.events[u].step(); h.state.Step(p) != step {
		return false
	}
	_, ok := model.Advance(c.cfg, h.state, p, 0)
	return !ok
}
