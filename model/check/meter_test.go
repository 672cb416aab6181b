package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// TestUnit_Meter_TimeLeft feeds the meter a whole exploration, with a level
// half way that is almost empty, at 1000 states a second: what it says of the
// time left is true, and where it can be known it is said.
func TestUnit_Meter_TimeLeft(t *testing.T) {
	var reports []explore.Progress
	explore.Explore(context.Background(), model.Config{Scenario: spec.Reuse, Procs: 5},
		explore.Options{Liveness: true, Progress: func(p explore.Progress) { reports = append(reports, p) }})
	last := reports[len(reports)-1]
	claims := 0
	for _, p := range reports {
		text := left(p, 1000)
		if text == "time left unknown" {
			continue
		}
		claims++
		states := last.Distinct - p.Distinct + last.Looked + last.Queue - p.Looked
		truth := time.Duration(states) * time.Millisecond
		claim, err := time.ParseDuration(strings.TrimSuffix(strings.TrimPrefix(text, "about "), " left"))
		if err != nil || (claim-truth).Abs() > time.Second {
			t.Fatalf("with %+v: %q, but it is %v (%v)", p, text, truth, err)
		}
	}
	if claims < 10 {
		t.Errorf("the time left is known %d times of %d, want all the while that loops are looked for", claims, len(reports))
	}
}

// TestUnit_Meter_NeverCountsOnADip: levels that get smaller and smaller, as
// before the second half of an exploration, say nothing of the time left.
func TestUnit_Meter_NeverCountsOnADip(t *testing.T) {
	for i, queue := range []int64{1, 108430, 53421, 9317, 448, 7, 43} {
		p := explore.Progress{Phase: explore.Exploring, Distinct: 108430 * int64(i+1), Queue: queue, Depth: i + 1}
		if text := left(p, 1e6); text != "time left unknown" {
			t.Errorf("with a queue of %d: %q, which cannot be known", queue, text)
		}
	}
}

// TestUnit_Meter_CountsWhatIsLookedAt: the bar counts states found, and then
// those looked at, of how many.
func TestUnit_Meter_CountsWhatIsLookedAt(t *testing.T) {
	m := newMeter("question")
	defer m.finish()
	m.begun = m.begun.Add(-patience)
	for _, c := range []struct {
		progress explore.Progress
		want     string
	}{
		{explore.Progress{Phase: explore.Exploring, Distinct: 7, Queue: 3}, "7 of 0"},
		{explore.Progress{Phase: explore.Looping, Distinct: 9, Queue: 18}, "0 of 18"},
		{explore.Progress{Phase: explore.Looping, Distinct: 9, Looked: 12, Queue: 6}, "12 of 18"},
	} {
		m.show(c.progress)
		if got := fmt.Sprintf("%d of %d", m.bar.Current(), m.bar.Total()); got != c.want {
			t.Errorf("with %+v the bar shows %s, want %s", c.progress, got, c.want)
		}
	}
}
