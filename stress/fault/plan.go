package fault

import (
	"fmt"
	"math"
	"slices"

	"sharedbarrier/spec"
)

// A Plan says what happens to each worker in each of its calls. It is a
// function of the arguments of New alone.
type Plan struct {
	faults  []Fault
	seed    uint64
	procs   int
	fixed   []Injection // those that happen so many times, by fault and time
	change  int64       // the last call before the party count changes; 0: it does not
	odd     int         // the worker that passes one less; -1: none
	relinks []int64     // the rounds in which the lock file is replaced
	late    int         // the worker that constructs late; -1: none
	moment  float64     // at which it does
}

// An Injection is one thing that happens to one worker.
type Injection struct {
	Fault  int // its index in the list of faults
	Kind   Kind
	Worker int
	Call   int64 // the call in which it happens, from 1. At a step: the first time from this call on that the worker comes to the step.
	At     Place
	Moment float64 // without a step: after so much of the time that a call takes, 0 to 1
	Holder bool    // the worker that holds the lock then, whichever it is
	Once   bool    // it is due until it has happened, also in later calls
}

// String says when it happens.
func (i Injection) String() string {
	who := fmt.Sprintf("worker %d", i.Worker)
	if i.Holder {
		who = "the holder of the lock, or worker " + fmt.Sprint(i.Worker)
	}
	step, is := i.At.Step()
	switch {
	case is:
		return fmt.Sprintf("%s, from its call %d on, before %v", who, i.Call, step)
	case i.At == End:
		return fmt.Sprintf("%s, after its last call", who)
	default:
		return fmt.Sprintf("%s, in its call %d, %.0f %% into it", who, i.Call, 100*i.Moment)
	}
}

// window is in how many of the first calls a fault happens that happens once: a
// run need not be long to meet it.
const window = 16

// window is in how many of the first calls the fault happens.
func (f Fault) window() int64 { return window * int64(max(1, f.Times)) }

// New plans the faults of a run with so many workers and rounds; 0 rounds:
// unbounded. Its errors wrap ErrFault: a fault names a worker that there is
// not, has no room in so few workers or rounds, or does not go together with
// another one.
func New(faults []Fault, seed uint64, procs int, rounds int64) (*Plan, error) {
	p := &Plan{faults: faults, seed: seed, procs: procs, odd: -1, late: -1}
	if len(faults) > Most {
		return nil, fmt.Errorf("%w: %d are given, and a run can have %d", ErrFault, len(faults), Most)
	}
	for i, f := range faults {
		if err := check(faults[:i], f, procs, rounds); err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrFault, f, err)
		}
		p.add(i, f, rounds)
	}
	return p, nil
}

// check reports why f is not possible after the others.
func check(others []Fault, f Fault, procs int, rounds int64) error {
	need := func(least int, why string) error {
		if procs >= least {
			return nil
		}
		return fmt.Errorf("%s: give %d processes or more", why, least)
	}
	for _, other := range others {
		counts := func(k Kind) bool { return k == Parties || k == Surplus }
		switch {
		case other == f:
			return fmt.Errorf("it is given twice; give xN or a percentage, as in %s:any:x2", f.Kind)
		case counts(other.Kind) && counts(f.Kind):
			return fmt.Errorf("only one of parties and surplus, and %q is given", other)
		case other.Kind == f.Kind && (f.Kind == CPUs || f.Kind == Busy || f.Kind == EINTR || f.Kind == Relink || f.Kind == Construct):
			return fmt.Errorf("only one of its kind, and %q is given", other)
		}
	}
	switch {
	case f.Who == Number && f.Worker >= procs:
		return fmt.Errorf("there is no worker %d; the workers are 0 to %d", f.Worker, procs-1)
	case f.Kind == Kill && f.Times > procs:
		return fmt.Errorf("there are only %d workers", procs)
	case f.Kind == Surplus:
		return need(f.Amount+1, "all would pass 0 or less")
	case f.Kind == Parties:
		if (f.Word == Grow || f.Word == GrowAfterReturn) && rounds == 1 {
			return fmt.Errorf("the count changes between rounds: give 2 rounds or more")
		}
		return need(2, "the count would be 0")
	}
	return nil
}

// add plans fault i.
func (p *Plan) add(i int, f Fault, rounds int64) {
	draw := p.draws(i)
	switch {
	case f.Kind == Parties && f.Word == OneLess:
		p.odd = draw.below(p.procs)
	case f.Kind == Parties:
		p.change = 1 + int64(draw.below(within(rounds-1, window)))
	case f.Kind == Relink && f.Lasts == 0:
		for range max(1, f.Times) {
			p.relinks = append(p.relinks, 1+int64(draw.below(within(rounds, f.window()))))
		}
		slices.Sort(p.relinks)
	case f.Kind == Construct:
		p.late, p.moment = draw.below(p.procs), draw.fraction()
		if f.Who == Number {
			p.late = f.Worker
		}
	case f.who() == Default || p.perCall(f) > 0:
	default:
		p.fix(i, f, draw, rounds)
	}
}

// within bounds a number of rounds, of which 0 or less is unbounded.
func within(rounds, most int64) int {
	if rounds <= 0 {
		return int(most)
	}
	return int(min(rounds, most))
}

// fix plans a fault that happens so many times.
func (p *Plan) fix(i int, f Fault, draw *draws, rounds int64) {
	times := max(1, f.Times)
	if f.who() == All {
		times = p.procs * times
	}
	one, order := draw.below(p.procs), draw.order(p.procs)
	span := within((rounds+1)/2, f.window()) // the other half is for what a call has missed
	for k := range times {
		in := Injection{Fault: i, Kind: f.Kind, Worker: one, At: f.At, Call: 1 + int64(draw.below(span)), Moment: draw.fraction(), Holder: f.Who == Holder, Once: true}
		switch {
		case f.Who == Number:
			in.Worker = f.Worker
		case f.who() == All || f.Kind == Kill:
			in.Worker = order[k%p.procs]
		case f.who() == Any || f.who() == Holder:
			in.Worker = draw.below(p.procs)
		}
		p.fixed = append(p.fixed, in)
	}
	slices.SortStableFunc(p.fixed, func(a, b Injection) int {
		if a.Fault != b.Fault {
			return a.Fault - b.Fault
		}
		return int(a.Call - b.Call)
	})
}

// perCall is the probability with which the fault happens in a call; 0: it
// happens so many times.
func (p *Plan) perCall(f Fault) float64 {
	switch {
	case f.Percent > 0:
		return f.Percent / 100
	case f.Times > 0 || f.Kind == Kill || f.who() != Any:
		return 0
	default:
		return 0.01
	}
}

// Of returns what is planned for a call of the worker, in the order of the
// faults. Each call from 1 on is asked for once.
func (p *Plan) Of(worker int, call int64) (list []Injection) {
	for i := range p.faults {
		if in, is := p.drawn(i, worker, call); is {
			list = append(list, in)
		}
	}
	for _, in := range p.fixed {
		if in.Worker == worker && in.Call == call {
			list = append(list, in)
		}
	}
	return list
}

// drawn returns what fault i does in the call, if it is one that happens in so
// many of the calls and this is one of them.
func (p *Plan) drawn(i, worker int, call int64) (in Injection, is bool) {
	f := p.faults[i]
	probability := p.perCall(f)
	if f.who() == Default || probability == 0 {
		return in, false
	}
	if f.Who == Number && worker != f.Worker || f.who() == One && worker != p.draws(i).below(p.procs) {
		return in, false
	}
	draw := p.draws(i, uint64(worker), uint64(call))
	is = draw.fraction() < probability
	return Injection{Fault: i, Kind: f.Kind, Worker: worker, Call: call, At: f.At, Moment: draw.fraction(), Holder: f.Who == Holder}, is
}

// Faults returns the faults of the plan.
func (p *Plan) Faults() []Fault { return p.faults }

// Count returns how many injections of fault i are planned when each worker has
// begun so many calls. One that happens so many times is planned from the start.
func (p *Plan) Count(i int, begun []int64) (count int64) {
	f := p.faults[i]
	switch {
	case f.Kind == Busy:
		return int64(f.Amount)
	case f.who() == Default || f.Kind == Construct:
		return int64(max(1, f.Times))
	}
	for _, in := range p.fixed {
		if in.Fault == i {
			count++
		}
	}
	for worker, calls := range begun {
		for call := int64(1); call <= calls; call++ {
			if _, is := p.drawn(i, worker, call); is {
				count++
			}
		}
	}
	return count
}

// Parties returns the party count that the worker passes in its call of the
// round.
func (p *Plan) Parties(worker int, round int64) int {
	n := p.procs
	for _, f := range p.faults {
		switch {
		case f.Kind == Surplus:
			n -= f.Amount
		case p.odd == worker:
			n--
		case f.Kind == Parties && f.shrinks() && round > p.change, f.Kind == Parties && f.grows() && round <= p.change:
			n--
		}
	}
	return n
}

func (f Fault) shrinks() bool { return f.Word == Shrink || f.Word == ShrinkAfterReturn }
func (f Fault) grows() bool   { return f.Word == Grow || f.Word == GrowAfterReturn }

// Member returns the rounds in which the worker is a party: from the first to
// the last; 0: without end.
func (p *Plan) Member(worker int) (first, last int64) {
	for _, f := range p.faults {
		switch {
		case f.Kind != Parties || worker != p.procs-1:
		case f.shrinks():
			return 1, p.change
		case f.grows():
			return p.change + 1, 0
		}
	}
	return 1, 0
}

// AfterReturn reports whether no call of the round may begin before all calls
// of the round before it have returned.
func (p *Plan) AfterReturn(round int64) bool {
	return p.change > 0 && round == p.change+1 && slices.ContainsFunc(p.faults, func(f Fault) bool {
		return f.Word == ShrinkAfterReturn || f.Word == GrowAfterReturn
	})
}

// IsLate reports whether the worker constructs after the others have begun.
func (p *Plan) IsLate(worker int) bool { return p.late == worker }

// LateMoment is when the late worker constructs, from 0 to 1.
func (p *Plan) LateMoment() float64 { return p.moment }

// Hitting lists the faults that may hit the worker.
func (p *Plan) Hitting(worker int) (list []Fault) {
	for i, f := range p.faults {
		hits := p.perCall(f) > 0 && f.who() == Any || f.who() == All || f.Who == Holder
		if f.who() == One && p.perCall(f) > 0 {
			hits = p.draws(i).below(p.procs) == worker
		}
		for _, in := range p.fixed {
			hits = hits || in.Fault == i && in.Worker == worker
		}
		if hits || f.Who == Number && f.Worker == worker {
			list = append(list, f)
		}
	}
	return list
}

// Relinks lists the rounds in which the lock file is replaced; nil: at times.
func (p *Plan) Relinks() []int64 { return p.relinks }

// Amount returns the amount of the fault of the kind; 0: there is none.
func (p *Plan) Amount(k Kind) int {
	for _, f := range p.faults {
		if f.Kind == k {
			return f.Amount
		}
	}
	return 0
}

// Find returns the index of the first fault of the kind; -1: there is none.
func (p *Plan) Find(k Kind) int {
	return slices.IndexFunc(p.faults, func(f Fault) bool { return f.Kind == k })
}

// Lines says what is planned, for people: each fault, and below it its first
// injections, at most so many.
func (p *Plan) Lines(most int) (lines []string) {
	for i, f := range p.faults {
		says := p.Says(i, most)
		lines = append(lines, fmt.Sprintf("%s: %s", f, says[0]))
		for _, line := range says[1:] {
			lines = append(lines, "  "+line)
		}
	}
	return lines
}

// Says says what fault i does, and then lists its first injections, at most so
// many.
func (p *Plan) Says(i, most int) []string {
	lines := []string{p.says(i)}
	for _, in := range p.first(i, most) {
		lines = append(lines, in.String())
	}
	if f := p.faults[i]; p.perCall(f) > 0 && f.who() != Default && len(lines) == most+1 {
		lines = append(lines, "and so on")
	}
	return lines
}

// says describes fault i in a few words.
func (p *Plan) says(i int) string {
	f := p.faults[i]
	switch {
	case p.odd >= 0 && f.Kind == Parties:
		return fmt.Sprintf("worker %d passes %d, all others pass %d", p.odd, p.procs-1, p.procs)
	case f.Kind == Parties:
		return fmt.Sprintf("all pass %d up to round %d, and %d later", p.Parties(0, p.change), p.change, p.Parties(0, p.change+1))
	case f.Kind == Construct:
		return fmt.Sprintf("worker %d constructs when the others call", p.late)
	case p.relinks != nil && f.Kind == Relink:
		return fmt.Sprintf("the lock file is unlinked and made again in rounds %v", p.relinks)
	case f.Kind == Relink && f.Times > 0:
		return fmt.Sprintf("the lock file is unlinked and made again every %v, %d times", f.Duration(), f.Times)
	case f.Kind == Relink:
		return fmt.Sprintf("the lock file is unlinked and made again every %v", f.Duration())
	case f.Kind == CPUs:
		return fmt.Sprintf("all workers run on the first %d of the processors", f.Amount)
	case f.Kind == Busy:
		return fmt.Sprintf("%d processes compute beside the workers until the run ends", f.Amount)
	case f.Kind == EINTR:
		return fmt.Sprintf("signals interrupt the system calls of all workers every %v", f.Duration())
	case f.Kind == Surplus:
		return fmt.Sprintf("%d workers pass %d", p.procs, p.procs-f.Amount)
	case f.who() != Default && p.perCall(f) > 0:
		return fmt.Sprintf("%g %% of the calls", 100*p.perCall(f))
	default:
		return f.Kind.Doc()
	}
}

// first returns the first injections of fault i, by call and worker.
func (p *Plan) first(i, most int) (list []Injection) {
	const calls = 10_000
	for call := int64(1); call <= calls && len(list) < most; call++ {
		for worker := range p.procs {
			for _, in := range p.Of(worker, call) {
				if in.Fault == i && len(list) < most {
					list = append(list, in)
				}
			}
		}
	}
	return list
}

// draws are random numbers that depend on the seed and a key alone (SplitMix64,
// by Steele, Lea and Flood, 2014).
type draws struct{ state uint64 }

func (p *Plan) draws(fault int, key ...uint64) *draws {
	d := &draws{p.seed}
	for _, k := range append([]uint64{uint64(fault)}, key...) {
		d.state = d.next() ^ k
	}
	return d
}

func (d *draws) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws a number from 0 to n-1. n is at least 1, and far below 2^32.
func (d *draws) below(n int) int { return int(d.next() >> 32 * uint64(n) >> 32) }

// fraction draws a number from 0 to below 1.
func (d *draws) fraction() float64 { return math.Ldexp(float64(d.next()>>11), -53) }

// order draws an order of the numbers from 0 to n-1.
func (d *draws) order(n int) []int {
	list := make([]int, n)
	for i := range list {
		j := d.below(i + 1)
		list[i] = list[j]
		list[j] = i
	}
	return list
}

// Announces reports whether the plan needs the steps of the workers.
func (p *Plan) Announces() bool { return slices.ContainsFunc(p.faults, Fault.Steps) }

// GivesUpAt reports whether the end of its context has an effect on a call that
// is at s.
func GivesUpAt(s spec.Step) bool { return givesUp(s) }

// PollsAt reports whether s is a step at which a call waits for its peers.
func PollsAt(s spec.Step) bool { return polls(s) }
