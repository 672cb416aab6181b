package spec

import "fmt"

// A Scenario is one situation in which the barrier is used or misused.
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

// An Expectation is what the engines agree on for one property of a scenario.
type Expectation string

// The expectations. Fails: at some number of processes. Undecided stands until
// two engines have decided and agree, and for fork, which is about the handles of
// real processes and is shown on ports (stress/PORTING.md).
const (
	Undecided Expectation = "undecided"
	Holds     Expectation = "holds"
	Fails     Expectation = "fails"
)

type scenarioRow struct {
	name   string
	what   string
	expect [numProperties]Expectation
}

var scenarios = [numScenarios]scenarioRow{
	Reuse:            {"reuse", "n parties, constructed before the first call, calling for ever", all(Holds)},
	Single:           {"single", "n = 1", all(Holds)},
	Withdraw:         {"withdraw", "as reuse, and any waiter may give up at any time; in the end nobody gives up any more", all(Holds)},
	LateConstruction: {"late-construction", "a process runs the constructor while others are in a call", butFor(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Shrinking:        {"shrinking", "the party count falls from round to round", butFor(NoHang, Quiescent)},
	Growing:          {"growing", "the party count rises from round to round", butFor(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Disagreeing:      {"disagreeing", "callers of one round pass different party counts", butFor(NoEarlyExit, WordsInRange, NoHang, Quiescent)},
	Surplus:          {"surplus", "more processes call than the party count says", butFor(NoEarlyExit, NoHang, Quiescent)},
	Crash:            {"crash", "a process dies at any step (the kernel frees its lock, the words keep its half step)", butFor(NoHang)},
	AbandonWait:      {"abandon", "a waiter stops waiting without withdrawing, and calls again", butFor(NoEarlyExit, NoHang, Quiescent)},
	SplitLock:        {"split-lock", "the lock file is unlinked and made anew, so two processes hold \"the\" lock", butFor(LockExclusive, NoHang, Quiescent)},
	Fork:             {"fork", "a handle made in a parent is used in a forked child", all(Undecided)},
}

func all(e Expectation) (row [numProperties]Expectation) {
	for p := range row {
		row[p] = e
	}
	return row
}

// butFor: all properties hold, save those that fail.
func butFor(fail ...Property) [numProperties]Expectation {
	row := all(Holds)
	for _, p := range fail {
		row[p] = Fails
	}
	return row
}

// AllScenarios lists every scenario in the order of PROTOCOL.md.
var AllScenarios = func() (list []Scenario) {
	for s := Scenario(0); s < numScenarios; s++ {
		list = append(list, s)
	}
	return list
}()

// String returns the scenario's name, as the flag --scenario takes it.
func (s Scenario) String() string {
	if s >= numScenarios {
		return fmt.Sprintf("Scenario(%d)", uint8(s))
	}
	return scenarios[s].name
}

// Doc says what happens in the scenario.
func (s Scenario) Doc() string { return scenarios[s].what }

// Expect returns what the engines agree on for property p in the scenario.
func (s Scenario) Expect(p Property) Expectation { return scenarios[s].expect[p] }

// ParseScenario returns the scenario that has the name.
func ParseScenario(name string) (Scenario, error) {
	for s, row := range scenarios {
		if row.name == name {
			return Scenario(s), nil
		}
	}
	return 0, fmt.Errorf("spec: no scenario is named %q; the names stand in spec/PROTOCOL.md", name)
}
