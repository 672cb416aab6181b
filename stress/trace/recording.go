//go:build linux

package trace

import (
	"cmp"
	"slices"

	"sharedbarrier/spec"
)

// A Recording is what a Recorder has kept, at one moment if no worker moves
// meanwhile.
type Recording struct {
	Version int      `json:"version"` // 1
	Now     int64    `json:"now"`     // nanoseconds on the monotonic clock, when it was read
	Torn    int      `json:"torn"`    // attempts that a worker was writing when it died, or just then
	Records []Record `json:"records"` // of all workers, in the order in which they were taken, as far as it is known
}

// A Record is one step of a worker, or the end of one of its calls.
type Record struct {
	Number   int64       `json:"number"`          // at the last attempt that was recorded; see package trace
	Until    int64       `json:"until,omitempty"` // the step was taken before all steps under the lock with a number of Until or more; 0: unknown
	Worker   int         `json:"worker"`          // from 0
	Round    int64       `json:"round"`           // of the call, from 1
	Parties  int         `json:"parties"`         // that the call has passed
	Label    string      `json:"label"`           // of a spec.Step or an End
	Taken    bool        `json:"taken"`           // false: it is the last record of the worker, which was about to take the step
	Attempts int         `json:"attempts"`        // at the step: this many at least
	At       int64       `json:"at"`              // nanoseconds on the monotonic clock; the first attempt was not earlier
	Last     int64       `json:"last"`            // the last one was not earlier
	Words    *spec.Words `json:"words,omitempty"` // as the worker found them under the lock; nil: it did not hold the lock

	position uint64   // among those of the worker
	place    [2]int64 // in the order of all
}

// Read returns what the recorder has kept. A worker that moves meanwhile has
// fewer records if it overtakes the reader.
func (r *Recorder) Read() Recording {
	rec := Recording{Version: 1, Now: Now(), Records: []Record{}}
	for i := range r.rings {
		records, torn := r.rings[i].read(i)
		rec.Records = append(rec.Records, records...)
		rec.Torn += torn
	}
	slices.SortFunc(rec.Records, func(a, b Record) int {
		return cmp.Or(slices.Compare(a.place[:], b.place[:]), cmp.Compare(a.At, b.At), cmp.Compare(a.Worker, b.Worker), cmp.Compare(a.position, b.position))
	})
	return rec
}

// NumberAsTrace gives the records the numbers that they have in the trace, if
// their tracks keep all of them.
func (r *Recording) NumberAsTrace() {
	for i := range r.Records {
		r.Records[i].Number /= stride
		r.Records[i].Until /= stride
	}
}

// placed returns the place of the record before the given ones of the same
// worker: by its number, and under one number a successful acquisition, the
// step under the lock, and what was outside.
func (r Record) placed(after []Record) [2]int64 {
	s, isStep := r.Step()
	switch {
	case r.Words != nil:
		return [2]int64{r.Number, 1}
	case isStep && s.Lock() == spec.Acquire && len(after) > 0 && after[0].Words != nil:
		return [2]int64{after[0].Number, 0}
	}
	return [2]int64{r.Number, 2}
}

// Step returns the step, and false for the end of a call.
func (r Record) Step() (spec.Step, bool) {
	s, err := spec.ParseStep(r.Label)
	return s, err == nil
}

// Step returns the step that the worker takes next, as far as it has recorded.
func (r *Recorder) Step(worker int) spec.Step {
	records, _ := r.rings[worker].read(worker)
	if len(records) > 0 {
		if s, ok := records[len(records)-1].Step(); ok {
			return s
		}
	}
	return spec.Call
}

// Of returns the records of one worker.
func (r Recording) Of(worker int) (records []Record) {
	for _, record := range r.Records {
		if record.Worker == worker {
			records = append(records, record)
		}
	}
	return records
}

// passes is how often a reader tries to overtake a worker that moves.
const passes = 10

// read returns the last records of the ring without a gap, in order, and the
// number of torn places.
func (r *ring) read(worker int) (records []Record, torn int) {
	for range passes {
		list, t := r.pass(worker)
		if len(list) >= len(records) {
			records, torn = list, t
		}
		if len(records) == Last {
			break
		}
	}
	for i := range records {
		records[i].Taken = i+1 < len(records)
		records[i].Until = until(records[i+1:])
		records[i].place = records[i].placed(records[i+1:])
	}
	return records, torn
}

// pass is one attempt to read the ring.
func (r *ring) pass(worker int) (records []Record, torn int) {
	for i := range r.first {
		c, ok := r.first[i].read()
		if !ok {
			if !r.first[i].isEmpty() {
				torn++
			}
			continue
		}
		record := recordOf(worker, c)
		switch last, ok := r.again[i].read(); {
		case ok && last.position == c.position:
			record.Number, record.Attempts, record.Last = last.number, int(last.attempts), last.at
		case !ok && !r.again[i].isEmpty():
			torn++
		}
		records = append(records, record)
	}
	slices.SortFunc(records, func(a, b Record) int { return cmp.Compare(a.position, b.position) })
	for i := len(records) - 1; i > 0; i-- {
		if records[i-1].position+1 != records[i].position {
			records = records[i:]
			break
		}
	}
	return records[max(0, len(records)-Last):], torn
}

func recordOf(worker int, c content) Record {
	r := Record{
		Number: c.number, Worker: worker, Round: c.round, Parties: int(c.parties), Label: c.what.String(),
		Attempts: int(c.attempts), At: c.at, Last: c.at, position: c.position,
	}
	if s, ok := c.what.step(); ok && s.Holds() {
		r.Words = &c.words
	}
	return r
}

// until returns the Until of the record before the given ones of the same
// worker.
func until(after []Record) int64 {
	for _, r := range after {
		s, isStep := r.Step()
		switch {
		case r.Words != nil:
			return r.Number
		case isStep && (s.Lock() == spec.Acquire || s == spec.Call) && r.Attempts == 1:
			// The worker has not looked at the counter.
		default:
			return (r.Number/stride + 1) * stride
		}
	}
	return 0
}
