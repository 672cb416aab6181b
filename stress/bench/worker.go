//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/impl/group"
	"sharedbarrier/spec"
)

const (
	workerCommand = "stress-bench-worker" // makes a program a worker: CONTENDER and match.arguments follow
	pinCommand    = "stress-bench-pin"    // has a program run on some processors: their list, the path and the arguments follow
)

// Serve makes this process a worker and never returns, if Run has started it as
// one; otherwise it returns at once. Every program that calls Run must call it
// first.
func Serve() {
	if len(os.Args) < 4 {
		return
	}
	var err error
	switch os.Args[1] {
	case workerCommand:
		if err = work(os.Args[2], os.Args[3:]); err == nil {
			os.Exit(spec.ExitOK)
		}
	case pinCommand:
		err = pin(os.Args[2], os.Args[3:])
	default:
		return
	}
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, ErrEarly) {
		os.Exit(spec.ExitSafety)
	}
	os.Exit(spec.ExitUsage)
}

// pin runs the program on the processors, in place of this one.
func pin(list string, program []string) error {
	var set unix.CPUSet
	for field := range strings.SplitSeq(list, ",") {
		cpu, err := strconv.Atoi(field)
		if err != nil {
			return err
		}
		set.Set(cpu)
	}
	runtime.LockOSThread() // only this thread is pinned, and it is the one that goes on
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("run on the processors %s: %w", list, err)
	}
	if err := syscall.Exec(program[0], program, os.Environ()); err != nil {
		return fmt.Errorf("run %s: %w", program[0], err)
	}
	return nil
}

// A barrier is one party's handle of a contender.
type barrier interface {
	wait() error
	close() error
}

// An opener opens a contender for the party. Party 0 opens before all others.
type opener func(party, parties int, segment, lock string) (barrier, error)

// openers are the contenders in Go.
var openers = map[string]opener{"group": openGroup, "plain": openPlain}

// member is the barrier of package group.
type member struct{ *group.Group }

func openGroup(party, parties int, segment, lock string) (barrier, error) {
	g, err := group.Join(context.Background(), group.Config{Name: segment, LockPath: lock, Parties: parties, Rank: party})
	return member{g}, err
}

func (m member) wait() error  { return m.Wait(context.Background()) }
func (m member) close() error { return m.Leave() }

// plain is the barrier of package impl.
type plain struct {
	*impl.Barrier
	parties int
}

func openPlain(party, parties int, segment, lock string) (barrier, error) {
	if party == 0 {
		b, err := impl.Create(segment, lock)
		return plain{b, parties}, err
	}
	b, err := impl.Attach(context.Background(), segment, lock)
	return plain{b, parties}, err
}

func (b plain) wait() error  { return b.Wait(context.Background(), b.parties) }
func (b plain) close() error { return b.Close() }

// work makes the calls of one party; worker.c and worker.py do the same.
func work(contender string, args []string) error {
	if len(args) != 4 || openers[contender] == nil {
		return errors.New("this command is started by stress bench itself")
	}
	b, err := openBoard(args[0])
	if err != nil {
		return err
	}
	party, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	w := worker{b, party, b.parties()}
	if party > 0 {
		w.awaitReady(0)
	}
	handle, err := openers[contender](party, w.parties, args[2], args[3])
	if err != nil {
		return err
	}
	b.of(party, wordReady).Store(1)
	for peer := range w.parties {
		w.awaitReady(peer)
	}
	if err := w.call(handle); err != nil {
		return err
	}
	return handle.close()
}

type worker struct {
	board
	party, parties int
}

// awaitReady waits until the party has opened the barrier. Bench ends this
// process if that never happens.
func (w worker) awaitReady(party int) {
	for w.of(party, wordReady).Load() == 0 {
		time.Sleep(time.Millisecond)
	}
}

// call makes the calls.
func (w worker) call(b barrier) error {
	var before unix.Rusage
	begun := w.of(w.party, wordBegun)
	pace := pacer{worker: w, warm: monotonic() + w.word(wordWarmUp).Load()}
	for round := int64(1); ; round++ {
		if w.party == 0 {
			pace.before(round)
		}
		begun.Store(round) // pairs with the Load of a peer
		if err := b.wait(); err != nil {
			return err
		}
		if w.parties > 1 {
			peer := (w.party + 1 + int(round%int64(w.parties-1))) % w.parties
			if w.of(peer, wordBegun).Load() < round {
				w.of(w.party, wordEarlyPeer).Store(int64(peer))
				w.of(w.party, wordEarly).Store(round)
				return ErrEarly
			}
		}
		switch start, last := w.word(wordStart).Load(), w.word(wordLast).Load(); {
		case round == start:
			w.of(w.party, wordStarted).Store(monotonic())
			before = usage()
		case round == last:
			w.of(w.party, wordEnded).Store(monotonic())
			w.report(before, usage())
		case last > 0 && round > last: // one more round, so that no exit disturbs the last one
			return nil
		}
	}
}

// report reports what the measured section has cost.
func (w worker) report(before, after unix.Rusage) {
	cpu := func(u unix.Rusage) int64 { return u.Utime.Nano() + u.Stime.Nano() }
	w.of(w.party, wordCPU).Store(cpu(after) - cpu(before))
	w.of(w.party, wordVoluntary).Store(int64(after.Nvcsw - before.Nvcsw))
	w.of(w.party, wordInvoluntary).Store(int64(after.Nivcsw - before.Nivcsw))
}

// A pacer is what party 0 does before its calls: it says which rounds begin and
// end the measured section. It says so before it begins the round, and the
// others look after they have returned from it.
type pacer struct {
	worker
	warm int64 // when the warm-up ends
}

func (p *pacer) before(round int64) {
	start, last := p.word(wordStart), p.word(wordLast)
	switch now := monotonic(); {
	case start.Load() == 0:
		if round > 1 && now >= p.warm {
			start.Store(round)
		}
	case last.Load() == 0 && now-p.of(0, wordStarted).Load() >= p.word(wordFor).Load():
		last.Store(round)
	}
}

func usage() (u unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // a programmer's mistake
	}
	return u
}

// monotonic returns nanoseconds on the clock that all processes share.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has this clock since 2.6
	}
	return t.Nano()
}
