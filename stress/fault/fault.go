// Package fault says what goes wrong in a stress run on purpose: which worker
// is killed, stopped or delayed, in which call and at which step, which party
// count it passes, and what the machine does besides. Package run does it.
//
//	faults, err := fault.ParseAll([]string{"kill:one@CountEnter", "stop:any:50ms"})
//	plan, err := fault.New(faults, seed, procs, rounds)
//	plan.Of(worker, call) // what is planned for this call
//
// A Plan is a function of its faults, the seed, and the numbers of workers and
// rounds. It starts no process and reads no clock.
package fault

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sharedbarrier/spec"
)

// A Kind is what goes wrong.
type Kind uint8

// The kinds.
const (
	Kill      Kind = iota // SIGKILL
	Stop                  // SIGSTOP, and SIGCONT later
	Delay                 // a worker sleeps before a step
	GiveUp                // the context of a call ends, and the worker calls again
	WalkAway              // a worker leaves its wait without withdrawing, and calls again
	Construct             // a worker runs the constructor while others call
	Relink                // the lock file is unlinked and made again
	Parties               // party counts differ
	Surplus               // more workers call than the count that all pass
	CPUs                  // all workers share so many processors
	Busy                  // so many processes compute beside the workers
	EINTR                 // signals interrupt the system calls of the workers

	numKinds
)

// A Who says which workers a fault hits.
type Who uint8

// The ways to name workers.
const (
	Default Who = iota // as the kind's row says
	One                // one worker, drawn once
	Any                // a worker that is drawn anew each time
	All                // every worker
	Holder             // the worker that holds the lock
	Number             // Fault.Worker
)

var whos = [...]string{One: "one", Any: "any", All: "all", Holder: "holder"}

// A Place is where in a call a fault happens. The zero Place is Anywhere: at a
// moment that is drawn.
type Place uint8

// The places that are no step.
const (
	Anywhere Place = 0
	End      Place = 255 // after the last call has returned
)

// Before is the place before a step.
func Before(s spec.Step) Place { return Place(s) + 1 }

// Step returns the step that the place is before; is is false if there is none.
func (p Place) Step() (s spec.Step, is bool) {
	return spec.Step(p - 1), p != Anywhere && p != End
}

// String returns the place as the grammar has it.
func (p Place) String() string {
	s, is := p.Step()
	switch {
	case is:
		return "@" + s.String()
	case p == End:
		return "@end"
	}
	return ""
}

// A Fault is one fault as --fault names it: what, who, where, for how long and
// how often. A zero field is not given. Faults can be compared.
type Fault struct {
	Kind   Kind
	Who    Who
	Worker int    // of Who Number
	Word   string // of Construct and Parties
	Amount int    // of Surplus, CPUs and Busy
	At     Place
	Lasts  time.Duration // of Stop and Delay; the time between two of Relink and EINTR
	// Percent of the calls, or Times in a run. If neither is given: with All once
	// in each worker, with Any in one call of a hundred (but Kill once), else
	// once.
	Percent float64
	Times   int
}

// Constructing and the party counts.
const (
	Late              = "late"                // Construct: after the others have begun to call
	OneLess           = "one-less"            // Parties: one worker passes one less than all others
	Shrink            = "shrink"              // Parties: from some round on all pass one less, and the last worker calls no more
	Grow              = "grow"                // Parties: from some round on all pass one more, and the last worker joins
	ShrinkAfterReturn = "shrink-after-return" // Parties: as Shrink, but no call passes the new count before all calls with the old one have returned
	GrowAfterReturn   = "grow-after-return"   // Parties: as Grow, likewise
)

// An allowed says which parts the kind has.
type allowed struct {
	name   string
	doc    string
	form   string // the forms that are possible, for messages
	who    Who    // if none is given; Number: one must be given; Default: the kind hits no worker
	words  []string
	amount bool
	places func(spec.Step) bool // nil: none
	end    bool
	lasts  time.Duration // if none is given; 0: it has none
	often  bool
}

var kinds = [numKinds]allowed{
	Kill:      {name: "kill", doc: "a worker dies by SIGKILL, exactly before the step or at a drawn moment", form: "kill:WHO[@STEP|@end][:PERCENT|:xN]", who: Number, places: inCall, end: true, often: true},
	Stop:      {name: "stop", doc: "a worker is stopped by SIGSTOP and continued after DURATION (50ms)", form: "stop:WHO[@STEP][:DURATION][:PERCENT|:xN]", who: Number, places: inCall, lasts: 50 * time.Millisecond, often: true},
	Delay:     {name: "delay", doc: "a worker sleeps for DURATION (1ms) before the step, or before the next one", form: "delay:WHO[@STEP][:DURATION][:PERCENT|:xN]", who: Number, places: anyStep, lasts: time.Millisecond, often: true},
	GiveUp:    {name: "give-up", doc: "the context of a call ends; the worker then calls again", form: "give-up[:WHO][@STEP]:PERCENT|:xN", who: Any, places: givesUp, often: true},
	WalkAway:  {name: "walk-away", doc: "a worker leaves its wait without withdrawing, and calls again", form: "walk-away[:WHO][@AwaitFlag|@AwaitDrain][:PERCENT|:xN]", who: One, places: polls, often: true},
	Construct: {name: "construct", doc: "a worker runs the constructor after the others have begun to call", form: "construct:late[:one|:NUMBER]", who: One, words: []string{Late}},
	Relink:    {name: "relink", doc: "the lock file is unlinked and made again: once, or N times, or every DURATION", form: "relink[:DURATION][:xN]", lasts: 20 * time.Millisecond, often: true},
	Parties:   {name: "parties", doc: "one passes one less, or from some round on all pass one less or more, and the last worker leaves or joins; with after-return, when all are outside", form: "parties:one-less|shrink|grow|shrink-after-return|grow-after-return", words: []string{OneLess, Shrink, Grow, ShrinkAfterReturn, GrowAfterReturn}},
	Surplus:   {name: "surplus", doc: "all workers pass N less than there are workers", form: "surplus:N", amount: true},
	CPUs:      {name: "cpus", doc: "all workers share N processors", form: "cpus:N", amount: true},
	Busy:      {name: "busy", doc: "N processes compute beside the workers until the run ends", form: "busy:N", amount: true},
	EINTR:     {name: "eintr", doc: "signals interrupt the system calls of all workers, every DURATION (1ms)", form: "eintr[:DURATION]", lasts: time.Millisecond},
}

func anyStep(spec.Step) bool  { return true }
func inCall(s spec.Step) bool { return s < spec.MakeEnter }
func polls(s spec.Step) bool  { return s == spec.AwaitDrain || s == spec.AwaitFlag }

// givesUp reports whether the end of its context has an effect on a call at s
// (event GiveUp of HAZARDS.md).
func givesUp(s spec.Step) bool {
	return s == spec.LockInit || s == spec.LockEnter || s == spec.LockFirst || polls(s)
}

// String returns the name of the kind.
func (k Kind) String() string { return kinds[k].name }

// Doc says in one line what happens.
func (k Kind) Doc() string { return kinds[k].doc }

// Form returns the parts that a fault of the kind can have.
func (k Kind) Form() string { return kinds[k].form }

// AllKinds lists every kind.
func AllKinds() (list []Kind) {
	for k := range numKinds {
		list = append(list, k)
	}
	return list
}

// String returns the text that Parse reads as f.
func (f Fault) String() string {
	parts := []string{kinds[f.Kind].name}
	if f.Word != "" {
		parts = append(parts, f.Word)
	}
	switch {
	case f.Who == Number:
		parts = append(parts, strconv.Itoa(f.Worker))
	case f.Who != Default:
		parts = append(parts, whos[f.Who])
	}
	if f.Amount > 0 {
		parts = append(parts, strconv.Itoa(f.Amount))
	}
	parts[len(parts)-1] += f.At.String()
	if f.Lasts > 0 {
		parts = append(parts, f.Lasts.String())
	}
	if f.Percent > 0 {
		parts = append(parts, strconv.FormatFloat(f.Percent, 'f', -1, 64)+"%")
	}
	if f.Times > 0 {
		parts = append(parts, fmt.Sprintf("x%d", f.Times))
	}
	return strings.Join(parts, ":")
}

// Duration returns Lasts, or what it is if it is not given.
func (f Fault) Duration() time.Duration {
	if f.Lasts > 0 {
		return f.Lasts
	}
	return kinds[f.Kind].lasts
}

// who returns Who, or what it is if it is not given.
func (f Fault) who() Who {
	if f.Who != Default {
		return f.Who
	}
	return kinds[f.Kind].who
}

// Steps reports whether the fault names a step, so that the workers must
// announce theirs.
func (f Fault) Steps() bool {
	_, is := f.At.Step()
	return is
}

// Breaks returns the scenario of HAZARDS.md that the fault makes, in which
// callers break what they must guarantee; false: they do not.
func (f Fault) Breaks() (spec.Scenario, bool) {
	switch {
	case f.Kind == Kill && f.At != End:
		return spec.Crash, true
	case f.Kind == WalkAway:
		return spec.AbandonWait, true
	case f.Kind == Construct:
		return spec.LateConstruction, true
	case f.Kind == Relink:
		return spec.SplitLock, true
	case f.Kind == Surplus:
		return spec.Surplus, true
	case f.Kind == Parties && f.Word == OneLess:
		return spec.Disagreeing, true
	case f.Kind == Parties && f.Word == Shrink:
		return spec.Shrinking, true
	case f.Kind == Parties && f.Word == Grow:
		return spec.Growing, true
	}
	return 0, false
}
