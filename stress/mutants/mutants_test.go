//go:build linux

package mutants

import (
	"fmt"
	"testing"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/run"
)

// TestUnit_Score: the score of some searches, and whether it passes.
func TestUnit_Score(t *testing.T) {
	found := func(how string, took time.Duration) find {
		return find{How: how, Why: how, Took: took, Rounds: int64(took / time.Second), Config: run.Config{Seed: uint64(took)}}
	}
	o := Options{Command: func(c run.Config) string { return time.Duration(c.Seed).String() }}
	for _, c := range []struct {
		mutant string
		finds  []find
		want   Score
		passed bool
		text   string
	}{
		{"no-drain", []find{found("NoHang", 3*time.Second), found("NoEarlyExit", time.Second), found("NoHang", 9*time.Second)},
			Score{Found: 3, Seconds: 3, Rounds: 3, How: "NoHang", Why: "NoHang", Command: "3s"}, true, "3 of 3"},
		{"no-drain", []find{found("NoHang", 3*time.Second), found("", time.Minute), found("NoHang", 2*time.Second)},
			Score{Found: 2, Seconds: 2, Rounds: 2, How: "NoHang", Why: "NoHang", Command: "2s"}, false, "2 of 3, NOT FOUND"},
		{"no-drain", []find{found("", time.Minute)},
			Score{Rounds: 60, Command: "1m0s"}, false, "0 of 1, NOT FOUND"},
		{"always-first", []find{found("", time.Minute)},
			Score{Harmless: true, Rounds: 60, Command: "1m0s"}, true, "0 of 1, harmless"},
		{"always-first", []find{found("", time.Minute), found("NoHang", time.Second)},
			Score{Harmless: true, Found: 1, Seconds: 1, Rounds: 1, How: "NoHang", Why: "NoHang", Command: "1s"}, false, "1 of 2, BUT HARMLESS"},
	} {
		c.want.Version, c.want.Mutant, c.want.Seeds = Version, c.mutant, len(c.finds)
		got := o.score(model.MutantNamed(c.mutant), c.finds)
		if got != c.want || got.Passed() != c.passed || got.FoundText() != c.text {
			t.Errorf("score of %s after %+v: got %+v, passed: %v, %q; want %+v, %v, %q", c.mutant, c.finds, got, got.Passed(), got.FoundText(), c.want, c.passed, c.text)
		}
	}
}

// TestUnit_Judge: what a run has found, and what accuses no barrier.
func TestUnit_Judge(t *testing.T) {
	hang := &run.Hang{Why: "no worker made progress"}
	for _, c := range []struct {
		rep run.Report
		how string
	}{
		{run.Report{Verdict: spec.Violated, Early: &oracle.Violation{Worker: 1, Round: 2}, Refuted: []oracle.Refutation{{Property: "LockExclusive"}}}, "NoEarlyExit"},
		{run.Report{Verdict: spec.Violated, Violations: 2}, "NoEarlyExit"},
		{run.Report{Verdict: spec.Violated, Refuted: []oracle.Refutation{{Property: "LockExclusive", Why: "at UnlockInit"}}}, "LockExclusive"},
		{run.Report{Verdict: spec.Hang, Hang: hang, Ends: run.Ends{Refused: map[string]int64{"words are out of range": 1}}}, Refused},
		{run.Report{Verdict: spec.Hang, Hang: hang}, "NoHang"},
		{run.Report{Verdict: spec.Hang, Hang: hang, Ends: run.Ends{Withdrawn: 3}}, "NoHang"},
		{run.Report{Verdict: spec.Passed, Ends: run.Ends{Withdrawn: 3}}, ""},
		{run.Report{Verdict: spec.Unfinished, Hang: hang}, ""},
		{run.Report{Verdict: spec.Unfinished, Interrupted: true}, ""},
	} {
		if how, why := judge(c.rep); how != c.how || (why == "") != (how == "") {
			t.Errorf("judge(%+v) = %q, %q; want %q, and why", c.rep, how, why, c.how)
		}
	}
}

// TestUnit_Ways: the seed decides which parties announce their steps, so no two
// runs of a search share one; each way has a party with the mistake.
func TestUnit_Ways(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(3) {
		for lap := range 7 { // as many as an hour has
			for _, w := range ways {
				c := w.config(model.MutantNamed("no-drain"), seed+1, lap, time.Minute)
				if announces := announce(c.Seed % 3); announces != w.announce || !c.White || c.Ports[0] != "c@no-drain" || c.Procs != len(c.Ports) {
					t.Errorf("way %+v, seed %d, lap %d: %+v", w, seed+1, lap, c)
				}
				if id := fmt.Sprint(c); seen[id] {
					t.Errorf("way %+v, seed %d, lap %d: there was the same run before: %s", w, seed+1, lap, id)
				} else {
					seen[id] = true
				}
			}
		}
	}
}
