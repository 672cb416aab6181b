package tlc

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func message(code, severity int, body string) string {
	return fmt.Sprintf("@!@!@STARTMSG %d:%d @!@!@\n%s\n@!@!@ENDMSG %d @!@!@\n", code, severity, body, code)
}

// stateMessage is a state of a counterexample.
func stateMessage(n int, action, state string) string {
	return message(msgState, 4, fmt.Sprintf("%d: <%s line 1 of module SharedBarrier>\n%s", n, action, state))
}

// lasso is the output of a run that refutes a temporal property.
func lasso() string {
	called := strings.Replace(stateText, "Call", "LockInit", 1)
	return message(msgTemporal, 1, "Temporal properties were violated.") +
		stateMessage(1, "Initial predicate", stateText) + stateMessage(2, "Call", called) + stateMessage(3, "GiveUp", stateText) +
		stateMessage(4, "Call", called) + message(msgBackToState, 4, "3: Back to state: <GiveUp line 1 of module SharedBarrier>")
}

// TestUnit_Messages reads each message that counts, alone or where it belongs.
func TestUnit_Messages(t *testing.T) {
	const figures = "Progress(7) at 2026-11-24 09:15:17: 1,234 states generated (5 s/min), 567 distinct states found (8 ds/min), 89 states left on queue."
	init := stateMessage(1, "Initial predicate", stateText)
	called := strings.Replace(stateText, "Call", "LockInit", 1)
	behaviour := message(msgBehaviourFollows, 1, "The behavior up to this point is:") + init + stateMessage(2, "Call", called)
	q := Question{Scenario: "reuse", Procs: 1, Invariants: []string{"Quiescent"}}
	live := Question{Scenario: "reuse", Procs: 1, Properties: []string{"RefinesBarrier"}}
	both := Question{Scenario: "reuse", Procs: 1, Invariants: []string{"Quiescent"}, Properties: []string{"NoHang"}}
	type want struct {
		verdict  spec.Verdict
		property string
		trace    string
		loop     int
	}
	for _, c := range []struct {
		name, log string
		q         Question
		want      want
	}{
		{"success", message(msgSuccess, 0, "Model checking completed."), q, want{verdict: spec.Verified}},
		{"nothing", message(msgFinished, 0, "Finished in 00s"), q, want{verdict: spec.Unfinished}},
		{"invariant", message(msgInvariant, 1, "Invariant Quiescent is violated.") + behaviour, q, want{spec.Violated, "Quiescent", "p0 Call(1)", 0}},
		{"invariant beside a property", message(msgInvariant, 1, "Invariant Quiescent is violated.") + behaviour, both, want{spec.Violated, "Quiescent", "p0 Call(1)", 0}},
		{"another invariant", message(msgInvariant, 1, "Invariant TypeOK is violated.") + behaviour, q, want{spec.Violated, "TypeOK", "p0 Call(1)", 0}},
		{"invariant of a hang", message(msgInvariant, 1, "Invariant NoDeadlock is violated.") + behaviour, q, want{spec.Hang, "NoHang", "p0 Call(1)", 0}},
		{"deadlock", message(msgDeadlock, 1, "Deadlock reached.") + behaviour, q, want{spec.Hang, "NoHang", "p0 Call(1)", 0}},
		{"action property", message(msgActionProperty, 1, "Action property line 1 is violated.") + behaviour, live, want{spec.Violated, "RefinesBarrier", "p0 Call(1)", 0}},
		{"temporal", message(msgTemporal, 1, "Temporal properties were violated.") + behaviour + message(msgBackToState, 1, "1: Back to state: <GiveUp line 1>"), live,
			want{spec.Violated, "RefinesBarrier", "p0 Call(1), p0 GiveUp", 1}},
		{"temporal, of a later state", lasso(), live, want{spec.Violated, "RefinesBarrier", "p0 Call(1), p0 GiveUp, p0 Call(1), p0 GiveUp", 3}},
		{"stuttering", message(msgTemporal, 1, "Temporal properties were violated.") + behaviour + message(msgState, 4, "3: Stuttering"), live,
			want{spec.Violated, "RefinesBarrier", "p0 Call(1)", 0}},
		{"initial invariant", message(msgInitialInvariant, 1, "Invariant Quiescent is violated by the initial state:\n"+stateText), q, want{spec.Violated, "Quiescent", "", 0}},
		{"initial property", message(msgInitialProperty, 1, "Property RefinesBarrier is violated by the initial state:\n"+stateText), live, want{spec.Violated, "RefinesBarrier", "", 0}},
	} {
		f := findings{}
		if err := f.read(strings.NewReader(c.log), func(Progress) {}); err != nil || f.failure != nil {
			t.Errorf("%s: read: %v, %v", c.name, err, f.failure)
			continue
		}
		r := model.Result{Verdict: spec.Unfinished}
		f.fill(&r, c.q)
		var trace []string
		for _, e := range r.Trace {
			trace = append(trace, e.String())
		}
		got := want{r.Verdict, r.Property, strings.Join(trace, ", "), r.Loop}
		if got != c.want || f.answered() != (c.want.verdict != spec.Unfinished) {
			t.Errorf("%s: got %+v, answered %v, want %+v", c.name, got, f.answered(), c.want)
		}
		if initial := strings.HasPrefix(c.name, "initial"); initial != (f.Depth == 1) || initial && len(f.behaviour) != 1 {
			t.Errorf("%s: depth %d, %d states", c.name, f.Depth, len(f.behaviour))
		}
	}

	var reported []Progress
	f := findings{}
	log := "a banner\n" + message(msgProgress, 0, figures) + message(msgTemporalChecked, 0, "Checking temporal properties") +
		message(msgProgressSimulate, 0, "Progress: 4,321 states checked.") + message(msgStats, 0, strings.Replace(figures, "Progress(7)", "", 1)) +
		message(msgDepth, 0, "The depth of the complete state graph search is 9.") + message(msgStatsSimulate, 0, "The number of states generated: 7,654") +
		message(msgDepth, 0, "of no number") + message(msgStats, 0, "of none") + message(msgStatsSimulate, 0, "of none") +
		message(msgWorkerDismissed, 0, "Worker") + "a line between\n" + message(msgFinished, 0, "Finished")
	if err := f.read(strings.NewReader(log), func(p Progress) { reported = append(reported, p) }); err != nil || f.failure != nil {
		t.Fatalf("read: %v, %v", err, f.failure)
	}
	wantReported := []Progress{{1234, 567, 89, 7, false}, {1234, 567, 89, 7, true}, {4321, 567, 89, 7, true}}
	if !slices.Equal(reported, wantReported) {
		t.Errorf("progress: got %+v, want %+v", reported, wantReported)
	}
	if want := (Progress{7654, 567, 89, 9, true}); f.Progress != want || !f.dismissed || !f.finished || f.success {
		t.Errorf("at the end: got %+v, dismissed %v, finished %v, want %+v, true, true", f.Progress, f.dismissed, f.finished, want)
	}
	if want := []string{"a banner", "a line between"}; !slices.Equal(f.plain, want) {
		t.Errorf("lines outside messages: got %q, want %q", f.plain, want)
	}
}

// TestHazard_Messages: a counterexample that cannot be one, or a line that no
// program prints, is an error.
func TestHazard_Messages(t *testing.T) {
	init := stateMessage(1, "Initial predicate", stateText)
	two := strings.NewReplacer(`(0 :> "Call")`, `(0 :> "Call" @@ 1 :> "Call")`, `rounds = (0 :> 0)`, `rounds = (0 :> 0 @@ 1 :> 0)`,
		`read |-> (0 :> -2)`, `read |-> (0 :> -2 @@ 1 :> -2)`).Replace(stateText)
	for name, log := range map[string]string{
		"no state":                     stateMessage(1, "Initial predicate", "nonsense"),
		"no initial state":             message(msgInitialInvariant, 1, "Invariant TypeOK is violated by the initial state:\n/\\ nonsense"),
		"Call without a mover":         init + stateMessage(2, "Call", stateText),
		"another number of processes":  init + stateMessage(2, "Relink", two),
		"no lasso":                     init + message(msgBackToState, 1, "nonsense"),
		"back to state 0":              init + message(msgBackToState, 1, "0: Back to state: <GiveUp line 1>"),
		"back to a state that is none": init + message(msgBackToState, 1, "2: Back to state: <GiveUp line 1>"),
		"back by a Call of none":       init + message(msgBackToState, 1, "1: Back to state: <Call line 1>"),
		"a line without an end":        strings.Repeat("x", 1<<20+1),
	} {
		var f findings
		if err := f.read(strings.NewReader(log), func(Progress) {}); err == nil {
			t.Errorf("%s: read: got %+v, want an error", name, f)
		}
	}
	var f findings
	if err := f.read(strings.NewReader(init+message(msgBackToState, 1, "1: Back to state: <Relink line 1>")), func(Progress) {}); err != nil || f.loop != 1 {
		t.Errorf("back to state 1 of 1: got loop %d, %v", f.loop, err)
	}
	long := message(9998, 0, strings.Repeat("x", 1<<20-1000)) // TLC's states can be long
	if err := (&findings{}).read(strings.NewReader(long), func(Progress) {}); err != nil {
		t.Errorf("a long line: %v", err)
	}
}

// TestUnit_Failures: the first error counts, and says what the user can do.
func TestUnit_Failures(t *testing.T) {
	parser := "Parsing file\n***Parse Error***\n  Was expecting \"====\"\n\nSemantic processing of module Naturals\nat line 7\n"
	for _, c := range []struct {
		name, log string
		want      error
		says      string
	}{
		{"memory", message(msgOutOfMemory, 1, "Java ran out of memory"), ErrMemory, "with a heap of 1g after 0 distinct states: give more with --memory"},
		{"memory, of another message", message(9997, 1, "java.lang.OutOfMemoryError: heap"), ErrMemory, "--memory"},
		{"memory, in words", message(9997, 1, "Java ran out of memory."), ErrMemory, "--memory"},
		{"parser", parser + message(3002, 1, "Parsing or semantic analysis failed."), ErrSpec, `: ***Parse Error*** Was expecting "====" at line 7`},
		{"parser, of a name", "*** Errors: 1\nUnknown operator: x\n" + message(3002, 1, "Parsing or semantic analysis failed."), ErrSpec, "Unknown operator: x"},
		{"the first of two", message(9997, 1, "first\nerror") + message(9997, 1, "second"), ErrTLC, "first error"},
		{"a warning before it", message(9997, 2, "a warning") + message(9997, 1, "the error"), ErrTLC, "the error"},
		{"a full disk", message(9997, 1, "an error") + "java.io.IOException: No space left on device\n", ErrTLC, "make room in"},
		{"an exception in the log", message(9997, 1, "an error") + "java.lang.IllegalStateException: why\n", ErrTLC, "(java.lang.IllegalStateException: why)"},
	} {
		var f findings
		if err := f.read(strings.NewReader(c.log), func(Progress) {}); err != nil || f.failure == nil {
			t.Errorf("%s: read: %v, failure %v", c.name, err, f.failure)
			continue
		}
		if err := f.advise(Run{Memory: "1g"}, []byte(c.log)); !errors.Is(err, c.want) || !strings.HasSuffix(err.Error(), c.says) && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %v with %q", c.name, err, c.want, c.says)
		}
	}
	f := findings{failure: ErrMemory}
	if err := f.advise(Run{}, nil); !strings.Contains(err.Error(), "a quarter of this machine's memory") {
		t.Errorf("advise without a heap: %v", err)
	}
}

// TestUnit_Traces: which process moves, and with which party count it calls.
func TestUnit_Traces(t *testing.T) {
	at := func(steps ...spec.Step) State {
		return State{Steps: steps, Rounds: make([]int, len(steps)), Read: slices.Repeat([]int{notRead}, len(steps))}
	}
	before := at(spec.Call, spec.Call)
	reads, dead, relinked := at(spec.Call, spec.Call), at(spec.Call, spec.Call), at(spec.Call, spec.Call)
	reads.Read = []int{notRead, 1}
	dead.Dead = true
	relinked.Relinked = true
	for _, c := range []struct {
		from, to State
		want     int
	}{
		{before, at(spec.LockInit, spec.Call), 0}, {before, at(spec.Call, spec.LockInit), 1}, {before, reads, 1},
		{before, dead, 0}, {before, relinked, -1}, {dead, dead, -1},
	} {
		if got := c.from.mover(c.to); got != c.want {
			t.Errorf("mover from %v to %v: got %d, want %d", c.from, c.to, got, c.want)
		}
	}
	for _, c := range []struct {
		scenario   string
		control    bool
		p, r, want int
	}{
		{"reuse", false, 0, 1, 3}, {"shrinking", false, 0, 1, 3}, {"shrinking", false, 0, 2, 2}, {"growing", false, 0, 1, 2}, {"growing", false, 0, 2, 3},
		{"disagreeing", false, 0, 1, 2}, {"disagreeing", false, 1, 1, 3}, {"disagreeing", true, 0, 1, 3}, {"surplus", false, 1, 1, 2}, {"surplus", true, 1, 1, 3},
	} {
		q := Question{Scenario: c.scenario, Control: c.control, Procs: 3}
		if got := q.parties(c.p, c.r); got != c.want {
			t.Errorf("%+v: parties: got %d, want %d", c, got, c.want)
		}
		from, to := at(spec.Call, spec.Call), at(spec.Call, spec.Call)
		to.Steps[c.p], from.Rounds[c.p], to.Words = spec.LockInit, c.r-1, spec.Words{Exit: 7}
		want := model.Trace{{Proc: c.p, Label: "Call", Parties: c.want, Words: to.Words}}
		if got := traceOf(q, []transition{{"", from}, {"Call", to}}); !slices.Equal(got, want) {
			t.Errorf("%+v: traceOf: got %v, want %v", c, got, want)
		}
	}
	if got := traceOf(Question{Scenario: "split-lock", Procs: 2}, []transition{{"", before}, {"Relink", relinked}}); got[0] != (model.Entry{Proc: -1, Label: "Relink"}) {
		t.Errorf("traceOf Relink: got %v", got)
	}
	relinked.Words, relinked.Lock, relinked.Dead, relinked.Read = spec.Initial, -1, true, []int{2, notRead}
	if got, want := relinked.String(), "enter=0 exit=-1 flag=1 holder=-1 p0@Call/0(read 2) p1@Call/0 p0 is dead relinked"; got != want {
		t.Errorf("String: got %q, want %q", got, want)
	}
	if got, want := schedule([]model.Trace{{{Proc: 1, Label: "Call", Words: spec.Initial}, {Proc: -1, Label: "Relink"}}, {}}),
		`Traces == <<<<<<1, "Call", 0, -1, 1>>, <<-1, "Relink", 0, 0, 0>>>>,`+"\n<<>>>>"; !strings.Contains(got, want) {
		t.Errorf("schedule: got %s, want %s in it", got, want)
	}
}

// FuzzOutput reads output that TLC might print: each is a result or an error.
func FuzzOutput(f *testing.F) {
	log, err := os.ReadFile("../testdata/late-worker.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(log), lasso(),
		strings.Replace(lasso(), `"LockInit"`, `"Call"`, 1),                                // Call, and no process moves
		strings.Replace(lasso(), `read |-> (0 :> -2)`, `read |-> (0 :> -2 @@ 1 :> -2)`, 1), // processes differ
		strings.Replace(lasso(), `rounds = (0 :> 0)`, `rounds = ({} :> 0)`, 1),             // no key
		strings.Replace(lasso(), `happened |-> {}`, `happened |-> {{}}`, 1),                // no label
		strings.Replace(lasso(), `lock = -1`, `lock = `+strings.Repeat("{", 2*deepest), 1), // nested
		strings.Replace(lasso(), `lock = -1`, `lock = 0..4294967295`, 1),                   // many
		strings.Replace(lasso(), `exit = -1`, `exit = 4294967295`, 1),                      // no word
		strings.Replace(lasso(), "2116:1", "2107:1", 1) + "violated\n" + stateText + "\n",  // initial state
	} {
		f.Add(seed)
	}
	q := Question{Scenario: "shrinking", Procs: 2, Properties: []string{"NoHang"}}
	f.Fuzz(func(t *testing.T, output string) {
		var f findings
		if err := f.read(strings.NewReader(output), func(Progress) {}); err != nil {
			return
		}
		var result model.Result
		f.fill(&result, q)
		if n := len(f.behaviour); n > 0 && len(result.Trace) > n-1 {
			t.Errorf("a trace of %d entries from %d states", len(result.Trace), n)
		}
	})
}
