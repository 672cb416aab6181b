package model

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"sharedbarrier/spec"
)

// Options say how to explore and what to look for. Check, Liveness and Symmetry
// are part of the question: verdict, counts and trace depend on them. The limits
// decide whether there is an answer; Workers and Progress change nothing in it.
type Options struct {
	Workers   int             // goroutines; 0: as many as GOMAXPROCS
	Symmetry  bool            // take states that differ by a permutation of alike processes for one
	Liveness  bool            // look for fair loops too, not only for deadlock; not with Symmetry
	Check     []spec.Property // what to check; nil: everything
	MaxStates int64           // distinct states to end at, roughly; 0: no limit
	MaxMemory int64           // bytes of table, states and graph to end at, roughly; 0: no limit
	Progress  func(Progress)  // called now and then from one goroutine; nil: never
}

// Validate returns an error that says what to change when the options
// contradict each other.
func (opt Options) Validate() error {
	if opt.Symmetry && opt.Liveness {
		return errors.New("symmetry and liveness do not go together: in a loop of representatives processes change places, " +
			"so that one could seem to move for ever that does not; leave one of the two out")
	}
	return nil
}

// Progress is how far an exploration is.
type Progress struct {
	Phase     Phase
	Generated int64
	Distinct  int64
	Queue     int64 // Exploring: states of this level yet to be expanded; Looping: states yet to be looked at
	Looked    int64 // Looping: states looked at, each in every pass
	Depth     int
}

// A Phase is what an exploration is at.
type Phase string

// The phases, in their order. The last two are not always come to.
const (
	Exploring Phase = "exploring"
	Looping   Phase = "looking for fair loops"
	Tracing   Phase = "tracing the counterexample"
)

// A Report is a Result and what else an exploration found out.
type Report struct {
	Result
	Why         string    // Unfinished: what ended it; Verified: empty
	Interrupted bool      // it was the context
	Reached     []Outcome // what was seen to happen, in the order of PROTOCOL.md
	Bytes       int64     // memory that the table and the states took
}

// An Outcome is one way on from a step that was taken, and how often.
type Outcome struct {
	Step  spec.Step
	Event spec.Event // NoEvent: the step itself
	Next  spec.Step  // where it led the process
	Count int64
}

// Explore visits every state of cfg, breadth first, and checks the properties
// in each, and NoHang: that there is no deadlock and, if asked, no fair loop. It
// ends at the first level that holds a violation, with a shortest counterexample; of
// one with a loop, none takes fewer steps to the loop and once around it.
// It is exact: two states are never taken for one. The report does not depend on
// the number of workers, times aside.
//
// Explore blocks until it is done, a limit is reached or ctx ends; in the last
// two cases the verdict is unfinished and the report says what there is. It
// panics if cfg or opt is not valid.
func Explore(ctx context.Context, cfg Config, opt Options) Report {
	if err := cmp.Or(cfg.Validate(), opt.Validate()); err != nil {
		panic("model: " + err.Error())
	}
	start := time.Now()
	limit := int64(math.MaxInt64)
	if opt.MaxMemory > 0 {
		limit = opt.MaxMemory
	}
	var r Report
	if b := compileWithin(cfg, limit); b != nil {
		r = exploreTable(ctx, b, opt)
	} else {
		r.leaveUnfinished(tooMuchMemory)
	}
	r.Version, r.Scenario, r.Procs, r.Rounds = ResultVersion, cfg.Scenario.String(), cfg.Procs, cfg.Rounds
	r.Seconds = time.Since(start).Seconds()
	return r
}

// exploreTable explores b with states of as many words as they need.
func exploreTable(ctx context.Context, b *barrier, opt Options) Report {
	switch l := newLayout(b.protocol); {
	case l.words == 1:
		return explore[[1]uint64](ctx, b, l, opt)
	case l.words == 2:
		return explore[[2]uint64](ctx, b, l, opt)
	case l.words <= 4:
		return explore[[4]uint64](ctx, b, l, opt)
	default:
		return explore[[8]uint64](ctx, b, l, opt)
	}
}

func explore[S packed](ctx context.Context, b *barrier, l layout, opt Options) (r Report) {
	x := newSearch[S](b.protocol, l, opt)
	why, f := x.run(ctx)
	var loop *lasso[S]
	x.tally()
	if why == complete && x.Liveness && x.wanted&(1<<spec.NoHang) != 0 {
		loop, why = x.liveness(ctx)
	}
	r.Generated, r.Distinct, r.Bytes, r.Depth = x.generated, x.distinct, x.bytes, len(x.levels)
	r.Reached = b.outcomes(x.taken())
	r.Trace = []Entry{}
	switch why {
	case complete:
		r.Verdict = spec.Verified
		if loop != nil {
			r.Verdict, r.Property = spec.Violated, spec.NoHang.String()
			r.Trace = trace(b.cfg, concrete(b, x, append(loop.path, loop.loop...)))
			r.Loop = len(loop.path)
		}
	case found:
		x.tell(Tracing, 0)
		r.Verdict, r.Property = spec.Violated, f.property.String()
		if f.property == spec.NoHang {
			r.Verdict = spec.Hang
		}
		r.Depth = f.level + 1
		r.Trace = trace(b.cfg, concrete(b, x, x.path(f)))
	default:
		r.leaveUnfinished(why)
	}
	return r
}

// leaveUnfinished makes the verdict unfinished, and says why.
func (r *Report) leaveUnfinished(why end) {
	r.Verdict, r.Why, r.Interrupted = spec.Unfinished, reasons[why], why == interrupted
	r.Trace = []Entry{}
}

var reasons = map[end]string{
	outOfTable:    "the words went so far out of range that the exploration does not follow: check WordsInRange",
	tooManyStates: "the limit on states was reached",
	tooMuchMemory: "the limit on memory was reached",
	interrupted:   "interrupted",
}

// outcomes tells what the counts by kind stand for.
func (b *barrier) outcomes(taken []int64) (list []Outcome) {
	for k, n := range taken {
		if n > 0 {
			a := b.kind.list[k].action
			list = append(list, Outcome{a.Step, a.Event, b.kind.list[k].next, n})
		}
	}
	slices.SortFunc(list, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Event, b.Event), cmp.Compare(a.Next, b.Next))
	})
	return list
}
