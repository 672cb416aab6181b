//go:build linux

package lockstep

import (
	"slices"
	"testing"

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
