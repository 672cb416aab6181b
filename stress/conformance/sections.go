//go:build linux

package conformance

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// A section is what a call does from an acquire to its release.
type section struct {
	name  string     // the step that acquires
	words spec.Words // at the release

	atLock bool         // the runner asks the call to give up after it has tried the lock in vain
	late   spec.Words   // what peers make of the words after it has tried the lock in vain; the zero value: nothing
	rests  []spec.Words // words that do not end the wait at the poll that follows
	giveup bool         // the runner asks the call to give up after the release
	peers  spec.Words   // what peers make of the words after the release; the zero value: nothing
}

// A walk is a call of the port, section by section. The runner plays the peers.
type walk struct {
	name     string
	parties  int
	start    spec.Words
	sections []section
	answer   string
}

func words(enter, exit, flag int32) spec.Words {
	return spec.Words{Enter: enter, Exit: exit, Flag: flag}
}

var walks = []walk{
	{"the last in", 2, words(1, 2, 0), []section{
		{name: "LockInit", words: words(1, 2, 0)},
		{name: "LockEnter", words: words(0, 0, 1)},
		{name: "LockExit", words: words(0, 1, 1)},
	}, port.Returned},
	{"the first in and the last out", 2, words(0, -1, 1), []section{
		{name: "LockInit", words: words(0, 2, 1)},
		{name: "LockEnter", words: words(0, 2, 1)},
		{name: "LockFirst", words: words(1, 2, 0), peers: words(0, 1, 1)},
		{name: "LockExit", words: words(0, -1, 1)},
	}, port.Returned},
	{"one of two that are the first in", 3, words(0, 3, 1), []section{
		{name: "LockInit", words: words(0, 3, 1)},
		{name: "LockEnter", words: words(0, 3, 1), peers: words(1, 3, 0)},
		{name: "LockFirst", words: words(2, 3, 0), peers: words(0, 0, 1)},
		{name: "LockExit", words: words(0, 1, 1)},
	}, port.Returned},
	{"the second in of three, and gives up", 3, words(1, 3, 0), []section{
		{name: "LockInit", words: words(1, 3, 0)},
		{name: "LockEnter", words: words(2, 3, 0), giveup: true},
		{name: "LockWithdraw", words: words(1, 3, 0)},
	}, port.Withdrawn},
	{"the first in of three, and gives up when all have come", 3, words(0, 3, 1), []section{
		{name: "LockInit", words: words(0, 3, 1)},
		{name: "LockEnter", words: words(0, 3, 1)},
		{name: "LockFirst", words: words(1, 3, 0), giveup: true},
		{name: "LockWithdraw", late: words(0, 2, 1), words: words(0, -1, 1)},
	}, port.Returned},
	{"the last in, and gives up at LockExit", 2, words(1, 2, 0), []section{
		{name: "LockInit", words: words(1, 2, 0)},
		{name: "LockEnter", words: words(0, 0, 1)},
		{name: "LockExit", atLock: true, words: words(0, 1, 1)},
	}, port.Returned},
	{"overtaken at each lock", 3, words(0, -1, 1), []section{
		{name: "LockInit", late: words(0, 3, 1), words: words(0, 3, 1)},
		{name: "LockEnter", late: words(2, 3, 0), words: words(0, 0, 1)},
		{name: "LockExit", late: words(0, 2, 1), words: words(0, -1, 1)},
	}, port.Returned},
	{"overtaken by one that is the first in", 3, words(0, 3, 1), []section{
		{name: "LockInit", words: words(0, 3, 1)},
		{name: "LockEnter", words: words(0, 3, 1)},
		{name: "LockFirst", late: words(1, 3, 0), words: words(2, 3, 0), peers: words(0, 0, 1)},
		{name: "LockExit", late: words(0, 1, 1), words: words(0, 2, 1)},
	}, port.Returned},
}

func (w walk) withdraws() bool {
	for _, s := range w.sections {
		if s.giveup || s.atLock {
			return true
		}
	}
	return false
}

// moment is what the runner does at each acquire of a walk, besides holding the
// lock between all sections.
type moment int

const (
	quiet    moment = iota
	unlinked        // it replaces the lock file between the open and the flock(2)
)

// sections holds the lock between all sections of a call: it takes it in the
// moment in which the port releases it, and gives it back when the port has
// tried it in vain. So no step of the port that needs the lock can hide.
func sections(s *subject) (string, error) { return walkAll(s, quiet) }

// unlinkedWhile replaces the lock file when the port has opened it and has not
// locked it yet. The runner holds the lock of the new file.
func unlinkedWhile(s *subject) (string, error) { return walkAll(s, unlinked) }

func walkAll(s *subject, when moment) (string, error) {
	made := 0
	f := s.gated()
	defer f.close()
	for _, w := range walks {
		if w.withdraws() && !s.can.Withdraw {
			continue
		}
		f.walk(w, when)
		if f.err != nil {
			return "", f.errorf("in a call of %d that is %s", w.parties, w.name)
		}
		made += len(w.sections)
	}
	if shortest := slices.Min(f.gate.rested); when == quiet && shortest > 5*spec.Tick {
		return "", finding("PROTOCOL.md, section 3, number 8", "it blocks or sleeps for %v or longer in each section of its calls, %d times, with the lock", shortest.Round(time.Millisecond), len(f.gate.rested))
	}
	return fmt.Sprintf("%d sections", made), nil
}

// walk leads the port through a call.
func (f *fixture) walk(w walk, when moment) {
	request := fmt.Sprintf("call %d", w.parties)
	var h holding
	defer h.release()
	f.takes(&h, "")
	f.setAll(w.start)
	f.send(request)
	now := w.start
	for _, s := range w.sections {
		const why = "another process holds the lock"
		c := f.tries(request, now, s.name, why)
		if f.err == nil && c.how&unix.LOCK_NB != 0 {
			if s.late != (spec.Words{}) {
				f.setAll(s.late)
				now = s.late
			}
			if s.atLock {
				f.send("giveup")
			}
			c.answer <- 0 // in vain
			c = f.tries(request, now, s.name, why)
		}
		if when == unlinked && s.words != now {
			c = f.relinks(&h, c, request, now, s.name)
		}
		f.passes(&h, c, request, s)
		if f.err != nil {
			return
		}
		now = s.words
		for _, w := range s.rests {
			f.setAll(w)
			f.polls(s.name, w)
		}
		if s.peers != (spec.Words{}) {
			f.setAll(s.peers)
			now = s.peers
		}
		if s.giveup {
			f.send("giveup")
		}
	}
	h.release()
	f.answers(request, w.answer, now)
}

// takes takes the lock for the runner.
func (f *fixture) takes(h *holding, where string) {
	p := play{fixture: f, states: []possible{{}}}
	if where != "" {
		p.moves = []string{where}
	}
	if p.acquire() {
		*h = p.lock
	}
}

// tries waits until the port tries the lock. Until then it must not write.
func (f *fixture) tries(request string, want spec.Words, step, why string) (c flockCall) {
	for f.err == nil {
		next, answer := f.event(request)
		got := f.words()
		f.try(func() error {
			switch {
			case got != want:
				return finding("PROTOCOL.md, section 3, number 7", "it makes the words %v of %v at %s, while %s", got, want, step, why)
			case next == nil:
				return finding("PROTOCOL.md, section 3, number 1", "it answers %.300q and has not tried the lock with flock(2) at %s", answer, step)
			case next.locks() && next.how&unix.LOCK_EX == 0:
				return finding("PROTOCOL.md, section 3, number 1", "at %s it asks for a lock that is not exclusive", step)
			}
			return nil
		})
		switch {
		case f.err != nil:
		case !next.locks(): // of an attempt in vain
			next.answer <- 0
		default:
			return *next
		}
	}
	return c
}

// relinks puts a new lock file that the runner holds in the place of the one
// that the port has opened, lets the port lock the old one, and waits until it
// tries the new one.
func (f *fixture) relinks(h *holding, c flockCall, request string, now spec.Words, step string) flockCall {
	if f.err != nil {
		return c
	}
	f.replace(h, false)
	const why = "it has locked a file that is unlinked, and another process holds the lock of the one that the path names (number 2)"
	c.answer <- 0
	for f.err == nil {
		c = f.tries(request, now, step, why)
		if f.err != nil {
			return c
		}
		open, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", c.pid, c.fd))
		named, err2 := os.Lstat(f.lockPath)
		if err == nil && err2 == nil && os.SameFile(open, named) {
			return c
		}
		c.answer <- 0
	}
	return c
}

// passes releases the lock, lets the port take it, and takes it again when the
// port releases it.
func (f *fixture) passes(h *holding, c flockCall, request string, s section) {
	for f.err == nil {
		file := f.copied(c)
		next, answer := f.admits(h, c, request)
		if f.err == nil && next != nil && next.releases() {
			f.retakes(h, *next, file, s)
			file.Close()
			return
		}
		f.try(func() error {
			if locked(file) {
				return finding("PROTOCOL.md, section 3, number 3", "it does not unlock what it has locked at %s, and closes it only: a child that inherited the descriptor would keep the lock held", s.name)
			}
			if next == nil {
				return finding("PROTOCOL.md, section 4", "it answers %.300q to %q and has not released the lock that it takes at %s", answer, request, s.name)
			}
			return nil
		})
		file.Close()
		if f.err == nil {
			c = *next // the attempt failed, or a process that the port has started unlocks
		}
	}
}

// copied returns a copy of the descriptor of a call, which must be
// close-on-exec.
func (f *fixture) copied(c flockCall) (file *os.File) {
	f.try(func() (err error) {
		if file, err = c.opened(); err != nil {
			return notAsked{NotHere, fmt.Sprintf("descriptors of the port cannot be copied here: %v", err)}
		}
		return f.inherits(c)
	})
	return file
}

// admits releases the lock, lets the port make its attempt, and waits for what
// it does next. It takes the time for which the port slept meanwhile.
func (f *fixture) admits(h *holding, c flockCall, request string) (next *flockCall, answer string) {
	if f.err != nil {
		return nil, ""
	}
	threads := threadsOf{f.port}
	before := threads.efforts()
	h.release()
	began := time.Now()
	c.answer <- 0
	next, answer = f.event(request)
	passed := time.Since(began)
	e := threads.since(before)
	f.gate.rested = append(f.gate.rested, passed-e.ran-e.starved)
	return next, answer
}

// retakes takes the lock for the runner as the port releases it by the call c.
// The words must be those of the end of the section.
func (f *fixture) retakes(h *holding, c flockCall, file *os.File, s section) {
	got := f.words()
	f.try(func() error {
		if got != s.words {
			return finding("PROTOCOL.md, section 4; section 3, number 7: a word is read under the lock", "when it releases the lock that it has taken at %s the words are %v, want %v", s.name, got, s.words)
		}
		return nil
	})
	// The kernel would let the port go on before the runner has the lock.
	f.try(func() error { return flock(file, unix.LOCK_UN) })
	f.takes(h, "it has released the lock that it has taken at "+s.name)
	c.answer <- doneByRunner
}

// polls watches until the port has looked at the words, from a poll after the
// section that step begins. It must do nothing.
func (f *fixture) polls(step string, w spec.Words) {
	if f.err != nil {
		return
	}
	const looks, most = 3, time.Second // a port may wait in a thread that does not wake up
	threads := threadsOf{f.port}
	before, began := threads.efforts(), time.Now()
	for f.err == nil && (threads.since(before).sleeps < looks || time.Since(began) < 3*spec.Tick) && time.Since(began) < most {
		select {
		case <-f.gate.calls:
			f.err = finding("PROTOCOL.md, section 4: what a poll reads", "after the section of %s it ends its wait with the words %v, and tries the lock", step, w)
		case <-time.After(time.Millisecond):
		}
		answer, came := f.tryAnswer()
		got := f.words()
		f.try(func() error {
			if came || got != w {
				return finding("PROTOCOL.md, section 4: what a poll reads", "after the section of %s it must wait with the words %v, and makes them %v%s", step, w, got, with(answer))
			}
			return f.subject.ctx.Err()
		})
	}
}

// inherits returns a mistake unless the descriptor of the call is
// close-on-exec.
func (f *fixture) inherits(c flockCall) error {
	flags, _, err := flagsOf(c.pid, fmt.Sprint(c.fd))
	if err == nil && flags&unix.O_CLOEXEC == 0 {
		return descriptor{fd: c.fd}.inherited()
	}
	return err
}

// locked reports whether the open file holds an flock.
func locked(file *os.File) bool {
	_, is, err := flagsOf(os.Getpid(), fmt.Sprint(file.Fd()))
	return err == nil && is
}

// answers waits for the answer to the request. The words must stay.
func (f *fixture) answers(request, want string, now spec.Words) {
	for f.err == nil {
		c, answer := f.event(request)
		if c != nil {
			c.answer <- 0
			continue
		}
		f.try(func() error {
			if answer != want {
				return finding("PROTOCOL.md, section 4", "it answers %.300q to %q, want %q", answer, request, want)
			}
			return nil
		})
		f.expectWords(now)
		return
	}
}
