package group

import (
	"fmt"
	"slices"
	"testing"

	"sharedbarrier/spec"
)

// shared is what the steps of a section change, after GROUP.md, section 5.
type shared struct {
	words           spec.Words
	phase, owed     uint32
	turn, completed uint64
	broken          uint64 // of the slot of the one that carries out the round
}

func sharedOf(t *testing.T, name string, carrier int) shared {
	t.Helper()
	m, err := openMapped(name, true)
	if err != nil {
		t.Fatal(err)
	}
	defer m.file.Close()
	return m.shared(wordsOf(t, name), carrier)
}

func (m *mapped) shared(words spec.Words, carrier int) shared {
	h := m.head
	return shared{words, h.phase.Load(), h.owed.Load(), h.turn.Load(), h.completed.Load(), m.slots[carrier].broken.Load()}
}

// take takes a step of the first round, of n parties and two members.
func (x *shared) take(s spec.MemberStep, before spec.Words, n int32) {
	switch s {
	case spec.CarryInitExit:
		x.words.Exit = n
	case spec.Open, spec.Reopen:
		x.phase = 1
	case spec.CarryLowerFlag:
		x.words.Flag = spec.Down
	case spec.Ready:
		x.phase = 2
	case spec.CarryResetEnter:
		x.words.Enter = 0
	case spec.CarryResetExit:
		x.words.Exit = 0
	case spec.CarryRaiseFlag:
		x.words.Flag = spec.Up
	case spec.Owe:
		x.owed = 2
	case spec.Complete:
		x.completed = 1
	case spec.Turn:
		x.turn = 2 << 1
	case spec.Close:
		x.phase = 0
	case spec.CarryCountExit:
		if x.words.Exit += 2; x.words.Exit == n {
			x.words.Exit = spec.NotSet
		}
	case spec.Settled:
		x.owed = 0
	case spec.UndoEnter:
		x.words.Enter = before.Enter
	case spec.UndoExit:
		x.words.Exit = before.Exit
	case spec.UndoFlag:
		x.words.Flag = before.Flag
	case spec.Mark:
		x.broken = x.turn >> 1
	case spec.TurnBroken:
		x.turn = (x.turn>>1+1)<<1 | 1
	}
}

// repairs are the steps of the section after a death at each step of a round
// that is carried out.
var repairs = func() (list []struct{ carried, repair []spec.MemberStep }) {
	carry := []spec.MemberStep{
		spec.CarryInitExit, spec.Take, spec.Open, spec.CarryLowerFlag, spec.Ready, spec.CarryResetEnter, spec.CarryResetExit,
		spec.CarryRaiseFlag, spec.Owe, spec.Complete, spec.Turn, spec.Close, spec.CarryCountExit, spec.Settled,
	}
	for i, dies := range carry {
		repair := []spec.MemberStep{spec.Watch, spec.LockRound, spec.Repair}
		switch {
		case dies <= spec.Open && dies >= spec.CarryInitExit: // the journal is closed, and nobody is owed
			repair = append(repair, spec.Settle)
		case dies > spec.Open && dies <= spec.CarryRaiseFlag:
			repair = append(repair, spec.Reopen, spec.UndoEnter, spec.UndoExit, spec.UndoFlag, spec.Close, spec.Settle)
		case dies == spec.CarryCountExit:
			repair = append(repair, spec.Settle, spec.CarryCountExit, spec.Settled)
		case dies == spec.Settled: // exit shows that all are counted
			repair = append(repair, spec.Settle, spec.Settled)
		default: // committed
			repair = append(repair, spec.Owe, spec.Complete, spec.Turn, spec.Close, spec.Settle, spec.CarryCountExit, spec.Settled)
		}
		repair = append(repair, spec.Break, spec.Mark, spec.TurnBroken, spec.Judge, spec.UnlockRound, spec.Wake)
		list = append(list, struct{ carried, repair []spec.MemberStep }{carry[:i+1], repair})
	}
	return list
}()

// TestProc_RepairerKilledAtEachStep kills a member at each step of a round that
// it carries out, by SIGKILL, and then the guardian that repairs the words at
// each step of that. Words and header are those of GROUP.md each time. After
// that others join, and rounds go on.
func TestProc_RepairerKilledAtEachStep(t *testing.T) {
	for _, c := range repairs {
		dies := c.carried[len(c.carried)-1]
		for _, last := range c.repair {
			all := dies == spec.CarryRaiseFlag || dies == spec.Owe // one that is undone, and one that is finished
			if !all && last != spec.Watch && last != spec.Wake {
				continue
			}
			at := slices.Index(c.repair, last)
			t.Run(fmt.Sprintf("%v/%v", dies, last), func(t *testing.T) { killRepairer(t, spec.Initial, c.carried, c.repair, at) })
			if dies == spec.CarryRaiseFlag {
				counted := spec.Words{Enter: 1, Exit: 3, Flag: spec.Down} // a foreign party waits for the round
				t.Run(fmt.Sprintf("%v/%v/foreign", dies, last), func(t *testing.T) { killRepairer(t, counted, c.carried, c.repair, at) })
			}
		}
	}
}

func killRepairer(t *testing.T, words spec.Words, carried, repair []spec.MemberStep, at int) {
	n := 2 + words.Enter
	name, lockPath := newNames(t)
	repairer, carrier := start(t, name, lockPath, int(n), 0), start(t, name, lockPath, int(n), 1)
	setWords(t, name, words)
	repairer.order(order{Do: "Wait", Step: spec.Gather.String(), Signal: "stay", Guardian: repair[at].String()})
	awaitArrived(t, name, 1, 1)
	dies := carried[len(carried)-1]
	carrier.order(order{Do: "Wait", Step: dies.String()})
	for _, m := range []*member{carrier, repairer} {
		if r := m.report(); r.Error != "killed" {
			t.Fatalf("rank %d: got %+v, want a death", m.rank, r)
		}
	}
	want, before := shared{words: words, turn: 1 << 1}, words
	before.Exit = n // as Open finds it
	for _, s := range slices.Concat(carried[:len(carried)-1], repair[:at]) {
		if words.Enter == 0 || s != spec.CarryInitExit && s != spec.CarryLowerFlag {
			want.take(s, before, n)
		}
	}
	if got := sharedOf(t, name, 1); got != want {
		t.Fatalf("the one that carries out the round died at %v, and the one that repairs at %v:\ngot  %+v\nwant %+v", dies, repair[at], got, want)
	}
	if words.Enter > 0 {
		return // nobody has made a call with that count
	}
	members := []*Group{join(t, name, lockPath, 2, 0)}
	if s, err := members[0].Status(); err != nil || s.Broken || s.Ranks[1].State != Left {
		t.Errorf("when all were dead and one has joined: got %+v, %v, want a group of one", s, err)
	}
	for _, s := range repair[at:] {
		want.take(s, before, n)
	}
	if got := sharedOf(t, name, 1); got.words != want.words || got.owed != 0 {
		t.Fatalf("the one that carries out the round died at %v, and one that joins has gone on from %v: got %+v, want %v and nobody owed", dies, repair[at], got, want.words)
	}
	if dies != spec.Settled { // the last one: the checks above find a mistake sooner than a round that hangs
		return
	}
	members = append(members, join(t, name, lockPath, 2, 1))
	wantRounds(t, 3, members...)
	wantWords(t, name, spec.Initial)
}
