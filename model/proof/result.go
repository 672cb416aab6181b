package proof

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sharedbarrier/spec"
)

// ResultVersion is the version of the JSON form of Result.
const ResultVersion = 2

// A Result is what was found out about one condition. The command prints it as
// one JSON object a line.
type Result struct {
	Version        int             `json:"version"`        // ResultVersion
	Scenario       string          `json:"scenario"`       // name of the spec.Scenario that was proved
	Mutant         string          `json:"mutant"`         // name of the Mutant; empty: the protocol itself
	Condition      string          `json:"condition"`      // name of the Condition
	Verdict        spec.Verdict    `json:"verdict"`        // verified, violated or unfinished
	Decided        []Decision      `json:"decided"`        // by what; all have the same verdict, or are unfinished
	Counterexample *Counterexample `json:"counterexample"` // when violated, otherwise null
}

// A Decision is the verdict of one check about a condition.
type Decision struct {
	By      string       `json:"by"` // certificate, search, or a solver's name and version
	Verdict spec.Verdict `json:"verdict"`
}

// Add adds a decision. It fails if that contradicts another one. The verdict is
// violated if one decision is, or else unfinished if one is.
func (r *Result) Add(d Decision) error {
	for _, other := range r.Decided {
		if d.Verdict != other.Verdict && d.Verdict != spec.Unfinished && other.Verdict != spec.Unfinished {
			return fmt.Errorf("condition %s: %w: %s says %s, %s says %s", r.Condition, ErrDisagree, other.By, other.Verdict, d.By, d.Verdict)
		}
	}
	r.Decided = append(r.Decided, d)
	if d.Verdict == spec.Violated || d.Verdict == spec.Unfinished && r.Verdict == spec.Verified {
		r.Verdict = d.Verdict
	}
	return nil
}

// ErrDisagree says that one of two checks is wrong.
var ErrDisagree = errors.New("the checks disagree")

// A Counterexample shows that a condition is not valid. For a step it is a
// counterexample to induction: a state that satisfies the invariant, and need
// not be reachable, and a successor that does not.
type Counterexample struct {
	Before State    `json:"before"`
	After  *State   `json:"after"`  // null when the condition is about one state
	Breaks []string `json:"breaks"` // the clauses or the property that the last state breaks
}

// Counterexample returns s as the condition's counterexample. It fails if s
// does not refute the condition.
func (c Condition) Counterexample(s State) (*Counterexample, error) {
	after, breaks, refuted := c.Refuted(&s)
	if !refuted {
		return nil, fmt.Errorf("proof: condition %s is not refuted by %v", c.Name, s)
	}
	return &Counterexample{Before: s, After: after, Breaks: breaks}, nil
}

// String returns the counterexample as an indented block of lines.
func (ce *Counterexample) String() string {
	var b strings.Builder
	row := func(head string, s *State) {
		fmt.Fprintf(&b, "  %-7s n=%d  %v  lock=%d\n", head, s.N, s.Words, s.Lock)
		for _, g := range Groups {
			if who := s.who(g); who != "" {
				fmt.Fprintf(&b, "  %-7s %-6v  %s\n", "", g, who)
			}
		}
	}
	row("before", &ce.Before)
	if ce.After != nil {
		row("after", ce.After)
	}
	fmt.Fprintf(&b, "  breaks  %s\n", strings.Join(ce.Breaks, ", "))
	return b.String()
}

// MarshalJSON returns the state with those counters that are not 0.
func (s State) MarshalJSON() ([]byte, error) {
	type counters map[spec.Step]int32
	form := struct {
		N      int32      `json:"n"`
		Lock   int32      `json:"lock"`
		Words  spec.Words `json:"words"`
		Behind counters   `json:"behind"`
		Ahead  counters   `json:"ahead"`
	}{s.N, s.Lock, s.Words, counters{}, counters{}}
	for _, step := range Steps {
		for g, into := range []counters{Behind: form.Behind, Ahead: form.Ahead} {
			if k := s.At[g][step]; k != 0 {
				into[step] = k
			}
		}
	}
	return json.Marshal(form)
}
