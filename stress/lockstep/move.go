//go:build linux

package lockstep

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Move is one choice of a schedule.
type Move struct {
	Proc    int        // 0-based; -1: the environment (spec.Relink)
	Event   spec.Event // NoEvent: the process tries its next step
	Parties int        // party count where that step is Call; 0: as the scenario has it
}

// A Schedule is a list of moves. Its text has one word for each move, as
// model.Action.Move writes it.
type Schedule []Move

// String returns the word for the move.
func (m Move) String() string {
	return model.Action{Proc: m.Proc, Event: m.Event, Parties: m.Parties}.Move()
}

// String returns the text that ParseSchedule reads.
func (s Schedule) String() string {
	words := make([]string, len(s))
	for i, m := range s {
		words[i] = m.String()
	}
	return strings.Join(words, " ")
}

// ParseSchedule reads the text of a schedule.
func ParseSchedule(text string) (s Schedule, err error) {
	for _, word := range strings.Fields(text) {
		m, ok := parseMove(word)
		if !ok {
			return nil, fmt.Errorf("%q is no move; give one like 0 (step), 0:2 (call with 2 parties), 0! (give up), 0~ (abandon), 0x (die) or * (relink)", word)
		}
		s = append(s, m)
	}
	return s, nil
}

var moveText = regexp.MustCompile(`^(\d{1,9})(?::([1-9]\d{0,8})|([!~x]))?$`)

func parseMove(word string) (m Move, ok bool) {
	if word == "*" {
		return Move{Proc: -1, Event: spec.Relink}, true
	}
	parts := moveText.FindStringSubmatch(word)
	if parts == nil {
		return m, false
	}
	m.Proc, _ = strconv.Atoi(parts[1])
	m.Parties, _ = strconv.Atoi(parts[2]) // 0 if there is none
	for _, event := range spec.AllEvents {
		if with := (Move{Proc: m.Proc, Event: event}); parts[3] != "" && strings.HasSuffix(with.String(), parts[3]) {
			m.Event = event
		}
	}
	return m, true
}

// moveOf returns the move that makes a happen.
func moveOf(a model.Action) Move { return Move{a.Proc, a.Event, a.Parties} }

// movesOf returns the moves of a trace.
func movesOf(trace model.Trace) (s Schedule) {
	for _, e := range trace {
		event, _ := spec.ParseEvent(e.Label) // NoEvent: it is a step
		s = append(s, Move{e.Proc, event, e.Parties})
	}
	return s
}

// actionOf returns the action that m makes happen in s, if one is enabled.
func actionOf(cfg model.Config, s model.State, m Move) (model.Action, bool) {
	for _, a := range model.Enabled(cfg, s) {
		if a.Proc == m.Proc && a.Event == m.Event {
			if m.Parties > 0 && a.Parties > 0 {
				a.Parties = m.Parties
			}
			return a, true
		}
	}
	return model.Action{}, false
}

// Blocked reports whether process p is in a call, at a step that blocks in s.
func Blocked(cfg model.Config, s model.State, p int) bool {
	if p < 0 || !s.Alive(p) || !s.Inside(p) {
		return false
	}
	_, goes := actionOf(cfg, s, Move{Proc: p})
	return !goes
}

// An Exchange is one request to a port in white-box mode and the answer that it
// must give (spec/PORTS.md, section 3). Kill and Relink have no answer.
type Exchange struct {
	Proc            int // -1: no port (Relink)
	Request, Answer string
}

// Exchanges returns what makes a happen, where a has led the model to the state
// after.
func Exchanges(after model.State, a model.Action) []Exchange {
	one := func(request, answer string) []Exchange { return []Exchange{{a.Proc, request, answer}} }
	switch a.Event {
	case spec.Relink:
		return one(Relink, "")
	case spec.Die:
		return one(Kill, "")
	}
	next := "at " + after.Step(a.Proc).String()
	switch {
	case a.Event == spec.Abandon:
		return one("abandon", "abandoned")
	case a.Event == spec.GiveUp && a.Step == spec.AwaitFlag:
		return one("giveup", next)
	case a.Event == spec.GiveUp:
		return one("giveup", "withdrawn")
	case a.Step == spec.Call:
		return append(one(fmt.Sprintf("call %d", a.Parties), "at "+spec.Call.String()), one("go", next)...)
	case a.Step == spec.UnlockExit:
		return one("go", "returned")
	case a.Step == spec.UnlockWithdraw:
		return one("go", "withdrawn")
	case a.Step == spec.MakeFlag:
		return one("go", "opened")
	default:
		return one("go", next)
	}
}
