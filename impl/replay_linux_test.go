package impl

import (
	"flag"
	"slices"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// What a failure prints so that it can be seen again.
var (
	replaySchedule = flag.String("schedule", "", "for TestConform_Replay: the moves, such as '0:2 0 1:2 0!'")
	replayScenario = flag.String("scenario", "withdraw", "for TestConform_Replay")
	replayProcs    = flag.Int("procs", 2, "for TestConform_Replay")
	replayRounds   = flag.Int("rounds", 0, "for TestConform_Replay; 0: no bound")
	replayMutant   = flag.String("mutant", "", "for TestConform_Replay: a mutant of the barrier instead of the real one")
)

// TestConform_Replay replays the schedule that a failure printed, and without
// one those that are stored.
func TestConform_Replay(t *testing.T) {
	sc, err := spec.ParseScenario(*replayScenario)
	if err != nil {
		t.Fatal(err)
	}
	var m *mutant
	for i := range mutants {
		if mutants[i].name == *replayMutant {
			m = &mutants[i]
		}
	}
	if m == nil && *replayMutant != "" {
		t.Fatalf("-mutant %s: there is no such mutant", *replayMutant)
	}
	s, err := parseSchedule(*replaySchedule)
	if err != nil {
		t.Fatal(err)
	}
	cfg := model.Config{Scenario: sc, Procs: *replayProcs, Rounds: *replayRounds}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if f := replay(cfg, m, s); f != nil {
		t.Error(f)
	}
}

// replay returns the first difference, and everything that led to it.
func replay(cfg model.Config, m *mutant, s schedule) *failure {
	l, err := newLockstep(cfg, m)
	if err != nil {
		return &failure{s, err.Error()}
	}
	defer l.close()
	err = l.run(s)
	if err == nil {
		_, err = l.stuck()
	}
	if err == nil {
		return nil
	}
	return &failure{l.schedule(), l.report(err)}
}

type failure struct {
	schedule schedule
	report   string
}

func (f *failure) String() string { return f.report }

// shortest shortens the schedule that has led l to a difference until no part
// of it can be left out, on top of what rapid does about it: rapid does not
// know that the moves of a schedule are independent of each other.
func shortest(l *lockstep, err error) *failure {
	found := &failure{l.schedule(), l.report(err)}
	for p := range l.actors {
		without := slices.DeleteFunc(slices.Clone(found.schedule), func(m move) bool { return m.proc == p })
		if shorter := replay(l.cfg, l.mutant, without); shorter != nil {
			found = shorter
		}
	}
	for part := len(found.schedule) / 2; part > 0; part /= 2 {
		for at := 0; at+part <= len(found.schedule); {
			without := slices.Concat(found.schedule[:at], found.schedule[at+part:])
			if shorter := replay(l.cfg, l.mutant, without); shorter != nil {
				found = shorter
			} else {
				at += part
			}
		}
	}
	return found
}
