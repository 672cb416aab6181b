//go:build linux

package vectors

import (
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/spec"
	"sharedbarrier/stress/lockstep"
)

// Play plays one schedule of the file with real parties, and returns the first
// difference, with the number of the move. A party that refuses words out of
// range, as it may (PROTOCOL.md, section 9), ends the play: refused is its error.
// A party that lacks a capability is ErrUnable.
func (f File) Play(s Schedule, start func(p int, splitRMW bool) (lockstep.Party, error)) (refused string, err error) {
	splitRMW := slices.Contains(s.Needs, "splitRMW")
	constructing := s.Start[0] == spec.MakeEnter.String()
	stage, err := lockstep.NewTestbed(s.Procs, constructing, func(p int) (lockstep.Party, error) {
		party, err := start(p, splitRMW)
		if err == nil {
			err = able(party, s.Needs)
		}
		return party, err
	})
	if err != nil {
		return "", err
	}
	defer stage.Close()
	calls := make([]call, s.Procs)
	words := spec.Initial
	for i, at := range s.Moves {
		m := f.Moves[at]
		if m.Proc >= 0 && calls[m.Proc].ahead {
			calls[m.Proc].ahead = false
			continue
		}
		answer, err := stage.Ask(m.Proc, m.Request)
		switch {
		case err != nil:
		case strings.HasPrefix(answer, "error ") && calls[m.Proc].mayRefuse(words):
			return answer, nil
		case splitRMW && m.Answer == "at InitExit" && answer == "at UnlockInit":
			calls[m.Proc].ahead = true
		case answer != m.Answer:
			err = fmt.Errorf("the answer is %q", answer)
		}
		if err == nil {
			err = stage.Check(m.Words, m.Holder)
		}
		if err != nil {
			return "", fmt.Errorf("schedule %q, move %d %s: %w", s.Name, i+1, compact(m), err)
		}
		words = m.Words
		if m.Proc >= 0 {
			calls[m.Proc].at = m.Answer
			fmt.Sscanf(m.Request, "call %d", &calls[m.Proc].parties)
		}
	}
	return "", nil
}

// A call is what is known of a party's call.
type call struct {
	parties int32
	at      string // what it said last
	ahead   bool   // it has left out the second announcement of InitExit
}

// mayRefuse reports whether the call may end with an error where it is.
func (c call) mayRefuse(w spec.Words) bool {
	label, _ := strings.CutPrefix(c.at, "at ")
	step, err := spec.ParseStep(label)
	return err == nil && lockstep.MayRefuse(step, w, c.parties)
}

func able(party lockstep.Party, needs []string) error {
	can := party.Can()
	for need, has := range map[string]bool{"withdraw": can.Withdraw, "abandon": can.Abandon, "splitRMW": can.SplitRMW} {
		if slices.Contains(needs, need) && !has {
			party.Kill()
			return fmt.Errorf("%w: the schedule needs %s", lockstep.ErrUnable, need)
		}
	}
	return nil
}
