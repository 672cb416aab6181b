//go:build linux

package lockstep

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// fallible is a party whose third return from a call fails in a way of its own.
type fallible struct {
	Party
	returns int
	fail    func() (string, error)
}

func (f *fallible) Ask(request string) (string, error) {
	answer, err := f.Party.Ask(request)
	if answer == "returned" {
		if f.returns++; f.returns == 3 {
			return f.fail()
		}
	}
	return answer, err
}

// TestShorten_Silence: a silence, which takes as long as the limit each time, is
// not played again, and ends the shortening of another difference. That one is
// shortened.
func TestShorten_Silence(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	for _, c := range []struct {
		name        string
		first, then error // how the parties fail in the run, and when it is replayed; nil: by a wrong answer
		shorter     bool
		silences    int // how often nobody answers
	}{
		{name: "a wrong answer", shorter: true},
		{name: "silence", first: port.ErrSilent, then: port.ErrSilent, silences: 1},
		{name: "a wrong answer, then silence", then: port.ErrSilent, silences: 1},
	} {
		silences, how := 0, c.first
		r := Driver{Config: cfg, Start: func(p int, splitRMW bool) (Party, error) {
			party, err := coroutines(cfg.Scenario, nil)(p, splitRMW)
			return &fallible{Party: party, fail: func() (string, error) {
				if how != nil {
					silences++
					return "", &port.Error{Kind: how}
				}
				return "withdrawn", nil
			}}, err
		}}
		rep, err := r.Random(t.Context(), 1, 1000)
		if err != nil || rep.Verdict != spec.Violated {
			t.Fatalf("%s: Random: got %v, %v; want violated", c.name, rep.Verdict, err)
		}
		how = c.then
		short := r.Shorten(t.Context(), rep)
		if silences != c.silences {
			t.Errorf("%s: got %d silences, want %d", c.name, silences, c.silences)
		}
		if shorter := len(short.Schedule) < len(rep.Schedule); c.shorter && !shorter {
			t.Errorf("%s: from %q Shorten has made %q, want it shorter", c.name, rep.Schedule, short.Schedule)
		}
	}
}
