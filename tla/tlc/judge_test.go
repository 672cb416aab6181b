package tlc

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// TestHazard_Differs: each figure that is wrong is named, unless the run was
// not one that has it exactly.
func TestHazard_Differs(t *testing.T) {
	verified := Question{Verdict: spec.Verified, Generated: 10, Distinct: 5, Depth: 3}
	violated := Question{Verdict: spec.Violated, Property: "NoHang", Generated: 10, Distinct: 5, Depth: 3}
	for _, c := range []struct {
		name     string
		q        Question
		spoil    func(*model.Result)
		exact    string // part of the text; empty: no difference
		parallel string
	}{
		{"nothing", verified, func(*model.Result) {}, "", ""},
		{"verdict", verified, func(r *model.Result) { r.Verdict = spec.Unfinished }, "verdict unfinished, want verified", "verdict unfinished"},
		{"generated", verified, func(r *model.Result) { r.Generated++ }, "11 states generated, want 10", ""},
		{"distinct", verified, func(r *model.Result) { r.Distinct++ }, "6 distinct states, want 5", "6 distinct states"},
		{"depth", verified, func(r *model.Result) { r.Depth++ }, "depth 4, want 3", ""},
		{"nothing", violated, func(*model.Result) {}, "", ""},
		{"verdict", violated, func(r *model.Result) { r.Verdict = spec.Hang }, "verdict hang, want violated", "verdict hang"},
		{"property", violated, func(r *model.Result) { r.Property = "Quiescent" }, "refutes Quiescent, want NoHang", "refutes Quiescent"},
		{"distinct", violated, func(r *model.Result) { r.Distinct++ }, "6 distinct states", ""},
		{"no answer in the table", Question{}, func(*model.Result) {}, "has no answer", "has no answer"},
	} {
		r := model.Result{Verdict: c.q.Verdict, Property: c.q.Property, Generated: c.q.Generated, Distinct: c.q.Distinct, Depth: c.q.Depth}
		c.spoil(&r)
		for exact, want := range map[bool]string{true: c.exact, false: c.parallel} {
			if got := c.q.Differs(r, exact); (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s %s, exact %v: Differs: got %q, want %q", c.q.Verdict, c.name, exact, got, want)
			}
		}
	}
}

func message(code, severity int, body string) string {
	return fmt.Sprintf("@!@!@STARTMSG %d:%d @!@!@\n%s\n@!@!@ENDMSG %d @!@!@\n", code, severity, body, code)
}

// stateMessage is a state of a counterexample.
func stateMessage(n int, action, state string) string {
	return message(msgState, 4, fmt.Sprintf("%d: <%s line 1 of module SharedBarrier>\n%s", n, action, state))
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

// TestUnit_StateParts: what has happened, and what a state must have.
func TestUnit_StateParts(t *testing.T) {
	s, err := parseState(strings.Replace(stateText, "happened |-> {}", `happened |-> {"Die", "Relink"}`, 1))
	if err != nil || !s.Dead || !s.Relinked {
		t.Errorf("parseState: got %v, %v, want a death and a relink", s, err)
	}
	if s, err = parseState(stateText); err != nil || s.Dead || s.Relinked {
		t.Errorf("parseState: got %v, %v, want neither", s, err)
	}
	for old, new := range map[string]string{
		`rounds = (0 :> 0)`:  `rounds = (0 :> 0 @@ 1 :> 0)`,
		`read |-> (0 :> -2)`: `read |-> (0 :> -2 @@ 1 :> -2)`,
		`exit = -1`:          `exit = 2147483648`,
		`/\ pc = (0`:         `/\ pc (0`,
		`lock = -1`:          `lock = ` + strings.Repeat("{", deepest+1) + strings.Repeat("}", deepest+1),
	} {
		if s, err := parseState(strings.Replace(stateText, old, new, 1)); err == nil {
			t.Errorf("parseState with %s: got %v, want an error", new, s)
		}
	}
	nested := strings.Repeat("{", deepest) + strings.Repeat("}", deepest)
	if p := parse(nested); fmt.Sprint(p.value()) != strings.NewReplacer("{", "[", "}", "]").Replace(nested) {
		t.Errorf("%s was not read", nested)
	}
}

// asTLC is a run whose Java is a shell script, and whose jar is one that this
// package takes for a release. Its folder has what the script leaves there.
func asTLC(t *testing.T, text string) (r Run, dir string) {
	t.Helper()
	dir = t.TempDir()
	java, jar := filepath.Join(dir, "java"), filepath.Join(dir, "jar")
	t.Setenv("LEFT", dir)
	if err := errors.Join(os.WriteFile(java, []byte("#!/bin/sh\n"+text), 0o700), os.WriteFile(jar, []byte(jarText), 0o600)); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(jarText))
	real := releases
	releases = []release{{file: "jar", sha256: hex.EncodeToString(sum[:])}}
	t.Cleanup(func() { releases = real })
	t.Setenv("TMPDIR", t.TempDir())
	return Run{Tools: Tools{Java: java, Jar: jar}, Files: fstest.MapFS{"A.tla": {Data: []byte("a module")}},
		Question: Question{Scenario: "reuse", Procs: 1, Kind: "test", Invariants: []string{"Quiescent"}}}, dir
}

func saying(log string) string { return "cat << 'end'\n" + log + "end\n" }

// TestUnit_Check: the verdict, the figures, and what TLC was given. Nothing is
// left in TMPDIR.
func TestUnit_Check(t *testing.T) {
	success := message(msgSuccess, 0, "Model checking completed.")
	figures := message(msgStats, 0, "12 states generated, 7 distinct states found, 0 states left on queue.") + message(msgDepth, 0, "search is 4.")
	keep := "for a; do echo \"$a\" >>$LEFT/arguments; done; cp A.tla *.cfg $LEFT; cat Schedule.tla >>$LEFT/arguments 2>$LEFT/none\n"
	for _, c := range []struct {
		name, script string
		change       func(*Run)
		verdict      spec.Verdict
		want         error
		note         string
		has, lacks   []string // arguments
	}{
		{"success", saying(success + figures), func(r *Run) {}, spec.Verified, nil, "", []string{"-workers\n1\n", "MCSharedBarrier\n", "-XX:+UseParallelGC\n"},
			[]string{"-lncheck", "-dump", "-simulate", "-Xmx", "-XX:+UseSerialGC"}},
		{"options", saying(success + figures), func(r *Run) {
			r.Workers, r.Memory, r.Small, r.Dump, r.Question.Properties = 3, "2g", true, "graph.dot", []string{"NoHang"}
		}, spec.Verified, nil, "", []string{"-workers\n3\n", "-Xmx2g\n", "-XX:+UseSerialGC\n", "-dump\ndot,actionlabels\ngraph.dot\n", "-lncheck\nfinal\n"}, []string{"-XX:+UseParallelGC"}},
		{"simulation", saying(figures), func(r *Run) { r.Simulate, r.Seed = 8, 5 }, spec.Unfinished, nil, "all 8 random behaviours tried, 12 states", []string{"-simulate\nnum=8\n", "-seed\n5\n"}, nil},
		{"violation", saying(message(msgInvariant, 1, "Invariant Quiescent is violated.")+figures) + "exit 12\n", func(r *Run) {}, spec.Violated, nil, "", nil, nil},
		{"no answer", saying(figures), func(r *Run) {}, spec.Unfinished, ErrTLC, "", nil, nil},
		{"no answer, and a code", saying(figures) + "exit 1\n", func(r *Run) {}, spec.Unfinished, ErrTLC, "", nil, nil},
		{"failure", saying(message(msgOutOfMemory, 1, "Java ran out of memory")), func(r *Run) {}, spec.Unfinished, ErrMemory, "", nil, nil},
		{"an unreadable line", saying(strings.Repeat("x", 1<<20+1) + "\n" + success), func(r *Run) {}, spec.Unfinished, bufio.ErrTooLong, "", nil, nil},
		{"no Java", "", func(r *Run) { r.Tools.Java += "-none" }, spec.Unfinished, os.ErrNotExist, "", nil, nil},
		{"another jar", "", func(r *Run) { r.Tools.Jar = r.Tools.Java }, spec.Unfinished, ErrChecksum, "", nil, nil},
		{"no jar", "", func(r *Run) { r.Tools.Jar += "-none" }, spec.Unfinished, os.ErrNotExist, "", nil, nil},
		{"time limit", saying(figures) + "exec sleep 1000\n", func(r *Run) { r.Limit = time.Nanosecond }, spec.Unfinished, nil, "cut short", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, dir := asTLC(t, keep+c.script)
			c.change(&r)
			out, err := r.Check(context.Background())
			if out.Verdict != c.verdict || !errors.Is(err, c.want) || !strings.Contains(out.Note, c.note) {
				t.Errorf("Check: got %s, %v, note %q; want %s, %v, %q\n%s", out.Verdict, err, out.Note, c.verdict, c.want, c.note, out.Log)
			}
			if c.verdict == spec.Verified && (out.Generated != 12 || out.Distinct != 7 || out.Depth != 4 || out.Seconds <= 0 || !strings.Contains(string(out.Log), "12 states")) {
				t.Errorf("Check: got %+v", out)
			}
			arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
			for _, has := range c.has {
				if !strings.Contains(string(arguments), has) {
					t.Errorf("arguments: got %s, want %q in it", arguments, has)
				}
			}
			for _, lacks := range c.lacks {
				if strings.Contains(string(arguments), lacks) {
					t.Errorf("arguments: got %s, want no %q", arguments, lacks)
				}
			}
			if c.has != nil {
				if text, err := os.ReadFile(filepath.Join(dir, "A.tla")); string(text) != "a module" {
					t.Errorf("TLC was given the module %q, %v", text, err)
				}
				if text, err := os.ReadFile(filepath.Join(dir, "MCSharedBarrier.cfg")); string(text) != r.Question.Configuration() {
					t.Errorf("TLC was given the configuration %q, %v", text, err)
				}
			}
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("Check leaves %v, %v", left, err)
			}
		})
	}
}

// TestUnit_ReplayAsks: Replay counts the steps that TLC takes, without the
// initial state of each trace, and gives it the traces.
func TestUnit_ReplayAsks(t *testing.T) {
	r, dir := asTLC(t, "cat Schedule.tla Replay.cfg >$LEFT/given\n"+
		saying(message(msgSuccess, 0, "")+message(msgStats, 0, "9 states generated, 7 distinct states found, 0 states left on queue.")))
	steps, err := r.Replay(context.Background(), model.Trace{{Label: "Call"}}, model.Trace{})
	given, _ := os.ReadFile(filepath.Join(dir, "given"))
	if steps != 5 || err != nil || !strings.Contains(string(given), `<<0, "Call", 0, 0, 0>>`) || !strings.Contains(string(given), "SPECIFICATION ReplaySpec") {
		t.Errorf("Replay: got %d, %v, want 5\n%s", steps, err, given)
	}
	r.Tools.Java += "-none"
	if _, err := r.Replay(context.Background(), model.Trace{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Replay without Java: got %v, want %v", err, os.ErrNotExist)
	}
}

// TestUnit_CheckAll: one run answers a group. If it refutes one question each is
// asked alone, up to one that fails.
func TestUnit_CheckAll(t *testing.T) {
	group := []Question{
		{Scenario: "reuse", Procs: 1, Kind: "a", Invariants: []string{"First"}, Class: Short},
		{Scenario: "reuse", Procs: 1, Kind: "b", Invariants: []string{"Second"}, Properties: []string{"NoHang"}, Class: Medium},
	}
	if all := join(group); all.Kind != "a+b" || all.Class != Medium || !slices.Equal(all.Invariants, []string{"First", "Second"}) || !slices.Equal(all.Properties, []string{"NoHang"}) {
		t.Errorf("join: got %+v", all)
	}
	if all := join([]Question{group[1], group[0]}); all.Class != Medium {
		t.Errorf("join: got class %s, want medium", all.Class)
	}
	for _, c := range []struct {
		name, script, want string
		fails              bool
	}{
		{"all hold", saying(message(msgSuccess, 0, "")), "verified verified", false},
		{"one is refuted", "grep -q Second *.cfg && { " + saying(message(msgInvariant, 1, "Invariant Second is violated.")) + "exit 12; }\n" + saying(message(msgSuccess, 0, "")), "verified violated", false},
		{"one hangs", "grep -q Second *.cfg && { " + saying(message(msgDeadlock, 1, "Deadlock reached.")) + "exit 12; }\n" + saying(message(msgSuccess, 0, "")), "verified hang", false},
		{"the run fails", "exit 1\n", "unfinished", true},
		{"one of them fails", "grep -q Second *.cfg || exit 1\n" + saying(message(msgInvariant, 1, "Invariant Second is violated.")), "unfinished", true},
	} {
		r, _ := asTLC(t, c.script)
		answers, err := r.CheckAll(context.Background(), group)
		var got []string
		for _, a := range answers {
			got = append(got, string(a.Verdict))
		}
		if strings.Join(got, " ") != c.want || (err != nil) != c.fails {
			t.Errorf("%s: CheckAll: got %v, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// TestUnit_Distributed: the server's answer counts, unless it has no whole
// counterexample, or fails over a worker that came too late. Then one process is
// asked again.
func TestUnit_Distributed(t *testing.T) {
	success := message(msgSuccess, 0, "")
	violated := message(msgInvariant, 1, "Invariant Quiescent is violated.")
	behaviour := stateMessage(1, "Initial predicate", stateText)
	failure := message(1000, 1, "TLC threw an unexpected exception.")
	dismissed := message(msgWorkerDismissed, 0, "Worker")
	for _, c := range []struct {
		name, server, alone string
		verdict             spec.Verdict
		states              int
		want                error
		note                string
		asks                string // the programs that ran, sorted
	}{
		{"success", success, "", spec.Verified, 0, nil, "", "server worker worker"},
		{"no counterexample", violated, "", spec.Violated, 0, nil, "", "server worker worker"},
		{"the end of a counterexample", violated + behaviour, violated + behaviour + stateMessage(2, "Call", strings.Replace(stateText, "Call", "LockInit", 1)), spec.Violated, 1, nil, "", "alone server worker worker"},
		{"a late worker", dismissed + failure, success, spec.Verified, 0, nil, "one process was asked again", "alone server worker worker"},
		{"a failure", failure, success, spec.Unfinished, 0, ErrTLC, "", "server worker worker"},
		{"a success, and a failure after it", dismissed + success + failure, "", spec.Verified, 0, ErrTLC, "", "server worker worker"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The workers end with the server, once both have begun.
			r, dir := asTLC(t, `case "$*" in
*.TLCServer\ *) echo server >>$LEFT/ran; until [ $(grep -c worker $LEFT/ran) = 2 ]; do sleep 0.01; done; `+saying(c.server)+`;;
*.TLCWorker\ *) echo worker >>$LEFT/ran; exec sleep 1000;;
*) echo alone >>$LEFT/ran; `+saying(c.alone)+`;;
esac
`)
			r.Distributed = 2
			out, err := r.Check(context.Background())
			ran, _ := os.ReadFile(filepath.Join(dir, "ran"))
			programs := strings.Fields(string(ran))
			slices.Sort(programs)
			if out.Verdict != c.verdict || !errors.Is(err, c.want) || len(out.Trace) != c.states || !strings.Contains(out.Note, c.note) || strings.Join(programs, " ") != c.asks {
				t.Errorf("Check: got %s, %v, a trace of %d, note %q by %v; want %s, %v, %d, %q by %s\n%s",
					out.Verdict, err, len(out.Trace), out.Note, programs, c.verdict, c.want, c.states, c.note, c.asks, out.Log)
			}
		})
	}
}

// TestUnit_Configuration is the whole text that TLC gets, with the comments of
// the table.
func TestUnit_Configuration(t *testing.T) {
	text := `{"version": 2, "procs": {"2": "two do"}, "rounds": {"unbounded": "no end", "control": "as the hazard", "holds": "it holds", "fails": "it fails"},
"kinds": {"live": "Does it end?"}, "scenarios": {"crash": {"doc": "One dies.", "control": "None dies."}, "reuse": {"doc": "All call.", "procs": "own procs"}, "surplus": {"doc": "One more.", "rounds": "own rounds"}},
"questions": [
{"scenario": "crash", "control": true, "procs": 2, "rounds": 3, "kind": "live", "properties": ["NoHang"], "verdict": "verified", "distinct": 7, "depth": 2},
{"scenario": "crash", "procs": 2, "rounds": 3, "kind": "Quiescent", "invariants": ["Quiescent"], "verdict": "violated", "property": "Quiescent"},
{"scenario": "crash", "procs": 2, "rounds": 2, "kind": "live", "spec": "MySpec", "verdict": "verified"},
{"scenario": "reuse", "procs": 2, "kind": "live", "verdict": "verified"},
{"scenario": "surplus", "procs": 2, "rounds": 2, "kind": "live", "verdict": "verified", "whyProcs": "why so many"},
{"scenario": "surplus", "procs": 2, "rounds": 3, "kind": "live", "verdict": "verified", "whyRounds": "why so long"}]}`
	read := func(text string) ([]Question, error) {
		return ReadQuestions(fstest.MapFS{TableFile: {Data: []byte(text)}})
	}
	list, err := read(text)
	if err != nil {
		t.Fatal(err)
	}
	const want = `\* None dies.  Does it end?
\* questions.json expects: verified, 7 distinct states, depth 2.
CONSTANTS
    N = 2       \* two do
    Rounds = 3  \* as the hazard
    Scenario = "crash"
    Control = TRUE
    Count <- MCCount  Parties <- MCParties  MayCall <- MCMayCall  MayGiveUp <- MCMayGiveUp
    Dead <- MCDead  EnvOK <- MCEnvOK  ReadWrite <- MCReadWrite
SPECIFICATION MCLiveSpec
INVARIANTS TypeOK
PROPERTIES NoHang
CHECK_DEADLOCK FALSE
`
	if got := list[0].Configuration(); got != want || list[0].Name() != "crash-control-n2-r3-live" {
		t.Errorf("Configuration of %s: got\n%s\nwant\n%s", list[0].Name(), got, want)
	}
	for i, parts := range [][]string{
		1: {"One dies.  Does Quiescent hold?", "it fails", "SPECIFICATION MCSpec\nINVARIANTS TypeOK Quiescent\nCHECK", "Control = FALSE"},
		2: {"it holds", "SPECIFICATION MySpec\n"},
		3: {"own procs", "no end"},
		4: {"why so many", "own rounds"},
		5: {"two do", "why so long"},
	} {
		for _, part := range parts {
			if got := list[i].Configuration(); !strings.Contains(got, part) {
				t.Errorf("Configuration of %s: got\n%s\nwant %q in it", list[i].Name(), got, part)
			}
		}
	}
	if plain := (Question{Scenario: "reuse", Procs: 1}).Configuration(); strings.Contains(plain, `\*`) || !strings.HasPrefix(plain, "CONSTANTS\n") {
		t.Errorf("Configuration without comments: got\n%s", plain)
	}
	for old, new := range map[string]string{
		`"procs": 2, "rounds": 3, "kind": "live", "properties"`: `"procs": 2, "rounds": -3, "kind": "live", "properties"`,
		`"kind": "live", "properties"`:                          `"kind": "a b", "invariants": ["a b"], "properties"`,
		`"version": 2,`:                                         `"version": 2, "more": 1,`,
		`"questions": [`:                                        `"questions": {`,
		`{"2": "two do"}`:                                       `{"0": "none", "2": "two do"}, "questions": [{"scenario": "crash", "procs": 0, "rounds": 1, "kind": "live"}], "kinds"`,
	} {
		if !strings.Contains(text, old) {
			t.Fatalf("the table has no %s", old)
		}
		if list, err := read(strings.Replace(text, old, new, 1)); err == nil {
			t.Errorf("ReadQuestions with %s: got %+v, want an error", new, list)
		}
	}
	if list, err := ReadQuestions(fstest.MapFS{}); err == nil {
		t.Errorf("ReadQuestions without a table: got %+v, want an error", list)
	}
}

// TestUnit_GraphLines: lines that are neither a state nor an edge are skipped,
// and a state may be long.
func TestUnit_GraphLines(t *testing.T) {
	first, second, edge := graphLines()
	long := strings.Replace(second, `happened |-> {}`, `happened |-> {`+strings.Repeat(`\"Die\", `, 10_000)+`\"Die\"}`, 1)
	g, err := ReadGraph(strings.NewReader("strict digraph DiskGraph {\nnodesep=0.35;\n" + first + long + edge + "}\n"))
	if err != nil || len(g.States) != 2 || !g.States[1].Dead || len(g.Edges[0]) != 1 || g.Initial != 0 {
		t.Errorf("ReadGraph: got %d states, %v, %v", len(g.States), g.Edges, err)
	}
	for name, text := range map[string]string{
		"an edge from no state": first + second + strings.Replace(edge, "1 ->", "7 ->", 1),
		"a line without an end": first + strings.Repeat("x", 1<<20+1),
		"states of different numbers of processes": first + strings.NewReplacer(`(0 :> \"LockInit\")`, `(0 :> \"LockInit\" @@ 1 :> \"Call\")`,
			`rounds = (0 :> 0)`, `rounds = (0 :> 0 @@ 1 :> 0)`, `read |-> (0 :> -2)`, `read |-> (0 :> -2 @@ 1 :> -2)`).Replace(second),
	} {
		if g, err := ReadGraph(strings.NewReader(text)); err == nil {
			t.Errorf("ReadGraph with %s: got %+v, want an error", name, g)
		}
	}
}

// TestUnit_Jar: the jar has the class, and can be read to its end.
func TestUnit_Jar(t *testing.T) {
	jar, err := jarOf("A.class", []byte("a class"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(r, "A.class")
	if string(text) != "a class" || err != nil || len(r.File) != 1 {
		t.Errorf("the jar: got %q, %v, %d files", text, err, len(r.File))
	}
}
