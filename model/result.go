package model

import "sharedbarrier/spec"

// ResultVersion is the version of the JSON form of Result.
const ResultVersion = 1

// A Result is what an engine found out about one scenario at one size. Every
// checker prints it as one JSON object a line; the same run prints the same
// bytes, Seconds aside.
//
// The loop of a trace can be repeated for ever, each turn with the same words. How
// many rounds the processes are ahead of each other need not be the same after a
// turn: no step depends on it.
type Result struct {
	Version   int          `json:"version"`   // ResultVersion
	Scenario  string       `json:"scenario"`  // name of a spec.Scenario
	Procs     int          `json:"procs"`     // number of processes
	Rounds    int          `json:"rounds"`    // calls each process makes; 0: no bound
	Verdict   spec.Verdict `json:"verdict"`   // verified, violated, hang or unfinished
	Property  string       `json:"property"`  // name of the violated spec.Property; empty: none
	Generated int64        `json:"generated"` // states generated, repetitions included
	Distinct  int64        `json:"distinct"`  // distinct states found
	Depth     int          `json:"depth"`     // states on the longest of the shortest paths from an initial state
	Seconds   float64      `json:"seconds"`   // wall time
	Trace     []Entry      `json:"trace"`     // the counterexample; empty: none
	Loop      int          `json:"loop"`      // liveness: Trace[Loop-1] follows the last entry again; 0: no loop
}

// An Entry is one line of a trace: who did what, and the words after it.
// A trace starts from the words of spec.Initial.
type Entry struct {
	Proc    int        `json:"proc"`              // 0-based; -1: the environment itself (spec.Relink)
	Label   string     `json:"label"`             // label of a spec.Step or a spec.Event
	Parties int        `json:"parties,omitempty"` // party count, on Call only
	Words   spec.Words `json:"words"`             // after the step
}
