package spec

import "fmt"

// A Scenario is one way to use or to misuse the barrier.
type Scenario uint8

// The scenarios.
const (
	Reuse Scenario = iota
	Single
	Withdraw
	LateConstruction
	Shrinking
	Growing
	Disagreeing
	Surplus
	Crash
	AbandonWait
	SplitLock
	Fork

	numScenarios
)

// An Expectation is the verdict on which the engines agree for one property of
// a scenario.
type Expectation string

// The expectations.
const (
	Holds     Expectation = "holds"     // at every number of processes checked
	Fails     Expectation = "fails"     // at some number of processes
	Undecided Expectation = "undecided" // no engine can decide it: Fork is about handles
)

var scenarios = [numScenarios]struct {
	name   string
	doc    string
	expect [numProperties]Expectation
}{
	Reuse:            {"reuse", "n parties, constructed before the first call, call round after round", allExcept()},
	Single:           {"single", "n = 1", allExcept()},
	Withdraw:         {"withdraw", "as `reuse`, and any waiter may give up at any time; from some time on no waiter gives up", allExcept()},
	LateConstruction: {"late-construction", "a process runs the constructor while others are in a call", allExcept(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Shrinking:        {"shrinking", "the party count falls from round to round", allExcept(NoHang, Quiescent)},
	Growing:          {"growing", "the party count rises from round to round", allExcept(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Disagreeing:      {"disagreeing", "callers of one round pass different party counts", allExcept(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Surplus:          {"surplus", "more processes call than the party count says", allExcept(NoEarlyExit, NoHang, Quiescent)},
	Crash:            {"crash", "a process dies at any step; the kernel frees its lock, and the words keep what it wrote", allExcept(NoHang)},
	AbandonWait:      {"abandon", "a waiter stops waiting without withdrawing, and calls again", allExcept(NoEarlyExit, NoHang, Quiescent)},
	SplitLock:        {"split-lock", "the lock file is unlinked and created again, so that two processes can hold a lock at once", allExcept(LockExclusive, NoHang, Quiescent)},
	Fork:             {"fork", "a forked child uses a handle that its parent opened", [...]Expectation{Undecided, Undecided, Undecided, Undecided, Undecided}},
}

// allExcept expects that all properties hold except those that fail.
func allExcept(fail ...Property) (row [numProperties]Expectation) {
	for p := range row {
		row[p] = Holds
	}
	for _, p := range fail {
		row[p] = Fails
	}
	return row
}

// AllScenarios lists every scenario in the order of HAZARDS.md.
var AllScenarios = from(Reuse, Fork)

// String returns the scenario's name, which is the value of --scenario.
func (s Scenario) String() string {
	if s >= numScenarios {
		return fmt.Sprintf("Scenario(%d)", uint8(s))
	}
	return scenarios[s].name
}

// Doc says in one line what happens in the scenario.
func (s Scenario) Doc() string { return scenarios[s].doc }

// Expect returns the verdict on which the engines agree for property p.
func (s Scenario) Expect(p Property) Expectation { return scenarios[s].expect[p] }

// ParseScenario returns the scenario with the name.
func ParseScenario(name string) (Scenario, error) {
	return parse(name, "scenario", AllScenarios, "HAZARDS.md")
}
