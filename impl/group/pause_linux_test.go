package group

import (
	"context"
	"runtime"
	"testing"

	"sharedbarrier/spec"
)

// TestUnit_NapLetsOthersRun: a call that naps on the last processor of the Go
// runtime lets the other goroutines run before. Here that is one which ends the
// context: the call notices it after the first nap. Otherwise the goroutine
// runs in the second one.
func TestUnit_NapLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	name, lockPath := newNames(t)
	g := join(t, name, lockPath, 2, 0)
	start(t, name, lockPath, 2, 1) // it does not call
	visits := 0
	g.SetHook(func(s spec.MemberStep) {
		if s == spec.Gather {
			visits++
		}
	})
	const calls = 20
	for range calls {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		wantError(t, "Wait", g.Wait(ctx), context.Canceled)
	}
	// The runtime may run the call first, in one of 61 switches.
	if limit := 2*calls + calls/2; visits > limit {
		t.Errorf("visits of Gather in %d calls: got %d, want at most %d", calls, visits, limit)
	}
}
