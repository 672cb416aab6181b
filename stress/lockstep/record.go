//go:build linux

package lockstep

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Record is a trace that an engine has printed, as a schedule, and the question
// that it answers.
type Record struct {
	Config   model.Config
	Schedule Schedule // of a lasso: its loop three times in all
	Property string   // what the trace refutes, if it is a property
	Loop     bool     // it is a lasso
}

// ReadRecords reads the records of an engine, JSON lines as model/check and
// tla/check print them, that have a trace: it is an error if none has, or if one is
// not a trace of the model.
func ReadRecords(in io.Reader) (records []Record, err error) {
	results, err := readResults(in)
	if err != nil {
		return nil, err
	}
	for i, res := range results {
		r, err := recordOf(res)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		records = append(records, r)
	}
	return records, nil
}

// readResults reads the results that have a trace.
func readResults(in io.Reader) (list []model.Result, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var r model.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d is no record of model/check --json: %w", n, err)
		}
		if r.Version != model.ResultVersion {
			return nil, fmt.Errorf("line %d has version %d, want %d", n, r.Version, model.ResultVersion)
		}
		if r.Loop < 0 {
			return nil, fmt.Errorf("line %d has a loop that begins at entry %d", n, r.Loop)
		}
		if len(r.Trace) > 0 {
			list = append(list, r)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there is no trace in it: only a verdict of violated or hang has one")
	}
	return list, nil
}

func recordOf(res model.Result) (r Record, err error) {
	r = Record{Property: res.Property, Loop: res.Loop > 0}
	sc, err := spec.ParseScenario(res.Scenario)
	if err != nil {
		return r, err
	}
	r.Config = model.Config{Scenario: sc, Procs: res.Procs, Rounds: res.Rounds}
	if err := r.Config.Validate(); err != nil {
		return r, err
	}
	if res.Loop > len(res.Trace) {
		return r, fmt.Errorf("its loop begins at entry %d of %d", res.Loop, len(res.Trace))
	}
	entries := res.Trace
	if r.Loop { // twice around: the second time shows that it is one
		entries = slices.Concat(entries, entries[res.Loop-1:], entries[res.Loop-1:])
	}
	r.Schedule, err = FromTrace(r.Config, entries)
	return r, err
}

// Record replays the trace of a record. Where it refutes a property, that must be
// seen; of a lasso, that it goes round.
func (r *Driver) Record(ctx context.Context, rec Record) (Report, error) {
	p, err := spec.ParseProperty(rec.Property)
	if err != nil || rec.Loop {
		return r.Replay(ctx, rec.Schedule)
	}
	rep, err := r.Hazard(ctx, Hazard{Config: rec.Config, Property: p, Schedule: rec.Schedule})
	rep.Mode = "schedule"
	return rep, err
}
