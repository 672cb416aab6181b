//go:build linux

package inspect

import (
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

// A toll is what has gone wrong in a state in which nothing moves.
type toll struct {
	missing int // parties that are gone, and outside
	dead    int // parties that are gone, in a call
	idle    int // parties that seem to wait, and are outside
}

// A fit counts the states of a scenario in which nothing moves, some process
// waits, and the toll is the same, that are consistent with what is seen of the
// processes and of the lock.
type fit struct {
	toll
	all    int   // with any words
	here   int   // with the words that are seen
	died   steps // of those here: where parties are that are gone, besides Call
	waits  steps // of those here: where parties are that are there and wait
	behind span  // of those here: parties that wait in another round than most
}

// share is the share of the states that have the words which are seen.
func (f fit) share() float64 { return float64(f.here) / float64(f.all) }

// states visits every state of the scenario that is reachable, up to symmetry,
// and counts those that are consistent with q. It returns false if it could not
// visit all. In a scenario without a bound on its rounds, those are relative.
func (q question) states(ctx context.Context, cfg model.Config) (found []fit, complete bool) {
	w := &watcher{Machine: model.NewMachine(cfg), cfg: cfg, words: q.words}
	w.likely, w.unlikely = slices.Clone(q.parties), slices.Clone(q.parties)
	for i := range w.unlikely {
		w.unlikely[i].rests |= w.unlikely[i].less
	}
	for len(w.likely) < q.procs { // those that are not seen
		w.likely = append(w.likely, party{at: anyStep, gone: true})
		w.unlikely = append(w.unlikely, party{at: anyStep, gone: true})
	}
	w.held = slices.ContainsFunc(q.parties, func(p party) bool { return p.holds })
	o := explore.Run(ctx, w, explore.Options{Symmetry: true, Check: []spec.Property{spec.LockExclusive}, MaxStates: maxStates})
	return w.found, o.Verdict == spec.Verified
}

// maxStates bounds one exploration. None of those that a diagnosis makes comes
// near it.
const maxStates = 5_000_000

// A watcher is a machine of the barrier that compares each of its states with a
// question. It has no property to check, and ends where the words are so far
// out of range that the machine could not follow.
type watcher struct {
	*model.Machine
	cfg              model.Config
	words            spec.Words
	likely, unlikely []party // one for each process: all that may be outside do wait, or they do not
	held             bool    // one of them holds the lock

	mu    sync.Mutex // guards found
	found []fit
}

// Violations compares the state with the question, and reports none.
func (w *watcher) Violations(s *model.State) uint8 {
	w.compare(s)
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

// compare counts the state if it is consistent with the question in some way.
func (w *watcher) compare(s *model.State) {
	if s.Holder() >= 0 && !w.held {
		return // most states, at no cost
	}
	var buffer [4 * model.MaxProcs]model.Action
	var canStep uint16
	for _, a := range w.Machine.Actions(s, buffer[:0]) {
		if a.Event == spec.NoEvent {
			canStep |= 1 << a.Proc
		}
	}
	parties, of, ok := w.likely, assignment{}, false
	if of, ok = assign(parties, s, canStep); !ok {
		parties = w.unlikely
		of, ok = assign(parties, s, canStep)
	}
	if !ok {
		return
	}
	one := fit{all: 1}
	var rounds []int
	for proc := range parties {
		p, step := parties[of[proc]], s.Step(proc)
		switch {
		case p.gone && s.Inside(proc):
			one.died |= 1 << step
			one.dead++
		case p.gone:
			one.missing++
		case s.Inside(proc):
			one.waits |= 1 << step
			rounds = append(rounds, s.Rounds(proc))
		case p.less.has(step):
			one.idle++
		}
	}
	if len(rounds) == 0 {
		return
	}
	one.behind = spanOf(len(rounds) - mostOften(rounds))
	w.add(one, s.Words() == w.words)
}

// add counts the state to those that are like it.
func (w *watcher) add(one fit, here bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.found, func(f fit) bool { return f.toll == one.toll })
	if i < 0 {
		i = len(w.found)
		w.found = append(w.found, fit{toll: one.toll})
	}
	f := &w.found[i]
	f.all++
	if !here {
		return
	}
	if f.here++; f.here == 1 {
		f.behind = one.behind
	}
	f.died, f.waits, f.behind = f.died|one.died, f.waits|one.waits, f.behind.with(one.behind)
}

// mostOften returns how often the number is in the list that is in it most
// often.
func mostOften(list []int) (most int) {
	count := map[int]int{}
	for _, v := range list {
		count[v]++
		most = max(most, count[v])
	}
	return most
}

// A span is a smallest and a largest number.
type span struct{ least, most int }

func spanOf(n int) span { return span{n, n} }

// with returns the span of both.
func (s span) with(other span) span {
	return span{min(s.least, other.least), max(s.most, other.most)}
}

// An assignment is the number of the party that each process of a state is.
type assignment [model.MaxProcs]int

// assign finds which party each process of the state may be: a perfect
// matching.
func assign(parties []party, s *model.State, canStep uint16) (of assignment, ok bool) {
	var fits [model.MaxProcs]uint16 // by party, the processes that it may be
	for i, p := range parties {
		for proc := range parties {
			if p.mayBe(s, proc, canStep>>proc&1 != 0) {
				fits[i] |= 1 << proc
			}
		}
		if fits[i] == 0 {
			return of, false
		}
	}
	for proc := range of {
		of[proc] = -1
	}
	for i := range parties {
		if tried := uint16(0); !of.augment(i, &fits, &tried) {
			return of, false
		}
	}
	return of, true
}

// augment finds a process for the party, and others for those that had it.
func (of *assignment) augment(i int, fits *[model.MaxProcs]uint16, tried *uint16) bool {
	for left := fits[i] &^ *tried; left != 0; left &= left - 1 {
		proc := bits.TrailingZeros16(left)
		if *tried>>proc&1 != 0 {
			continue
		}
		*tried |= 1 << proc
		if of[proc] < 0 || of.augment(of[proc], fits, tried) {
			of[proc] = i
			return true
		}
	}
	return false
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
