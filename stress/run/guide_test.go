//go:build linux

package run

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
)

// The workers of a guide take their steps in its turns, and the events happen
// where it has them. A step that is announced again is one step.
func TestUnit_GuideOrdersTheSteps(t *testing.T) {
	ledger, err := oracle.NewLedger(3, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	guide := &Guide{Turns: 3, Workers: [][]Turn{
		{{Number: 0, Steps: 3}, {Number: 2, Steps: 1, Events: []GuideEvent{{At: 0, Event: spec.Relink}}}},
		{{Number: 1, Steps: 2, Events: []GuideEvent{{At: 1, Event: spec.GiveUp}}}},
		nil, // waits for the end of all
	}}
	steps := [][]spec.Step{
		{spec.Call, spec.LockInit, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter},
		{spec.Call, spec.LockInit, spec.InitExit},
		{spec.Call},
	}
	var mu sync.Mutex
	var got []string
	var workers sync.WaitGroup
	for i, list := range steps {
		g := newGuided(guide, i, ledger)
		workers.Go(func() {
			for _, s := range list {
				events := g.before(s)
				mu.Lock()
				for _, e := range events {
					got = append(got, e.String())
				}
				got = append(got, string(rune('0'+i))+s.String())
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	want := strings.Fields("0Call 0LockInit 0LockInit 0InitExit 1Call GiveUp 1LockInit Relink 0UnlockInit")
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("the steps are %q, want first %q", got, want)
	}
}

// A worker that does not take its turn ends the guide for all.
func TestHazard_GuideThatCannotBeFollowed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	ledger, err := oracle.NewLedger(2, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	guide := &Guide{Turns: 2, Workers: [][]Turn{{{Number: 0, Steps: 5}}, {{Number: 1, Steps: 1}}}}
	if got := newGuided(guide, 1, ledger).before(spec.Call); got != nil || ledger.Turns() < 2 {
		t.Errorf("events %v after %d turns; want none, and that all turns are over", got, ledger.Turns())
	}
	var none *guided
	if none.before(spec.Call) != nil || newGuided(nil, 0, ledger) != nil {
		t.Error("without a guide there are events")
	}
	none.end()
}
