//go:build linux

// Package oracle judges a barrier from outside. It reads no clock and knows
// nothing of how the barrier works.
//
// The workers of a run share a Ledger. A worker counts each call in it before
// it makes the call. When its r-th call has returned, it checks that every
// worker has begun its r-th call. If one has not, the barrier has let the
// caller go too early (NoEarlyExit of spec/HAZARDS.md, section 1).
//
// The counts are sequentially consistent atomics, written before a call and
// read after it. A count that is too small is therefore never a late write:
// that worker had not called when the other one returned.
package oracle

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A Violation is one early exit as a worker saw it.
type Violation struct {
	Worker int   `json:"worker"` // the worker that returned
	Round  int64 `json:"round"`  // the call it returned from, counted from 1
	Party  int   `json:"party"`  // the worker that had not begun that call
	Begun  int64 `json:"begun"`  // the calls that Party had begun
}

// String describes the violation in one line.
func (v Violation) String() string {
	return fmt.Sprintf("worker %d returned from call %d when worker %d had begun only %d", v.Worker, v.Round, v.Party, v.Begun)
}

// A Ledger is memory in which the workers of one run record the calls that they
// begin and return from. It is a file without a name, which the workers inherit
// as a descriptor: the kernel frees it with the last process that has it.
//
// Who has the descriptor can write the ledger, and so can a port that inherits
// it or finds it in /proc/PID/fd. So a worker has it only until it has mapped
// the ledger, and its parent until Seal. What a process of the same user, or of
// root, can do with /proc/PID/mem and /proc/PID/map_files, Seal does not
// prevent.
//
// Calls are numbered from 1. The r-th calls of all workers are round r.
type Ledger struct {
	file    *os.File // nil in a worker
	memory  []byte
	beside  []byte
	header  *header
	entries []entry
}

// NewLedger makes an empty ledger for a run of so many workers and rounds; 0
// rounds: unbounded, until RequestStop. Its file has so many bytes more beside
// the ledger. It fails without memfd_create(2) and where the system has no
// memory left.
func NewLedger(workers int, rounds, beside int64) (*Ledger, error) {
	fd, err := unix.MemfdCreate("ledger", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("oracle: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "ledger")
	bytes := besideFrom(workers) + beside
	if err := unix.Fallocate(fd, 0, 0, bytes); err != nil {
		file.Close()
		return nil, fmt.Errorf("oracle: reserve %d bytes for the ledger: %w", bytes, err)
	}
	l, err := mapLedger(file, workers, beside)
	if err != nil {
		file.Close()
		return nil, err
	}
	l.file = file
	l.header.rounds.Store(rounds)
	return l, nil
}

// OpenLedger maps a ledger that the parent process has passed on as file, and
// closes file, on failure too. The numbers are those of NewLedger.
func OpenLedger(file *os.File, workers int, beside int64) (*Ledger, error) {
	defer file.Close()
	return mapLedger(file, workers, beside)
}

func mapLedger(file *os.File, workers int, beside int64) (*Ledger, error) {
	from := besideFrom(workers)
	memory, err := unix.Mmap(int(file.Fd()), 0, int(from+beside), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("oracle: map the ledger: %w", err)
	}
	l := &Ledger{memory: memory, beside: memory[from:]}
	l.header, l.entries = overlay(memory, workers)
	return l, nil
}

// File returns the file that a worker passes to OpenLedger.
func (l *Ledger) File() *os.File { return l.file }

// Beside returns the memory beside the ledger, which begins on a page, is all
// zeros at first, and is shared and kept from the ports as the ledger is.
func (l *Ledger) Beside() []byte { return l.beside }

// Seal closes the file of a ledger that NewLedger has made. No further worker
// can get it.
func (l *Ledger) Seal() error { return l.file.Close() }

// Close unmaps the ledger. No other method may be called afterwards.
func (l *Ledger) Close() error {
	l.file.Close() // nil in a worker, closed after Seal
	l.header, l.entries, l.beside = nil, nil, nil
	return unix.Munmap(l.memory)
}

// SetMember says of which rounds worker is a party, from the first to the last;
// 0: without end. Before any worker starts, NewLedger's process calls it for
// each worker that is not a party of all rounds. Worker 0 is a party of all.
func (l *Ledger) SetMember(worker int, first, last int64) {
	e := &l.entries[worker]
	e.begun.Store(first - 1)
	e.returned.Store(first - 1)
	e.until = last
	l.header.least = max(l.header.least, first)
}

// isParty reports whether the worker is a party of the round or of a later one.
func (e *entry) isParty(round int64) bool { return e.until == 0 || round <= e.until }

// All workers must make the same number of calls: one that makes a call more
// waits forever. Worker 0 alone decides that a round is the last, before it
// begins that round. No worker returns from the round before worker 0 has begun
// it, or Return reports a violation. So every worker sees the decision when it
// returns. A number of rounds that is known from the start is no decision, and
// holds after a violation too.

// RequestStop makes the round that worker 0 begins next the last one. A worker
// that joins later (SetMember) has begun by then.
func (l *Ledger) RequestStop() { l.header.stop.Store(true) }

// Begin records that worker begins its call of the round at the time now. That
// of worker 0 also decides whether the round is the last. Only LastBegin uses
// the time; it has no part in any verdict.
func (l *Ledger) Begin(worker int, round, now int64) {
	if h := l.header; worker == 0 && h.last.Load() == 0 && (h.stop.Load() && round >= h.least || round == h.rounds.Load()) {
		h.last.Store(round)
	}
	e := &l.entries[worker]
	e.beganAt[round%2].Store(now)
	e.begun.Store(round)
	e.started.Add(1)
}

// Return records that worker has returned from its call of the round. It
// returns one violation for each worker that has not begun its own.
func (l *Ledger) Return(worker int, round int64) []Violation {
	var early []Violation
	for party := range l.entries {
		if begun := l.entries[party].begun.Load(); begun < round && l.entries[party].isParty(round) {
			early = append(early, Violation{worker, round, party, begun})
		}
	}
	l.entries[worker].violations.Add(int64(len(early)))
	l.entries[worker].returned.Store(round)
	l.entries[worker].ended.Add(1)
	return early
}

// AllReturned reports whether all parties of the round have returned from it.
func (l *Ledger) AllReturned(round int64) bool {
	for i := range l.entries {
		if e := &l.entries[i]; e.isParty(round) && e.returned.Load() < round {
			return false
		}
	}
	return true
}

// IsLast reports whether the round is the last one. A worker may ask once it
// has returned from the round.
func (l *Ledger) IsLast(round int64) bool {
	last, rounds := l.header.last.Load(), l.header.rounds.Load()
	return last > 0 && round >= last || rounds > 0 && round >= rounds
}

// An Ending is how a call ends that does not return.
type Ending uint8

// The endings.
const (
	Withdrawn Ending = iota // its context has ended, and it has undone its effect on the words
	Abandoned               // it has left its wait, and undone nothing
)

// Leave records that worker has left its call of the round as ending says. The
// worker has then neither begun nor completed the call, and calls again.
//
// The count that another worker reads meanwhile is never too small. If a call
// has withdrawn, its round is complete only after the worker has begun again.
// If it has abandoned its wait, others may be let go before that; they have
// then exited early, since the worker is no longer in the round.
func (l *Ledger) Leave(worker int, round int64, ending Ending) {
	e := &l.entries[worker]
	e.begun.Store(round - 1)
	e.ended.Add(1)
	if ending == Withdrawn {
		e.withdrawn.Add(1)
	} else {
		e.abandoned.Add(1)
	}
}

// MostFaults is how many faults the ledger counts.
const MostFaults = 8

// AddHappened records that worker has met a fault, which has an index from 0 to
// below MostFaults. It is recorded before the fault kills the worker.
func (l *Ledger) AddHappened(worker, fault int) { l.entries[worker].happened[fault].Add(1) }

// Happened returns how often worker has met the fault.
func (l *Ledger) Happened(worker, fault int) int64 { return l.entries[worker].happened[fault].Load() }

// LastBegin returns the time at which the last worker began its call of the
// round: the moment from which the barrier may let the callers go. A worker may
// ask between its return from the round and its next call: until then no worker
// reuses the place of that time.
func (l *Ledger) LastBegin(round int64) int64 {
	var last int64
	for party := range l.entries {
		last = max(last, l.entries[party].beganAt[round%2].Load())
	}
	return last
}

// SetStep records the step that worker takes next.
func (l *Ledger) SetStep(worker int, s spec.Step) { l.entries[worker].step.Store(int64(s)) }

// An Entry is what the ledger has on one worker.
type Entry struct {
	Begun, Returned      int64     // calls, the rounds included of which it is no party
	Withdrawn, Abandoned int64     // calls
	Step                 spec.Step // the last one given to SetStep
	Dead                 bool      // it was killed on purpose
}

// Entry returns what the ledger has on worker.
func (l *Ledger) Entry(worker int) Entry {
	e := &l.entries[worker]
	return Entry{e.begun.Load(), e.returned.Load(), e.withdrawn.Load(), e.abandoned.Load(), spec.Step(e.step.Load()), e.dead.Load() != 0}
}

// Rounds returns the number of rounds that all their parties have returned
// from.
func (l *Ledger) Rounds() int64 {
	rounds := l.entries[0].returned.Load()
	for i := range l.entries {
		if returned := l.entries[i].returned.Load(); l.entries[i].isParty(returned + 1) {
			rounds = min(rounds, returned)
		}
	}
	return rounds
}

// Over reports whether all workers have returned from the last round.
func (l *Ledger) Over() bool {
	last := l.header.last.Load()
	return last > 0 && l.Rounds() >= last
}

// Violations returns the number of violations that all workers have seen.
func (l *Ledger) Violations() int64 {
	var sum int64
	for i := range l.entries {
		sum += l.entries[i].violations.Load()
	}
	return sum
}
