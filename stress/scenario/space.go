//go:build linux

package scenario

import (
	"context"
	"fmt"
	"sync/atomic"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// mostProcs is the largest number of processes that the model is explored with.
// No property fails in a scenario with more processes that holds with these
// (HAZARDS.md, section 2, and model.Questions).
const mostProcs = 3

// rounds is the bound of a scenario that counts its rounds from the first: one
// more than those between which the party count changes.
const rounds = 3

// question returns what the model is asked about a scenario or its control.
func question(sc spec.Scenario, control bool, procs int, mutant *model.Mutant) model.Config {
	cfg := model.Config{Scenario: sc, Procs: min(procs, mostProcs), Control: control, Mutant: mutant}
	if model.NeedsBound(cfg) {
		cfg.Rounds = rounds
	}
	return cfg
}

// A goal is something that a state of the model shows: an outcome, or a
// situation.
type goal uint64

// firstMet is the bit of the first situation; the lower ones are outcomes.
const firstMet = 16

func (o Outcome) goal() goal     { return 1 << o }
func metGoal(m oracle.Met) goal  { return 1 << (firstMet + m) }
func metGoals(met uint64) goal   { return goal(met) << firstMet }
func (g goal) has(one goal) bool { return g&one != 0 }

// A space is the state graph of a question, each state once up to symmetry.
type space struct {
	cfg model.Config

	// whole leaves out what the workers cannot be driven through: a worker makes
	// no stop between a read and the write that belongs to it.
	whole bool
	// refusing leaves out what comes after a refusal: it ends a trial.
	refusing bool
}

// reach returns all that some state shows.
func (sp space) reach(ctx context.Context) (goal, error) {
	w := sp.watcher(0)
	o := explore.Run(ctx, w, explore.Options{Symmetry: true, Check: []spec.Property{}})
	if o.Verdict != spec.Verified {
		return 0, fmt.Errorf("scenario: explore %v: %v %s", sp.cfg, o.Verdict, o.Why)
	}
	return goal(w.shown.Load()), nil
}

// path returns a shortest path to a state that shows the goal, which must be
// one that reach returns.
func (sp space) path(ctx context.Context, g goal) ([]model.Action, error) {
	w := sp.watcher(g)
	o := explore.Run(ctx, w, explore.Options{Check: []spec.Property{spec.NoEarlyExit}})
	if o.Verdict != spec.Violated {
		return nil, fmt.Errorf("scenario: explore %v for a path: %v %s", sp.cfg, o.Verdict, o.Why)
	}
	return o.Path, nil
}

func (sp space) watcher(g goal) *watcher {
	w := &watcher{Machine: model.NewMachine(sp.cfg), space: sp, goal: g}
	if s := w.Machine.Init(); g == 0 {
		w.shown.Store(uint64(sp.shows(&s)))
	}
	return w
}

// A watcher is the machine of a space. It notes what its states show. For a
// path it reports the states that show a goal, as violations of the property
// that is asked for.
type watcher struct {
	*model.Machine
	space
	goal  goal
	shown atomic.Uint64
}

func (w *watcher) Violations(s *model.State) uint8 {
	shows := w.shows(s)
	if w.goal == 0 {
		if shows := uint64(shows); w.shown.Load()&shows != shows {
			w.shown.Or(shows)
		}
		return 0
	}
	if shows.has(w.goal) {
		return 1 << spec.NoEarlyExit
	}
	return 0
}

// Actions appends the actions of the machine that belong to the space.
func (w *watcher) Actions(s *model.State, list []model.Action) []model.Action {
	if w.strayed(s) || w.refusing && w.refuses(s) {
		return list
	}
	from := len(list)
	list = w.Machine.Actions(s, list)
	if !w.whole || w.cfg.Scenario != spec.SplitLock {
		return list
	}
	for p, me := range s.Snapshot(w.cfg).Procs {
		if me.Read == nil {
			continue
		}
		for _, a := range list[from:] {
			if a.Proc == p {
				return append(list[:from], a) // it completes its step
			}
		}
	}
	return list
}

// strayed reports whether the words are so far out of range that the machine
// could not follow. What such a state leads to, nearer ones have led to.
func (sp space) strayed(s *model.State) bool {
	w, n := s.Words(), int32(sp.cfg.Procs)
	return min(w.Enter, w.Exit) < -2 || max(w.Enter, w.Exit) > n+2
}

// shows returns what the state shows.
func (sp space) shows(s *model.State) (set goal) {
	for _, p := range spec.AllProperties {
		if p != spec.NoHang && model.Violates(sp.cfg, *s, p) {
			set |= Outcome(p).goal()
		}
	}
	if model.Stuck(sp.cfg, *s) {
		set |= Hang.goal()
	}
	if sp.refuses(s) {
		set |= Refusal.goal()
	}
	for p := range sp.cfg.Procs {
		if !s.Alive(p) && (s.Inside(p) || sp.cfg.Rounds == 0 || s.Rounds(p) < sp.cfg.Rounds) {
			set |= Death.goal()
		}
	}
	return set | metGoals(sp.meets(s))
}

// refuses reports whether a process is at a step at which it must refuse the
// words, and has the lock (PROTOCOL.md, section 9).
func (sp space) refuses(s *model.State) bool {
	w := s.Words()
	for p := range sp.cfg.Procs {
		n := int32(s.Parties(p))
		if at := s.Step(p); s.Alive(p) && (at == spec.InitExit || at == spec.TestFirst) &&
			(w.Enter < 0 || w.Enter > n || w.Exit < spec.NotSet || w.Exit > n || w.Flag != spec.Down && w.Flag != spec.Up) {
			return true
		}
	}
	return false
}

// meets returns the situations of the state.
func (sp space) meets(s *model.State) (set uint64) {
	is := func(m oracle.Met, yes bool) {
		if yes {
			set |= 1 << m
		}
	}
	w := s.Words()
	var first, callers, waiters, holders, acquire int
	for p := range sp.cfg.Procs {
		at := s.Step(p)
		if !s.Alive(p) {
			is(oracle.DeathWithLock, at.Holds())
			continue
		}
		if s.Inside(p) {
			callers++
		}
		switch at {
		case spec.UnlockFirst, spec.AwaitDrain, spec.LockFirst, spec.LowerFlag:
			first++
		case spec.CountEnter, spec.ResetEnter, spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter, spec.AwaitFlag, spec.LockExit, spec.CountExit,
			spec.LockWithdraw, spec.TestFlag, spec.UncountEnter, spec.UnlockWithdraw:
			waiters++
		}
		if at.Holds() {
			holders++
		}
		if at.Lock() == spec.Acquire {
			acquire++
		}
		is(oracle.Withdraws, at == spec.UncountEnter)
		is(oracle.TooLate, at == spec.TestFlag && w.Flag != spec.Down)
		is(oracle.AwaitsDrain, at == spec.AwaitDrain && int(w.Exit) != s.Parties(p))
	}
	is(oracle.TwoFirst, first > 1)
	is(oracle.AwaitsLock, holders > 0 && acquire > 0)
	is(oracle.CountsNobody, int(w.Enter) > waiters)
	for p := range sp.cfg.Procs {
		if !s.Alive(p) {
			continue
		}
		is(oracle.MoreThanCount, s.Inside(p) && callers > s.Parties(p))
		for q := range sp.cfg.Procs {
			if !s.Alive(q) || !s.Inside(q) {
				continue
			}
			is(oracle.Constructs, s.Step(p) >= spec.MakeEnter)
			if s.Inside(p) {
				later := s.Rounds(q) > s.Rounds(p)
				is(oracle.Overlap, later)
				is(oracle.OldFlag, later && s.Step(p) == spec.AwaitFlag)
				is(oracle.TwoCounts, s.Parties(p) != s.Parties(q))
			}
		}
	}
	return set
}
