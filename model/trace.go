package model

import (
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// A Trace is a behaviour from the initial state on: which process took which
// step, and the words after it. It starts from the words of spec.Initial.
type Trace []Entry

// An Entry is one line of a trace.
type Entry struct {
	Proc    int        `json:"proc"`              // 0-based; -1: the environment (spec.Relink)
	Label   string     `json:"label"`             // label of a spec.Step or a spec.Event
	Parties int        `json:"parties,omitempty"` // party count, on Call only
	Words   spec.Words `json:"words"`             // after the step
}

// TraceOf returns the trace of actions, each of which must be enabled where it
// is applied.
func TraceOf(cfg Config, actions []Action) Trace {
	t := Trace{}
	s := Init(cfg)
	for _, a := range actions {
		s = Apply(cfg, s, a)
		t = append(t, Entry{Proc: a.Proc, Label: a.Label(), Parties: a.Parties, Words: s.words})
	}
	return t
}

// Replay applies the trace, of this or another engine, to the initial state,
// and returns all states, the initial one first. The error names the first
// entry that cannot happen or leaves other words; the states before it are
// returned too.
func (t Trace) Replay(cfg Config) ([]State, error) {
	states := []State{Init(cfg)}
next:
	for i, e := range t {
		from := states[i]
		for _, a := range Enabled(cfg, from) {
			if a.Proc != e.Proc || a.Label() != e.Label || a.Parties != e.Parties {
				continue
			}
			to := Apply(cfg, from, a)
			if to.words != e.Words {
				return states, fmt.Errorf("model: entry %d, %v, leaves %v, not %v", i+1, a, to.words, e.Words)
			}
			states = append(states, to)
			continue next
		}
		return states, fmt.Errorf("model: entry %d, %v, cannot happen in %v", i+1, e, from)
	}
	return states, nil
}

// String returns the entry without its words, such as "p0 Call(3)".
func (e Entry) String() string { return strings.TrimSpace(e.who() + " " + e.step("")) }

func (e Entry) who() string {
	if e.Proc < 0 {
		return ""
	}
	return fmt.Sprintf("p%d", e.Proc)
}

// step returns the label between two quotes, and the party count of a call.
func (e Entry) step(quote string) string {
	if e.Parties > 0 {
		return fmt.Sprintf("%s%s%s(%d)", quote, e.Label, quote, e.Parties)
	}
	return quote + e.Label + quote
}

// Schedule returns the trace as the rows of a short table in Markdown, the head
// first: a row has the first and the last of the steps that one process takes
// in a row, and the words after them. Calls and events begin rows of their own.
func (t Trace) Schedule() [][]string {
	rows := [][]string{{"process", "steps", "words after"}}
	for len(t) > 0 {
		n := 1
		for n < len(t) && t[n].Proc == t[0].Proc && t[n].continues() {
			n++
		}
		last := t[n-1]
		steps := t[0].step("`")
		switch {
		case n == 2:
			steps += ", " + last.step("`")
		case n > 2:
			steps += " … " + last.step("`")
		}
		rows = append(rows, []string{t[0].who(), steps, last.Words.String()})
		t = t[n:]
	}
	return rows
}

// continues reports whether the entry may stand in the row of the one before.
func (e Entry) continues() bool {
	_, err := spec.ParseStep(e.Label)
	return err == nil && e.Parties == 0
}
