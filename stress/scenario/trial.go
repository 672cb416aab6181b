//go:build linux

package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sharedbarrier/impl"
	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/fault"
	"sharedbarrier/stress/inspect"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/run"
)

// trials are those of one scenario, or of its control.
type trials struct {
	Options
	subject
	sc       spec.Scenario
	control  bool
	model    *grading
	random   *rand.Rand
	since    time.Time
	until    time.Time // zero: no limit
	progress func(part float64)

	count  int
	rounds int64 // begun
	seen   map[Outcome]int64
	met    goal
	last   run.Report
	kept   bool   // last has a forbidden outcome
	misfit string // see misfitOf
}

// newTrials prepares the trials. Its error wraps ErrUnable if the ports cannot
// do what they need.
func (o Options) newTrials(ctx context.Context, on subject, sc spec.Scenario, control bool) (*trials, error) {
	if on.procs == 0 {
		on.procs = procsOf(sc)
	}
	t := &trials{Options: o, subject: on, sc: sc, control: control, seen: map[Outcome]int64{}, random: rand.New(rand.NewPCG(o.Seed, uint64(sc)<<1|uint64(bit(control))))}
	err := on.needs(sc, control)
	switch {
	case err != nil:
	case sc == spec.Fork:
		t.model, err = on.gradeFork(ctx, control)
	default:
		t.model, err = on.grade(ctx, sc, control)
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", t, err)
	}
	// What the faults need shows before the first trial.
	for k := range 2 {
		c := t.config(0)
		t.disturb(&c, k)
		if _, err := c.Plan(); err != nil {
			return nil, fmt.Errorf("%v: %w: %w", t, ErrUnable, err)
		}
	}
	return t, nil
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

// String returns the name of the scenario, and whether it is the control.
func (t *trials) String() string {
	if t.control {
		return t.sc.String() + ", control"
	}
	return t.sc.String()
}

// try makes trials: guided ones to each goal that none has shown, and then
// others until the time or the rounds are over.
func (t *trials) try(ctx context.Context) error {
	goals := t.model.goals()
	if t.sc != spec.Fork && t.announces() && t.procs == t.model.cfg.Procs {
		for i, g := range goals {
			t.progress(float64(i) / float64(2*len(goals)))
			if err := t.guide(ctx, g); err != nil {
				return err
			}
		}
	}
	for k := 0; k == 0 && ctx.Err() == nil && !t.kept || !t.over(ctx); k++ { // one at least
		c := t.config(t.random.Uint64())
		t.disturb(&c, k)
		if err := t.trial(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// over reports whether no further trial is to be made.
func (t *trials) over(ctx context.Context) bool {
	return ctx.Err() != nil || t.kept || t.Rounds > 0 && t.rounds >= t.Rounds || !t.until.IsZero() && time.Now().After(t.until)
}

// guide makes guided trials to the goal until one shows it.
func (t *trials) guide(ctx context.Context, g goal) error {
	var path []model.Action
	most := t.tries
	if most == 0 {
		most = mostTries
	}
	for k := range most {
		late := k > 0 && !t.until.IsZero() && time.Now().After(t.until)
		if late || ctx.Err() != nil || t.kept || t.shown().has(g) {
			return nil
		}
		if path == nil {
			var err error
			if path, err = t.driven(t.model.cfg).path(ctx, g); err != nil {
				return err
			}
		}
		c := t.config(t.random.Uint64())
		c.Guide = guideOf(t.model.cfg, path)
		c.Rounds = roundsOf(t.model.cfg, path) + 2
		c.Enough = func(l *oracle.Ledger) bool { return shows(l).has(g) }
		t.settle(&c)
		if err := t.trial(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// settle chooses a seed with which the workers do what the processes of the
// model do that have their numbers.
func (t *trials) settle(c *run.Config) {
	for {
		plan, err := c.Plan()
		if err != nil {
			return // newTrials has planned these faults
		}
		switch odd := t.sc == spec.Disagreeing && !t.control; {
		case odd && plan.Parties(0, 1) == c.Procs:
		case (t.sc == spec.Shrinking || t.sc == spec.Growing) && plan.Parties(0, 1) == plan.Parties(0, 2):
		default:
			return
		}
		c.Seed = t.random.Uint64()
	}
}

// shown returns all that the trials have shown.
func (t *trials) shown() goal {
	set := t.met
	for o := range t.seen {
		set |= o.goal()
	}
	return set
}

// shows returns what the workers of a trial under way have shown.
func shows(l *oracle.Ledger) goal {
	set := metGoals(l.Met())
	for _, p := range spec.AllProperties {
		if l.Refuted(p) > 0 || p == spec.NoEarlyExit && l.Violations() > 0 {
			set |= Outcome(p).goal()
		}
	}
	return set
}

// config returns what all trials have in common.
func (t *trials) config(seed uint64) run.Config {
	c := run.Config{
		Procs: t.procs, Ports: t.ports, Rounds: trialRounds, Stall: t.Stall, Seed: seed, White: true,
		KeepGoing: true, Between: betweenLooks, Stderr: t.Stderr, Slowest: t.Slowest,
	}
	if t.announces() && t.ports != nil {
		c.Guide = &run.Guide{Workers: make([][]run.Turn, t.procs)} // all ports announce their steps
	}
	c.Reopen = t.sc == spec.SplitLock
	if !t.control {
		c.Faults = mustParse(misuse[t.sc]...)
	}
	if t.control && (t.sc == spec.Shrinking || t.sc == spec.Growing) {
		c.Faults = mustParse(misuse[t.sc][0] + "-after-return")
	}
	return c
}

const (
	// trialRounds is how many rounds a trial at random has: a fault that happens
	// once does so in the first half.
	trialRounds = 32
	// betweenLooks is enough for a waiter to show some twenty times that it
	// polls.
	betweenLooks = 150 * time.Millisecond
)

// misuse has the faults of a scenario that last for the whole trial.
var misuse = map[spec.Scenario][]string{
	spec.LateConstruction: {"construct:late:0"},
	spec.Shrinking:        {"parties:shrink"},
	spec.Growing:          {"parties:grow"},
	spec.Disagreeing:      {"parties:one-less"},
	spec.Surplus:          {"surplus:1"},
}

// disturb adds what happens in trial k at random.
func (t *trials) disturb(c *run.Config, k int) {
	add := func(f string) { c.Faults = append(c.Faults, mustParse(f)...) }
	c.Pauses = true
	long := t.control || !hasControl(t.sc) // nothing ends a trial early
	switch {
	case t.sc == spec.Withdraw:
		add("give-up:any:10%")
	case t.sc == spec.AbandonWait && t.control:
		add("give-up:0:20%")
	case t.sc == spec.AbandonWait && t.announces() && k%2 == 0:
		add("walk-away:0@AwaitFlag:20%")
	case t.sc == spec.AbandonWait:
		add("walk-away:0:20%")
	case t.sc == spec.Crash && t.control:
		add("kill:one@end")
		long = false
	case t.sc == spec.Crash && t.announces() && k%2 == 0:
		add("kill:one@" + spec.CallSteps[k/2%len(spec.CallSteps)].String())
	case t.sc == spec.Crash:
		add("kill:one")
	case t.sc == spec.SplitLock && !t.control:
		add("relink")
	case t.sc == spec.Shrinking || t.sc == spec.Growing:
		long = false // the count changes once
	case t.sc == spec.Fork:
		c.Faults, long = nil, false
	}
	if !long {
		return
	}
	c.Rounds = 0
	if t.Rounds > 0 {
		c.Rounds = max(1, t.Rounds-t.rounds)
	}
	if !t.until.IsZero() {
		c.For = max(time.Millisecond, time.Until(t.until))
	}
}

func mustParse(list ...string) []fault.Fault {
	faults, err := fault.ParseAll(list)
	if err != nil {
		panic(err) // a programmer's mistake: they are constants
	}
	return faults
}

// trial makes one trial and counts what it shows.
func (t *trials) trial(ctx context.Context, c run.Config) (failure error) {
	if t.sc == spec.Fork {
		remove, err := t.forked(ctx, &c)
		if err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
		defer func() { failure = errors.Join(failure, remove()) }()
	}
	c.Progress = t.part
	rep, err := run.Run(ctx, c)
	if err != nil {
		return fmt.Errorf("%v: %w", t, err)
	}
	rep.Scenario, rep.Control = t.sc.String(), t.control
	t.count++
	t.rounds += rep.Begun
	for _, m := range oracle.AllMet {
		if slices.Contains(rep.Met, m.String()) {
			t.met |= metGoal(m)
		}
	}
	if !t.kept {
		t.last = rep
	}
	if t.misfit = t.misfitOf(rep); t.misfit != "" {
		t.kept = true
	}
	for o := range t.observed(rep) {
		t.seen[o]++
		t.kept = t.kept || t.model.grades[o] == Forbidden
	}
	return nil
}

// part reports how much of the time, or of the rounds, is over.
func (t *trials) part(int64) {
	switch {
	case t.until.After(t.since):
		t.progress(min(1, time.Since(t.since).Seconds()/t.until.Sub(t.since).Seconds()))
	case t.Rounds > 0:
		t.progress(min(1, float64(t.rounds)/float64(t.Rounds)))
	}
}

// observed returns the outcomes that a trial shows.
func (t *trials) observed(rep run.Report) map[Outcome]bool {
	set := map[Outcome]bool{}
	if rep.Violations > 0 {
		set[Outcome(spec.NoEarlyExit)] = true
	}
	for _, f := range rep.Refuted {
		if p, err := spec.ParseProperty(f.Property); err == nil {
			set[Outcome(p)] = true
		}
	}
	if len(rep.Ends.Refused) > 0 {
		set[Refusal] = true
	}
	if rep.Deaths > 0 {
		set[Death] = true
	}
	if t.hangs(rep) {
		set[Hang] = true
	}
	return set
}

// hangs reports whether the trial hangs by itself: two looks have confirmed it,
// or nothing has moved for Options.Stall. Where the model has each
// process call round after round, one that has made its last call is no reason
// for a hang; and neither is one whose call was refused.
func (t *trials) hangs(rep run.Report) bool {
	if rep.Hang == nil || rep.Hang.Status != inspect.Hangs && rep.Verdict != spec.Hang || len(rep.Ends.Refused) > 0 {
		return false
	}
	rests := func(w run.Worker) bool {
		return w.Begun == w.Returned && w.Begun >= rep.Asked.Rounds && rep.Asked.Rounds > 0
	}
	return t.model.cfg.Rounds > 0 || !slices.ContainsFunc(rep.Hang.Workers, rests)
}

// misfitOf returns the text of a refusal that is not about words out of range;
// empty: there is none. A port words its refusals as it likes.
func (t *trials) misfitOf(rep run.Report) string {
	for _, text := range slices.Sorted(maps.Keys(rep.Ends.Refused)) {
		if t.ports == nil && !strings.Contains(text, impl.ErrCorrupt.Error()) {
			return text
		}
	}
	return ""
}
