package model

import (
	"slices"

	"sharedbarrier/spec"
)

// A Question is one row of the table of scenarios: what is checked, at which
// size, and what the answer has been since it was first asked.
type Question struct {
	Config   Config
	Check    []spec.Property
	Liveness bool // NoHang by fair loops too, not only by deadlock
	Symmetry bool // count orbits of states
	Expect   spec.Expectation
}

// A decision says which properties fail in a scenario, the smallest size at
// which all of them do, and the size at which the others hold.
//
// That a property holds at one size says nothing of the next. All but single are asked with
// four processes: one more than any that fails needs for it, and what still takes
// about a second, with symmetry where that is many states. (For callers that keep the
// rules there is the proof for every number.) No bound on rounds is the better choice
// wherever the scenario allows it. Where the party count changes between rounds 1
// and 2, three rounds show what is left over from the change; before them and after
// them the count is constant.
type decision struct {
	scenario spec.Scenario
	fails    []spec.Property
	at       size
	holds    size
}

type size struct{ procs, rounds int }

var decisions = []decision{
	{spec.Reuse, nil, size{}, size{4, 0}},
	{spec.Single, nil, size{}, size{1, 0}},
	{spec.Withdraw, nil, size{}, size{4, 0}},
	{spec.LateConstruction, []spec.Property{spec.NoEarlyExit, spec.WordsInRange, spec.NoHang, spec.Quiescent}, size{2, 0}, size{4, 0}},
	{spec.Shrinking, []spec.Property{spec.NoHang, spec.Quiescent}, size{2, 2}, size{4, 3}},
	{spec.Growing, []spec.Property{spec.NoEarlyExit, spec.WordsInRange, spec.NoHang, spec.Quiescent}, size{3, 3}, size{4, 3}},
	{spec.Disagreeing, []spec.Property{spec.NoEarlyExit, spec.WordsInRange, spec.NoHang, spec.Quiescent}, size{3, 0}, size{4, 0}},
	{spec.Surplus, []spec.Property{spec.NoEarlyExit, spec.NoHang, spec.Quiescent}, size{2, 0}, size{4, 0}},
	{spec.Crash, []spec.Property{spec.NoHang}, size{2, 0}, size{4, 0}},
	{spec.AbandonWait, []spec.Property{spec.NoEarlyExit, spec.NoHang, spec.Quiescent}, size{2, 0}, size{4, 0}},
	{spec.SplitLock, []spec.Property{spec.LockExclusive, spec.NoHang, spec.Quiescent}, size{2, 0}, size{4, 0}},
}

// Questions lists what decides every scenario: one question for each property
// that fails, one for those that hold, and one for the twin, where all hold.
func Questions() (list []Question) {
	for _, d := range decisions {
		for _, p := range d.fails {
			cfg := Config{Scenario: d.scenario, Procs: d.at.procs, Rounds: d.at.rounds}
			list = append(list, Question{cfg, []spec.Property{p}, false, false, spec.Fails})
		}
		cfg := Config{Scenario: d.scenario, Procs: d.holds.procs, Rounds: d.holds.rounds}
		hangs := slices.Contains(d.fails, spec.NoHang) // then what holds is about states alone, and symmetry may be used
		list = append(list, Question{cfg, d.others(), !hangs, hangs, spec.Holds})
		if TwinOf(d.scenario) != "" {
			cfg.Twin = true
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
		if !slices.Contains(d.fails, p) {
			list = append(list, p)
		}
	}
	return list
}

// Expected reports whether the report answers the question as expected.
func (q Question) Expected(r Report) bool {
	if q.Expect == spec.Fails {
		return r.Verdict == spec.Violated || r.Verdict == spec.Hang
	}
	return r.Verdict == spec.Verified
}
