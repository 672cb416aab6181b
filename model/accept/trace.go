package accept

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// Version is the version of the format.
const Version = 1

// ErrFormat is the error of a file that is no trace. Its text says in which
// line, and what would be right.
var ErrFormat = errors.New("no trace (spec/TRACES.md)")

// A Trace is what a file has recorded of a run.
type Trace struct {
	Procs  int
	Events []Event
}

// The head of a file.
type head struct {
	Trace int         `json:"trace"` // Version
	Procs int         `json:"procs"`
	Words *spec.Words `json:"words"` // before the first event
}

// An Event is one line after the head.
type Event struct {
	Proc    int        `json:"proc"`
	Label   string     `json:"label"` // of a spec.Step, or one of the ends
	Number  int64      `json:"number"`
	Until   int64      `json:"until,omitempty"`
	Parties int        `json:"parties,omitempty"` // on Call
	Words   spec.Words `json:"words,omitzero"`    // before a step under the lock
	Lost    bool       `json:"lost,omitempty"`    // the process may have died at any time after this step: the next one may be none
}

// The ends of a call, and of a process.
const (
	Returned  = "returned"
	Withdrawn = "withdrawn"
	Abandoned = "abandoned"
	Failed    = "error"
	Died      = "Die"
)

var ends = []string{Returned, Withdrawn, Abandoned, Failed, Died}

var steps = func() map[string]spec.Step {
	byLabel := map[string]spec.Step{}
	for _, s := range append(slices.Clone(spec.CallSteps), spec.WithdrawalSteps...) {
		byLabel[s.String()] = s
	}
	return byLabel
}()

// step returns the step, and false if the event is an end.
func (e *Event) step() (spec.Step, bool) {
	s, ok := steps[e.Label]
	return s, ok
}

func (e *Event) isStep() bool {
	_, ok := e.step()
	return ok
}

// Locked reports whether the process holds the lock when it takes the step.
func (e *Event) Locked() bool {
	s, ok := e.step()
	return ok && s.Holds()
}

func (e *Event) polls() bool {
	s, ok := e.step()
	return ok && (s == spec.AwaitDrain || s == spec.AwaitFlag)
}

// ends reports whether the process takes no step after the event.
func (e *Event) ends() bool { return e.Label == Died || e.Label == Failed }

// has reports whether the process has the lock when it has taken the step.
func (e *Event) has() bool {
	s, ok := e.step()
	return ok && s.Keeps()
}

// line returns the number of the line of an event.
func (t *Trace) line(event int) int { return event + 2 }

// Read reads a trace. It fails with ErrFormat, or the error of in.
func Read(in io.Reader) (*Trace, error) {
	lines := bufio.NewReaderSize(in, 1<<16)
	first, err := lines.ReadBytes('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	var h head
	if err := json.Unmarshal(first, &h); err != nil {
		return nil, fmt.Errorf("%w: line 1: %w", ErrFormat, err)
	}
	switch {
	case h.Trace != Version:
		return nil, fmt.Errorf("%w: line 1: \"trace\" is %d, want %d", ErrFormat, h.Trace, Version)
	case h.Procs < 1 || h.Procs > model.MaxProcs:
		return nil, fmt.Errorf("%w: line 1: %d processes; the model has from 1 to %d", ErrFormat, h.Procs, model.MaxProcs)
	case h.Words == nil || *h.Words != spec.Initial:
		return nil, fmt.Errorf("%w: line 1: the words before the first event are %v, want %v", ErrFormat, h.Words, spec.Initial)
	}
	t := &Trace{Procs: h.Procs}
	for {
		text, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			e, wrong := t.event(text)
			if wrong != nil {
				return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, t.line(len(t.Events)), wrong)
			}
			t.Events = append(t.Events, e)
		}
		if err == io.EOF {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// ReadFile reads the trace at the path, or with - that of stdin. It fails as
// Read does, or with the error of opening the file.
func ReadFile(path string, stdin io.Reader) (*Trace, error) {
	if path == "-" {
		return Read(stdin)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t, err := Read(file)
	if errors.Is(err, ErrFormat) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return t, err
}

// event reads one line after the head.
func (t *Trace) event(line []byte) (e Event, err error) {
	var read struct {
		Event
		Words *spec.Words `json:"words"`
	}
	if err := json.Unmarshal(line, &read); err != nil {
		return e, err
	}
	if e = read.Event; read.Words != nil {
		e.Words = *read.Words
	}
	switch {
	case e.Proc < 0 || e.Proc >= t.Procs:
		return e, fmt.Errorf("process %d of %d", e.Proc, t.Procs)
	case !e.isStep() && !slices.Contains(ends, e.Label):
		return e, fmt.Errorf("label %q: want a step of a call, or one of %v", e.Label, ends)
	case e.Number < 0 || e.Until < 0:
		return e, fmt.Errorf("number %d, until %d: want 0 or more", e.Number, e.Until)
	case e.Locked() != (read.Words != nil):
		return e, fmt.Errorf("%s: a step under the lock has words, and no other event has", e.Label)
	case (e.Label == spec.Call.String()) != (e.Parties > 0):
		return e, fmt.Errorf("%s with %d parties: Call has 1 or more, and no other event has any", e.Label, e.Parties)
	case e.Lost && !e.has():
		return e, fmt.Errorf("%s is lost: a step can be after which the process has the lock, and no other event", e.Label)
	}
	return e, nil
}

// String returns the event as it is written in prose.
func (e Event) String() string {
	text := fmt.Sprintf("p%d %s, number %d", e.Proc, e.Label, e.Number)
	switch {
	case e.Locked():
		text += fmt.Sprintf(", words before it %v", e.Words)
	case e.Until > 0:
		text += fmt.Sprintf(" until %d", e.Until)
	}
	return text
}
