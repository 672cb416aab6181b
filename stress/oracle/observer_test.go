//go:build linux

package oracle

import (
	"slices"
	"testing"

	"sharedbarrier/spec"
)

// observers returns the observers of so many workers. They read words.
func observers(t *testing.T, workers int, words *spec.Words) (*Ledger, []*Observer) {
	t.Helper()
	maker, l := newLedger(t, workers, 0)
	var list []*Observer
	for worker := range workers {
		list = append(list, l.Observer(worker, func() spec.Words { return *words }))
	}
	return maker, list
}

// properties returns those that are refuted.
func properties(found []Refutation) (list []string) {
	for _, f := range found {
		list = append(list, f.Property)
	}
	return list
}

// wantRefuted wants that exactly the properties are refuted.
func wantRefuted(t *testing.T, what string, found []Refutation, want ...spec.Property) {
	t.Helper()
	var names []string
	for _, p := range want {
		names = append(names, p.String())
	}
	if got := properties(found); !slices.Equal(got, names) {
		t.Errorf("%s: refuted %q, want %q", what, got, names)
	}
}

// Two workers are between an acquire and its release at once, in each order of
// what they announce. One of them at least says so, and only once. In the
// control they take turns.
func TestHazard_TwoHoldersAreSeen(t *testing.T) {
	section := []spec.Step{spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter}
	for _, c := range []struct {
		order string // the worker that announces its next step
		want  bool
	}{
		{"00001111", false}, {"11110000", false},
		{"0011", false}, // it is seen when one of them goes on
		{"00110", true}, {"00110011", true}, {"01010101", true}, {"00111100", true}, {"01101001", true},
	} {
		words := spec.Initial
		maker, o := observers(t, 2, &words)
		var at [2]int
		for _, who := range c.order {
			w := who - '0'
			o[w].Step(section[at[w]%len(section)], words)
			at[w]++
		}
		got := maker.Refuted(spec.LockExclusive)
		if (got > 0) != c.want || got > 2 {
			t.Errorf("order %s: %d refutations of LockExclusive, want any %v, and one of each worker at most", c.order, got, c.want)
		}
	}
}

// Workers that wait at a release are seen there, and have the lock meanwhile.
// In the control they are at the step before it.
func TestUnit_WaitAtARelease(t *testing.T) {
	for _, wait := range []bool{true, false} {
		words := spec.Words{Enter: 0, Exit: 2, Flag: spec.Up}
		maker, o := observers(t, 2, &words)
		for _, one := range o {
			one.Begin(1, 2, 0)
			one.Step(spec.LockEnter, words)
			one.Step(spec.TestFirst, words)
			if wait {
				one.Wait(spec.UnlockFirst, words)
			}
		}
		if met := maker.Met()>>TwoFirst&1 == 1; met != wait {
			t.Errorf("two wait at UnlockFirst: %v; two-first is met: %v", wait, met)
		}
		for _, one := range o {
			one.Step(spec.UnlockFirst, words)
		}
		if maker.Refuted(spec.LockExclusive) == 0 {
			t.Errorf("two wait at UnlockFirst: %v; LockExclusive is not refuted", wait)
		}
	}
}

// A port announces its steps, and is killed. Its worker, 0, handles the last
// announcement when the other worker has the lock, or has had it: the two are no
// two holders, since the port may have been dead. They are if the port has
// answered since it was a second holder, as it goes on in the control. The other
// worker has a port, too, or takes its steps itself.
func TestHazard_KilledPort(t *testing.T) {
	section := []spec.Step{spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter, spec.TestFirst, spec.CountEnter, spec.UnlockEnter, spec.AwaitFlag}
	for _, c := range []struct {
		order         string // the worker that takes or announces its next step
		want, control bool
	}{
		{"0110", false, true},       // 1 sees it at its release
		{"01101", false, true},      // 1 has seen it
		{"00110", false, true},      // 0 sees it at its release
		{"001111110", false, true},  // 1 has had two sections
		{"0001111100", false, true}, // in the second section of 0
		{"01100", true, true},
		{"001101", false, true},
		{"0011010", true, true},
		{"000111", false, false}, // they take turns
		{"0001110000", false, false},
	} {
		for _, port := range []bool{false, true} {
			for _, killed := range []bool{false, true} {
				words := spec.Initial
				maker, o := observers(t, 2, &words)
				var at [2]int
				step := func(w int) {
					if w == 0 || port {
						o[w].Answered()
					}
					o[w].Step(section[at[w]%len(section)], words)
					at[w]++
				}
				for _, who := range c.order {
					step(int(who - '0'))
				}
				want := c.want
				if killed {
					o[0].Refuse()
				} else {
					want = c.control
					step(0)
				}
				step(1)
				step(1)
				if !killed {
					step(0)
				}
				if got := maker.Refuted(spec.LockExclusive); (got > 0) != want || got > 2 {
					t.Errorf("order %s, the other worker has a port %v, killed %v: %d refutations of LockExclusive, want any: %v", c.order, port, killed, got, want)
				}
			}
		}
	}
}

// A worker that dies with the lock, or whose call is refused or left there, is
// no second holder.
func TestUnit_HolderThatIsGone(t *testing.T) {
	for what, end := range map[string]func(*Observer){
		"dies":       (*Observer).Die,
		"is refused": (*Observer).Refuse,
		"leaves":     func(o *Observer) { o.Leave(1, Withdrawn) },
	} {
		words := spec.Initial
		maker, o := observers(t, 2, &words)
		o[0].Begin(1, 2, 0)
		o[0].Step(spec.InitExit, words)
		end(o[0])
		o[1].Begin(1, 2, 0)
		for _, s := range []spec.Step{spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter, spec.TestFirst} {
			wantRefuted(t, "after the other one "+what+", at "+s.String(), o[1].Step(s, words))
		}
		if what == "dies" && maker.Met()>>DeathWithLock&1 == 0 {
			t.Error("a death with the lock was not met")
		}
	}
}

// Words are judged with the lock only, and in range for the number of workers.
func TestHazard_WordsOutOfRangeAreSeen(t *testing.T) {
	for _, c := range []struct {
		words spec.Words
		bad   bool
	}{
		{spec.Initial, false}, {spec.Words{Enter: 3, Exit: 3, Flag: 0}, false}, {spec.Words{Enter: 0, Exit: 0, Flag: 0}, false},
		{spec.Words{Enter: -1, Exit: 3, Flag: 0}, true}, {spec.Words{Enter: 4, Exit: 3, Flag: 0}, true},
		{spec.Words{Enter: 0, Exit: -2, Flag: 0}, true}, {spec.Words{Enter: 0, Exit: 4, Flag: 0}, true},
		{spec.Words{Enter: 0, Exit: 0, Flag: 2}, true}, {spec.Words{Enter: 0, Exit: 0, Flag: -1}, true},
	} {
		words := c.words
		_, o := observers(t, 3, &words)
		wantRefuted(t, words.String()+" without the lock", o[0].Step(spec.LockInit, words))
		var want []spec.Property
		if c.bad {
			want = []spec.Property{spec.WordsInRange}
		}
		wantRefuted(t, words.String(), o[0].Step(spec.InitExit, words), want...)
	}
}

// The words are judged as those of a barrier at rest only when every worker is
// outside, from before they are read until after.
func TestHazard_UnrestIsSeen(t *testing.T) {
	words := spec.Words{Enter: 1, Exit: 2, Flag: 0}
	_, o := observers(t, 2, &words)
	wantRefuted(t, "before the first call", o[0].Begin(1, 2, 0), spec.Quiescent)
	wantRefuted(t, "while another is in a call", o[1].Begin(1, 2, 0))
	_, found := o[0].Return(1)
	wantRefuted(t, "while the last one is in its call", found)
	_, found = o[1].Return(1)
	wantRefuted(t, "after the last return", found, spec.Quiescent)
	o[0].Begin(2, 2, 0)
	wantRefuted(t, "after a withdrawal", o[0].Leave(2, Withdrawn), spec.Quiescent)
	for _, rest := range []spec.Words{spec.Initial, {Enter: 0, Exit: 2, Flag: 0}} {
		words = rest
		o[0].Begin(2, 2, 0)
		wantRefuted(t, rest.String(), o[0].Leave(2, Withdrawn))
	}
	words = spec.Words{Enter: 0, Exit: 1, Flag: 1}
	o[0].Begin(2, 2, 0)
	o[0].Refuse()
	wantRefuted(t, "while the call of another was refused", o[1].Begin(2, 2, 0))

	// A call that begins while the words are read.
	_, l := newLedger(t, 2, 0)
	other := l.Observer(1, nil)
	reads := l.Observer(0, func() spec.Words {
		other.Begin(1, 2, 0)
		other.Leave(1, Withdrawn)
		return words
	})
	wantRefuted(t, "while another begins and leaves", reads.Begin(1, 2, 0))
}

// A call that was left counts as neither begun nor completed.
func TestUnit_LeftCall(t *testing.T) {
	words := spec.Initial
	maker, o := observers(t, 2, &words)
	o[0].Begin(1, 2, 0)
	o[0].Leave(1, Withdrawn)
	if e := maker.Entry(0); e.Begun != 0 || e.Returned != 0 {
		t.Errorf("after Leave: %+v, want neither begun nor returned", e)
	}
	o[1].Begin(1, 2, 0)
	early, _ := o[1].Return(1)
	if want := []Violation{{Worker: 1, Round: 1, Party: 0, Begun: 0}}; !slices.Equal(early, want) {
		t.Errorf("Return beside a call that was left: %v, want %v", early, want)
	}
}

// Each situation is met in the first way of each row, and not in the second,
// which is next to it.
func TestUnit_Met(t *testing.T) {
	up, down := spec.Words{Exit: 2, Flag: 1}, spec.Words{Exit: 2, Flag: 0}
	type look struct {
		other spec.Step // the other worker is at it, in its call
		begun int64     // call of the other worker
		count int       // of the other worker
		me    spec.Step
		words spec.Words
		dies  bool // the other worker
	}
	for _, c := range []struct {
		met     Met
		yes, no look
	}{
		{TwoFirst, look{spec.AwaitDrain, 1, 2, spec.UnlockFirst, up, false}, look{spec.AwaitDrain, 1, 2, spec.CountEnter, up, false}},
		{Overlap, look{spec.LockInit, 2, 2, spec.LockExit, up, false}, look{spec.LockInit, 1, 2, spec.LockExit, up, false}},
		{OldFlag, look{spec.AwaitDrain, 2, 2, spec.AwaitFlag, up, false}, look{spec.AwaitDrain, 2, 2, spec.LockExit, up, false}},
		{AwaitsDrain, look{spec.LockInit, 1, 2, spec.AwaitDrain, spec.Words{Exit: 1}, false}, look{spec.LockInit, 1, 2, spec.AwaitDrain, down, false}},
		{AwaitsLock, look{spec.LockInit, 1, 2, spec.CountEnter, down, false}, look{spec.LockInit, 1, 2, spec.AwaitFlag, down, false}},
		{Withdraws, look{spec.LockInit, 1, 2, spec.UncountEnter, down, false}, look{spec.LockInit, 1, 2, spec.TestFlag, down, false}},
		{TooLate, look{spec.LockInit, 1, 2, spec.TestFlag, up, false}, look{spec.LockInit, 1, 2, spec.TestFlag, down, false}},
		{Constructs, look{spec.MakeExit, 0, 2, spec.LockEnter, up, false}, look{spec.MakeFlag, 0, 2, spec.LockEnter, up, false}},
		{Constructs, look{spec.AwaitFlag, 1, 2, spec.MakeFlag, up, false}, look{spec.UnlockExit, 1, 2, spec.MakeFlag, up, false}},
		{TwoCounts, look{spec.LockInit, 1, 1, spec.LockEnter, up, false}, look{spec.LockInit, 1, 2, spec.LockEnter, up, false}},
		{MoreThanCount, look{spec.LockInit, 1, 1, spec.LockEnter, up, false}, look{spec.UnlockExit, 1, 1, spec.LockEnter, up, false}},
		{CountsNobody, look{spec.AwaitFlag, 1, 2, spec.TestFirst, spec.Words{Enter: 1, Exit: 2}, true}, look{spec.AwaitFlag, 1, 2, spec.TestFirst, spec.Words{Enter: 1, Exit: 2}, false}},
	} {
		for want, l := range map[bool]look{true: c.yes, false: c.no} {
			words := l.words
			maker, o := observers(t, 2, &words)
			if l.begun > 0 {
				o[1].Begin(l.begun, l.count, 0)
			}
			o[1].Step(l.other, l.words)
			if l.dies {
				o[1].Die()
			}
			count := 2
			if c.met == MoreThanCount {
				count = 1
			}
			o[0].Begin(1, count, 0)
			o[0].Step(l.me, l.words)
			if got := maker.Met()>>c.met&1 != 0; got != want {
				t.Errorf("%v, the other at %v and this worker at %v with %v: met %v, want %v", c.met, l.other, l.me, l.words, got, want)
			}
		}
	}
	for _, m := range AllMet {
		if m.String() == "" || m.Doc() == "" {
			t.Errorf("%d has no name or doc", m)
		}
	}
}
