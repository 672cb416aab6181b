//go:build linux

// Package lockstep runs the model and the real barrier side by side, one step
// at a time. Each party is a real process (or, in tests, a coroutine) that
// stops before every step of its call. A Session lets exactly one of them go
// at a time, and compares after each step what the party says that it does next,
// the words in the real segment, and who holds the real lock, with the model.
// Where the model says that a step blocks, the party tries, and must find it so.
//
//	l, err := lockstep.New(cfg, start)
//	defer l.Close()
//	_, err = l.Move(lockstep.Move{Proc: 0}) // a *Difference if the two differ
//
// Tour, Random, Replay, Hazards and Crash choose what happens; see the command
// go run ./stress lockstep.
package lockstep
