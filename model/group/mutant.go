package group

import "sharedbarrier/spec"

// A Mutant is a mistake in the machine: steps that lead elsewhere, or a rule
// that is broken.
type Mutant struct {
	Name, Doc string
	Turns     []Turn
	rule      rule
}

// A Turn makes a step that leads to From lead to To.
type Turn struct{ At, From, To spec.MemberStep }

type rule uint8

const (
	noRule rule = iota
	settleAtOnce
	noGuardian
	marksAreHandled
	noWake
	wakesOnlyAfterRounds
	retractsTaken
	takesUnmarked
	takesEarly
	neverTold
	mendsAlways
	redoesCurrent
	joinsUnbroken
	readyAtOpen
)

// Mutants lists the mistakes, each of which the explorer or the schedule finds.
var Mutants = []Mutant{
	{Name: "no-reopen", Doc: "undo with phase 2", Turns: []Turn{{spec.Repair, spec.Reopen, spec.UndoEnter}}},
	{Name: "no-undo", Doc: "no undo at all", Turns: []Turn{{spec.Repair, spec.Reopen, spec.Close}}},
	{Name: "no-undo-enter", Doc: "no UndoEnter", Turns: []Turn{{spec.Reopen, spec.UndoEnter, spec.UndoExit}}},
	{Name: "no-undo-exit", Doc: "no UndoExit", Turns: []Turn{{spec.UndoEnter, spec.UndoExit, spec.UndoFlag}}},
	{Name: "no-undo-flag", Doc: "no UndoFlag", Turns: []Turn{{spec.UndoExit, spec.UndoFlag, spec.Close}}},
	{Name: "no-redo", Doc: "undo a round that is committed", Turns: []Turn{{spec.Repair, spec.Owe, spec.Reopen}}},
	{Name: "no-owe", Doc: "no Owe", Turns: []Turn{{spec.CarryRaiseFlag, spec.Owe, spec.Complete}, {spec.Repair, spec.Owe, spec.Complete}}},
	{Name: "no-complete", Doc: "no Complete", Turns: []Turn{{spec.Owe, spec.Complete, spec.Turn}}},
	{Name: "no-turn", Doc: "no Turn", Turns: []Turn{{spec.Complete, spec.Turn, spec.Close}}},
	{Name: "no-close", Doc: "no Close after Turn", Turns: []Turn{{spec.Turn, spec.Close, spec.Settle}}},
	{Name: "no-count-exit", Doc: "no CarryCountExit", Turns: []Turn{{spec.Settle, spec.CarryCountExit, spec.Settled}}},
	{Name: "no-settled", Doc: "no Settled", Turns: []Turn{{spec.CarryCountExit, spec.Settled, spec.Break}, {spec.Settle, spec.Settled, spec.Break}}},
	{Name: "no-mark", Doc: "no Mark", Turns: []Turn{{spec.Break, spec.Mark, spec.TurnBroken}}},
	{Name: "no-turn-broken", Doc: "no TurnBroken", Turns: []Turn{{spec.Mark, spec.TurnBroken, spec.Judge}, {spec.Break, spec.TurnBroken, spec.Judge}}},
	{Name: "no-init-exit", Doc: "no CarryInitExit", Turns: []Turn{{spec.Judge, spec.CarryInitExit, spec.Take}}},
	{Name: "no-lower-flag", Doc: "no CarryLowerFlag", Turns: []Turn{{spec.Open, spec.CarryLowerFlag, spec.Ready}}},
	{Name: "no-ready", Doc: "no Ready", Turns: []Turn{{spec.CarryLowerFlag, spec.Ready, spec.CarryResetEnter}, {spec.Open, spec.Ready, spec.CarryResetEnter}}},
	{Name: "no-reset-enter", Doc: "no CarryResetEnter", Turns: []Turn{{spec.Ready, spec.CarryResetEnter, spec.CarryResetExit}}},
	{Name: "no-reset-exit", Doc: "no CarryResetExit", Turns: []Turn{{spec.CarryResetEnter, spec.CarryResetExit, spec.CarryRaiseFlag}}},
	{Name: "no-raise-flag", Doc: "no CarryRaiseFlag", Turns: []Turn{{spec.CarryResetExit, spec.CarryRaiseFlag, spec.Owe}}},
	{Name: "flag-first", Doc: "CarryRaiseFlag before CarryResetEnter",
		Turns: []Turn{{spec.Ready, spec.CarryResetEnter, spec.CarryRaiseFlag}, {spec.CarryRaiseFlag, spec.Owe, spec.CarryResetEnter}, {spec.CarryResetExit, spec.CarryRaiseFlag, spec.Owe}}},
	{Name: "turn-first", Doc: "Turn before Complete",
		Turns: []Turn{{spec.Owe, spec.Complete, spec.Turn}, {spec.Turn, spec.Close, spec.Complete}, {spec.Complete, spec.Turn, spec.Close}}},
	{Name: "no-mend", Doc: "no Mend", Turns: []Turn{{spec.Claim, spec.Mend, spec.UnlockRound}, {spec.Bury, spec.Mend, spec.UnlockRound}}},
	{Name: "ready-at-open", Doc: "phase 2 at Open", rule: readyAtOpen},
	{Name: "settle-at-once", Doc: "CarryCountExit does not wait until exit shows whether it was taken", rule: settleAtOnce},
	{Name: "takes-early", Doc: "Take with one party too few", rule: takesEarly},
	{Name: "takes-unmarked", Doc: "Take counts those who have arrived and does not take them", rule: takesUnmarked},
	{Name: "retracts-taken", Doc: "Retract does not look whether the member is taken", rule: retractsTaken},
	{Name: "redoes-current", Doc: "Complete takes the round of turn, not of the journal", rule: redoesCurrent},
	{Name: "never-told", Doc: "Begin takes part in the round of turn, whatever mine is", rule: neverTold},
	{Name: "no-guardian", Doc: "no thread watches the owners", rule: noGuardian},
	{Name: "marks-are-handled", Doc: "a guardian leaves a death to those who have marked it", rule: marksAreHandled},
	{Name: "no-wake", Doc: "no Wake", rule: noWake},
	{Name: "wakes-only-after-rounds", Doc: "a guardian's section ends with Wake only if it has ended a round", rule: wakesOnlyAfterRounds},
	{Name: "mends-always", Doc: "Mend does not look for another dead owner", rule: mendsAlways},
	{Name: "joins-unbroken", Doc: "a process that joins takes the rank of the dead without Break", rule: joinsUnbroken},
}

func (cfg *Config) breaks(r rule) bool { return cfg.Mutant != nil && cfg.Mutant.rule == r }

// turned returns where the step leads that leads to next.
func (cfg *Config) turned(at, next spec.MemberStep) spec.MemberStep {
	if cfg.Mutant != nil {
		for _, t := range cfg.Mutant.Turns {
			if t.At == at && t.From == next {
				return t.To
			}
		}
	}
	return next
}
