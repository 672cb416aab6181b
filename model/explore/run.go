package explore

import (
	"context"
	"errors"

	"sharedbarrier/spec"
)

// Options say how to explore and what to check. Check, Liveness and Symmetry
// are part of the question: verdict and counts depend on them. The limits
// decide whether there is an answer; Workers and Progress change nothing in it.
type Options struct {
	Workers   int             // goroutines; 0: GOMAXPROCS
	Symmetry  bool            // take states that differ by a permutation of interchangeable processes for one
	Liveness  bool            // look for fair loops too, not only for deadlock; not with Symmetry
	Check     []spec.Property // what to check; nil: everything
	MaxStates int64           // distinct states to end at, roughly; 0: no limit
	MaxMemory int64           // bytes of states and graph to end at, roughly; 0: no limit
	Progress  func(Progress)  // called now and then from one goroutine; nil: never
}

// Validate returns an error that says what to change when the options
// contradict each other.
func (opt Options) Validate() error {
	if opt.Symmetry && opt.Liveness {
		return errors.New("symmetry and liveness do not go together: in a loop of representatives processes change places, " +
			"so that one could seem to move without end that does not; leave one of the two out")
	}
	return nil
}

// Progress is how far an exploration is.
type Progress struct {
	Phase     Phase
	Generated int64
	Distinct  int64
	Queue     int64 // Exploring: states of this level yet to be expanded; Looping: states yet to be looked at
	Looked    int64 // Looping: states looked at, in all passes
	Depth     int
}

// A Phase is a part of an exploration.
type Phase string

// The phases, in their order. Looping and Tracing are left out where there is
// nothing to do.
const (
	Exploring Phase = "exploring"
	Looping   Phase = "looking for fair loops"
	Tracing   Phase = "tracing the counterexample"
)

// An Outcome is what an exploration found out.
type Outcome[A any] struct {
	Verdict     spec.Verdict  // Verified, Violated, Hang or Unfinished
	Property    spec.Property // Violated, Hang: which one
	Path        []A           // Violated, Hang: a shortest counterexample
	Loop        int           // Violated, of NoHang: Path[Loop-1] follows the last action again; otherwise 0
	Why         string        // Unfinished: what ended it
	Interrupted bool          // Unfinished: it was the context
	Generated   int64         // states generated, repetitions included
	Distinct    int64         // distinct states found
	Depth       int           // levels of states, up to the one that holds a violation
	Taken       []int64       // edges, by Machine.Kind
	Bytes       int64         // memory that the states took
}

// Run visits every state of m, breadth first, and checks the safety properties
// in each, and NoHang: that there is no deadlock and, if asked, no fair loop,
// in which a process waits all the time though each process takes steps or is
// at some point unable to. It ends at the first level that holds a violation.
// Of a counterexample with a loop, none takes fewer steps to the loop and once
// around.
//
// Run blocks until it is done, a limit is reached or ctx ends; in the last two
// cases the verdict is unfinished and the outcome has what was counted. It
// panics if opt is not valid, or asks for symmetry of a machine that is not
// Symmetric.
func Run[S, A any](ctx context.Context, m Machine[S, A], opt Options) Outcome[A] {
	if err := opt.Validate(); err != nil {
		panic("explore: " + err.Error())
	}
	switch words := m.Words(); {
	case words == 1:
		return newSearch[[1]uint64](m, opt).outcome(ctx)
	case words == 2:
		return newSearch[[2]uint64](m, opt).outcome(ctx)
	case words == 3:
		return newSearch[[3]uint64](m, opt).outcome(ctx)
	case words == 4:
		return newSearch[[4]uint64](m, opt).outcome(ctx)
	default:
		return newSearch[[8]uint64](m, opt).outcome(ctx)
	}
}

func (x *search[P, S, A]) outcome(ctx context.Context) (o Outcome[A]) {
	end, f := x.run(ctx)
	var l *lasso
	if end == complete && x.Liveness && x.wanted(spec.NoHang) {
		l, end = x.liveness(ctx)
	}
	x.tally()
	o.Generated, o.Distinct, o.Bytes, o.Depth, o.Taken = x.generated, x.distinct, x.measure(), len(x.levels), x.taken()
	switch {
	case end == found:
		x.report(Tracing, 0)
		o.Verdict, o.Property, o.Depth = spec.Violated, f.property, f.level+1
		if f.property == spec.NoHang {
			o.Verdict = spec.Hang
		}
		o.Path, _ = x.path(f.level, x.goal(f))
	case end != complete:
		o.Verdict, o.Why, o.Interrupted = spec.Unfinished, reasons[end], end == interrupted
	case l != nil:
		o.Verdict, o.Property = spec.Violated, spec.NoHang
		o.Path, o.Loop = x.spell(l)
	default:
		o.Verdict = spec.Verified
	}
	return o
}

// An end is why a search is over.
type end uint8

const (
	complete  end = iota // everything was explored
	found                // a property is violated
	outOfPack            // a state was not packed
	tooManyStates
	tooMuchMemory
	interrupted
)

var reasons = map[end]string{
	outOfPack:     "the words went so far out of range that the exploration does not follow: check WordsInRange",
	tooManyStates: "the limit on states was reached",
	tooMuchMemory: "the limit on memory was reached",
	interrupted:   "interrupted",
}
