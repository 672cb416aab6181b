package explore

import (
	"context"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestUnit_Memory_EndsCloseToTheLimit: what is counted is hardly more than the
// limit, though a batch of states could bring many times as much, and most of
// the limit is used.
func TestUnit_Memory_EndsCloseToTheLimit(t *testing.T) {
	const limit = 8 << 20
	for _, cfg := range []model.Config{
		{Scenario: spec.Reuse, Procs: 7},
		{Scenario: spec.Withdraw, Procs: 16},
		{Scenario: spec.Disagreeing, Procs: 12},
		{Scenario: spec.Surplus, Procs: 8, Rounds: 3},
	} {
		r := Explore(context.Background(), cfg, Options{MaxMemory: limit})
		if r.Why != reasons[tooMuchMemory] || r.Bytes > limit+limit/16 || r.Bytes < limit/2 {
			t.Errorf("Explore(%s) within %d bytes: %s (%q) with %d bytes, want it to end for want of memory, close to the limit",
				cfg, limit, r.Verdict, r.Why, r.Bytes)
		}
	}
}

// TestUnit_Memory_GraphIsWhatItIsSaidToTake: nothing that the search for loops
// makes grows beyond what was made for it at the start.
func TestUnit_Memory_GraphIsWhatItIsSaidToTake(t *testing.T) {
	m := model.NewMachine(model.Config{Scenario: spec.Withdraw, Procs: 4})
	x := newSearch[[1]uint64](m, Options{})
	if why, _ := x.run(context.Background()); why != complete {
		t.Fatalf("the search ends as %d", why)
	}
	x.tally()
	nodes, arcs := int(x.distinct), int(x.generated)
	g := x.graph(func() bool { return true })
	if len(g.able) != nodes || cap(g.able) != nodes || cap(g.waits) != nodes || cap(g.part) != nodes ||
		cap(g.first) != nodes+1 || cap(g.arcs) != arcs {
		t.Errorf("a graph of %d nodes and up to %d arcs has room for %d and %d", nodes, arcs, cap(g.able), cap(g.arcs))
	}
	perRun := testing.AllocsPerRun(1, func() { g.hung(0, func() bool { return true }) })
	if perRun > 10 {
		t.Errorf("looking for fair loops among %d states takes %v allocations, want a few that depend on nothing", nodes, perRun)
	}
}
