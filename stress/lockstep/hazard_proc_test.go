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

// TestHazard_ReallyHappens replays every counterexample of the explorer with
// real processes. They go every step of the way, and at its end show the
// violation, or find the words out of range and say so.
func TestHazard_ReallyHappens(t *testing.T) {
	hazards, err := Hazards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		port     string
		splitRMW bool // can be stepped through split-lock
		skip     func(Hazard) bool
		want     []string // what must be among what was seen, for this not to pass vacuously
	}{
		{port: "go", want: []string{
			"late-construction NoEarlyExit", "late-construction NoHang", "shrinking NoHang", "growing refused",
			"disagreeing NoEarlyExit", "disagreeing NoHang", "surplus NoEarlyExit", "surplus NoHang",
			"crash NoHang", "abandon NoEarlyExit", "abandon NoHang", "abandon Quiescent", "split-lock LockExclusive",
		}},
		{port: "c", splitRMW: true, want: []string{"shrinking NoHang", "growing refused", "surplus NoEarlyExit", "split-lock NoHang"}},
		{
			// The original checks nothing, and so everything really happens. A
			// process takes long to start: hence only what callers would notice, and
			// three processes only where two do not do.
			port: "python", splitRMW: true,
			skip: func(h Hazard) bool {
				return h.Property == spec.WordsInRange || h.Property == spec.Quiescent ||
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
			porttest.Need(t, c.port)
			seen := map[string]bool{}
			for _, h := range hazards {
				if c.skip != nil && c.skip(h) {
					continue
				}
				t.Run(fmt.Sprintf("scenario=%v/procs=%d/%v", h.Config.Scenario, h.Config.Procs, h.Property), func(t *testing.T) {
					r := Driver{Config: h.Config, Start: ports(t, c.port, h.Config)}
					rep, err := r.Hazard(t.Context(), h)
					var unable *Unable
					if h.Config.Scenario == spec.SplitLock && h.Property != spec.LockExclusive && !c.splitRMW {
						if !errors.As(err, &unable) {
							t.Errorf("Hazard: got %v, want *Unable of a port that is not splitRMW", err)
						}
						return
					}
					if err != nil || rep.Verdict != spec.Passed {
						t.Fatalf("Hazard: got %v, %v, want passed\n%s\n%s", rep.Verdict, err, rep.Why, rep.table)
					}
					for _, what := range rep.Seen {
						seen[h.Config.Scenario.String()+" "+what] = true
					}
					t.Logf("%d moves, seen: %v: %s", len(h.Schedule), rep.Seen, rep.Why)
				})
			}
			for _, want := range c.want {
				if !seen[want] {
					t.Errorf("of the hazards, %s was not seen", want)
				}
			}
			for what := range seen {
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
	for _, procs := range []int{2, 3} {
		for _, step := range slices.Concat(spec.CallSteps, spec.WithdrawalSteps) {
			cfg := CrashConfig(procs, step)
			t.Run(fmt.Sprintf("procs=%d/%v", procs, step), func(t *testing.T) {
				s, ok := CrashAt(cfg, step)
				if !ok {
					t.Fatal("CrashAt: no way leads there")
				}
				r := Driver{Config: cfg, Start: ports(t, "go", cfg)}
				rep, err := r.Crash(t.Context(), step, s)
				if err != nil || rep.Verdict != spec.Passed || !slices.Equal(rep.Seen, []string{"NoHang"}) {
					t.Errorf("Crash: got %v, seen %v, %v; want passed, seen NoHang\n%s\n%s", rep.Verdict, rep.Seen, err, rep.Why, rep.table)
				}
			})
		}
	}
}
