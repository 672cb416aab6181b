package model

import (
	"context"
	"testing"

	"sharedbarrier/spec"
)

// TestMemory_EndsCloseToTheLimit: what is counted is hardly more than the limit,
// though a batch of states could bring many times as much, and most of the limit is
// used.
func TestMemory_EndsCloseToTheLimit(t *testing.T) {
	const limit = 8 << 20
	for _, cfg := range []Config{
		{Scenario: spec.Reuse, Procs: 7},
		{Scenario: spec.Withdraw, Procs: 16},
		{Scenario: spec.Disagreeing, Procs: 12},
		{Scenario: spec.Surplus, Procs: 8, Rounds: 3},
	} {
		r := Explore(context.Background(), cfg, Options{MaxMemory: limit})
		if r.Why != reasons[tooMuchMemory] || r.Bytes > limit+limit/16 || r.Bytes < limit/2 {
			t.Errorf("Explore(%v) within %d bytes: %s (%q) with %d bytes, want it to end for want of memory, close to the limit",
				cfg, limit, r.Verdict, r.Why, r.Bytes)
		}
	}
}

// TestMemory_TableIsMadeWithinTheLimit: what a table is made from counts too, so
// that one is not begun which would fit only when it is done.
func TestMemory_TableIsMadeWithinTheLimit(t *testing.T) {
	cfg := Config{Scenario: spec.SplitLock, Procs: 12}
	table := compile(cfg).tableBytes()
	for limit, want := range map[int64]bool{table: false, table * 3 / 2: false, table * 3: true} {
		if got := compileWithin(cfg, limit) != nil; got != want {
			t.Errorf("a table of %d bytes is made within %d: %v, want %v", table, limit, got, want)
		}
	}
	r := Explore(context.Background(), cfg, Options{MaxMemory: table * 3 / 2})
	if r.Why != reasons[tooMuchMemory] || r.Generated != 0 || r.Trace == nil {
		t.Errorf("Explore(%v) with a table beyond the limit: %s (%q), trace %v; want it unfinished before the first state", cfg, brief(r.Result), r.Why, r.Trace)
	}
}
