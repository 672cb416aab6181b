package model

import (
	"fmt"
	"math"

	"sharedbarrier/spec"
)

// A Config is one question: which scenario, with how many processes and calls.
// Init, Enabled and Apply want one for which Validate returns nil.
type Config struct {
	Scenario spec.Scenario
	Procs    int // 1 to MaxProcs
	Rounds   int // calls that each process makes before it rests; 0: unbounded, rounds are relative

	// Control asks for the control of the scenario: the same situation, but
	// callers keep what PROTOCOL.md asks of them. See ControlOf.
	Control bool

	// WeakReads lets AwaitDrain and AwaitFlag return any value that the word
	// has had since the process last held the lock (PROTOCOL.md, Memory order).
	WeakReads bool

	// Mutant is a mistake in the protocol; nil: none.
	Mutant *Mutant
}

// String identifies the configuration: surplus, control, n=2, rounds=1.
func (cfg Config) String() string {
	return fmt.Sprintf("%s, n=%d, rounds=%d", cfg.Name(), cfg.Procs, cfg.Rounds)
}

// Name names the question in words: its scenario, and what is different from
// that.
func (cfg Config) Name() string {
	name := cfg.Scenario.String()
	if cfg.Control {
		name += ", control"
	}
	if cfg.WeakReads {
		name += ", weak reads"
	}
	if cfg.Mutant != nil {
		name += ", mutant " + cfg.Mutant.Name
	}
	return name
}

// Title names the question and its size in words.
func (cfg Config) Title() string {
	rounds := "without a bound on rounds"
	if cfg.Rounds > 0 {
		rounds = fmt.Sprintf("%d rounds", cfg.Rounds)
	}
	return fmt.Sprintf("%s: %d processes, %s", cfg.Name(), cfg.Procs, rounds)
}

// maxRounds keeps a packed state small. Unbounded rounds show everything.
const maxRounds = 20

// ControlOf returns what is different in the scenario's control, or nothing if
// it has none.
func ControlOf(sc spec.Scenario) string {
	switch sc {
	case spec.LateConstruction:
		return "no process calls before process 0 has finished constructing"
	case spec.Shrinking, spec.Growing:
		return "no process makes its second-round call before all have returned from the first"
	case spec.Disagreeing:
		return "process 0 passes n like the others"
	case spec.Surplus:
		return "all pass n"
	case spec.Crash:
		return "process 0 dies only after its last call"
	case spec.AbandonWait:
		return "process 0 withdraws where it abandoned"
	case spec.SplitLock:
		return "the lock file stays where it is"
	default:
		return ""
	}
}

// Validate returns an error that says what to change when the question makes
// no sense.
func (cfg Config) Validate() error {
	least := 1
	switch cfg.Scenario {
	case spec.Single:
		if cfg.Procs != 1 {
			return fmt.Errorf("scenario single has 1 process, not %d: ask for 1, or for scenario reuse", cfg.Procs)
		}
	case spec.Shrinking, spec.Growing, spec.Disagreeing, spec.Surplus:
		least = 2
	case spec.Fork:
		return fmt.Errorf("scenario fork is about the handles of real processes, which the model does not have")
	}
	switch {
	case cfg.Rounds > maxRounds:
		return fmt.Errorf("%d rounds: give at most %d, or 0 for unbounded, which covers every number", cfg.Rounds, maxRounds)
	case cfg.Procs < least || cfg.Procs > MaxProcs:
		return fmt.Errorf("scenario %v with %d processes: give from %d to %d", cfg.Scenario, cfg.Procs, least, MaxProcs)
	case cfg.Rounds < 0:
		return fmt.Errorf("%d rounds: give 1 or more, or 0 for unbounded", cfg.Rounds)
	case NeedsBound(cfg) && cfg.Rounds == 0:
		return fmt.Errorf("scenario %v counts rounds from the first: give a bound on rounds of 2 or more", cfg.Scenario)
	case cfg.Control && ControlOf(cfg.Scenario) == "":
		return fmt.Errorf("scenario %v has no control", cfg.Scenario)
	}
	return nil
}

// parties returns the count that process p passes in its call of round r,
// counted from 1.
func (cfg *Config) parties(p, r int) int32 {
	n := cfg.Procs
	switch cfg.Scenario {
	case spec.Shrinking:
		if r > 1 {
			n--
		}
	case spec.Growing:
		if r == 1 {
			n--
		}
	case spec.Disagreeing:
		if p == 0 && !cfg.Control {
			n--
		}
	case spec.Surplus:
		if !cfg.Control {
			n--
		}
	}
	return int32(n)
}

// lastRound returns the last round that process p is a party of.
func (cfg *Config) lastRound(p int) int32 {
	switch {
	case cfg.Rounds == 0:
		return math.MaxInt32
	case cfg.Scenario == spec.Shrinking && p == cfg.Procs-1:
		return 1
	default:
		return int32(cfg.Rounds)
	}
}

// firstRound returns the first round that process p is a party of.
func (cfg *Config) firstRound(p int) int32 {
	if cfg.Scenario == spec.Growing && p == cfg.Procs-1 {
		return 2
	}
	return 1
}

// splitsSteps reports whether a step that reads and writes a word is two.
func (cfg *Config) splitsSteps() bool { return cfg.Scenario == spec.SplitLock }

// Rests reports whether process p never moves again in s: it has made its last
// call, or it is dead.
func Rests(cfg Config, s State, p int) bool { return s.rests(&cfg, p) }

// rests reports whether process p will never move again because it has made
// its last call, or because it is dead.
func (s *State) rests(cfg *Config, p int) bool {
	me := &s.procs[p]
	return me.dead || me.step == spec.Call && me.rounds >= cfg.lastRound(p)
}

// mayBegin reports whether nothing but its own rest keeps process p, which is
// outside, from calling. Only controls hold callers back.
func (s *State) mayBegin(cfg *Config, p int) bool {
	if !s.procs[p].heldBack(cfg) {
		return true
	}
	for q := range cfg.Procs {
		if s.procs[q].holdsBack(cfg) {
			return false
		}
	}
	return true
}

// heldBack reports whether the control lets the process, which is outside, call
// only when no process holds it back.
func (me *proc) heldBack(cfg *Config) bool {
	switch {
	case !cfg.Control || me.step != spec.Call:
		return false
	case cfg.Scenario == spec.LateConstruction:
		return true
	case cfg.Scenario == spec.Shrinking || cfg.Scenario == spec.Growing:
		return me.rounds == 1
	default:
		return false
	}
}

// holdsBack reports whether the control has others wait for the process.
func (me *proc) holdsBack(cfg *Config) bool {
	switch {
	case !cfg.Control:
		return false
	case cfg.Scenario == spec.LateConstruction:
		return me.step == spec.MakeEnter || me.step == spec.MakeExit || me.step == spec.MakeFlag
	case cfg.Scenario == spec.Shrinking || cfg.Scenario == spec.Growing:
		return me.rounds == 0
	default:
		return false
	}
}

// special returns the process that differs from the others in the scenario, or
// -1 if all are interchangeable.
func (cfg *Config) special() int {
	switch cfg.Scenario {
	case spec.LateConstruction, spec.Disagreeing, spec.Crash, spec.AbandonWait:
		return 0
	case spec.Shrinking, spec.Growing:
		return cfg.Procs - 1
	default:
		return -1
	}
}

// event returns what may happen to processes in the scenario, or NoEvent.
func (cfg *Config) event() spec.Event {
	switch cfg.Scenario {
	case spec.Withdraw:
		return spec.GiveUp
	case spec.Crash:
		return spec.Die
	case spec.AbandonWait:
		if cfg.Control {
			return spec.GiveUp
		}
		return spec.Abandon
	default:
		return spec.NoEvent
	}
}

// canHappen reports whether e, which is the event of the scenario, can happen
// to process p. Of those that happen to one process only it is process 0.
func (s *State) canHappen(cfg *Config, p int, e spec.Event) bool {
	me := &s.procs[p]
	if me.dead || p != 0 && cfg.Scenario != spec.Withdraw {
		return false
	}
	return me.admits(e) && (e != spec.Die || !cfg.Control || s.rests(cfg, p))
}

// admits reports whether e can happen to a process that is alive and where me
// is.
func (me *proc) admits(e spec.Event) bool {
	switch e {
	case spec.GiveUp:
		return canGiveUp(me.step)
	case spec.Die:
		return true
	case spec.Abandon:
		return me.step == spec.AwaitDrain || me.step == spec.AwaitFlag
	default:
		return false
	}
}

// canGiveUp reports whether a call that is at the step looks at its context.
func canGiveUp(step spec.Step) bool {
	switch step {
	case spec.LockInit, spec.LockEnter, spec.AwaitDrain, spec.LockFirst, spec.AwaitFlag:
		return true
	default:
		return false
	}
}

// canRelink reports whether the lock file can be unlinked and made again.
func (s *State) canRelink(cfg *Config) bool {
	return cfg.Scenario == spec.SplitLock && !cfg.Control && s.linked == 0
}

// NeedsBound reports whether the scenario counts rounds from the first, so
// that Config.Rounds must not be 0.
func NeedsBound(cfg Config) bool {
	switch cfg.Scenario {
	case spec.Shrinking, spec.Growing:
		return true
	case spec.Crash:
		return cfg.Control // rests come into it
	default:
		return false
	}
}
