package tlc

import (
	"fmt"
	"slices"

	"sharedbarrier/spec"
)

// A State is a state of MCSharedBarrier as TLC printed it.
type State struct {
	Words    spec.Words
	Lock     int         // the process that holds the lock that the path names; -1: none
	Steps    []spec.Step // the step that each process takes next
	Rounds   []int       // how many calls each has completed
	Read     []int       // split-lock: what each has read and not written yet; notRead: nothing
	Dead     bool        // process 0 has died
	Relinked bool        // the lock file has been created again
}

// notRead is Nothing of MCSharedBarrier.tla.
const notRead = -2

// String returns the state in the form of the model's states.
func (s State) String() string {
	text := fmt.Sprintf("%v holder=%d", s.Words, s.Lock)
	for p, step := range s.Steps {
		text += fmt.Sprintf(" p%d@%v/%d", p, step, s.Rounds[p])
		if s.Read[p] != notRead {
			text += fmt.Sprintf("(read %d)", s.Read[p])
		}
	}
	if s.Dead {
		text += " p0 is dead"
	}
	if s.Relinked {
		text += " relinked"
	}
	return text
}

// Variables reads a state of any module: a conjunction of "/\ variable =
// value". A value is an int, a bool, a string, a set ([]any), or a function or
// record (map[any]any).
func Variables(text string) (vars map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no state: %v in %q", r, text)
		}
	}()
	return variables(text), nil
}

func variables(text string) map[string]value {
	vars := map[string]value{}
	for p := parse(text); len(p.rest) > 0; {
		p.want(`/\`)
		name := p.next()
		p.want("=")
		vars[name] = p.value()
	}
	return vars
}

// parseState reads a state of MCSharedBarrier.
func parseState(text string) (s State, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no state of MCSharedBarrier: %v in %q", r, text)
		}
	}()
	vars := variables(text)
	word := func(name string) int32 {
		n := vars[name].(int)
		if int(int32(n)) != n {
			panic(fmt.Sprintf("%s = %d is no word", name, n))
		}
		return int32(n)
	}
	s.Words = spec.Words{Enter: word("enter"), Exit: word("exit"), Flag: word("flag")}
	s.Lock = vars["lock"].(int)
	for _, label := range byProc[string](vars["pc"]) {
		step, err := spec.ParseStep(label)
		if err != nil {
			return s, err
		}
		s.Steps = append(s.Steps, step)
	}
	env := vars["env"].(map[value]value)
	s.Rounds, s.Read = byProc[int](vars["rounds"]), byProc[int](env["read"])
	if n := len(s.Steps); n == 0 || len(s.Rounds) != n || len(s.Read) != n {
		return s, fmt.Errorf("no state of MCSharedBarrier: %d steps, %d rounds, %d reads in %q", n, len(s.Rounds), len(s.Read), text)
	}
	happened := env["happened"].([]value)
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

// mover returns the process that moved from s to next, a state of as many
// processes, or -1 for the environment. Every action changes the step of one
// process or what it has read, except Die, which only process 0 has, and
// Relink.
func (s State) mover(next State) int {
	for p := range s.Steps {
		if s.Steps[p] != next.Steps[p] || s.Read[p] != next.Read[p] {
			return p
		}
	}
	if next.Dead && !s.Dead {
		return 0
	}
	return -1
}
