//go:build linux

// Package trace records what the workers of a run do. It knows the names of
// package spec only: neither the model nor the barrier.
//
// The flight recorder keeps the last records of each worker in memory that the
// run shares, and costs so little that it is always on. What a worker that was
// killed has recorded can still be read.
//
// A trace of a run (spec/TRACES.md) needs all records. Track.Keep has a worker
// write each into a journal, too, which is a file, and Recorder.Write merges the
// journals when the workers are gone.
//
// # Order
//
// One counter numbers the steps of all workers. A worker records a step before
// it takes it. At a step under the lock (spec.Held, spec.Release) it adds 1 to
// the counter, and its record has the sum: no other record of a step under the
// lock has the same number, and these steps were taken in the order of their
// numbers, as long as the lock excludes. At any other step the record has the
// counter as it is. Such a step was taken
//
//   - after all steps under the lock with a number below Record.Number, and
//   - before all steps under the lock with a number above Record.Until, which is
//     the number of the worker's next record.
//
// It is unknown how it and the steps between them were ordered. A step of two
// numbers is an interval, and a poll falls anywhere in it.
//
// # Attempts
//
// A step that blocks is attempted again and again, and a worker may wait for
// hours. Its attempts have one record, of the first and of the last of them.
// The last one is the step, if it was taken.
//
// # Death
//
// A worker has a ring with a place for one record more than Last, and another
// one for the last attempt of each. It fills a place in any order and seals it
// with the sum of what it has written. A reader takes a place whose sum is
// wrong as torn, and drops it. So a worker that dies loses, wherever it dies:
//
//   - nothing, if it writes no record just then: the last record is the step
//     that it was about to take, and it may have taken it;
//   - else the record, or the further attempt, that it was writing: it has not
//     taken that step, and it has taken the one before.
//
// A journal loses what the ring loses.
//
// A worker with a port records a step when the port has announced it, and lets
// the port take it then. If the port was killed in the meantime, and has taken no
// step more, another worker may have had the lock since: the record has a number
// and words that say nothing. Only an answer shows that a port was alive. So of a
// port that is gone the last record is true if the step was taken, and else
// nobody knows when the port has died; Write marks the step before it as lost.
//
// Readers need no lock and no order of the stores, and do not disturb the
// workers.
package trace

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/spec"
)

// stride is how many numbers a section has.
const stride = 16

// Last is how many records of each worker a Recorder keeps.
const Last = 64

// A Recorder is the flight recorder of one run, in memory that its processes
// share.
type Recorder struct {
	header *header
	rings  []ring
}

// NewRecorder returns the recorder in the memory, which has Size(workers) bytes
// and begins on a page. Memory of zeros is an empty recorder.
func NewRecorder(memory []byte, workers int) *Recorder {
	r := &Recorder{}
	r.header, r.rings = overlay(memory, workers)
	return r
}

// A Track is the part of a recorder that one worker writes. A nil Track records
// nothing.
type Track struct {
	header *header
	ring   *ring
	timed  bool

	journal *journal // nil: the ring alone

	now      content // what was recorded last
	place    int     // of it
	section  int64   // the number of the section that the worker is in; 0: it is in none
	started  time.Time
	timeThen int64 // the time of all processes at started
}

// Track returns the track of the worker, which goes on where an earlier one has
// ended. A timed one reads the clock for each record. A worker has one Track at
// a time, and uses it in one goroutine at a time.
func (r *Recorder) Track(worker int, timed bool) *Track {
	t := &Track{header: r.header, ring: &r.rings[worker], timed: timed}
	t.started, t.timeThen = clocks()
	for i := range t.ring.first {
		if c, ok := t.ring.first[i].read(); ok && c.position > t.now.position {
			t.now.position, t.place = c.position, i
		}
	}
	return t
}

// Begin says that what is recorded next belongs to the call of the round, which
// begins at the time at and has the party count. Rounds are counted from 1.
func (t *Track) Begin(round, at int64, parties int) {
	if t != nil {
		t.now.round, t.now.at, t.now.parties, t.now.attempts = round, at, int32(parties), 0
	}
}

// Step records that the worker is about to attempt the step. If it holds the
// lock at the step it sees the words.
func (t *Track) Step(s spec.Step, words spec.Words) {
	if t == nil {
		return
	}
	switch use := uses[s%numSteps]; {
	case use == spec.Held || use == spec.Release:
		t.record(ofStep(s), t.inSection(), words)
	case t.now.what == ofStep(s) && t.now.attempts > 0: // 0: since Begin
		t.again()
	case !t.timed && (use == spec.Acquire || s == spec.Call):
		t.section = 0
		t.record(ofStep(s), t.now.number, spec.Words{}) // an acquisition is before the section that follows
	default:
		t.section = 0
		t.record(ofStep(s), t.numbered(), spec.Words{})
	}
}

// End records how the call has ended, and that it has at the time at. A call
// whose context has ended before its first step has no record. One that has
// failed may have done so at any time since the record before it: it has the
// number of that.
func (t *Track) End(e End, at int64) {
	if t == nil || e == Withdrawn && t.now.attempts == 0 {
		return
	}
	number := t.now.number
	if e != Failed {
		number = t.numbered()
	}
	t.section = 0
	t.now.at = max(t.now.at, at)
	t.record(ofEnd(e), number, spec.Words{})
}

// inSection returns the next number of the section, and begins one if the
// worker is in none, or keeps all of its records.
func (t *Track) inSection() int64 {
	if t.section == 0 || t.section%stride == stride-1 || t.journal != nil {
		t.section = t.header.count.Add(stride) // for the Load of all workers
	} else {
		t.section++
	}
	return t.section
}

// numbered returns the counter, or the number of the worker's own last step if
// that is in the newest section.
func (t *Track) numbered() int64 {
	return max(t.now.number, t.header.count.Load()) // the Add of all workers
}

// record writes the next place of the ring.
func (t *Track) record(w what, number int64, words spec.Words) {
	if t.place++; t.place == places {
		t.place = 0
	}
	if t.timed {
		t.now.at = t.clock()
	}
	t.now.position++
	t.now.what, t.now.attempts, t.now.number = w, 1, number
	t.ring.first[t.place].write(t.now.position, uint64(number), uint64(t.now.at), uint64(t.now.round),
		pair(1, uint32(w)), pair(uint32(words.Enter), uint32(words.Exit)), pair(uint32(words.Flag), uint32(t.now.parties)))
	if t.journal != nil && t.now.round > 0 { // before the first call a port may construct
		t.keep(words)
	}
}

// keep adds what was recorded last to the journal.
func (t *Track) keep(words spec.Words) {
	c := t.now
	c.words = words
	if err := t.journal.add(c); err != nil {
		t.journal = nil
		t.header.lose(c.number, err)
	}
}

// again counts one more attempt at what was recorded last. Without a journal it
// records every 16th: the first ones are a matter of nanoseconds.
func (t *Track) again() {
	t.now.attempts++
	if t.now.attempts%16 == 0 || t.journal != nil {
		t.now.at = t.clock()
		t.now.number = t.numbered()
		t.ring.again[t.place].write(t.now.position, uint64(t.now.number), uint64(t.now.at), uint64(t.now.round),
			pair(t.now.attempts, uint32(t.now.what)), 0, uint64(uint32(t.now.parties)))
	}
	if t.journal != nil {
		t.journal.again(t.now.attempts, t.now.number)
	}
}

func (t *Track) clock() int64 { return t.timeThen + int64(time.Since(t.started)) }

// clocks returns one moment on both clocks. The second may be earlier by the
// time of two system calls, if one of the attempts was not interrupted.
func clocks() (started time.Time, then int64) {
	least := int64(math.MaxInt64)
	for range 5 {
		before, at := Now(), time.Now()
		if took := Now() - before; took < least {
			started, then, least = at, before, took
		}
	}
	return started, then
}

// Now returns nanoseconds on the monotonic clock that all processes of the
// machine share.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // Linux has this clock since 2.6
	}
	return t.Nano()
}

// An End is how a call has ended. Its string is the answer of a port to the
// call (spec/PORTS.md).
type End uint8

// The ends of a call.
const (
	Returned End = iota
	Withdrawn
	Abandoned
	Failed
)

var ends = [...]string{"returned", "withdrawn", "abandoned", "error"}

// String returns returned, withdrawn, abandoned or error.
func (e End) String() string {
	if int(e) >= len(ends) {
		return fmt.Sprintf("End(%d)", uint8(e))
	}
	return ends[e]
}

// uses is Step.Lock in a few cache lines.
var uses [numSteps]spec.LockUse

// numSteps is a power of two.
const numSteps = 32

func init() {
	for _, s := range spec.AllSteps {
		uses[s] = s.Lock()
	}
}

// what is what a record is of: a step or an end.
type what uint32

const firstEnd what = 0x100

func ofStep(s spec.Step) what { return what(s) }
func ofEnd(e End) what        { return firstEnd + what(e) }

// step returns the step, and false for an end.
func (w what) step() (spec.Step, bool) { return spec.Step(w), w < firstEnd }

func (w what) String() string {
	if s, ok := w.step(); ok {
		return s.String()
	}
	return End(w - firstEnd).String()
}
