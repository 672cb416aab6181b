//go:build linux

package lockstep

import (
	"encoding/json"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestUnit_ReadTraces: a trace becomes its schedule, that of a lasso with the
// loop three times, and a loop that begins after the end is an error.
func TestUnit_ReadTraces(t *testing.T) {
	cfg := model.Config{Scenario: spec.Single, Procs: 1}
	var oneCall []model.Action // which ends where it began
	for s := model.Init(cfg); len(oneCall) == 0 || s != model.Init(cfg); {
		a := model.Enabled(cfg, s)[0]
		s, oneCall = model.Apply(cfg, s, a), append(oneCall, a)
	}
	length := len(oneCall)
	res := model.Result{Version: model.ResultVersion, Scenario: spec.Single.String(), Procs: 1, Trace: model.TraceOf(cfg, oneCall)}
	for _, c := range []struct {
		loop, want int // moves
		err        string
	}{
		{0, length, ""},
		{1, 3 * length, ""},
		{length, 0, "line 1: model: entry"}, // it cannot happen twice in a row
		{length + 1, 0, "line 1: its loop begins at entry"},
		{-1, 0, "line 1: its loop begins at entry"},
	} {
		res.Loop = c.loop
		line, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		list, err := readTraces(strings.NewReader(string(line)))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("loop at %d: got %v, want %q", c.loop, err, c.err)
			}
			continue
		}
		if err != nil || len(list) != 1 || len(list[0].Schedule) != c.want || list[0].Lasso != (c.loop > 0) {
			t.Errorf("loop at %d: got %+v, %v; want one with %d moves", c.loop, list, err, c.want)
		}
	}
}

// TestUnit_NoTraces: what is no trace of the model is an error that says so.
func TestUnit_NoTraces(t *testing.T) {
	const question, call = `"version":2,"scenario":"reuse","procs":2,`, `"proc":0,"label":"Call","parties":2`
	for text, want := range map[string]string{
		"":                                       "have no trace",
		"{":                                      "line 1 is no result",
		"\n" + `{"version":9}`:                   "line 2 has version 9, want 2",
		`{` + question + `"trace":null}`:         "have no trace",
		`{` + question + `"trace":[{"proc":0}]}`: "line 1: model: entry 1",
		`{` + question + `"trace":[{` + call + `}]}`:               "leaves enter=0 exit=-1 flag=1, not enter=0 exit=0 flag=0",
		`{"version":2,"scenario":"x","trace":[{}]}`:                "line 1: ",
		`{"version":2,"scenario":"reuse","procs":-1,"trace":[{}]}`: "line 1: scenario reuse with -1 processes",
	} {
		if list, err := readTraces(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("readTraces(%q): got %v, %v, want %q", text, list, err, want)
		}
	}
}
