package spec

import "fmt"

// A Step is one atomic step of the protocol. A process is at the step that it
// takes next. The label of a step is its program counter, its TLA+ action, its
// name in traces and its announcement by a port.
type Step uint8

// The steps of a call, in the order in which a call takes them.
const (
	Call Step = iota
	LockInit
	InitExit
	UnlockInit
	LockEnter
	TestFirst
	UnlockFirst
	AwaitDrain
	LockFirst
	LowerFlag
	CountEnter
	ResetEnter
	ResetExit
	RaiseFlag
	UnlockEnter
	AwaitFlag
	LockExit
	CountExit
	ClearExit
	UnlockExit

	// Withdrawal: the steps of a call whose context ends at AwaitFlag.
	LockWithdraw
	TestFlag
	UncountEnter
	UnlockWithdraw

	// Construction: outside any call and without the lock.
	MakeEnter
	MakeExit
	MakeFlag

	numSteps
)

// A LockUse is what a step does with the lock.
type LockUse uint8

// The uses of the lock.
const (
	Outside LockUse = iota // the process neither holds the lock nor asks for it
	Acquire                // the step blocks until the process holds the lock
	Held                   // the process holds the lock before and after the step
	Release                // the process releases the lock
)

var lockUses = [...]string{Outside: "no", Acquire: "acquire", Held: "held", Release: "release"}

// String returns no, acquire, held or release.
func (l LockUse) String() string { return lockUses[l] }

// A Branch leads to step To if condition If holds. The last branch of a step
// has no condition: it is taken otherwise.
type Branch[S any] struct {
	If string
	To S
}

var steps = [numSteps]struct {
	label  string
	lock   LockUse
	reads  []Word
	writes []Word
	doc    string
	next   []Branch[Step]
}{
	Call:        {"Call", Outside, nil, nil, "the call begins, with party count n", []Branch[Step]{{"", LockInit}}},
	LockInit:    {"LockInit", Acquire, nil, nil, "acquire", []Branch[Step]{{"", InitExit}}},
	InitExit:    {"InitExit", Held, []Word{Exit}, []Word{Exit}, "if exit = −1: exit := n", []Branch[Step]{{"", UnlockInit}}},
	UnlockInit:  {"UnlockInit", Release, nil, nil, "release", []Branch[Step]{{"", LockEnter}}},
	LockEnter:   {"LockEnter", Acquire, nil, nil, "acquire", []Branch[Step]{{"", TestFirst}}},
	TestFirst:   {"TestFirst", Held, []Word{Enter}, nil, "read enter", []Branch[Step]{{"enter = 0", UnlockFirst}, {"", CountEnter}}},
	UnlockFirst: {"UnlockFirst", Release, nil, nil, "release", []Branch[Step]{{"", AwaitDrain}}},
	AwaitDrain:  {"AwaitDrain", Outside, []Word{Exit}, nil, "read exit", []Branch[Step]{{"exit = n", LockFirst}, {"", AwaitDrain}}},
	LockFirst:   {"LockFirst", Acquire, nil, nil, "acquire", []Branch[Step]{{"", LowerFlag}}},
	LowerFlag:   {"LowerFlag", Held, nil, []Word{Flag}, "flag := 0", []Branch[Step]{{"", CountEnter}}},
	CountEnter:  {"CountEnter", Held, []Word{Enter}, []Word{Enter}, "enter := enter + 1", []Branch[Step]{{"enter = n", ResetEnter}, {"", UnlockEnter}}},
	ResetEnter:  {"ResetEnter", Held, nil, []Word{Enter}, "enter := 0", []Branch[Step]{{"", ResetExit}}},
	ResetExit:   {"ResetExit", Held, nil, []Word{Exit}, "exit := 0", []Branch[Step]{{"", RaiseFlag}}},
	RaiseFlag:   {"RaiseFlag", Held, nil, []Word{Flag}, "flag := 1", []Branch[Step]{{"", UnlockEnter}}},
	UnlockEnter: {"UnlockEnter", Release, nil, nil, "release", []Branch[Step]{{"", AwaitFlag}}},
	AwaitFlag:   {"AwaitFlag", Outside, []Word{Flag}, nil, "read flag", []Branch[Step]{{"flag ≠ 0", LockExit}, {"", AwaitFlag}}},
	LockExit:    {"LockExit", Acquire, nil, nil, "acquire", []Branch[Step]{{"", CountExit}}},
	CountExit:   {"CountExit", Held, []Word{Exit}, []Word{Exit}, "exit := exit + 1", []Branch[Step]{{"exit = n", ClearExit}, {"", UnlockExit}}},
	ClearExit:   {"ClearExit", Held, nil, []Word{Exit}, "exit := −1", []Branch[Step]{{"", UnlockExit}}},
	UnlockExit:  {"UnlockExit", Release, nil, nil, "release; the call returns", []Branch[Step]{{"", Call}}},

	LockWithdraw:   {"LockWithdraw", Acquire, nil, nil, "acquire", []Branch[Step]{{"", TestFlag}}},
	TestFlag:       {"TestFlag", Held, []Word{Flag}, nil, "read flag", []Branch[Step]{{"flag ≠ 0", CountExit}, {"", UncountEnter}}},
	UncountEnter:   {"UncountEnter", Held, []Word{Enter}, []Word{Enter}, "enter := enter − 1", []Branch[Step]{{"", UnlockWithdraw}}},
	UnlockWithdraw: {"UnlockWithdraw", Release, nil, nil, "release; the call returns the context's error", []Branch[Step]{{"", Call}}},

	MakeEnter: {"MakeEnter", Outside, nil, []Word{Enter}, "enter := 0", []Branch[Step]{{"", MakeExit}}},
	MakeExit:  {"MakeExit", Outside, nil, []Word{Exit}, "exit := −1", []Branch[Step]{{"", MakeFlag}}},
	MakeFlag:  {"MakeFlag", Outside, nil, []Word{Flag}, "flag := 1", []Branch[Step]{{"", Call}}},
}

// The steps of a call, of a withdrawal and of a construction, each in the order
// in which a process takes them.
var (
	CallSteps         = from(Call, UnlockExit)
	WithdrawalSteps   = from(LockWithdraw, UnlockWithdraw)
	ConstructionSteps = from(MakeEnter, MakeFlag)
)

// AllSteps lists every step.
var AllSteps = from(Call, MakeFlag)

// from lists the values from first to last.
func from[T ~uint8](first, last T) (list []T) {
	for v := first; v <= last; v++ {
		list = append(list, v)
	}
	return list
}

// String returns the step's label.
func (s Step) String() string {
	if s >= numSteps {
		return fmt.Sprintf("Step(%d)", uint8(s))
	}
	return steps[s].label
}

// ParseStep returns the step with the label. Labels are case-sensitive.
func ParseStep(label string) (Step, error) { return parse(label, "step", AllSteps, "PROTOCOL.md") }

// parse returns the one of all with the name.
func parse[T fmt.Stringer](name, what string, all []T, page string) (v T, err error) {
	for _, v := range all {
		if v.String() == name {
			return v, nil
		}
	}
	return v, fmt.Errorf("spec: no %s is named %q; spec/%s lists the names", what, name, page)
}

// MarshalText returns the label. In JSON a step is its label.
func (s Step) MarshalText() ([]byte, error) {
	if s >= numSteps {
		return nil, fmt.Errorf("spec: %v is not a step", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText sets s to the step with the label. On an error s is unchanged.
func (s *Step) UnmarshalText(text []byte) error {
	parsed, err := ParseStep(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// Lock returns what the step does with the lock.
func (s Step) Lock() LockUse { return steps[s].lock }

// Holds reports whether a process at s holds the lock. It does from the end of
// an Acquire step to the end of the Release step that follows.
func (s Step) Holds() bool { return s.Lock() == Held || s.Lock() == Release }

// Keeps reports whether a process that has taken s holds the lock.
func (s Step) Keeps() bool { return s.Lock() == Acquire || s.Lock() == Held }

// Reads lists the words that the step reads, in the order of the segment.
func (s Step) Reads() []Word { return steps[s].reads }

// Writes lists the words that the step may write, in the order of the segment.
func (s Step) Writes() []Word { return steps[s].writes }

// Doc says in a few words what the step does.
func (s Step) Doc() string { return steps[s].doc }

// Next lists the branches from the step; the one without a condition is last.
func (s Step) Next() []Branch[Step] { return steps[s].next }
