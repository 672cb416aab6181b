//go:build linux

package lockstep

import (
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func TestUnit_ScheduleText(t *testing.T) {
	const text = "0 1:2 10! 3~ 2x *"
	want := Schedule{
		{Proc: 0}, {Proc: 1, Parties: 2}, {Proc: 10, Event: spec.GiveUp}, {Proc: 3, Event: spec.Abandon},
		{Proc: 2, Event: spec.Die}, {Proc: -1, Event: spec.Relink},
	}
	if got, err := ParseSchedule(text); err != nil || !slices.Equal(got, want) || got.String() != text {
		t.Errorf("ParseSchedule(%q): got %v, %v, want %v", text, got, err, want)
	}
	for _, wrong := range []string{"p0", "-1", "0:", "0:0", "0:2!", "0!~", "0~!", "0:3000000000", "3000000000", "!", "1!!", "**", "0,1"} {
		if got, err := ParseSchedule(wrong); err == nil {
			t.Errorf("ParseSchedule(%q): got %v, want an error", wrong, got)
		}
	}
}

// TestUnit_Blocked: a process is blocked only inside a call, and alive.
func TestUnit_Blocked(t *testing.T) {
	cfg := model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}
	s := model.Init(cfg)
	check := func(when string, p int, want bool) {
		t.Helper()
		if got := Blocked(cfg, s, p); got != want {
			t.Errorf("Blocked(p%d) %s: got %v, want %v", p, when, got, want)
		}
	}
	follow := func(moves string) {
		t.Helper()
		for _, m := range schedule(t, moves) {
			if a, ok := actionOf(cfg, s, m); ok {
				s = model.Apply(cfg, s, a)
			}
		}
	}
	check("outside", 1, false)
	follow("1:2 1 0:2")
	check("that p1 keeps from the lock", 0, true)
	check("that can go on", 1, false)
	check("that does not exist", -1, false)
	follow("0x")
	check("that is dead", 0, false)

	cfg.Scenario, s = spec.Reuse, model.Init(cfg)
	for range 30 {
		follow("0:2 1:2")
	}
	check("that has made its calls", 0, false)

	cfg.Scenario, s = spec.Withdraw, model.Init(cfg)
	follow("0:1")
	if got := s.Parties(0); got != 1 {
		t.Errorf("after the move 0:1: got a call of %d parties, want 1", got)
	}
}
