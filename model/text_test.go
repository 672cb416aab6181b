package model

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
)

// relinked is a trace of split-lock with each kind of entry: p0 holds the old
// lock file at InitExit, of which it has only read the word, and p1 has begun.
func relinked(t *testing.T) (Config, Trace, State) {
	t.Helper()
	cfg := Config{Scenario: spec.SplitLock, Procs: 2}
	actions := []Action{
		{Proc: 0, Step: spec.Call, Parties: 2}, {Proc: 0, Step: spec.LockInit}, {Proc: 0, Step: spec.InitExit},
		{Proc: -1, Event: spec.Relink}, {Proc: 1, Step: spec.Call, Parties: 2},
	}
	trace := TraceOf(cfg, actions)
	states, err := trace.Replay(cfg)
	if err != nil || len(states) != len(actions)+1 {
		t.Fatalf("Replay(%v): got %d states, %v; want %d", trace, len(states), err, len(actions)+1)
	}
	return cfg, trace, states[len(actions)]
}

func TestUnit_StateInText(t *testing.T) {
	cfg, _, s := relinked(t)
	if got, want := s.String(), "enter=0 exit=-1 flag=1 holder=-1 p0@InitExit/0 p1@LockInit/0"; got != want {
		t.Errorf("String: got %q, want %q", got, want)
	}
	if got, want := Init(cfg).String(), "enter=0 exit=-1 flag=1 holder=-1 p0@Call/0"; got != want {
		t.Errorf("String of the initial state: got %q, want %q", got, want)
	}
	for _, c := range []struct {
		s    State
		want string
	}{
		{s, `{"words":{"enter":0,"exit":-1,"flag":1},"lock":-1,"relinked":true,"old_lock":0,` +
			`"procs":[{"step":"InitExit","rounds":0,"parties":2,"read":-1},{"step":"LockInit","rounds":0,"parties":2}]}`},
		{Init(cfg), `{"words":{"enter":0,"exit":-1,"flag":1},"lock":-1,"procs":[{"step":"Call","rounds":0},{"step":"Call","rounds":0}]}`},
	} {
		if got, err := json.Marshal(c.s.Snapshot(cfg)); err != nil || string(got) != c.want {
			t.Errorf("Snapshot: got %s, %v, want %s", got, err, c.want)
		}
	}
}

func TestUnit_ActionInText(t *testing.T) {
	for want, a := range map[string]Action{
		"Relink":      {Proc: -1, Event: spec.Relink},
		"p0 Call(3)":  {Proc: 0, Step: spec.Call, Parties: 3},
		"p0 LockInit": {Proc: 0, Step: spec.LockInit},
		"p1 GiveUp":   {Proc: 1, Step: spec.LockInit, Event: spec.GiveUp},
	} {
		if got := a.String(); got != want {
			t.Errorf("String: got %q, want %q", got, want)
		}
	}
}

// TestUnit_TraceInText: a row of the schedule ends where another process, a call
// or an event comes.
func TestUnit_TraceInText(t *testing.T) {
	_, trace, _ := relinked(t)
	trace[2].Words.Exit = 2 // as if it had written
	trace = append(trace, Entry{Proc: 1, Label: "LockInit", Words: spec.Initial})
	for i, want := range []string{
		"process,steps,words after", "p0,`Call`(2) … `InitExit`,enter=0 exit=2 flag=1", ",`Relink`,enter=0 exit=-1 flag=1",
		"p1,`Call`(2), `LockInit`,enter=0 exit=-1 flag=1",
	} {
		if got := strings.Join(trace.Schedule()[i], ","); got != want {
			t.Errorf("row %d of Schedule: got %q, want %q", i, got, want)
		}
	}
	if got, want := trace[3].String()+"; "+trace[4].String(), "Relink; p1 Call(2)"; got != want {
		t.Errorf("entries: got %q, want %q", got, want)
	}
}

// TestUnit_Schedule: another process begins a row within a call, and so does a
// call or an event of the same process.
func TestUnit_Schedule(t *testing.T) {
	trace := Trace{{Label: "LockInit"}, {Proc: 1, Label: "UnlockExit"}, {Proc: 1, Label: "Call", Parties: 2},
		{Proc: 1, Label: "LockInit"}, {Proc: 1, Label: "GiveUp"}}
	got := ""
	for _, row := range trace.Schedule()[1:] {
		got += row[0] + " " + row[1] + "; "
	}
	if want := "p0 `LockInit`; p1 `UnlockExit`; p1 `Call`(2), `LockInit`; p1 `GiveUp`; "; got != want {
		t.Errorf("Schedule: got %q, want %q", got, want)
	}
}

// TestUnit_TraceOf: each entry has the words after its action.
func TestUnit_TraceOf(t *testing.T) {
	cfg := Config{Scenario: spec.Reuse, Procs: 2}
	trace := TraceOf(cfg, []Action{{Step: spec.Call, Parties: 2}, {Step: spec.LockInit}, {Step: spec.InitExit}, {Step: spec.UnlockInit}})
	for i, exit := range []int32{spec.NotSet, spec.NotSet, 2, 2} {
		if want := (spec.Words{Exit: exit, Flag: spec.Initial.Flag}); trace[i].Words != want {
			t.Errorf("words after entry %d, %v: got %v, want %v", i+1, trace[i], trace[i].Words, want)
		}
	}
}

// TestHazard_WrongTrace: Replay refuses an entry of which one part is wrong, and
// keeps the states before it.
func TestHazard_WrongTrace(t *testing.T) {
	for name, spoil := range map[string]func(*Entry){
		"proc":       func(e *Entry) { e.Proc = 0 },
		"label":      func(e *Entry) { e.Label = "LockInit" },
		"parties":    func(e *Entry) { e.Parties = 3 },
		"no parties": func(e *Entry) { e.Parties = 0 },
		"enter":      func(e *Entry) { e.Words.Enter = 1 },
		"exit":       func(e *Entry) { e.Words.Exit = 0 },
		"flag":       func(e *Entry) { e.Words.Flag = 0 },
	} {
		cfg, trace, _ := relinked(t)
		spoil(&trace[4])
		states, err := trace.Replay(cfg)
		if err == nil || !strings.Contains(err.Error(), "entry 5") || len(states) != 5 {
			t.Errorf("Replay with a wrong %s in entry 5: got %d states, %v; want 5 and an error that names it", name, len(states), err)
		}
	}
}

func TestUnit_Validate(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string // empty: valid
	}{
		{Config{Scenario: spec.Reuse, Procs: 1, Rounds: 20}, ""},
		{Config{Scenario: spec.Reuse, Procs: 16}, ""},
		{Config{Scenario: spec.Reuse, Procs: 17}, "give from 1 to 16"},
		{Config{Scenario: spec.Reuse, Procs: 0}, "give from 1 to 16"},
		{Config{Scenario: spec.Reuse, Procs: 2, Rounds: 21}, "at most 20"},
		{Config{Scenario: spec.Reuse, Procs: 2, Rounds: -1}, "give 1 or more"},
		{Config{Scenario: spec.Reuse, Procs: 2, Control: true}, "has no control"},
		{Config{Scenario: spec.Single, Procs: 1}, ""},
		{Config{Scenario: spec.Single, Procs: 2}, "has 1 process, not 2"},
		{Config{Scenario: spec.Fork, Procs: 2}, "the model does not have"},
		{Config{Scenario: spec.Surplus, Procs: 2}, ""},
		{Config{Scenario: spec.Surplus, Procs: 1}, "give from 2 to 16"},
		{Config{Scenario: spec.Growing, Procs: 2}, "give a bound"},
		{Config{Scenario: spec.Crash, Procs: 2}, ""},
		{Config{Scenario: spec.Crash, Procs: 2, Control: true}, "give a bound"},
		{Config{Scenario: spec.Crash, Procs: 2, Rounds: 2, Control: true}, ""},
	} {
		switch err := c.cfg.Validate(); {
		case (err == nil) != (c.want == ""), err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("Validate(%s): got %v, want %q", c.cfg, err, c.want)
		case err != nil && panicOf(func() { NewMachine(c.cfg) }) == nil:
			t.Errorf("NewMachine(%s): no panic, want one", c.cfg)
		}
	}
}

func panicOf(do func()) (value any) {
	defer func() { value = recover() }()
	do()
	return nil
}

// TestUnit_Questions: in each scenario every property is asked about once, by a
// valid question, and where there is a control all of them again. Rounds are
// bounded only where they must be.
func TestUnit_Questions(t *testing.T) {
	asked := map[spec.Scenario][]spec.Property{}
	controls := map[spec.Scenario]bool{}
	for _, q := range Questions() {
		if err := q.Config.Validate(); err != nil {
			t.Errorf("%s: %v", q.Config, err)
		}
		if bounded := q.Config.Rounds > 0; bounded != NeedsBound(q.Config) {
			t.Errorf("%s: bounded rounds: %v, want %v", q.Config, bounded, !bounded)
		}
		if q.Config.Control {
			controls[q.Config.Scenario] = q.Expect == spec.Holds && slices.Equal(q.Check, spec.AllProperties) && q.Liveness
			continue
		}
		asked[q.Config.Scenario] = append(asked[q.Config.Scenario], q.Check...)
		if holds := slices.Contains(q.Check, spec.NoHang) && q.Expect == spec.Holds; q.Liveness != holds {
			t.Errorf("%s, checking %v: fair loops: %v, want %v", q.Config, q.Check, q.Liveness, holds)
		}
	}
	for _, sc := range spec.AllScenarios {
		slices.Sort(asked[sc])
		if sc != spec.Fork && !slices.Equal(asked[sc], spec.AllProperties) {
			t.Errorf("%v: asked about %v, want each property once", sc, asked[sc])
		}
		if controls[sc] != (ControlOf(sc) != "") {
			t.Errorf("%v: its control is asked about: %v", sc, controls[sc])
		}
	}
}

// TestUnit_Expected: a hazard that is not seen is not as expected, and neither
// is a run that has not ended.
func TestUnit_Expected(t *testing.T) {
	for verdict, want := range map[spec.Verdict]map[spec.Expectation]bool{
		spec.Verified:   {spec.Holds: true},
		spec.Violated:   {spec.Fails: true},
		spec.Hang:       {spec.Fails: true},
		spec.Unfinished: {},
	} {
		for _, e := range []spec.Expectation{spec.Holds, spec.Fails} {
			if got := (Question{Expect: e}).Expected(Result{Verdict: verdict}); got != want[e] {
				t.Errorf("Expected, where it %v, of %v: got %v, want %v", e, verdict, got, want[e])
			}
		}
	}
}

func TestUnit_MutantNamed(t *testing.T) {
	for i := range Mutants {
		if got := MutantNamed(Mutants[i].Name); got != &Mutants[i] {
			t.Errorf("MutantNamed(%q): got %v", Mutants[i].Name, got)
		}
	}
	if got := MutantNamed("none"); got != nil {
		t.Errorf("MutantNamed(none): got %v, want nil", got)
	}
}
