//go:build linux

package lockstep

import (
	"fmt"
	"strconv"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Move is what is let happen next.
type Move struct {
	Proc    int        // -1: the environment (spec.Relink)
	Event   spec.Event // NoEvent: the process tries its next step
	Parties int        // party count where that step is Call; 0: as the scenario has it
}

// A Schedule is a list of moves. As text it has one word for each: the process,
// then nothing for its next step, :n for a call with n parties, ! for giving up,
// ~ for abandoning, x for dying; and * for Relink.
type Schedule []Move

var marks = map[spec.Event]string{spec.GiveUp: "!", spec.Abandon: "~", spec.Die: "x"}

// String returns the word for the move.
func (m Move) String() string {
	switch {
	case m.Event == spec.Relink:
		return "*"
	case m.Parties > 0:
		return fmt.Sprintf("%d:%d", m.Proc, m.Parties)
	default:
		return strconv.Itoa(m.Proc) + marks[m.Event]
	}
}

// String returns the schedule as ParseSchedule reads it.
func (s Schedule) String() string {
	words := make([]string, len(s))
	for i, m := range s {
		words[i] = m.String()
	}
	return strings.Join(words, " ")
}

// ParseSchedule reads a schedule from text.
func ParseSchedule(text string) (s Schedule, err error) {
	for _, word := range strings.Fields(text) {
		m, err := parseMove(word)
		if err != nil {
			return nil, fmt.Errorf("%q is no move; give one like 0 (step), 0:2 (call with 2 parties), 0! (give up), 0~ (abandon), 0x (die) or * (relink)", word)
		}
		s = append(s, m)
	}
	return s, nil
}

func parseMove(word string) (m Move, err error) {
	if word == "*" {
		return Move{Proc: -1, Event: spec.Relink}, nil
	}
	for event, mark := range marks {
		if before, ok := strings.CutSuffix(word, mark); ok {
			word, m.Event = before, event
		}
	}
	proc, parties, counted := strings.Cut(word, ":")
	if counted {
		if m.Parties, err = strconv.Atoi(parties); err == nil && (m.Parties < 1 || m.Event != spec.NoEvent) {
			err = strconv.ErrRange
		}
	}
	if err == nil {
		m.Proc, err = strconv.Atoi(proc)
	}
	if err == nil && m.Proc < 0 {
		err = strconv.ErrRange
	}
	return m, err
}

// moveOf returns the move that makes a happen.
func moveOf(a model.Action) Move { return Move{a.Proc, a.Event, a.Parties} }

// FromTrace returns the schedule of a trace that an engine has printed, after
// the model has gone through it: each entry must be what the model does, with
// the same words after it.
func FromTrace(cfg model.Config, trace []model.Entry) (Schedule, error) {
	var s Schedule
	state := model.Init(cfg)
	for i, e := range trace {
		a, ok := actionOf(cfg, state, e)
		if !ok {
			return nil, fmt.Errorf("entry %d of the trace (p%d %s) is not enabled in the model, which is at %v", i+1, e.Proc, e.Label, state)
		}
		if state = model.Apply(cfg, state, a); state.Words() != e.Words {
			return nil, fmt.Errorf("entry %d of the trace (p%d %s) leaves %v, in the model %v", i+1, e.Proc, e.Label, e.Words, state.Words())
		}
		s = append(s, moveOf(a))
	}
	return s, nil
}

func actionOf(cfg model.Config, s model.State, e model.Entry) (model.Action, bool) {
	for _, a := range model.Enabled(cfg, s) {
		if a.Proc == e.Proc && a.Label() == e.Label {
			return a, e.Parties == 0 || e.Parties == a.Parties
		}
	}
	return model.Action{}, false
}
