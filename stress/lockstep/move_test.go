//go:build linux

package lockstep

import (
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func TestSchedule_Text(t *testing.T) {
	const text = "0 1:2 10! 3~ 2x *"
	want := Schedule{
		{Proc: 0}, {Proc: 1, Parties: 2}, {Proc: 10, Event: spec.GiveUp}, {Proc: 3, Event: spec.Abandon},
		{Proc: 2, Event: spec.Die}, {Proc: -1, Event: spec.Relink},
	}
	if got, err := ParseSchedule(text); err != nil || !slices.Equal(got, want) || got.String() != text {
		t.Errorf("ParseSchedule(%q): got %v, %v, want %v", text, got, err, want)
	}
	for _, wrong := range []string{"p0", "-1", "0:", "0:0", "0:2!", "!", "1!!", "**", "0,1"} {
		if got, err := ParseSchedule(wrong); err == nil {
			t.Errorf("ParseSchedule(%q): got %v, want an error", wrong, got)
		}
	}
}

// TestRandom_RepeatsBySeed: the same seed makes the same moves, another seed
// others.
func TestRandom_RepeatsBySeed(t *testing.T) {
	cfg := model.Config{Scenario: spec.Surplus, Procs: 3} // ends in a refusal, and so with its moves
	r := Driver{Config: cfg, Start: coroutines(cfg.Scenario, nil)}
	var schedules []string
	for _, seed := range []uint64{1, 1, 2} {
		rep, err := r.Random(t.Context(), seed, 10000)
		if err != nil || rep.Verdict != spec.Passed || len(rep.Seen) == 0 {
			t.Fatalf("Random(%d): got %v, seen %v, %v; want passed, and something seen", seed, rep.Verdict, rep.Seen, err)
		}
		schedules = append(schedules, rep.Schedule)
	}
	if schedules[0] != schedules[1] || schedules[0] == schedules[2] {
		t.Errorf("Random with seeds 1, 1, 2: got %q, want the first two alike and the third not", schedules)
	}
}
