//go:build linux

package trace

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"sharedbarrier/spec"
)

// Format is the version of the format of spec/TRACES.md.
const Format = 1

// died is the label of the last event of a process that died.
var died = spec.Die.String()

// A Head is the first line of a trace.
type Head struct {
	Trace    int        `json:"trace"` // Format
	Procs    int        `json:"procs"`
	Words    spec.Words `json:"words"`           // of the barrier before the first event
	Recorder string     `json:"recorder"`        // who has recorded it
	Ports    []string   `json:"ports,omitempty"` // of each process; none: all use package impl
	Seed     uint64     `json:"seed"`            // of the run
	Command  string     `json:"command"`         // repeats the run, from the root of the repository
}

// An event is each other line.
type event struct {
	Proc     int         `json:"proc"`
	Label    string      `json:"label"`
	Number   int64       `json:"number"`
	Until    int64       `json:"until,omitempty"`
	Words    *spec.Words `json:"words,omitempty"`
	Parties  int         `json:"parties,omitempty"`
	Lost     bool        `json:"lost,omitempty"`
	Round    int64       `json:"round"`
	At       int64       `json:"at"`
	Attempts int         `json:"attempts,omitempty"`
}

// A Source is where the records of one worker are.
type Source struct {
	Journal *os.File // that Track.Keep had
	Died    int64    // nanoseconds on the monotonic clock, when the worker died; 0: it did not
	Port    bool     // it records what a port has announced, another process, which may have died before
}

// Count returns the number of the last step under the lock, if all tracks keep
// all of their records.
func (r *Recorder) Count() int64 { return r.header.count.Load() / stride }

// Write writes the trace of workers that are gone, in the format of
// spec/TRACES.md, and returns how many events it has. It leaves out what is
// after the step under the lock with the number last. Its memory does not grow
// with the trace. Progress, unless nil, is called now and then with the number
// of the step that was reached. Write fails with the error of out or of a
// journal. If a journal has not all records, the trace ends before the first one
// that is missing.
func (r *Recorder) Write(out io.Writer, head Head, sources []Source, last int64, progress func(number int64)) (events int64, err error) {
	if lost := r.header.lost.Load(); lost != 0 {
		last = min(last, lost/stride-1)
	}
	buffer := bufio.NewWriterSize(out, 1<<16)
	lines := json.NewEncoder(buffer)
	head.Trace, head.Words = Format, spec.Initial
	if err := lines.Encode(head); err != nil {
		return 0, err
	}
	var queue []*reel
	for worker, s := range sources {
		reel := &reel{worker: worker, died: s.Died, port: s.Port, places: bufio.NewReaderSize(io.NewSectionReader(s.Journal, 0, math.MaxInt64), 1<<16)}
		if more, err := reel.advance(); err != nil {
			return 0, err
		} else if more {
			queue = append(queue, reel)
		}
	}
	for ; len(queue) > 0; events++ {
		first := 0
		for i := range queue {
			if queue[i].before(queue[first]) {
				first = i
			}
		}
		reel := queue[first]
		if reel.now.Number > last {
			break
		}
		if err := lines.Encode(reel.now); err != nil {
			return events, err
		}
		if progress != nil && events%10000 == 0 {
			progress(reel.now.Number)
		}
		switch more, err := reel.advance(); {
		case err != nil:
			return events, err
		case !more:
			queue = append(queue[:first], queue[first+1:]...)
		}
	}
	return events, buffer.Flush()
}

// A reel is the events of one worker, one after the other.
type reel struct {
	worker int
	died   int64
	port   bool
	places *bufio.Reader
	now    event
	class  int      // of now: among the events with its number, 0 is before the step under the lock, 1 that, and 2 after it
	then   *content // after now; nil: there is none
	after  *content // after then; nil: there is none
	own    int64    // number of the last step under the lock
}

// before reports whether the present event of r stands before that of s.
func (r *reel) before(s *reel) bool {
	return cmp.Or(cmp.Compare(r.now.Number, s.now.Number), r.class-s.class, cmp.Compare(r.now.At, s.now.At), r.worker-s.worker) < 0
}

// advance goes to the next event. It returns false if there is none.
func (r *reel) advance() (bool, error) {
	if r.now.Label == "" {
		for range 2 {
			if err := r.read(); err != nil {
				return false, err
			}
		}
	}
	switch c := r.then; {
	case c != nil:
		if err := r.read(); err != nil {
			return false, err
		}
		r.now = eventOf(r.worker, *c)
		r.now.Lost = r.lost(*c)
	case r.died == 0 || r.now.Label == died || r.now.Label == Failed.String():
		return false, nil
	default:
		r.now = event{Proc: r.worker, Label: died, Number: r.now.Number, Round: r.now.Round, At: max(r.died, r.now.At)}
	}
	r.class = 0
	switch {
	case r.now.Words != nil:
		r.class, r.own = 1, r.now.Number
	case r.own == r.now.Number && r.own > 0:
		r.class = 2
	}
	if r.now.Words == nil {
		r.now.Until = r.until()
	}
	return true, nil
}

// lost reports whether the step of c, the present event, is the last one that
// the port is known to have taken, and the next one is under the lock: the port
// may have been dead, and the lock free, when its worker recorded that one. Each
// other record of a port shows by the next one that the port was alive.
func (r *reel) lost(c content) bool {
	gone := r.after == nil && r.died != 0 || r.after != nil && r.after.what == ofEnd(Failed)
	if !r.port || !gone || r.then == nil {
		return false
	}
	step, isStep := c.what.step()
	next, nextIsStep := r.then.what.step()
	return isStep && step.Keeps() && nextIsStep && next.Holds()
}

// until returns the number of the event after the present one; 0: there is none.
func (r *reel) until() int64 {
	switch {
	case r.then != nil:
		return r.then.number / stride
	case r.died != 0 && r.now.Label != died && r.now.Label != Failed.String():
		return r.now.Number
	}
	return 0
}

// read reads one record more.
func (r *reel) read() error {
	r.then, r.after = r.after, nil
	if r.places == nil {
		return nil
	}
	var p place
	if _, err := io.ReadFull(r.places, p.bytes()); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("trace: read the journal of worker %d: %w", r.worker, err)
	}
	if c, ok := p.read(); ok {
		r.after = &c
	} else {
		r.places = nil // it is empty, or its worker was writing it when it died
	}
	return nil
}

func eventOf(worker int, c content) event {
	record := recordOf(worker, c)
	e := event{Proc: worker, Label: record.Label, Number: c.number / stride, Words: record.Words, Round: c.round, At: c.at}
	if s, ok := c.what.step(); ok && s == spec.Call {
		e.Parties = record.Parties
	}
	if record.Attempts > 1 {
		e.Attempts = record.Attempts
	}
	return e
}
