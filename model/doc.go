// Package model is the barrier as a state machine: three pure functions on
// small values. Init returns the first state, Enabled what can happen in a
// state, and Apply the state after it. A Config says who calls how often and
// what goes wrong. step.go has the steps, in the order of spec/PROTOCOL.md.
//
//	cfg := model.Config{Scenario: spec.Reuse, Procs: 3}
//	s := model.Init(cfg)
//	for _, a := range model.Enabled(cfg, s) {
//		fmt.Println(a, model.Apply(cfg, s, a))
//	}
//
// Violates and Stuck judge a state. A Trace is a behaviour that can be
// replayed. Mutants are mistakes that a checker must find, and Questions
// what decides each scenario. A Machine is the barrier for package explore,
// which visits every state.
//
// A Config has up to 16 processes, and at most 20 rounds, or an unbounded
// number. The package does no I/O; the commands are check, prove and bench
// below it.
package model
