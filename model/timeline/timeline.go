// Package timeline shows what the processes of a barrier do: a lane for each,
// with its steps, its waits and when it holds the lock, and the words after each
// step. Of makes the timeline of a counterexample; the timeline of a real run
// comes from its trace.
//
// A timeline is drawn on a page (Write), in a part of one (Head and HTML), or as
// text with a column for each process (Text).
package timeline

import "sharedbarrier/spec"

// A Timeline is what some processes do, and what happens to them.
type Timeline struct {
	Title   string   `json:"title"`
	Doc     string   `json:"-"` // what it shows, and what is wrong, in a sentence or two
	Command string   `json:"-"` // makes the same again; may be empty
	Axis    Axis     `json:"axis"`
	Lanes   []Lane   `json:"lanes"`
	Words   []Change `json:"words"` // by At; may be empty
	Loop    int64    `json:"loop"`  // by Order: the step that follows the last one, without end; 0: none
}

// An Axis is what the places of a timeline count.
type Axis string

const (
	Order Axis = "order" // steps, from 1 on
	Time  Axis = "time"  // nanoseconds, from any origin
)

// A Lane is a process, or what else does something.
type Lane struct {
	Name  string `json:"name"` // such as p0; unique
	Items []Item `json:"items"`
}

// An Item is something in a lane. By Order it takes up all steps from From to
// To. By Time it lasts from From to To, which may be equal.
type Item struct {
	Kind  Kind   `json:"kind"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Label string `json:"label,omitempty"` // such as CountEnter
	Doc   string `json:"doc,omitempty"`   // what the label means, in a line; empty: what spec says of a step or event
	Note  string `json:"note,omitempty"`  // what else there is to say here; a text has it at the right
	Open  bool   `json:"open,omitempty"`  // it goes on after To
	Wrong bool   `json:"wrong,omitempty"` // what the timeline is shown for, such as the violation
}

// A Kind says what an item is.
type Kind string

const (
	Call  Kind = "call"  // the process is in a call
	Lock  Kind = "lock"  // it holds the lock
	Wait  Kind = "wait"  // it cannot take its step
	Dead  Kind = "dead"  // it has died
	Step  Kind = "step"  // it takes a step of the protocol
	Event Kind = "event" // something happens to it: a spec.Event
	Fault Kind = "fault" // the run does something to it
)

// A Change is what the words are from a place on: by Order after that step, 0
// being the start.
type Change struct {
	At    int64      `json:"at"`
	Words spec.Words `json:"words"`
}

// happens reports whether an item of the kind is something that happens, rather
// than lasts.
func (k Kind) happens() bool { return k == Step || k == Event || k == Fault }
