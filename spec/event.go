package spec

import "fmt"

// An Event is something that the environment does to a process between two of
// its steps. Its label appears in traces, as that of a step does, and is the
// name of the TLA+ action.
type Event uint8

// The events. NoEvent is the zero value: the process takes its next step.
const (
	NoEvent Event = iota
	GiveUp        // the context of the call ends
	Die           // the process dies
	Abandon       // the process leaves its wait without withdrawing
	Relink        // the lock file is unlinked and created again

	numEvents
)

var events = [numEvents]struct{ label, doc string }{
	NoEvent: {"", ""},
	GiveUp:  {"GiveUp", "the context of the call ends: at `LockInit`, `LockEnter`, `AwaitDrain` or `LockFirst` the call returns its error; at `AwaitFlag` the next step is `LockWithdraw`; at any other step nothing happens"},
	Die:     {"Die", "the process dies, at any step: the kernel frees its lock, the words keep what it wrote, and it takes no further step"},
	Abandon: {"Abandon", "the process leaves its wait at `AwaitFlag` or `AwaitDrain` without withdrawing; its next step is `Call`"},
	Relink:  {"Relink", "the lock file is unlinked and created again: a process that opens the path from now on locks another file than the one that others hold or wait for"},
}

// AllEvents lists every event except NoEvent.
var AllEvents = from(GiveUp, Relink)

// String returns the event's label, which is empty for NoEvent.
func (e Event) String() string {
	if e >= numEvents {
		return fmt.Sprintf("Event(%d)", uint8(e))
	}
	return events[e].label
}

// Doc says in one line what the event does.
func (e Event) Doc() string { return events[e].doc }

// ParseEvent returns the event with the label, which is never NoEvent.
func ParseEvent(label string) (Event, error) { return parse(label, "event", AllEvents, "HAZARDS.md") }
