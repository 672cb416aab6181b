//go:build linux

package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is the error of a file that has no trace of Recorder.Write.
var ErrFormat = errors.New("no trace of stress (spec/TRACES.md)")

// Read reads a trace that Recorder.Write has written. It returns those records,
// in the order of the trace, for which keep returns true; keep sees each record
// once, and does not know yet whether its step was taken. The memory is that of
// what is kept. The death of a process is a record with the label Die. Read
// fails with ErrFormat, or the error of in.
func Read(in io.Reader, keep func(Record) bool) (Head, Recording, error) {
	rec := Recording{Version: 1, Records: []Record{}}
	lines := json.NewDecoder(in)
	var head Head
	if err := lines.Decode(&head); err != nil || head.Trace != Format || head.Procs < 1 {
		return Head{}, Recording{}, errors.Join(fmt.Errorf("%w: line 1 is no head of version %d", ErrFormat, Format), err)
	}
	latest := make([]int, head.Procs) // by worker: the index of its last record; -1: it was not kept
	for worker := range latest {
		latest[worker] = -1
	}
	parties := make([]int, head.Procs) // by worker: of its call
	for line := 2; ; line++ {
		var e event
		switch err := lines.Decode(&e); {
		case err == io.EOF:
			return head, rec, nil
		case err != nil:
			return Head{}, Recording{}, fmt.Errorf("%w: line %d: %w", ErrFormat, line, err)
		case e.Proc < 0 || e.Proc >= head.Procs:
			return Head{}, Recording{}, fmt.Errorf("%w: line %d: process %d of %d", ErrFormat, line, e.Proc, head.Procs)
		}
		if e.Parties > 0 {
			parties[e.Proc] = e.Parties
		}
		r := Record{Number: e.Number, Until: e.Until, Worker: e.Proc, Round: e.Round, Parties: parties[e.Proc], Label: e.Label, Attempts: max(1, e.Attempts), At: e.At, Last: e.At, Words: e.Words}
		rec.Now = max(rec.Now, r.At)
		if i := latest[e.Proc]; i >= 0 && e.Label != died {
			rec.Records[i].Taken = true
		}
		latest[e.Proc] = -1
		if keep(r) {
			latest[e.Proc] = len(rec.Records)
			rec.Records = append(rec.Records, r)
		}
	}
}
