package explore_test

import (
	"context"
	"fmt"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// Two processes, any number of rounds, everything checked.
func ExampleExplore() {
	r := explore.Explore(context.Background(), model.Config{Scenario: spec.Reuse, Procs: 2}, explore.Options{Liveness: true})
	fmt.Println(r.Verdict, r.Distinct, "states")
	// Output: verified 241 states
}

// A counterexample is a list of who did what.
func ExampleExplore_counterexample() {
	r := explore.Explore(context.Background(), model.Config{Scenario: spec.Crash, Procs: 2}, explore.Options{})
	last := r.Trace[len(r.Trace)-1]
	fmt.Printf("%s: %s after %d steps, the last of them p%d %s\n", r.Verdict, r.Property, len(r.Trace), last.Proc, last.Label)
	// Output: hang: NoHang after 13 steps, the last of them p1 UnlockEnter
}

// One step at a time, as a test of another implementation would.
func ExampleApply() {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 2}
	s := model.Init(cfg)
	for range 3 {
		a := model.Enabled(cfg, s)[0]
		s = model.Apply(cfg, s, a)
		fmt.Println(a, "→", s.Words())
	}
	// Output:
	// p0 Call(2) → enter=0 exit=-1 flag=1
	// p0 LockInit → enter=0 exit=-1 flag=1
	// p0 InitExit → enter=0 exit=2 flag=1
}
