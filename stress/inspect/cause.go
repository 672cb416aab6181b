//go:build linux

package inspect

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Cause is one explanation of a barrier at which nothing moves.
type Cause struct {
	Scenario string      `json:"scenario,omitempty"` // of HAZARDS.md; empty: the protocol does not know it
	Why      string      `json:"why"`
	Do       string      `json:"do"`
	Procs    int         `json:"procs,omitempty"`       // the party count of such a barrier
	Folded   *Folded     `json:"folded,omitempty"`      // the model has such a state with fewer parties
	Died     []spec.Step `json:"died_at,omitempty"`     // the steps at which a party may have died
	Missing  int         `json:"missing,omitempty"`     // parties that have not called
	Waits    []spec.Step `json:"waits_at,omitempty"`    // the steps at which those may wait that are there
	Behind   *[2]int     `json:"other_round,omitempty"` // at least and at most so many of those wait in another round than most

	kind  spec.Scenario
	fit   fit
	prior float64 // the decimal logarithm of the odds against all that has gone wrong
	ended bool    // those that have not called are known to have ended
}

// Folded is the smaller barrier that stands for one with too many parties to
// explore.
type Folded struct {
	Procs int        `json:"procs"`
	Words spec.Words `json:"words"`
}

// The rank of a cause is how improbable it is: the odds against all that must
// have gone wrong and that nothing but the words tells of, and the share of the
// model's states with these words among those in which as much has gone wrong
// and which leave the processes as they are seen. So a cause that needs little
// comes before one that needs much, and of two that need as much, the one comes
// first that leaves such words more often.
//
// These odds are decimal logarithms.
const (
	against   = 1.0 // one in ten: a party has not called; or one that started late constructed
	againstIn = 1.5 // one in thirty: a party died in a call and left no trace; or one sleeps outside by the ticks of a waiter
	atStart   = 2.0 // one in a hundred: a rule is broken that the start of the parties breaks or keeps
	later     = 3.0 // one in a thousand: a rule is broken that only a run breaks

	spread     = 1.3 // a cause that is less than a twentieth as likely as the first is left out
	mostCauses = 4
)

func (c Cause) improbability() float64 { return c.prior - math.Log10(c.fit.share()) }

// A hypothesis is a scenario that a diagnosis asks the model about.
type hypothesis struct {
	scenario spec.Scenario
	states   spec.Scenario // whose states are those of the scenario
	most     int           // processes, up to which all states are explored
	rounds   int           // 0: unbounded
	against  float64       // the odds against the broken rule; 0: callers keep the rules, but for parties that are missing or die
	why, do  string        // of the broken rule
}

// hypotheses come in the order of causes that are equally likely. Two rounds
// show what is left over from a broken rule in the first; a third one is there
// where the count changes.
var hypotheses = []hypothesis{
	{spec.Reuse, spec.Reuse, 8, 0, 0, "", ""},
	{spec.Crash, spec.Crash, 6, 0, 0, "", ""},
	{spec.Withdraw, spec.Withdraw, 6, 0, 0, "", ""}, // only if the others explain nothing
	{spec.LateConstruction, spec.LateConstruction, 4, 2, atStart, "a process ran the constructor while others were in a call",
		"end all parties; construct in one process, before the others start (spec/HAZARDS.md#late-construction)"},
	{spec.Disagreeing, spec.Disagreeing, 4, 2, atStart, "the parties pass different counts",
		"compare the count that each process passes (spec/HAZARDS.md#disagreeing); then end all parties, construct again and start them"},
	{spec.Surplus, spec.Surplus, 4, 2, atStart, "more processes call than the count that they pass",
		"compare the number of callers with the count that they pass (spec/HAZARDS.md#surplus); then end all parties, construct again and start them"},
	{spec.Shrinking, spec.Shrinking, 4, 3, later, "the count fell between two rounds while a process was still in a call",
		"change the count only when all processes are outside (spec/HAZARDS.md#shrinking)"},
	{spec.Growing, spec.Growing, 4, 3, later, "the count rose between two rounds while a process was still in a call",
		"change the count only when all processes are outside (spec/HAZARDS.md#growing)"},
	{spec.AbandonWait, spec.AbandonWait, 4, 2, later, "a waiter stopped waiting without withdrawing, and called again",
		"let no timeout or exception leave a call (spec/HAZARDS.md#abandon); then end all parties, construct again and start them"},
	splitLock,
	{spec.Fork, spec.SplitLock, 3, 2, later, "two processes held the lock at once: they share the descriptor, which one has inherited from the other",
		"open the barrier in each child, after the fork (spec/HAZARDS.md#fork); then end all parties, construct again and start them"}, // only if it is seen
}

var splitLock = hypothesis{spec.SplitLock, spec.SplitLock, 3, 2, later, "the lock file was unlinked and made again while parties used it",
	"find what removes the lock file: a cleaner of temporary files, or a peer with filelock 3.20.4 to 3.29.4 beside one that does not look for that (spec/HAZARDS.md#split-lock)"}

// Evidence is what tells of something that has gone wrong, besides the words.
type evidence struct {
	deaths    int                    // processes that have died and may have been in a call
	ended     int                    // parties that have ended outside a call
	broken    map[spec.Scenario]bool // rules that are seen to be broken
	staggered bool                   // a process has started so long after another one that it may have constructed late
}

// asks reports whether the hypothesis is worth asking about.
func (e evidence) asks(h hypothesis, causes []Cause) bool {
	switch h.scenario {
	case spec.Withdraw:
		return len(causes) == 0
	case spec.Fork:
		return e.broken[spec.Fork]
	default:
		return true
	}
}

// prior returns the odds against all that has gone wrong in a cause, without
// what the evidence shows.
func (e evidence) prior(c Cause, h hypothesis) float64 {
	odds := against*float64(max(0, c.Missing-e.ended)) + againstIn*float64(max(0, c.fit.dead-e.deaths)+c.fit.idle)
	switch {
	case e.broken[h.scenario]:
	case e.staggered && h.scenario == spec.LateConstruction:
		odds += against
	default:
		odds += h.against
	}
	return odds
}

// explain asks the model about q with each number of parties, and returns the
// causes. It returns false if some part of the model was not looked at.
func (q question) explain(ctx context.Context, counts []int, e evidence) (causes []Cause, complete bool) {
	complete = true
	for _, n := range counts {
		q.procs = n
		found, all := q.ask(ctx, e)
		complete = complete && all
		for _, c := range found {
			causes = add(causes, c)
		}
	}
	return causes, complete
}

// ask asks the model about q.
func (q question) ask(ctx context.Context, e evidence) (causes []Cause, complete bool) {
	complete = true
	for _, h := range hypotheses {
		if !e.asks(h, causes) {
			continue
		}
		small, ok := q.fold(h.most)
		cfg := model.Config{Scenario: h.states, Procs: small.procs, Rounds: h.rounds}
		if !ok || cfg.Validate() != nil {
			continue
		}
		found, all := small.states(ctx, cfg)
		complete = complete && all
		for _, f := range found {
			if f.here > 0 {
				causes = add(causes, h.cause(f, q, small, e))
			}
		}
	}
	return causes, complete
}

// cause returns the cause that the states of a fit are examples of.
func (h hypothesis) cause(f fit, asked, small question, e evidence) Cause {
	c := Cause{kind: h.scenario, fit: f, Procs: asked.procs, Why: h.why, Do: h.do, Missing: f.missing, Died: f.died.list(), Waits: f.waits.list(), Behind: &[2]int{f.behind.least, f.behind.most}}
	if small.procs < asked.procs {
		c.Folded = &Folded{small.procs, small.words}
		c.Missing += asked.absent() - small.absent()
	}
	switch {
	case h.against > 0:
	case f.dead > 0: // in scenario reuse, a party that never moves again
		c.kind = spec.Crash
	default:
		c.kind = spec.Reuse
	}
	c.prior, c.ended = e.prior(c, h), e.ended > 0 && c.Missing == e.ended
	return c
}

// absent returns how many parties are not there.
func (q question) absent() int { return q.procs - len(q.parties) }

// add adds c, or joins it with a cause that is otherwise alike.
func add(causes []Cause, c Cause) []Cause {
	for i := range causes {
		o := &causes[i]
		if o.kind != c.kind || o.fit.toll != c.fit.toll || o.Procs != c.Procs || o.Missing != c.Missing {
			continue
		}
		died, waits := stepsOf(append(o.Died, c.Died...)...), stepsOf(append(o.Waits, c.Waits...)...)
		behind := o.fit.behind.with(c.fit.behind)
		if c.improbability() < o.improbability() {
			*o = c
		}
		o.Died, o.Waits, o.Behind = died.list(), waits.list(), &[2]int{behind.least, behind.most}
		o.fit.behind = behind
		return causes
	}
	return append(causes, c)
}

// isNothing reports whether the cause says no more than that callers keep the
// rules and all are there.
func (c Cause) isNothing() bool {
	return c.kind == spec.Reuse && c.Missing == 0 && c.fit.toll == toll{}
}

// isWait reports whether nothing has gone wrong by the cause: the parties wait
// for others that are there.
func (c Cause) isWait() bool {
	return c.kind == spec.Reuse && c.Missing == 0 && c.fit.dead == 0 && c.fit.idle > 0
}

// best sorts the causes, leaves out the unlikely ones and those that need all
// that another of the same scenario needs and more, and spells the others out.
func best(causes []Cause) (list []Cause) {
	slices.SortStableFunc(causes, func(a, b Cause) int { return cmp.Compare(a.improbability(), b.improbability()) })
	for _, c := range causes {
		switch {
		case len(list) == mostCauses || c.improbability() > causes[0].improbability()+spread:
			return list
		case slices.ContainsFunc(list, c.needsMore):
			continue
		}
		c.spell(causes[0].Procs)
		list = append(list, c)
	}
	return list
}

// needsMore reports whether the cause needs all that the other one needs, and
// more.
func (c Cause) needsMore(than Cause) bool {
	return c.kind == than.kind && c.Procs == than.Procs && c.Missing >= than.Missing && c.fit.dead >= than.fit.dead && c.fit.idle >= than.fit.idle
}

// spell puts the cause into words. Others have the given party count.
func (c *Cause) spell(procs int) {
	c.Scenario = c.kind.String()
	var parts []string
	if c.Why != "" {
		parts = append(parts, c.Why)
	}
	if c.fit.idle > 0 {
		parts = append(parts, fmt.Sprintf("%d of the processes that sleep and wake as waiters do may be outside, and the others wait for them", c.fit.idle))
	}
	if c.fit.dead > 0 {
		parts = append(parts, counted(c.fit.dead, "party", "parties")+" died at "+oneOf(c.Died))
	}
	if c.Missing > 0 {
		does := "not called"
		if c.ended {
			does = "ended outside a call"
		}
		parts = append(parts, fmt.Sprintf("%s %s, of %d", counted(c.Missing, "party has", "parties have"), does, c.Procs))
	}
	c.Why = strings.Join(parts, ", and ")
	if c.Procs != procs {
		c.Why += fmt.Sprintf(", if the party count is %d", c.Procs)
	}
	switch {
	case c.fit.idle > 0:
		c.Do = "find out what each process does (py-spy dump --pid PID, or gdb -p PID), and whether one is not in the barrier"
	case c.Do != "":
	case c.fit.dead > 0:
		c.Do = "find out why it died (its log, dmesg); then end all parties, construct again and start them: no party can repair the words (spec/HAZARDS.md#crash)"
	case c.ended:
		c.Do = "find out why it ended (its log, dmesg), and start it again: the words are as if it had not called yet"
	default:
		c.Do = "find the processes that should call: they were not started, have ended, or take another branch"
	}
}

// nameOtherBarriers adds to a cause by which a process is outside the barrier
// in which it may wait instead.
func (v *seen) nameOtherBarriers(c *Cause) {
	if c.fit.idle == 0 {
		return
	}
	for _, pid := range v.last.mappers() {
		if names := v.last.process(pid).Barriers; len(names) > 0 {
			c.Why += fmt.Sprintf("; process %d uses another barrier, too: %s", pid, strings.Join(names, ", "))
			c.Do = fmt.Sprintf("inspect %s as well; %s", names[0], c.Do)
			return
		}
	}
}

// oneOf lists steps; a long list is cut down to its ends.
func oneOf(list []spec.Step) string {
	var names []string
	for _, s := range list {
		names = append(names, s.String())
	}
	if len(names) > 4 {
		return fmt.Sprintf("one of %d steps (%s)", len(names), strings.Join(names, ", "))
	}
	return strings.Join(names, " or ")
}
