package spec

import "fmt"

// A MemberStep is one atomic step of a member of a group (GROUP.md). Its label
// is its program counter, its TLA+ action and its name for a hook.
type MemberStep uint8

// The steps of a call, in the order in which a call takes them.
const (
	Begin MemberStep = iota
	Arrive
	Gather
	LockRound
	Repair

	// What a section finishes for a member that died in one.
	Reopen
	UndoEnter
	UndoExit
	UndoFlag
	Close
	Settle
	CarryCountExit
	Settled
	Break
	Mark
	TurnBroken

	// A call's own part of its section: it carries out a round.
	Judge
	CarryInitExit
	Take
	Open
	CarryLowerFlag
	Ready
	CarryResetEnter
	CarryResetExit
	CarryRaiseFlag
	Owe
	Complete
	Turn

	UnlockRound
	Wake
	Return
	Retract
	Watch

	// The own part of the sections of those who join, leave or reset.
	Claim
	Mend
	Vacate
	Bury

	numMemberSteps
)

var memberSteps = [numMemberSteps]struct {
	label string
	lock  LockUse
	doc   string
	next  []Branch[MemberStep]
}{
	Begin:     {"Begin", Outside, "read turn; if b = 1 or mine < r: mine := r, and the call returns the error", []Branch[MemberStep]{{"b = 1", Begin}, {"mine < r", Begin}, {"", Arrive}}},
	Arrive:    {"Arrive", Outside, "arrival := (r, arrived)", []Branch[MemberStep]{{"", Gather}}},
	Gather:    {"Gather", Outside, "read turn, and arrival and owner of each slot", []Branch[MemberStep]{{"turn is past r", Return}, {"a section is due", LockRound}, {"the context has ended", Retract}, {"", Gather}}},
	Watch:     {"Watch", Outside, "a guardian reads the owner of the next rank", []Branch[MemberStep]{{"it is dead", LockRound}, {"", Watch}}},
	Return:    {"Return", Outside, "arrival := outside; mine := r + 1; the call returns nil if completed ≥ r, else the error", []Branch[MemberStep]{{"", Begin}}},
	Retract:   {"Retract", Outside, "if arrival = (r, arrived): arrival := outside; the call returns the context's error", []Branch[MemberStep]{{"it was", Begin}, {"", Gather}}},
	LockRound: {"LockRound", Acquire, "acquire, if the lock is free", []Branch[MemberStep]{{"it was free", Repair}, {"", Gather}}},
	Repair:    {"Repair", Held, "read phase and flag", []Branch[MemberStep]{{"phase = 0", Settle}, {"phase = 2 and flag ≠ 0", Owe}, {"", Reopen}}},

	Reopen:         {"Reopen", Held, "phase := 1", []Branch[MemberStep]{{"", UndoEnter}}},
	UndoEnter:      {"UndoEnter", Held, "enter := that of the journal", []Branch[MemberStep]{{"", UndoExit}}},
	UndoExit:       {"UndoExit", Held, "exit := that of the journal", []Branch[MemberStep]{{"", UndoFlag}}},
	UndoFlag:       {"UndoFlag", Held, "flag := that of the journal", []Branch[MemberStep]{{"", Close}}},
	Close:          {"Close", Held, "phase := 0", []Branch[MemberStep]{{"", Settle}}},
	Settle:         {"Settle", Held, "read owed and exit", []Branch[MemberStep]{{"owed = 0", Break}, {"exit = −1 or exit > f", Settled}, {"exit + owed > f", CarryCountExit}, {"", Break}}},
	CarryCountExit: {"CarryCountExit", Held, "exit := exit + owed, or −1 if that is n", []Branch[MemberStep]{{"", Settled}}},
	Settled:        {"Settled", Held, "owed := 0", []Branch[MemberStep]{{"", Break}}},
	Break:          {"Break", Held, "read the owner and broken of each slot", []Branch[MemberStep]{{"a dead owner's broken is 0", Mark}, {"a dead owner's broken is r", TurnBroken}, {"", Judge}}},
	Mark:           {"Mark", Held, "note the break in the header; broken := r in each slot with a dead owner and broken = 0", []Branch[MemberStep]{{"", TurnBroken}}},
	TurnBroken:     {"TurnBroken", Held, "turn := (r + 1, b = 1)", []Branch[MemberStep]{{"", Judge}}},

	Judge:           {"Judge", Held, "read turn and exit", []Branch[MemberStep]{{"turn is past the call's round, or a guardian", UnlockRound}, {"exit = −1", CarryInitExit}, {"", Take}}},
	CarryInitExit:   {"CarryInitExit", Held, "exit := n", []Branch[MemberStep]{{"", Take}}},
	Take:            {"Take", Held, "if a + enter = n and exit = n, where a slots have arrived or are taken in r: take these", []Branch[MemberStep]{{"they were taken", Open}, {"", UnlockRound}}},
	Open:            {"Open", Held, "the journal's words := the words, its taken := a, its round := r; phase := 1", []Branch[MemberStep]{{"enter = 0", CarryLowerFlag}, {"", Ready}}},
	CarryLowerFlag:  {"CarryLowerFlag", Held, "flag := 0", []Branch[MemberStep]{{"", Ready}}},
	Ready:           {"Ready", Held, "phase := 2", []Branch[MemberStep]{{"", CarryResetEnter}}},
	CarryResetEnter: {"CarryResetEnter", Held, "enter := 0", []Branch[MemberStep]{{"", CarryResetExit}}},
	CarryResetExit:  {"CarryResetExit", Held, "exit := 0", []Branch[MemberStep]{{"", CarryRaiseFlag}}},
	CarryRaiseFlag:  {"CarryRaiseFlag", Held, "flag := 1: the commit", []Branch[MemberStep]{{"", Owe}}},
	Owe:             {"Owe", Held, "owed := the journal's taken", []Branch[MemberStep]{{"", Complete}}},
	Complete:        {"Complete", Held, "completed := the journal's round", []Branch[MemberStep]{{"", Turn}}},
	Turn:            {"Turn", Held, "turn := (the journal's round + 1, b = 0)", []Branch[MemberStep]{{"", Close}}},

	UnlockRound: {"UnlockRound", Release, "release", []Branch[MemberStep]{{"it was a call's and has ended no round", Gather}, {"", Wake}}},
	Wake:        {"Wake", Outside, "wake all members that sleep", []Branch[MemberStep]{{"", Gather}}},

	Claim:  {"Claim", Held, "owner := the guardian; broken := 0; mine := r", []Branch[MemberStep]{{"", Mend}}},
	Mend:   {"Mend", Held, "if no owner is dead: turn := (r, b = 0)", []Branch[MemberStep]{{"", UnlockRound}}},
	Vacate: {"Vacate", Held, "owner := 0; unlink the segment if no owner is alive and owed = 0", []Branch[MemberStep]{{"", UnlockRound}}},
	Bury:   {"Bury", Held, "owner := 0 in each slot with a dead owner", []Branch[MemberStep]{{"one who joins", Claim}, {"", Mend}}},
}

// The steps of a call, of a section, and of the own part of the sections of
// those who join, leave or reset, each in the order in which they are taken.
var (
	MemberCallSteps = []MemberStep{Begin, Arrive, Gather, LockRound, UnlockRound, Wake, Return, Retract, Watch}
	SectionSteps    = from(Repair, Turn)
	MembershipSteps = from(Claim, Bury)
	AllMemberSteps  = from(Begin, Bury)
)

// String returns the step's label.
func (s MemberStep) String() string {
	if s >= numMemberSteps {
		return fmt.Sprintf("MemberStep(%d)", uint8(s))
	}
	return memberSteps[s].label
}

// ParseMemberStep returns the step with the label. Labels are case-sensitive.
func ParseMemberStep(label string) (MemberStep, error) {
	return parse(label, "step of a member", AllMemberSteps, "GROUP.md")
}

// Lock returns what the step does with the lock.
func (s MemberStep) Lock() LockUse { return memberSteps[s].lock }

// Doc says in a few words what the step does.
func (s MemberStep) Doc() string { return memberSteps[s].doc }

// Next lists the branches from the step; the one without a condition is last.
func (s MemberStep) Next() []Branch[MemberStep] { return memberSteps[s].next }

// Schedule says which steps of PROTOCOL.md the step is on words and lock. It is
// empty for a step that is none.
func (s MemberStep) Schedule() string { return schedules[s] }

var schedules = map[MemberStep]string{
	CarryInitExit:  "the member that holds the lock: `Call`, `LockInit`, `InitExit`, `UnlockInit`, and its context ends at `LockEnter`",
	CarryRaiseFlag: "each member that is taken, one after the other: `Call`, `LockInit`, `InitExit`, `UnlockInit`, `LockEnter`, `TestFirst`; the first one, if enter = 0: `UnlockFirst`, `AwaitDrain`, `LockFirst`, `LowerFlag`; `CountEnter`; the last one: `ResetEnter`, `ResetExit`, `RaiseFlag`; `UnlockEnter`",
	CarryCountExit: "each member that is owed, one after the other: `AwaitFlag`, `LockExit`, `CountExit`; with exit = n: `ClearExit`; `UnlockExit`",
}
