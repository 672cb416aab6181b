//go:build linux

package inspect

import (
	"cmp"
	"context"
	"fmt"
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
	Procs    int         `json:"procs,omitempty"`   // the party count of such a barrier
	Folded   *Folded     `json:"folded,omitempty"`  // the model has such a state with fewer parties
	Died     []spec.Step `json:"died_at,omitempty"` // the steps at which a party may have died
	Missing  int         `json:"missing,omitempty"` // parties that have not called

	kind  spec.Scenario
	idle  int
	dead  int
	ended bool // those that have not called are known to have ended
	score float64
}

// Folded is the smaller barrier that stands for one with too many parties to
// explore.
type Folded struct {
	Procs int        `json:"procs"`
	Words spec.Words `json:"words"`
}

// A hypothesis is a scenario that a diagnosis asks the model about.
type hypothesis struct {
	scenario spec.Scenario
	most     int     // processes, up to which all states are explored
	rounds   int     // 0: unbounded
	score    float64 // what it takes to believe it, beside what is missing
	why, do  string  // of a misuse
}

// hypotheses come in the order in which they are asked. In the first ones the
// callers keep the rules, but for parties that are missing or die. The score of
// a misuse leaves it out where these explain what is seen. Two rounds show what
// is left over from a misuse in the first; a third one is there where the count
// changes.
var hypotheses = []hypothesis{
	{spec.Reuse, 8, 0, 0, "", ""},
	{spec.Crash, 6, 0, 0, "", ""},
	{spec.Withdraw, 6, 0, 0.3, "", ""}, // only if the others explain nothing
	{spec.LateConstruction, 4, 2, 3.0, "a process ran the constructor while others were in a call",
		"end all parties; construct in one process, before the others start (spec/HAZARDS.md#late-construction)"},
	{spec.Disagreeing, 4, 2, 3.1, "the parties pass different counts",
		"compare the count that each process passes (spec/HAZARDS.md#disagreeing); then end all parties, construct again and start them"},
	{spec.Surplus, 4, 2, 3.2, "more processes call than the count that they pass",
		"compare the number of callers with the count that they pass (spec/HAZARDS.md#surplus); then end all parties, construct again and start them"},
	{spec.Shrinking, 4, 3, 3.4, "the count fell between two rounds while a process was still in a call",
		"change the count only when all processes are outside (spec/HAZARDS.md#shrinking)"},
	{spec.Growing, 4, 3, 3.4, "the count rose between two rounds while a process was still in a call",
		"change the count only when all processes are outside (spec/HAZARDS.md#growing)"},
	{spec.AbandonWait, 4, 2, 3.6, "a waiter stopped waiting without withdrawing, and called again",
		"let no timeout or exception leave a call (spec/HAZARDS.md#abandon); then end all parties, construct again and start them"},
	{spec.SplitLock, 3, 2, 3.8, "the lock file was unlinked and made again while parties used it",
		"find what removes the lock file: a cleaner of temporary files, or a peer with filelock 3.20.4 to 3.29.4 beside one that does not look for that (spec/HAZARDS.md#split-lock)"},
}

const (
	missingScore  = 1.0 // of each party that is missing or dead
	idleScore     = 2.2 // of each party that sleeps and wakes as a waiter does, and is outside
	crashScore    = 0.5 // of a death in a call, which nothing but the words shows
	strangerScore = 0.3 // if a process that has the segment mapped is no party
	surplusScore  = 1.0 // off, for a surplus, if more processes wait than the given party count
	countScore    = 0.4 // of each party more or less than seems likely
	spread        = 1.6 // a cause whose score is so much higher than the best is left out
	mostCauses    = 4
)

// explain asks the model about q with each number of parties, the likeliest
// first, and returns the causes, the best first. It returns false if some part
// of the model was not looked at.
func (q question) explain(ctx context.Context, counts []int) (causes []Cause, complete bool) {
	complete = true
	for i, n := range counts {
		q.procs = n
		found, all := q.ask(ctx)
		complete = complete && all
		for _, c := range found {
			c.score += countScore * float64(i)
			causes = add(causes, c)
		}
	}
	return causes, complete
}

// ask asks the model about q.
func (q question) ask(ctx context.Context) (causes []Cause, complete bool) {
	complete = true
	for _, h := range hypotheses {
		if h.scenario == spec.Withdraw && len(causes) > 0 {
			continue
		}
		small, ok := q.fold(h.most)
		cfg := model.Config{Scenario: h.scenario, Procs: small.procs, Rounds: h.rounds}
		if !ok || cfg.Validate() != nil {
			continue
		}
		found, all := small.states(ctx, cfg)
		complete = complete && all
		for _, m := range found {
			if m.waits {
				causes = add(causes, h.cause(m, q, small))
			}
		}
	}
	return causes, complete
}

// best sorts the causes, spells them out and leaves out the bad ones.
func best(causes []Cause) []Cause {
	slices.SortStableFunc(causes, func(a, b Cause) int { return cmp.Compare(a.score, b.score) })
	for i := range causes {
		if i == mostCauses || causes[i].score > causes[0].score+spread {
			return causes[:i]
		}
		causes[i].spell(causes[0].Procs)
	}
	return causes
}

// cause returns the cause that a match is an example of.
func (h hypothesis) cause(m match, asked, small question) Cause {
	c := Cause{kind: h.scenario, idle: m.idle, dead: m.dead, Procs: asked.procs, Why: h.why, Do: h.do, Missing: m.missing, Died: m.died.list(),
		score: h.score + missingScore*float64(m.missing+m.dead) + idleScore*float64(m.idle)}
	if small.procs < asked.procs {
		c.Folded = &Folded{small.procs, small.words}
		c.Missing += asked.absent() - small.absent()
	}
	if h.why != "" {
		return c
	}
	// A party that never moves again may as well be dead.
	if c.kind = spec.Reuse; m.dead > 0 {
		c.kind = spec.Crash
		c.score += crashScore
	}
	return c
}

// absent returns how many parties are not there.
func (q question) absent() int { return q.procs - len(q.parties) }

// add adds c, or the steps of it to those of a cause that is otherwise alike.
func add(causes []Cause, c Cause) []Cause {
	for i := range causes {
		if o := &causes[i]; o.kind == c.kind && o.idle == c.idle && o.dead == c.dead && o.Procs == c.Procs && o.Missing == c.Missing {
			o.Died = (stepsOf(o.Died...) | stepsOf(c.Died...)).list()
			o.score = min(o.score, c.score)
			return causes
		}
	}
	return append(causes, c)
}

// spell puts the cause into words. Others have the given party count.
func (c *Cause) spell(procs int) {
	c.Scenario = c.kind.String()
	var parts []string
	switch {
	case c.idle > 0:
		parts = append(parts, fmt.Sprintf("%d of the processes that sleep and wake as waiters do may be outside, and the others wait for them", c.idle))
		c.Do = "find out what each process does (py-spy dump --pid PID, or gdb -p PID), and whether one is not in the barrier"
	case c.Why != "":
		parts = append(parts, c.Why)
	case c.kind == spec.Crash:
		c.Do = "find out why it died (its log, dmesg); then end all parties, construct again and start them: no party can repair the words (spec/HAZARDS.md#crash)"
	case c.ended:
		c.Do = "find out why it ended (its log, dmesg), and start it again: the words are as if it had not called yet"
	default:
		c.Do = "find the processes that should call: they were not started, have ended, or take another branch"
	}
	if c.dead > 0 {
		parts = append(parts, counted(c.dead, "party", "parties")+" died at "+oneOf(c.Died))
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
