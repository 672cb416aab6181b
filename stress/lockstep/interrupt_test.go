//go:build linux

package lockstep

import (
	"context"
	"errors"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestRun_EndOfTheContext: once the context has ended, whatever a party then does
// shows nothing. Without that, it is a difference, or an error where the run has not
// begun.
func TestRun_EndOfTheContext(t *testing.T) {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	broken := errors.New("broken")
	for _, interrupted := range []bool{true, false} {
		for _, c := range []struct {
			name   string
			starts bool
			fail   func() (string, error)
			begun  spec.Verdict
		}{
			{"cannot start", false, nil, spec.Passed}, // and an error
			{"fails", true, func() (string, error) { return "", broken }, spec.Violated},
			{"answers wrongly", true, func() (string, error) { return "opened", nil }, spec.Violated},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			end := func() {
				if interrupted {
					cancel()
				}
			}
			r := Driver{Config: cfg, Start: func(p int, splitRMW bool) (Party, error) {
				if !c.starts {
					end()
					return nil, broken
				}
				party, err := coroutines(cfg.Scenario, nil)(p, splitRMW)
				return &fallible{Party: party, fail: func() (string, error) {
					end()
					return c.fail()
				}}, err
			}}
			rep, err := r.Random(ctx, 1, 1000)
			cancel()
			want := c.begun
			if interrupted {
				want = spec.Unfinished
			}
			if rep.Verdict != want || (err != nil) != (!interrupted && !c.starts) {
				t.Errorf("a party that %s, interrupted %v: got %v, %s, %v; want %v", c.name, interrupted, rep.Verdict, rep.Why, err, want)
			}
		}
	}
}
