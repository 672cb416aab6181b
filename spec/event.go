package spec

import "fmt"

// An Event is what the environment does to a process between two of its steps.
// Its label stands in traces beside the labels of steps and is the name of the
// TLA+ action. No process is ever "at" an event.
type Event uint8

// The events. NoEvent is the zero value: the process takes its own next step.
const (
	NoEvent Event = iota
	GiveUp        // the context of the call ends
	Die           // the process dies; the kernel frees its lock
	Abandon       // the wait is left without withdrawing
	Relink        // the lock file is unlinked and made anew

	numEvents
)

type eventRow struct {
	label  string
	effect string
}

var events = [numEvents]eventRow{
	NoEvent: {"", ""},
	GiveUp:  {"GiveUp", "the context of the call ends: at LockInit, LockEnter, AwaitDrain or LockFirst the call returns its error; at AwaitFlag the next step is LockWithdraw; elsewhere nothing happens"},
	Die:     {"Die", "the process is killed at any step: the kernel frees its lock, the words keep what it wrote, it never moves again"},
	Abandon: {"Abandon", "the process leaves its wait at AwaitFlag or AwaitDrain without withdrawing; its next step is Call"},
	Relink:  {"Relink", "the lock file is unlinked and made anew: whoever opens it from now on locks another file than those who hold or await the old one"},
}

// AllEvents lists every event but NoEvent.
var AllEvents = []Event{GiveUp, Die, Abandon, Relink}

// String returns the event's label, which is empty for NoEvent.
func (e Event) String() string {
	if e >= numEvents {
		return fmt.Sprintf("Event(%d)", uint8(e))
	}
	return events[e].label
}

// Doc says in one line what the event does.
func (e Event) Doc() string { return events[e].effect }

// ParseEvent returns the event that has the label.
func ParseEvent(label string) (Event, error) {
	for _, e := range AllEvents {
		if events[e].label == label {
			return e, nil
		}
	}
	return NoEvent, fmt.Errorf("spec: no event is labelled %q; the labels stand in spec/PROTOCOL.md", label)
}
