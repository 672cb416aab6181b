package model

import "sharedbarrier/spec"

// A Question is one row of the table of scenarios: what is checked, at which
// size, and what the answer is.
type Question struct {
	Config   Config
	Check    []spec.Property
	Liveness bool // NoHang by fair loops too, not only by deadlock
	Symmetry bool // count orbits of states
	Expect   spec.Expectation
}

// A decision has the properties that fail in a scenario, each with the smallest
// size at which it does, and the size at which the others are checked.
//
// A property that holds at one size may fail at the next. All but single are
// asked with four processes: one more than any that fails needs for it, and
// what takes about a second, with symmetry where that is many states. (Where
// callers keep the rules, the proof covers every number.) Unbounded rounds show
// most, where the scenario allows them. Where the party count changes between
// rounds 1 and 2, three rounds show what is left over from the change: before
// and after them the count is constant.
type decision struct {
	scenario spec.Scenario
	fails    map[spec.Property]size
	holds    size
}

// A size is smaller than another if it has fewer processes, or as many and
// fewer rounds.
type size struct{ procs, rounds int }

type sizes = map[spec.Property]size

var decisions = []decision{
	{spec.Reuse, nil, size{4, 0}},
	{spec.Single, nil, size{1, 0}},
	{spec.Withdraw, nil, size{4, 0}},
	{spec.LateConstruction, sizes{spec.NoEarlyExit: {2, 0}, spec.WordsInRange: {2, 0}, spec.NoHang: {2, 0}, spec.Quiescent: {2, 0}}, size{4, 0}},
	{spec.Shrinking, sizes{spec.NoHang: {2, 2}, spec.Quiescent: {2, 2}}, size{4, 3}},
	{spec.Growing, sizes{spec.NoEarlyExit: {3, 2}, spec.WordsInRange: {3, 3}, spec.NoHang: {2, 2}, spec.Quiescent: {3, 2}}, size{4, 3}},
	{spec.Disagreeing, sizes{spec.NoEarlyExit: {2, 0}, spec.WordsInRange: {3, 0}, spec.NoHang: {2, 0}, spec.Quiescent: {3, 0}}, size{4, 0}},
	{spec.Surplus, sizes{spec.NoEarlyExit: {2, 0}, spec.NoHang: {2, 0}, spec.Quiescent: {2, 0}}, size{4, 0}},
	{spec.Crash, sizes{spec.NoHang: {2, 0}}, size{4, 0}},
	{spec.AbandonWait, sizes{spec.NoEarlyExit: {2, 0}, spec.NoHang: {1, 0}, spec.Quiescent: {1, 0}}, size{4, 0}},
	{spec.SplitLock, sizes{spec.LockExclusive: {2, 0}, spec.NoHang: {2, 0}, spec.Quiescent: {2, 0}}, size{4, 0}},
}

// Questions lists what decides every scenario: one question for each property
// that fails, one for those that hold, and one for the control, where all hold.
func Questions() (list []Question) {
	for _, d := range decisions {
		for _, p := range spec.AllProperties {
			if at, fails := d.fails[p]; fails {
				cfg := Config{Scenario: d.scenario, Procs: at.procs, Rounds: at.rounds}
				list = append(list, Question{cfg, []spec.Property{p}, false, false, spec.Fails})
			}
		}
		cfg := Config{Scenario: d.scenario, Procs: d.holds.procs, Rounds: d.holds.rounds}
		_, hangs := d.fails[spec.NoHang] // then what holds is about states alone, and symmetry may be used
		list = append(list, Question{cfg, d.others(), !hangs, hangs, spec.Holds})
		if ControlOf(d.scenario) != "" {
			cfg.Control = true
			if NeedsBound(cfg) {
				cfg.Rounds = max(cfg.Rounds, 2)
			}
			list = append(list, Question{cfg, spec.AllProperties, true, false, spec.Holds})
		}
	}
	return list
}

// others lists the properties that hold.
func (d decision) others() (list []spec.Property) {
	for _, p := range spec.AllProperties {
		if _, fails := d.fails[p]; !fails {
			list = append(list, p)
		}
	}
	return list
}

// Expected reports whether the result answers the question as expected.
func (q Question) Expected(r Result) bool {
	if q.Expect == spec.Fails {
		return r.Verdict == spec.Violated || r.Verdict == spec.Hang
	}
	return r.Verdict == spec.Verified
}

// ResultVersion is the version of the JSON form of Result.
const ResultVersion = 2

// A Result is what an engine found out about one scenario at one size. Every
// checker prints it as one JSON object a line; the same run prints the same
// bytes, Seconds aside.
//
// The loop of a trace can be repeated without end, each turn with the same
// words. How many rounds the processes are ahead of each other need not be the
// same after a turn: no step depends on it.
type Result struct {
	Version   int          `json:"version"`   // ResultVersion
	Scenario  string       `json:"scenario"`  // name of a spec.Scenario
	Procs     int          `json:"procs"`     // number of processes
	Rounds    int          `json:"rounds"`    // calls each process makes; 0: unbounded
	Verdict   spec.Verdict `json:"verdict"`   // verified, violated, hang or unfinished
	Property  string       `json:"property"`  // name of the violated spec.Property; empty: none
	Generated int64        `json:"generated"` // states generated, repetitions included
	Distinct  int64        `json:"distinct"`  // distinct states found
	Depth     int          `json:"depth"`     // states on the longest of the shortest paths from an initial state
	Seconds   float64      `json:"seconds"`   // wall time
	Trace     Trace        `json:"trace"`     // the counterexample; empty: none
	Loop      int          `json:"loop"`      // liveness: Trace[Loop-1] follows the last entry again; 0: no loop
}
