//go:build linux

package conformance

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// do has the choices with the names happen, each after the port has come to
// rest.
func (p *play) do(names ...string) {
	for _, name := range names {
		list := choices(p.cfg, p.states, p.subject.can.Withdraw)
		i := slices.IndexFunc(list, func(c choice) bool { return c.String() == name })
		if i < 0 {
			p.try(func() error { return fmt.Errorf("conformance: %s cannot happen after %s", name, p.history()) })
			return
		}
		p.play(list[i])
		p.awaitRest()
	}
}

// peer names the steps of peer 1, for do.
func peer(steps ...spec.Step) (names []string) {
	for _, s := range steps {
		if s == spec.Call {
			names = append(names, "peer 1 Call")
		} else {
			names = append(names, "peer 1 "+s.String())
		}
	}
	return names
}

// The last caller's way through a call.
var (
	completes = []spec.Step{spec.Call, spec.LockInit, spec.InitExit, spec.UnlockInit, spec.LockEnter, spec.TestFirst, spec.CountEnter, spec.ResetEnter, spec.ResetExit, spec.RaiseFlag, spec.UnlockEnter}
	leaves    = []spec.Step{spec.AwaitFlag, spec.LockExit, spec.CountExit, spec.ClearExit, spec.UnlockExit}
)

// standing are the places at which a call of 2 waits, with how it comes there
// and how it goes on. Its peer stands still there.
var standing = []struct {
	name, clause string
	withdraws    bool
	to, on       []string
}{
	{"LockInit", "PROTOCOL.md, section 4", false, append(peer(completes[:2]...), "call 2"), peer(completes[2:4]...)},
	{"AwaitDrain", "PROTOCOL.md, section 4", false, slices.Concat([]string{"call 2"}, peer(completes...), []string{"call 2"}), peer(append(leaves[:5:5], completes[:4]...)...)},
	{"LockFirst", "PROTOCOL.md, section 4", false, slices.Concat([]string{"call 2"}, peer(completes...), []string{"call 2"}, peer(append(leaves[:5:5], completes[:3]...)...)), peer(completes[3:4]...)},
	{"AwaitFlag", "PROTOCOL.md, section 4", false, []string{"call 2"}, peer(completes...)},
	{"LockExit", "PROTOCOL.md, section 4", false, append([]string{"call 2"}, peer(completes[:10]...)...), peer(completes[10:]...)},
	{"LockWithdraw", "PROTOCOL.md, section 5", true, slices.Concat([]string{"call 2"}, peer(completes[:2]...), []string{"giveup"}), peer(completes[2:4]...)},
}

// longWaits has a process of the port wait at each place, for longer than a
// time limit or a number of attempts that a port may have. The protocol knows
// neither.
func longWaits(s *subject) (string, error) {
	long := 20 * time.Second // while the other checks are made
	switch {
	case s.Thorough:
		long = 70 * time.Second
	case s.brief:
		long = 3 * time.Second
	}
	var all sync.WaitGroup
	errs := make([]error, len(standing))
	for i, at := range standing {
		if at.withdraws && !s.can.Withdraw {
			continue
		}
		all.Go(func() {
			p := s.newPlay(2)
			defer p.close()
			p.do(at.to...)
			p.moves = append(p.moves, fmt.Sprintf("a wait at %s of up to %v", at.name, long))
			p.dwells(at.name, long)
			p.do(at.on...)
			if p.err != nil {
				errs[i] = fmt.Errorf("its peer stands still while it is at %s: %w", at.name, p.err)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("it waits for %v", long), nil
}

// dwells has the port wait, and looks at its resources. A leak grows in both
// halves of the time: a port may start the threads of its collector once.
func (p *play) dwells(at string, long time.Duration) {
	grew := false
	for half := range 2 {
		var before resources
		threads := threadsOf{p.port}
		start, began := threads.efforts(), time.Now()
		starves := func() bool { // it waits for longer then, until it has had the time, or has looked often
			passed, now := time.Since(began), threads.efforts()
			e := between(start, now)
			return (passed-e.starved < long/2 || awake(now)) && e.sleeps < 200 && passed < 10*long
		}
		for left, looks := p.port.Patience(long/2), 0; p.err == nil && (!left.Spent() || starves()); time.Sleep(20 * time.Millisecond) {
			p.observe()
			if looks++; looks == 20 {
				before = resourcesOf(p.port, p.segment)
			}
		}
		p.try(func() error { // there may be no port, after an interrupt
			what := before.grown(resourcesOf(p.port, p.segment), 100)
			if what != "" && grew {
				return finding(longRunClause, "the second half of a wait at %s has left %s, and the first as many", at, what)
			}
			grew = half == 0 && what != ""
			return nil
		})
	}
}

// sizes are party counts in an order in which they grow and shrink.
var sizes = []int{5, 2, 300, 3, 4, 8, 7, 9, 256, 255, 16, 17, 33, 128, 127, 129, 64, 1000, 257, 6, 65536, 65535, 32768, 2, 1<<31 - 1, 3}

// counts has the port call with many party counts, one after the other. The
// runner writes the words as the other parties would: the port is the first in
// and the first out, the last in, the last out, or waits for the last round to
// drain.
func counts(s *subject) (string, error) {
	var all sync.WaitGroup
	errs := make([]error, len(roles))
	for i, role := range roles {
		all.Go(func() {
			f := s.opened()
			defer f.close()
			for _, n := range sizes {
				role.play(f, int32(n))
				if f.err != nil {
					errs[i] = fmt.Errorf("in a round of %d, where it is %s: %w", n, role.name, f.err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d counts", len(sizes)), nil
}

var roles = []struct {
	name string
	play func(f *fixture, n int32)
}{
	{"the first in and the first out", func(f *fixture, n int32) {
		f.send(fmt.Sprintf("call %d", n))
		f.becomes(spec.Words{Enter: 1, Exit: n, Flag: spec.Down})
		for _, k := range milestones(n) {
			f.locked(func() { f.set(spec.Enter, k) })
			f.rests(spec.Words{Enter: k, Exit: n, Flag: spec.Down})
		}
		f.locked(func() { f.setAll(spec.Words{Enter: 0, Exit: 0, Flag: spec.Up}) })
		f.expect(fmt.Sprintf("call %d", n), port.Returned)
		f.expectWords(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
		f.locked(func() { f.set(spec.Exit, spec.NotSet) }) // the others have left
	}},
	{"in the middle", func(f *fixture, n int32) {
		for _, k := range append(milestones(n), 3) {
			if k >= n {
				continue
			}
			f.locked(func() { f.setAll(spec.Words{Enter: k - 1, Exit: n, Flag: spec.Down}) })
			f.send(fmt.Sprintf("call %d", n))
			f.becomes(spec.Words{Enter: k, Exit: n, Flag: spec.Down})
			f.rests(spec.Words{Enter: k, Exit: n, Flag: spec.Down})
			f.locked(func() { f.setAll(spec.Words{Enter: 0, Exit: 0, Flag: spec.Up}) })
			f.expect(fmt.Sprintf("call %d", n), port.Returned)
			f.locked(func() { f.set(spec.Exit, spec.NotSet) })
		}
	}},
	{"the last in", func(f *fixture, n int32) {
		f.locked(func() { f.setAll(spec.Words{Enter: n - 1, Exit: n, Flag: spec.Down}) })
		f.ask(fmt.Sprintf("call %d", n), port.Returned)
		f.expectWords(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
		f.locked(func() { f.set(spec.Exit, spec.NotSet) })
	}},
	{"the last out", func(f *fixture, n int32) {
		f.send(fmt.Sprintf("call %d", n))
		f.becomes(spec.Words{Enter: 1, Exit: n, Flag: spec.Down})
		f.locked(func() { f.setAll(spec.Words{Enter: 0, Exit: n - 1, Flag: spec.Up}) }) // the lock was not free between
		f.expect(fmt.Sprintf("call %d", n), port.Returned)
		f.expectWords(spec.Initial)
	}},
	{"early, and waits for the last round", func(f *fixture, n int32) {
		f.locked(func() { f.set(spec.Exit, 1) })
		f.send(fmt.Sprintf("call %d", n))
		f.rests(spec.Words{Enter: 0, Exit: 1, Flag: spec.Up})
		for _, k := range milestones(n) {
			f.locked(func() { f.set(spec.Exit, k) })
			f.rests(spec.Words{Enter: 0, Exit: k, Flag: spec.Up})
		}
		// The last one has left, and a peer has called again. The port may not
		// have begun yet, so it must not meet the words between the two.
		f.locked(func() { f.set(spec.Exit, n) })
		f.becomes(spec.Words{Enter: 1, Exit: n, Flag: spec.Down})
		f.locked(func() { f.setAll(spec.Words{Enter: 0, Exit: 0, Flag: spec.Up}) })
		f.expect(fmt.Sprintf("call %d", n), port.Returned)
		f.locked(func() { f.set(spec.Exit, spec.NotSet) })
	}},
}

// polling is a call that waits at both polls while peers leave words there that
// do not end the wait.
var polling = walk{"early, and waits at both polls", 2, words(0, 1, 1), []section{
	{name: "LockInit", words: words(0, 1, 1)},
	{name: "LockEnter", words: words(0, 1, 1), rests: []spec.Words{words(0, -1, 1), words(0, 0, 1), words(0, 1, 0)}, peers: words(0, 2, 1)},
	{name: "LockFirst", words: words(1, 2, 0), rests: []spec.Words{words(0, 2, 0), words(0, 0, 0), words(2, -1, 0)}, peers: words(0, 1, 1)},
	{name: "LockExit", words: words(0, -1, 1)},
}, port.Returned}

// polls has the port wait at each poll, and changes each word. Only that which
// the poll reads, with the right value, lets the port go on.
func polls(s *subject) (string, error) {
	f := s.gated()
	defer f.close()
	f.walk(polling, quiet)
	return "exit at AwaitDrain, flag at AwaitFlag", f.err
}

// milestones are numbers of parties below n.
func milestones(n int32) (list []int32) {
	for _, k := range []int32{2, 4, n/2 + 1, n % 256, n - 1} {
		if 1 < k && k < n && !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

// becomes waits for the words.
func (f *fixture) becomes(want spec.Words) {
	f.await(func(w spec.Words) bool { return w == want }, fmt.Sprintf("it has not made the words %v", want))
}

// rests watches for a moment, longer than a tick, that the port does nothing.
func (f *fixture) rests(words spec.Words) {
	f.restsFor(spec.Tick+2*time.Millisecond, 0, words, "PROTOCOL.md, section 4")
}

// restsFor watches for so long, and until the port has slept so many times, that
// the port does nothing. After two sleeps it has seen what was there before.
func (f *fixture) restsFor(d time.Duration, sleeps int64, words spec.Words, clause string) {
	threads := threadsOf{f.port}
	before, left := threads.efforts(), f.patience()
	for end := time.Now().Add(d); ; time.Sleep(time.Millisecond) {
		f.try(func() error {
			answer, came, err := f.port.TryReceive()
			switch got := f.words(); {
			case err != nil:
				return err
			case came:
				return finding(clause, "it answers %.300q with the words %v, where it must wait", answer, got)
			case got != words:
				return finding(clause, "it makes the words %v where they are %v and it must do nothing", got, words)
			}
			return f.subject.ctx.Err()
		})
		if f.err != nil || time.Now().After(end) && (threads.since(before).sleeps >= sleeps || left.Spent()) {
			return
		}
	}
}

// locked calls do while the runner holds the lock.
func (f *fixture) locked(do func()) {
	p := play{fixture: f, states: []possible{{}}}
	if f.err == nil && p.acquire() {
		do()
		p.lock.release()
	}
}
