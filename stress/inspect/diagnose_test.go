//go:build linux

package inspect

import (
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// scene returns what is seen of a barrier with the words at which nothing
// moved, whose processes, numbered from 1, did what acts says.
func scene(words spec.Words, acts ...Activity) *seen {
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	v := &seen{
		Target: Target{Segment: "barrier", LockPath: "/tmp/lock"}, samples: 900, sampled: 2 * time.Second,
		first: &Look{At: at, Words: words}, last: &Look{At: at.Add(2 * time.Second), Words: words, Lock: Lock{Touched: at}},
		acts: map[int]Activity{}, wchans: map[int]string{},
	}
	for i, a := range acts {
		p := Process{PID: i + 1, User: "root", Command: "python train.py", Started: at, State: "S", Maps: a != Gone, Sibling: a == Gone}
		v.first.Processes, v.last.Processes = append(v.first.Processes, p), append(v.last.Processes, p)
		v.acts[p.PID] = a
	}
	return v
}

func (v *seen) after(do func(*seen)) *seen {
	do(v)
	return v
}

func (v *seen) heldBy(pid int) *seen {
	for _, l := range []*Look{v.first, v.last} {
		l.Lock.Holders = []int{pid}
		if p := l.process(pid); p != nil {
			p.Holds = true
		}
	}
	return v
}

func repeat(a Activity, n int) []Activity { return slices.Repeat([]Activity{a}, n) }

// scenes are what a diagnosis tells apart. A control stands beside each hang:
// the same words, and a process that may still go on.
var scenes = []struct {
	name   string
	seen   *seen
	procs  int
	status Status
	first  string // what the first cause says, or the second if the first one is an alternative that cannot be told apart
}{
	{"one has not come", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, repeat(Polls, 2)...), 3, Hangs, "1 party has not called, of 3"},
	{"control: one is there, outside", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Polls, Polls, Quiet), 3, Waiting, "process 3 has the segment mapped and may be outside"},
	{"control: one is there, and works", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Polls, Polls, Runs), 3, Waiting, "process 3 has the segment mapped and may be outside"},
	{"control: one is there, and sleeps as a waiter does", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, repeat(Polls, 3)...), 3, Waiting, "1 of the processes that sleep"},
	{"control: one is stopped", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Polls, Polls, Stopped), 3, HeldUp, "process 3 is stopped"},
	{"control: one gets no processor", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Polls, Polls, Starved), 3, Starves, "process 3 waits for a processor"},
	{"one has died, and its parent has not waited", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Polls, Polls, Gone), 3, Hangs, "1 party died at"},
	{"died at ResetExit", scene(spec.Words{Enter: 0, Exit: 3, Flag: 0}, repeat(Polls, 2)...), 3, Hangs, "1 party died at ResetExit"},
	{"died after it was counted", scene(spec.Words{Enter: 0, Exit: 2, Flag: 1}, repeat(Polls, 2)...), 3, Hangs, "AwaitFlag"},
	{"died, and a process that has it mapped is no party", scene(spec.Words{Enter: 0, Exit: 2, Flag: 1}, Polls, Polls, Quiet), 3, Hangs, "1 party died at"},
	{"control: the words have changed", scene(spec.Words{Enter: 0, Exit: 2, Flag: 1}, Polls, Polls).after(func(v *seen) { v.changes = 1 }), 3, Moving, ""},
	{"control: the lock has changed", scene(spec.Words{Enter: 0, Exit: 2, Flag: 1}, Polls, Polls).after(func(v *seen) { v.first.Lock.Holders = []int{1} }), 3, Moving, ""},
	{"control: a process has come", scene(spec.Words{Enter: 0, Exit: 2, Flag: 1}, Polls, Polls).after(func(v *seen) { v.first.Processes = v.first.Processes[1:] }), 3, Moving, ""},
	{"holder is stopped", scene(spec.Words{Enter: 0, Exit: 3, Flag: 0}, Naps, Naps, Stopped).heldBy(3), 3, HeldUp, "process 3 holds the lock and is stopped"},
	{"holder does not go on", scene(spec.Words{Enter: 0, Exit: 3, Flag: 0}, Naps, Blocked, Quiet).heldBy(3), 3, Waiting, "process 3 holds the lock and does not go on"},
	{"holder is no party", scene(spec.Words{Enter: 0, Exit: -1, Flag: 1}, Naps, Naps, Naps).heldBy(7), 3, Waiting, "process 7 holds the lock"},
	{"counts differ", scene(spec.Words{Enter: 3, Exit: 3, Flag: 0}, repeat(Polls, 3)...), 0, Hangs, "different counts"},
	{"more call than the count says", scene(spec.Words{Enter: 1, Exit: 1, Flag: 0}, repeat(Polls, 3)...), 2, Hangs, "more processes call"},
	{"constructed late", scene(spec.Words{Enter: 0, Exit: 1, Flag: 1}, repeat(Polls, 3)...), 0, Hangs, "constructor"},
	{"of 64, 2 have not come", scene(spec.Words{Enter: 62, Exit: 64, Flag: 0}, repeat(Polls, 62)...), 64, Hangs, "2 parties have not called, of 64"},
	{"of 64, 1 died", scene(spec.Words{Enter: 0, Exit: 63, Flag: 1}, repeat(Polls, 63)...), 64, Hangs, "1 party died at"},
	{"of 64, all wait, constructed late", scene(spec.Words{Enter: 0, Exit: 30, Flag: 1}, repeat(Polls, 64)...), 64, Hangs, "constructor"},
	{"no party writes 7", scene(spec.Words{Enter: 1, Exit: 7, Flag: 5}, repeat(Polls, 2)...), 2, Foreign, "no state of the model fits"},
	{"control: a process that is hidden may have written 7", scene(spec.Words{Enter: 1, Exit: 7, Flag: 5}, repeat(Polls, 2)...).after(func(v *seen) {
		v.last.hidden = []Process{{PID: 9, State: "S"}}
	}), 2, Unclear, ""},
	{"control: no process waits", scene(spec.Words{Enter: 2, Exit: 3, Flag: 0}, Quiet, Quiet), 3, Idle, ""},
	{"control: nobody is there", scene(spec.Initial), 0, Idle, ""},
}

func TestUnit_Diagnosis(t *testing.T) {
	schema := golden.Schema(t, "report.schema.json")
	for _, c := range scenes {
		t.Run(c.name, func(t *testing.T) {
			r, err := c.seen.report(t.Context(), Options{Procs: c.procs})
			if err != nil {
				t.Fatal(err)
			}
			says := func(c2 Cause) bool { return strings.Contains(c2.Why, c.first) }
			if r.Status != c.status || (c.first == "") != (len(r.Causes) == 0) || c.first != "" && !slices.ContainsFunc(r.Causes[:min(2, len(r.Causes))], says) {
				var text strings.Builder
				r.Text(&text)
				t.Errorf("status %q, want %q, and first %q:\n%s", r.Status, c.status, c.first, text.String())
			}
			if dead := slices.Contains(slices.Collect(maps.Values(c.seen.acts)), Gone); dead && (len(r.Causes) == 0 || r.Causes[0].Scenario != spec.Crash.String()) {
				t.Errorf("a process is dead, and the first cause is no crash: %+v", r.Causes)
			}
			if err := schema.Validate(object(t, r)); err != nil {
				t.Errorf("the report does not fit its schema: %v", err)
			}
		})
	}
}

// object returns the JSON form of a report or a tick.
func object(t *testing.T, v interface{ JSON(io.Writer) error }) map[string]any {
	t.Helper()
	var line strings.Builder
	if err := v.JSON(&line); err != nil {
		t.Fatal(err)
	}
	return golden.JSON(t, line.String()).(map[string]any)
}

// TestHazard_Schema spoils a report in several ways. The schema refuses each.
func TestHazard_Schema(t *testing.T) {
	schema := golden.Schema(t, "report.schema.json")
	v := scene(spec.Words{Enter: 62, Exit: 64, Flag: 0}, repeat(Polls, 62)...)
	v.last.Limits = []string{"the lock"}
	r, err := v.report(t.Context(), Options{Procs: 64})
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(map[string]any){
		"":                   func(map[string]any) {},
		"another version":    func(r map[string]any) { r["version"] = 2 },
		"no status":          func(r map[string]any) { delete(r, "status") },
		"an unknown status":  func(r map[string]any) { r["status"] = "fine" },
		"an unknown field":   func(r map[string]any) { r["comment"] = "" },
		"a word is missing":  func(r map[string]any) { delete(r["words"].(map[string]any), "flag") },
		"null for no causes": func(r map[string]any) { r["causes"] = nil },
		"a cause without advice": func(r map[string]any) {
			delete(r["causes"].([]any)[0].(map[string]any), "do")
		},
		"a process without a number": func(r map[string]any) {
			delete(r["processes"].([]any)[0].(map[string]any), "pid")
		},
	} {
		o := object(t, r)
		spoil(o)
		if err := schema.Validate(o); (err == nil) != (name == "") {
			t.Errorf("a report with the mistake %q: %v", name, err)
		}
	}
	tick, ticks := object(t, v.tick()), golden.Schema(t, "tick.schema.json")
	if err := ticks.Validate(tick); err != nil {
		t.Errorf("a tick: %v", err)
	}
	if delete(tick, "words"); ticks.Validate(tick) == nil {
		t.Error("a tick without words fits the schema")
	}
}

// stuck yields each state of the scenario in which no process can step and some
// process waits in a call.
func stuck(cfg model.Config, yield func(model.State)) {
	m := model.NewMachine(cfg)
	g := explore.NewGraph(m)
	for i, s := range g.States {
		moves := slices.ContainsFunc(g.Edges[i], func(e explore.Edge[model.Action]) bool { return e.Action.Event == spec.NoEvent })
		waits := false
		for p := range cfg.Procs {
			waits = waits || s.Alive(p) && s.Inside(p)
		}
		if !moves && waits {
			yield(s)
		}
	}
}

// TestConform_EveryStuckState takes each state in which a scenario hangs, from
// the whole graph and not up to symmetry, shows to the diagnosis only what can
// be seen of it from outside, and wants the scenario among the causes: of so
// many of the states, among the first two. The others look like a state of
// another scenario that leaves such words more often.
func TestConform_EveryStuckState(t *testing.T) {
	for _, c := range []struct {
		model.Config
		states, first int
	}{
		{model.Config{Scenario: spec.Crash, Procs: 2}, 28, 28},
		{model.Config{Scenario: spec.Crash, Procs: 3}, 36, 36},
		{model.Config{Scenario: spec.LateConstruction, Procs: 2, Rounds: 2}, 5, 4},
		{model.Config{Scenario: spec.LateConstruction, Procs: 3, Rounds: 2}, 48, 42},
		{model.Config{Scenario: spec.Disagreeing, Procs: 3, Rounds: 2}, 47, 43},
		{model.Config{Scenario: spec.Surplus, Procs: 2, Rounds: 2}, 2, 2},
		{model.Config{Scenario: spec.Shrinking, Procs: 2, Rounds: 3}, 4, 0},
		{model.Config{Scenario: spec.Growing, Procs: 2, Rounds: 3}, 2, 1},
		{model.Config{Scenario: spec.AbandonWait, Procs: 2, Rounds: 2}, 10, 8},
	} {
		cfg := c.Config
		if testing.Short() && cfg.Procs > 2 {
			continue
		}
		type outside struct {
			words   spec.Words
			waiting int
		}
		rank := map[outside][]Cause{}
		states, first := 0, 0
		stuck(cfg, func(s model.State) {
			q := question{words: s.Words()}
			for p := range cfg.Procs {
				switch {
				case s.Alive(p) && s.Inside(p):
					q.parties = append(q.parties, party{at: polls, less: stepsOf(spec.Call)})
				case cfg.Scenario == spec.Shrinking && p == cfg.Procs-1: // it is a party of round 1 only
				case s.Alive(p):
					return // it rests after its last call, and makes more of them in an unbounded run
				}
			}
			key := outside{s.Words(), len(q.parties)}
			causes, seen := rank[key]
			if !seen {
				var complete bool
				if causes, complete = q.explain(t.Context(), []int{cfg.Procs}, evidence{}); !complete {
					t.Fatalf("%v: the model was not explored", cfg.Scenario)
				}
				rank[key] = causes
			}
			states++
			is := func(c Cause) bool {
				return c.kind == cfg.Scenario && (cfg.Scenario != spec.Crash || slices.Contains(c.Died, s.Step(0)) || s.Step(0) == spec.Call)
			}
			simpler := func(c Cause) bool { return c.isNothing() || c.kind == spec.Reuse || c.kind == spec.Crash }
			if !slices.ContainsFunc(causes, is) && !slices.ContainsFunc(causes, simpler) {
				t.Errorf("%v: %v has the causes %+v", cfg.Scenario, s, causes)
			}
			if b := best(slices.Clone(causes)); slices.ContainsFunc(b[:min(2, len(b))], is) {
				first++
			}
		})
		if states != c.states || first != c.first {
			t.Errorf("%v: the scenario is among the first two causes of %d of %d states, want %d of %d", cfg, first, states, c.first, c.states)
		}
	}
}

// TestConform_Fold takes each state of six processes in which all wait but one,
// which died, and folds it. The cause is the one without the fold.
func TestConform_Fold(t *testing.T) {
	exact := hypothesis{scenario: spec.Crash, most: 6}
	small := exact
	small.most = 4
	for _, c := range []struct {
		words spec.Words
		died  bool
	}{
		{spec.Words{Enter: 5, Exit: 6, Flag: 0}, true},
		{spec.Words{Enter: 6, Exit: 6, Flag: 0}, true},
		{spec.Words{Enter: 0, Exit: 6, Flag: 0}, true},
		{spec.Words{Enter: 0, Exit: 0, Flag: 0}, true},
		{spec.Words{Enter: 0, Exit: 5, Flag: 1}, true},
		{spec.Words{Enter: 1, Exit: 6, Flag: 0}, false}, // the others would be counted
	} {
		q := question{procs: 6, words: c.words, parties: slices.Repeat([]party{{at: polls}}, 5)}
		if want, folded := q.died(t, exact), q.died(t, small); !slices.Equal(want, folded) || c.died != (len(want) > 0) {
			t.Errorf("%v: a party died at %v of 6, and with 4 at %v; want the same, and some step: %v", q.words, want, folded, c.died)
		}
	}
}

// died returns where a party died, by the hypothesis.
func (q question) died(t *testing.T, h hypothesis) []spec.Step {
	t.Helper()
	small, ok := q.fold(h.most)
	if !ok {
		t.Fatalf("%v cannot be folded to %d", q.words, h.most)
	}
	found, complete := small.states(t.Context(), model.Config{Scenario: h.scenario, Procs: small.procs})
	if !complete {
		t.Fatal("the model was not explored")
	}
	var set steps
	for _, m := range found {
		set |= m.died
	}
	return set.list()
}
