//go:build linux

package lockstep

import (
	"encoding/json"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestReadRecords: a trace comes back as its schedule, a lasso's goes round three
// times, and one that is said to begin after its end is refused.
func TestReadRecords(t *testing.T) {
	res := model.Result{Version: model.ResultVersion, Scenario: spec.Single.String(), Procs: 1, Trace: oneCall(t)}
	around := len(res.Trace)
	for _, c := range []struct {
		loop, want int // moves
		err        string
	}{
		{0, around, ""},
		{1, 3 * around, ""},
		{around + 1, 0, "record 1: its loop begins at entry"},
	} {
		res.Loop = c.loop
		line, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		records, err := ReadRecords(strings.NewReader(string(line)))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("loop at %d: got %v, want %q", c.loop, err, c.err)
			}
			continue
		}
		if err != nil || len(records) != 1 || len(records[0].Schedule) != c.want || records[0].Loop != (c.loop > 0) {
			t.Errorf("loop at %d: got %+v, %v; want one record with %d moves", c.loop, records, err, c.want)
		}
	}
}

// oneCall is the trace of a call of a single party, which ends where it began.
func oneCall(t *testing.T) (trace []model.Entry) {
	t.Helper()
	cfg := model.Config{Scenario: spec.Single, Procs: 1}
	g := NewGraph(cfg)
	walk, err := g.Tour()
	if err != nil {
		t.Fatal(err)
	}
	for _, hop := range walk {
		arc := g.Arcs[hop.From][hop.Arc]
		a := arc.Action
		trace = append(trace, model.Entry{Proc: a.Proc, Label: a.Label(), Parties: a.Parties, Words: g.States[arc.To].Words()})
	}
	return trace
}
