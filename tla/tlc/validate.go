package tlc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
)

// ErrNumber is the error of a trace with a number that TLC does not have.
var ErrNumber = errors.New("a number is too large for TLC; go run ./model/validate takes it")

// A Reading is how far TLC can explain a trace.
type Reading struct {
	Explained int      // how many of its events; the next one is the first that it cannot explain
	States    []Reject // in which no order of the steps leads further; none, if every order was tried
}

// A Reject is a state that leads no further.
type Reject struct {
	Read     int // how many events are read: all that are explained, and the next one, unless its numbers are wrong
	Numbered int // the number of the last step under the lock that is read
	State    model.Snapshot
	Able     []bool // by process: it can take its step
	Wrong    []Wrong
}

// A Wrong is a process whose next event cannot be explained.
type Wrong struct {
	Proc  int
	Label string      // of the event
	Part  accept.Part // of the event that contradicts
}

// Validate has TLC read traces, and returns a Reading of each. TLC takes the
// steps of the traces by the actions of SharedBarrier, in one order that is as
// good as any, or in every order. That takes exponential time in the number of
// processes, and gives no states. The function progress is called with the
// number of events that are explained so far.
//
// The outcome has the figures. Errors are ErrNumber and those of Check.
func (r Run) Validate(ctx context.Context, list []*accept.Trace, everyOrder bool, progress func(explained int64)) ([]Reading, Outcome, error) {
	module, procs, err := recorded(list)
	if err != nil {
		return nil, Outcome{}, err
	}
	b := board{readings: make([]Reading, len(list)), list: list, progress: progress}
	r.Question = Question{Procs: procs}
	r.traces = &traces{
		root: "TraceSharedBarrier", config: configuration(procs, everyOrder), name: "Recorded", text: module, line: b.line,
	}
	for i := range b.readings {
		b.readings[i].Explained = -1
	}
	out, err := r.Check(ctx)
	switch {
	case err != nil:
		return nil, out, err
	case out.Verdict != spec.Verified:
		return nil, out, fmt.Errorf("%w: %s %s on a trace", ErrTLC, out.Verdict, out.Property)
	case b.err != nil:
		return nil, out, b.err
	}
	for i := range b.readings {
		if b.readings[i].Explained < 0 {
			return nil, out, fmt.Errorf("%w: it printed nothing on trace %d", ErrTLC, i+1)
		}
		b.readings[i].narrow()
	}
	return b.readings, out, nil
}

// configuration is that of TraceSharedBarrier.
func configuration(procs int, everyOrder bool) string {
	return fmt.Sprintf(`CONSTANTS
    N = %d  Rounds = 0  EveryOrder = %s
    Count <- TraceCount  MayGiveUp <- TraceMayGiveUp  Dead <- TraceDead  EnvOK <- TraceEnvOK
SPECIFICATION TraceSpec
INVARIANTS TypeOK Report
CHECK_DEADLOCK FALSE
`, procs, strings.ToUpper(fmt.Sprint(everyOrder)))
}

// recorded is the module Recorded, which has the traces, and the largest number
// of processes.
func recorded(list []*accept.Trace) (module string, procs int, err error) {
	var b strings.Builder
	b.WriteString("---- MODULE Recorded ----\nEXTENDS Integers\nTraces == <<\n")
	for i, t := range list {
		procs = max(procs, t.Procs)
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("<<")
		for i, e := range t.Events {
			if max(e.Number, e.Until, int64(e.Parties)) > largest {
				return "", 0, fmt.Errorf("%w: line %d has one above %d", ErrNumber, i+2, largest)
			}
			if i > 0 {
				b.WriteString(",\n")
			}
			fmt.Fprintf(&b, "<<%d, %q, %d, %d, %d, <<%s, %s, %s>>, %s>>", e.Proc, e.Label, e.Number, e.Until, e.Parties,
				integer(e.Words.Enter), integer(e.Words.Exit), integer(e.Words.Flag), strings.ToUpper(strconv.FormatBool(e.Lost)))
		}
		b.WriteString(">>")
	}
	b.WriteString(">>\n====\n")
	return b.String(), procs, nil
}

// largest leaves room for the sums that the module makes: TLC's integers have
// 32 bits.
const largest = math.MaxInt32 / 2

// integer is a word in TLA+, where the least one is no literal.
func integer(word int32) string {
	if word == math.MinInt32 {
		return "(-2147483647 - 1)"
	}
	return strconv.Itoa(int(word))
}

// A board collects what TraceSharedBarrier prints.
type board struct {
	readings []Reading
	list     []*accept.Trace
	progress func(int64)
	total    int64
	err      error // of the first line that cannot be read
}

var explained = regexp.MustCompile(`^<<"explained", (\d+), (\d+)>>$`)

func (b *board) line(line string) {
	if match := explained.FindStringSubmatch(line); match != nil {
		trace, _ := strconv.Atoi(match[1])
		events, _ := strconv.Atoi(match[2])
		r := &b.readings[trace-1]
		b.total += int64(events - max(0, r.Explained))
		r.Explained = events
		b.progress(b.total)
		return
	}
	if quoted, err := strconv.Unquote(line); err == nil && strings.HasPrefix(quoted, "[trace |->") && b.err == nil {
		b.err = b.reject(quoted)
	}
}

// reject reads the record of a state that leads no further.
func (b *board) reject(text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: no record of TraceSharedBarrier: %v in %q", ErrTLC, r, text)
		}
	}()
	record := parse(text).value().(map[value]value)
	trace := record["trace"].(int) - 1
	rej := Reject{Read: record["read"].(int), Numbered: record["numbered"].(int)}
	word := func(name string) int32 { return int32(record[name].(int)) }
	rej.State = model.Snapshot{Words: spec.Words{Enter: word("enter"), Exit: word("exit"), Flag: word("flag")}, Lock: record["lock"].(int)}
	labels, rounds, counts := byProc[string](record["pc"]), byProc[int](record["rounds"]), byProc[int](record["count"])
	for p := range b.list[trace].Procs {
		step, err := spec.ParseStep(labels[p])
		if err != nil {
			return err
		}
		me := model.ProcSummary{Step: step, Rounds: rounds[p], Dead: has(record["dead"], p)}
		if step != spec.Call {
			me.Parties = counts[p]
		}
		rej.State.Procs = append(rej.State.Procs, me)
		rej.Able = append(rej.Able, has(record["able"], p))
	}
	for _, w := range record["wrong"].([]value) {
		w := w.(map[value]value)
		rej.Wrong = append(rej.Wrong, Wrong{w["proc"].(int), w["label"].(string), accept.Part(w["part"].(string))})
	}
	b.readings[trace].States = append(b.readings[trace].States, rej)
	return nil
}

// has reports whether p is in the set.
func has(set value, p int) bool {
	for _, v := range set.([]value) {
		if v == value(p) {
			return true
		}
	}
	return false
}

// Rejection returns why the trace is no behaviour, of which r is the Reading in
// one order.
func (r Reading) Rejection(t *accept.Trace) *accept.Rejection {
	e := t.Events[r.Explained]
	rejection := &accept.Rejection{Line: r.Explained + 2, Event: e} // after the head
	for i, s := range r.States {
		if i == 0 {
			rejection.Part, rejection.Why = s.why(e.Proc)
			rejection.Could = s.could()
		}
		if i < mostStates {
			rejection.States = append(rejection.States, s.State)
		}
	}
	return rejection
}

const mostStates = 8 // that a rejection shows

// why says what of the next event of a process contradicts: if it can be, of
// process p.
func (s Reject) why(p int) (accept.Part, string) {
	if len(s.Wrong) == 0 {
		return accept.Order, fmt.Sprintf("its number, that of the event of p%d before it, or its place is wrong; the last step under the lock has the number %d", p, s.Numbered)
	}
	w := s.Wrong[0]
	for _, other := range s.Wrong {
		if other.Proc == p {
			w = other
		}
	}
	step, _ := spec.ParseStep(w.Label)
	switch {
	case w.Part == accept.Step:
		return w.Part, fmt.Sprintf("p%d is at %v", w.Proc, s.State.Procs[w.Proc].Step)
	case w.Part == accept.Lock:
		return w.Part, fmt.Sprintf("p%d acquires the lock, which p%d holds", w.Proc, s.State.Lock)
	case step.Lock() == spec.Outside:
		return w.Part, fmt.Sprintf("p%d went on at %s, and its word never let it; now the words are %v", w.Proc, w.Label, s.State.Words)
	}
	return w.Part, fmt.Sprintf("the words are %v", s.State.Words)
}

// could says what each process can do.
func (s Reject) could() (list []string) {
	for p, me := range s.State.Procs {
		switch {
		case me.Dead:
			list = append(list, "is dead")
		case s.Able[p]:
			list = append(list, fmt.Sprintf("can take %v", me.Step))
		default:
			list = append(list, fmt.Sprintf("waits at %v", me.Step))
		}
	}
	return list
}

// narrow leaves the states that have read the most.
func (r *Reading) narrow() {
	most := 0
	for _, s := range r.States {
		most = max(most, s.Read)
	}
	var left []Reject
	for _, s := range r.States {
		if s.Read == most && most >= r.Explained {
			left = append(left, s)
		}
	}
	r.States = left
}
