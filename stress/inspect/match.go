//go:build linux

package inspect

import (
	"cmp"
	"context"
	"math/bits"
	"slices"
	"sync"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// steps is a set of steps, as bits.
type steps uint32

func stepsOf(list ...spec.Step) (set steps) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

func (set steps) has(s spec.Step) bool { return set>>s&1 != 0 }

// list returns the steps in the order of PROTOCOL.md.
func (set steps) list() (list []spec.Step) {
	for _, s := range spec.AllSteps {
		if set.has(s) {
			list = append(list, s)
		}
	}
	return list
}

const anyStep = ^steps(0)

var (
	outside  = stepsOf(spec.Call)
	polls    = stepsOf(spec.AwaitDrain, spec.AwaitFlag)
	acquires = stepsThat(func(s spec.Step) bool { return s.Lock() == spec.Acquire })
	critical = stepsThat(spec.Step.Holds)
)

func stepsThat(do func(spec.Step) bool) (set steps) {
	for _, s := range spec.AllSteps {
		if do(s) {
			set |= 1 << s
		}
	}
	return set
}

// A party is what is known of one process of the model: one that is seen, or
// one that is not, and then is gone or never came.
type party struct {
	at    steps // where it may be, if it cannot take that step
	rests steps // where it may be though it could: it is stopped, or outside
	less  steps // where it may rest too, though that is less likely
	gone  bool  // it takes no further step, wherever it is, and holds no lock
	holds bool
}

// A question is what the states of the model are compared with: one moment of a
// barrier at which nothing moves.
type question struct {
	procs   int
	words   spec.Words
	parties []party // at most procs of them that are not gone
}

// A match is a state in which no process moves that is consistent with a
// question.
type match struct {
	scenario spec.Scenario
	died     steps // where parties are that are gone, besides Call
	missing  int   // parties that are gone, and outside
	dead     int   // parties that are gone, in a call
	idle     int   // parties that seem to wait, and are outside
	waits    bool  // a party that is there waits in a call
	shape    shape
}

// A shape tells states apart in which callers do different things: the words,
// and how many parties that are there are at which step with which count.
type shape struct {
	words   spec.Words
	parties [model.MaxProcs]place
}

// A place is where one party is, and with which count it has called.
type place struct {
	step  spec.Step
	count int
	gone  bool
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.step, q.step), cmp.Compare(p.count, q.count), cmp.Compare(bit(p.gone), bit(q.gone)))
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

// states visits every state of the scenario that is reachable, up to symmetry,
// and yields what is consistent with q. It returns false if it could not visit
// all. In a scenario without a bound on its rounds, those are relative.
func (q question) states(ctx context.Context, cfg model.Config) (found []match, complete bool) {
	w := &watcher{Machine: model.NewMachine(cfg), question: q, cfg: cfg, distinct: map[shape]bool{}}
	o := explore.Run(ctx, w, explore.Options{Symmetry: true, Check: []spec.Property{spec.LockExclusive}, MaxStates: maxStates})
	return w.found, o.Verdict == spec.Verified
}

// maxStates bounds one exploration. None of those that a diagnosis makes comes
// near it.
const maxStates = 5_000_000

// A watcher is a machine of the barrier that shows each of its states to a
// question. It has no property to check, and ends where the words are so far
// out of range that the machine could not follow.
type watcher struct {
	*model.Machine
	question
	cfg model.Config

	mu       sync.Mutex // guards the rest
	found    []match
	distinct map[shape]bool
}

// Violations compares the state with the question, and reports none.
func (w *watcher) Violations(s *model.State) uint8 {
	if s.Words() == w.words {
		w.compare(s)
	}
	return 0
}

// Actions appends the actions of the machine.
func (w *watcher) Actions(s *model.State, list []model.Action) []model.Action {
	words, n := s.Words(), int32(w.cfg.Procs)
	if min(words.Enter, words.Exit) < -2 || max(words.Enter, words.Exit) > n+2 {
		return list
	}
	return w.Machine.Actions(s, list)
}

// compare adds the state to those found, if it is consistent with the question
// in some way.
func (w *watcher) compare(s *model.State) {
	var canStep uint16
	for _, a := range w.Machine.Actions(s, nil) {
		if a.Event == spec.NoEvent {
			canStep |= 1 << a.Proc
		}
	}
	assigned, ok := w.assign(s, canStep, false)
	if !ok {
		assigned, ok = w.assign(s, canStep, true)
	}
	if !ok {
		return
	}
	m := match{scenario: w.cfg.Scenario, shape: shape{words: s.Words()}}
	for proc, p := range assigned {
		step := s.Step(proc)
		me := &m.shape.parties[proc]
		*me = place{step, s.Parties(proc), p.gone}
		switch {
		case p.gone && s.Inside(proc):
			m.died |= 1 << step
			m.dead++
		case p.gone:
			m.missing++
			me.step = spec.Call
		case s.Inside(proc):
			m.waits = true
		case p.less.has(step):
			m.idle++
		}
	}
	slices.SortFunc(m.shape.parties[:w.cfg.Procs], place.compare)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.distinct[m.shape] {
		w.distinct[m.shape] = true
		w.found = append(w.found, m)
	}
}

// assign finds which process of the state each party may be: a perfect
// matching. Processes for which there is no party are gone. It returns the
// party of each process.
func (q question) assign(s *model.State, canStep uint16, unlikely bool) ([]party, bool) {
	n := q.procs
	all := slices.Clone(q.parties)
	for i := range all {
		if unlikely {
			all[i].rests |= all[i].less
		}
	}
	for len(all) < n {
		all = append(all, party{at: anyStep, gone: true})
	}
	if len(all) > n {
		return nil, false
	}
	var fits [model.MaxProcs]uint16 // by party, the processes that it may be
	for i, p := range all {
		for proc := range n {
			if p.mayBe(s, proc, canStep>>proc&1 != 0) {
				fits[i] |= 1 << proc
			}
		}
	}
	of := make([]int, n) // the party of each process, plus 1
	var augment func(i int, tried *uint16) bool
	augment = func(i int, tried *uint16) bool {
		for left := fits[i] &^ *tried; left != 0; left &= left - 1 {
			proc := bits.TrailingZeros16(left)
			if *tried>>proc&1 != 0 {
				continue
			}
			*tried |= 1 << proc
			if of[proc] == 0 || augment(of[proc]-1, tried) {
				of[proc] = i + 1
				return true
			}
		}
		return false
	}
	for i := range all {
		if tried := uint16(0); !augment(i, &tried) {
			return nil, false
		}
	}
	assigned := make([]party, n)
	for proc, i := range of {
		assigned[proc] = all[i-1]
	}
	return assigned, true
}

// mayBe reports whether the party may be the process of the state. A process of
// the model that does not die may stand for one that did, unless it holds the
// lock, which the kernel would have released.
func (p party) mayBe(s *model.State, proc int, canStep bool) bool {
	step := s.Step(proc)
	switch {
	case p.gone:
		return p.at.has(step) && (!s.Alive(proc) || !critical.has(step))
	case !s.Alive(proc) || p.holds != critical.has(step):
		return false
	default:
		return p.rests.has(step) || p.at.has(step) && !canStep
	}
}
