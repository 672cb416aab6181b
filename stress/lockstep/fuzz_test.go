//go:build linux

package lockstep

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// FuzzParseSchedule: what is read as a schedule is that schedule when it is
// written and read again, and each of its moves can be made or skipped.
func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{
		"0 1:2 10! 3~ 2x *", "", " \t\n0", "0!~", "0:0", "0:2147483648", "999999999", "99999999999999999999", "-1", "0:2!", "*1", "٣", "0\x00", "0:\xff",
	} {
		f.Add(text)
	}
	cfg := model.Config{Scenario: spec.Withdraw, Procs: 2}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			if s != nil || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("ParseSchedule(%q): got %v, %v, want one line and no schedule", text, s, err)
			}
			return
		}
		if again, err := ParseSchedule(s.String()); err != nil || !slices.Equal(again, s) {
			t.Errorf("ParseSchedule(%q): got %v, which is read as %v, %v", text, s, again, err)
		}
		for _, m := range s {
			if m.Proc < -1 || m.Parties < 0 || int(int32(m.Parties)) != m.Parties {
				t.Errorf("ParseSchedule(%q): got the move %+v", text, m)
			}
			actionOf(cfg, model.Init(cfg), m)
		}
	})
}

// FuzzReadTraces: what is read as a trace is one that the model can take, of a
// valid question. It can be replayed.
func FuzzReadTraces(f *testing.F) {
	found := explore.Explore(f.Context(), model.Config{Scenario: spec.Crash, Procs: 2}, explore.Options{})
	line, err := json.Marshal(found.Result)
	if err != nil || len(found.Trace) == 0 {
		f.Fatalf("the seed is %s, %v, want a trace", line, err)
	}
	for _, change := range [][2]string{
		{"", ""}, {`"procs":2`, `"procs":-1`}, {`"procs":2`, `"procs":1000000000`}, {`"procs":2`, `"procs":null`}, {`"rounds":0`, `"rounds":-1`},
		{`"loop":0`, `"loop":1`}, {`"loop":0`, `"loop":1000000`}, {`"trace":[`, `"trace":[null,`}, {`"words":{`, `"words":null,"w":{`}, {`"proc":0`, `"proc":-7`},
		{`"parties":2`, `"parties":2147483648`}, {`"scenario":"crash"`, `"scenario":"nonsense"`}, {`"label":"Call"`, `"label":null`}, {`{`, `[{`}, {`}`, `}}`},
	} {
		f.Add(strings.Replace(string(line), change[0], change[1], 1))
	}
	f.Add("\n\n{}\nnull")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readTraces(strings.NewReader(text))
		if err != nil {
			if list != nil {
				t.Errorf("readTraces(%q): got %v and %v", text, list, err)
			}
			return
		}
		for _, c := range list {
			if err := c.Config.Validate(); err != nil || len(c.Schedule) == 0 {
				t.Errorf("readTraces(%q): got %v (%v)", text, c, err)
			}
			s := model.Init(c.Config)
			for i, m := range c.Schedule {
				a, enabled := actionOf(c.Config, s, m)
				if !enabled && !c.Lasso {
					t.Fatalf("readTraces(%q): move %d, %v, cannot be made in %v", text, i+1, m, s)
				}
				if enabled {
					s = model.Apply(c.Config, s, a)
				}
			}
		}
	})
}
