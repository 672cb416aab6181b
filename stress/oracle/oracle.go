//go:build linux

// Package oracle judges a barrier from outside, without a clock and without
// knowing how the barrier works.
//
// A Ledger is a segment of its own, shared by all workers of a run. Each
// worker counts its calls there before it makes them. A worker that returns
// from its r-th call then looks whether every party has begun its r-th call;
// if one has not, the barrier let go too early (NoEarlyExit of
// spec/PROTOCOL.md, section 11).
//
// The counts are written before and read after the call with sequentially
// consistent atomics. So a count that is too small is never a late write: the
// party had not called when the worker was let go.
package oracle

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// A Violation is one early exit as a worker saw it.
type Violation struct {
	Worker int   `json:"worker"` // who returned
	Round  int64 `json:"round"`  // from which of its calls, counted from 1
	Party  int   `json:"party"`  // who had not begun that call
	Begun  int64 `json:"begun"`  // how many calls that party had begun
}

// String says the violation in a line.
func (v Violation) String() string {
	return fmt.Sprintf("worker %d returned from call %d when worker %d had begun only %d", v.Worker, v.Round, v.Party, v.Begun)
}

// A Ledger is the shared record of what the workers of one run have begun and
// finished. It is a file without a name, handed down to the workers as a
// descriptor, so nothing of it is ever left behind.
type Ledger struct {
	file   *os.File
	memory []byte
	run    *run
	slots  []slot
}

// NewLedger makes a witness for the given number of workers, all zero. It
// fails where the system has no memory left or no memfd_create(2).
func NewLedger(workers int) (*Ledger, error) {
	fd, err := unix.MemfdCreate("witness", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("oracle: memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "witness")
	if err := unix.Fallocate(fd, 0, 0, size(workers)); err != nil {
		file.Close()
		return nil, fmt.Errorf("oracle: reserve %d bytes for the witness: %w", size(workers), err)
	}
	return OpenLedger(file, workers)
}

// OpenLedger maps the witness that a parent handed down as file. It takes over
// the file, on failure too.
func OpenLedger(file *os.File, workers int) (*Ledger, error) {
	memory, err := unix.Mmap(int(file.Fd()), 0, int(size(workers)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("oracle: map the witness: %w", err)
	}
	w := &Ledger{file: file, memory: memory}
	w.run, w.slots = overlay(memory, workers)
	return w, nil
}

// File is what a worker needs to open the witness: hand it down as an extra
// file.
func (w *Ledger) File() *os.File { return w.file }

// Close unmaps the witness; its other methods must not be called any more.
func (w *Ledger) Close() error {
	w.run, w.slots = nil, nil
	return errors.Join(unix.Munmap(w.memory), w.file.Close())
}

// Begin counts worker's round-th call. now is what latencies are computed from
// (see Latency) and has no part in any verdict.
func (w *Ledger) Begin(worker int, round, now int64) {
	w.slots[worker].beganAt[round%2].Store(now)
	w.slots[worker].begun.Store(round)
}

// Return notes that worker is back from its round-th call, and returns the
// early exits: one violation for each party that has not begun that call.
func (w *Ledger) Return(worker int, round int64) []Violation {
	var early []Violation
	for party := range w.slots {
		if begun := w.slots[party].begun.Load(); begun < round {
			early = append(early, Violation{worker, round, party, begun})
		}
	}
	w.slots[worker].violations.Add(int64(len(early)))
	w.slots[worker].returned.Store(round)
	return early
}

// LastBegin returns the latest of the times at which the parties began their
// round-th call: the moment from which a barrier could let go. It must be
// called after that call and before the caller's next one: until then no party
// can begin the call that uses the same place.
func (w *Ledger) LastBegin(round int64) int64 {
	var last int64
	for party := range w.slots {
		last = max(last, w.slots[party].beganAt[round%2].Load())
	}
	return last
}

// At notes the step that worker does next.
func (w *Ledger) At(worker int, s spec.Step) { w.slots[worker].step.Store(int64(s)) }

// Progress is how far one worker has come.
type Progress struct {
	Begun, Returned int64     // calls
	Step            spec.Step // the step it does next, as far as it said
	Violations      int64     // early exits that it saw
}

// Progress returns how far worker has come.
func (w *Ledger) Progress(worker int) Progress {
	s := &w.slots[worker]
	return Progress{s.begun.Load(), s.returned.Load(), spec.Step(s.step.Load()), s.violations.Load()}
}

// Rounds returns how many rounds all workers have completed.
func (w *Ledger) Rounds() int64 {
	rounds := w.slots[0].returned.Load()
	for i := range w.slots {
		rounds = min(rounds, w.slots[i].returned.Load())
	}
	return rounds
}

// Violations returns how many early exits all workers have seen.
func (w *Ledger) Violations() int64 {
	var sum int64
	for i := range w.slots {
		sum += w.slots[i].violations.Load()
	}
	return sum
}
