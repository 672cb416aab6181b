//go:build linux

package lockstep

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
)

// TestHazard_Processes replays every counterexample of the explorer with real
// processes. They take every step, and at the end show the violation, or find
// the words out of range and say so.
func TestHazard_Processes(t *testing.T) {
	hazards, err := Hazards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		port     string
		splitRMW bool // can be stepped through split-lock
		skip     func(Counterexample) bool
		want     []string // what must be observed, for this not to pass vacuously
	}{
		{port: "go", want: []string{
			"late-construction NoEarlyExit", "late-construction NoHang", "shrinking NoHang", "growing refused",
			"disagreeing NoEarlyExit", "disagreeing NoHang", "surplus NoEarlyExit", "surplus NoHang",
			"crash NoHang", "abandon NoEarlyExit", "abandon NoHang", "abandon Quiescent", "split-lock LockExclusive",
		}},
		{port: "c", splitRMW: true, want: []string{"shrinking NoHang", "growing refused", "surplus NoEarlyExit", "split-lock NoHang"}},
		{
			// The original checks no words, so everything really happens. Its
			// processes take long to start: hence only what callers would
			// notice, and three processes only where two do not suffice.
			port: "python", splitRMW: true,
			skip: func(h Counterexample) bool {
				return h.Property == spec.WordsInRange.String() || h.Property == spec.Quiescent.String() ||
					h.Config.Procs > 2 && h.Config.Scenario != spec.Growing
			},
			want: []string{
				"late-construction NoEarlyExit", "late-construction NoHang", "shrinking NoHang", "growing NoEarlyExit", "growing NoHang",
				"disagreeing NoEarlyExit", "disagreeing NoHang", "surplus NoEarlyExit", "surplus NoHang",
				"crash NoHang", "abandon NoEarlyExit", "abandon NoHang", "split-lock LockExclusive", "split-lock NoHang",
			},
		},
	} {
		t.Run("port="+c.port, func(t *testing.T) {
			if testing.Short() && c.port != "go" {
				t.Skip("go shows it too; with other ports it takes 8 s")
			}
			porttest.Need(t, c.port)
			observed := map[string]bool{}
			for _, h := range hazards {
				if c.skip != nil && c.skip(h) {
					continue
				}
				t.Run(fmt.Sprintf("scenario=%v/procs=%d/%v", h.Config.Scenario, h.Config.Procs, h.Property), func(t *testing.T) {
					d := driver{cfg: h.Config, start: ports(t, c.port, h.Config)}
					rep, err := d.refute(t.Context(), h.Property, h)
					if h.Config.Scenario == spec.SplitLock && h.Property != spec.LockExclusive.String() && !c.splitRMW {
						if !errors.Is(err, errUnable) {
							t.Errorf("refute: got %v, want errUnable of a port without splitRMW", err)
						}
						return
					}
					if err != nil || rep.Verdict != spec.Passed {
						t.Fatalf("refute: got %v, %v, want passed\n%s\n%s", rep.Verdict, err, rep.Why, rep.timeline.Text())
					}
					for _, what := range rep.Observed {
						observed[h.Config.Scenario.String()+" "+what] = true
					}
					t.Logf("%d moves, observed: %v: %s", len(h.Schedule), rep.Observed, rep.Why)
				})
			}
			for _, want := range c.want {
				if !observed[want] {
					t.Errorf("the hazards do not show %s", want)
				}
			}
			for what := range observed {
				if c.port == "python" && strings.HasSuffix(what, Refused) {
					t.Errorf("%s, by the original, which refuses nothing", what)
				}
			}
		})
	}
}

// TestHazard_CrashAtEveryStep kills a process at each step of its call. The
// kernel frees its lock, the words stay as the model says, and the others go on
// as in the model until they hang: no step is a good one to die at.
func TestHazard_CrashAtEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, procs := range []int{2, 3} {
		for _, step := range slices.Concat(spec.CallSteps, spec.WithdrawalSteps) {
			t.Run(fmt.Sprintf("procs=%d/%v", procs, step), func(t *testing.T) {
				cfg, s, ok := CrashSchedule(procs, step)
				if !ok {
					t.Fatal("CrashSchedule: no schedule leads there")
				}
				d := driver{cfg: cfg, start: ports(t, "go", cfg)}
				rep, err := d.crash(t.Context(), step, s)
				if err != nil || rep.Verdict != spec.Passed || !slices.Equal(rep.Observed, []string{"NoHang"}) {
					t.Errorf("crash: got %v, observed %v, %v; want passed, observed NoHang\n%s\n%s", rep.Verdict, rep.Observed, err, rep.Why, rep.timeline.Text())
				}
			})
		}
	}
}
