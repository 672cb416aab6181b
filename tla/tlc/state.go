package tlc

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
)

// A State is a state of SharedBarrier as TLC printed it.
type State struct {
	Words    spec.Words
	Lock     int         // who holds the lock that the path names; -1: nobody
	Orphan   int         // who holds the unlinked lock file; -1: nobody
	Steps    []spec.Step // what each process will do next
	Rounds   []int       // how many calls each has completed
	Seen     []int       // split-lock: what each has read and not yet written; notRead: nothing
	Dead     bool        // process 0 has died
	Relinked bool        // the lock file has been made anew
}

// notRead is Nothing of SharedBarrier.tla.
const notRead = -2

// String returns the state in the form of the model's states.
func (s State) String() string {
	text := fmt.Sprintf("%v holder=%d", s.Words, s.Lock)
	for p, step := range s.Steps {
		text += fmt.Sprintf(" p%d@%v/%d", p, step, s.Rounds[p])
		if s.Seen[p] != notRead {
			text += fmt.Sprintf("(read %d)", s.Seen[p])
		}
	}
	if s.Dead {
		text += " p0 is dead"
	}
	if s.Relinked {
		text += fmt.Sprintf(" relinked, old holder=%d", s.Orphan)
	}
	return text
}

// parseState reads a conjunction of "/\ variable = value".
func parseState(text string) (s State, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no state of SharedBarrier: %v in %q", r, text)
		}
	}()
	vars := map[string]value{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(text, `/\`), "=")
		if !ok {
			return s, fmt.Errorf("no assignment: %q", text)
		}
		vars[strings.TrimSpace(name)], text, err = parseValue(rest)
		if err != nil {
			return s, err
		}
	}
	s.Words = spec.Words{
		Enter: int32(vars["enter"].(int)),
		Exit:  int32(vars["exit"].(int)),
		Flag:  int32(vars["flag"].(int)),
	}
	s.Lock, s.Orphan = vars["lock"].(int), vars["orphan"].(int)
	for _, label := range byProc[string](vars["pc"]) {
		step, err := spec.ParseStep(label)
		if err != nil {
			return s, err
		}
		s.Steps = append(s.Steps, step)
	}
	s.Rounds, s.Seen = byProc[int](vars["rounds"]), byProc[int](vars["seen"])
	happened := vars["happened"].([]value)
	s.Dead = slices.Contains(happened, value(spec.Die.String()))
	s.Relinked = slices.Contains(happened, value(spec.Relink.String()))
	return s, nil
}

// byProc returns the values of a function on 0 .. N-1 in that order.
func byProc[T any](v value) []T {
	function := v.(map[value]value)
	list := make([]T, len(function))
	for p := range list {
		list[p] = function[p].(T)
	}
	return list
}

// mover returns who moved from s to next: a process, or -1 for the environment.
// Every action changes the step of one process, or what it has read; but Die,
// which happens to process 0 alone, and Relink.
func (s State) mover(next State) int {
	for p := range s.Steps {
		if s.Steps[p] != next.Steps[p] || s.Seen[p] != next.Seen[p] {
			return p
		}
	}
	if next.Dead && !s.Dead {
		return 0
	}
	return -1
}
