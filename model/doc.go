// Package model is the barrier as a state machine, and an explorer that visits
// every state of it.
//
// The machine is three pure functions on small values, told one step at a time
// beside spec/PROTOCOL.md: Init gives the first state, Enabled what can happen in
// a state, Apply the state after it. A Config says who calls how often and what
// goes wrong. Whoever holds another implementation against the model needs nothing
// else.
//
//	cfg := model.Config{Scenario: spec.Reuse, Procs: 3}
//	s := model.Init(cfg)
//	for _, a := range model.Enabled(cfg, s) {
//		fmt.Println(a, model.Apply(cfg, s, a))
//	}
//
// Explore checks every property in every state and returns a Report: a verdict,
// the size of the graph, and a shortest counterexample if there is one. States
// hands out the graph itself. Violates and Stuck judge a single state, Replay runs
// a trace, and Mutants are mistakes that a checker must find.
//
// Limits: 16 processes; rounds bounded by 20 or not at all; without symmetry
// about eight processes fit into a common machine's memory. The package does no
// I/O; its commands are check, prove and bench below it.
package model
