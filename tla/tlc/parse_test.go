package tlc

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A value is parsed as a variable of a state is.
func TestUnit_ParseValue(t *testing.T) {
	value := func(text string) (v value, failed bool) {
		defer func() { failed = recover() != nil }()
		p := parse(text)
		v = p.value()
		return v, len(p.rest) > 0
	}
	type function = map[any]any
	for text, want := range map[string]any{
		`-1`:                           -1,
		`"Call"`:                       "Call",
		`{}`:                           []any{},
		`{"Die", "Relink"}`:            []any{"Die", "Relink"},
		`(0 :> "Call")`:                function{0: "Call"},
		"(0 :> -2 @@\n  1 :> 7)":       function{0: -2, 1: 7},
		`(0 :> (0 :> 1) @@ 1 :> 2)`:    function{0: function{0: 1}, 1: 2},
		`[at |-> {}, to |-> (0 :> 1)]`: function{"at": []any{}, "to": function{0: 1}},
	} {
		if got, failed := value(text); failed || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("value of %q = %v, failed %v; want %v", text, got, failed, want)
		}
	}
	for _, text := range []string{``, `x`, `"Call`, `{1`, `{1 2}`, `(0 :> 1`, `(0 1)`, `(0 :> 1 1 :> 2)`, `[at |-> 1`} {
		if got, failed := value(text); !failed {
			t.Errorf("value of %q = %v, want a panic", text, got)
		}
	}
}

// stateText is the initial state of one process as TLC prints it.
const stateText = `/\ flag = 1
/\ exit = -1
/\ enter = 0
/\ env = [happened |-> {}, read |-> (0 :> -2)]
/\ pc = (0 :> "Call")
/\ lock = -1
/\ rounds = (0 :> 0)`

func TestUnit_ParseStateRefuses(t *testing.T) {
	if s, err := parseState(stateText); err != nil || s.Words != spec.Initial {
		t.Fatalf("parseState(%s) = %v, %v", stateText, s, err)
	}
	for old, new := range map[string]string{
		`"Call"`:       `"Cull"`,
		`lock = -1`:    `lock = {}`,
		`flag = 1`:     `banner = 1`,
		`read |-> (0 `: `read |-> (`,
	} {
		if s, err := parseState(strings.Replace(stateText, old, new, 1)); err == nil {
			t.Errorf("parseState with %s for %s = %v, want an error", new, old, s)
		}
	}
}

// A table is refused if a question is not explained, or not known by its name.
func TestUnit_ReadQuestionsRefuses(t *testing.T) {
	good := `{"version": 2, "procs": {"2": "enough"}, "rounds": {"unbounded": "no end"}, "kinds": {"safety": "Is it safe?"},
"scenarios": {"reuse": {"doc": "All call."}}, "questions": [{"scenario": "reuse", "procs": 2, "kind": "safety"}]}`
	read := func(text string) ([]Question, error) {
		return ReadQuestions(fstest.MapFS{TableFile: {Data: []byte(text)}})
	}
	if list, err := read(good); err != nil || len(list) != 1 || list[0].Name() != "reuse-n2-safety" {
		t.Fatalf("ReadQuestions = %+v, %v; want reuse-n2-safety", list, err)
	}
	for old, new := range map[string]string{
		`"version": 2`:            `"version": 1`,
		`"2": "enough"`:           ``,
		`"unbounded": "no end"`:   ``,
		`"safety": "Is it safe?"`: ``,
		`{"doc": "All call."}`:    `{}`,
		`"scenario": "reuse"`:     `"scenario": "refuse"`,
		`"kind": "safety"}`:       `"kind": "safety"}, {"scenario": "reuse", "procs": 2, "kind": "safety"}`,
		`"procs": 2`:              `"prosc": 2`,
	} {
		if list, err := read(strings.Replace(good, old, new, 1)); err == nil {
			t.Errorf("ReadQuestions with %q for %q = %+v, want an error", new, old, list)
		}
	}
}

// Questions about the same states whose formulas must hold are one group, and
// each of the others is a group of its own.
func TestUnit_Group(t *testing.T) {
	q := func(kind string, verdict spec.Verdict, specification string) Question {
		return Question{Scenario: "reuse", Procs: 2, Kind: kind, Verdict: verdict, Spec: specification}
	}
	other := q("safety", spec.Verified, "")
	other.Rounds = 2
	list := []Question{q("safety", spec.Verified, ""), q("Quiescent", spec.Violated, ""), other, q("forever", spec.Verified, "MCFairSpec"), q("NoHang", spec.Verified, "")}
	var got [][]string
	for _, group := range Group(list) {
		var names []string
		for _, q := range group {
			names = append(names, q.Name())
		}
		got = append(got, names)
	}
	want := "[[reuse-n2-safety reuse-n2-NoHang] [reuse-n2-Quiescent] [reuse-n2-r2-safety] [reuse-n2-forever]]"
	if fmt.Sprint(got) != want {
		t.Errorf("Group = %v, want %s", got, want)
	}
}

// lasso is the output of a run that refutes a temporal property.
func lasso() string {
	state := func(n, action, pc string) string {
		return "@!@!@STARTMSG 2217:4 @!@!@\n" + n + ": <" + action + " line 1 of module SharedBarrier>\n" +
			strings.Replace(stateText, "Call", pc, 1) + "\n@!@!@ENDMSG 2217 @!@!@\n"
	}
	return "@!@!@STARTMSG 2116:1 @!@!@\nTemporal properties were violated.\n@!@!@ENDMSG 2116 @!@!@\n" +
		state("1", "Initial predicate", "Call") + state("2", "Call", "LockInit") + state("3", "GiveUp", "Call") +
		state("4", "Call", "LockInit") +
		"@!@!@STARTMSG 2122:4 @!@!@\n3: Back to state: <GiveUp line 1 of module SharedBarrier>\n@!@!@ENDMSG 2122 @!@!@\n"
}

// A lasso: after the last step comes step Loop again.
func TestUnit_ReadLasso(t *testing.T) {
	var f findings
	if err := f.read(strings.NewReader(lasso()), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	var got model.Result
	f.fill(&got, Question{Scenario: "reuse", Procs: 1, Properties: []string{"NoHang"}})
	var labels []string
	for _, e := range got.Trace {
		labels = append(labels, e.Label)
	}
	if want := "Call GiveUp Call GiveUp"; strings.Join(labels, " ") != want || got.Loop != 3 || got.Property != "NoHang" || got.Verdict != spec.Violated {
		t.Errorf("read: %v, loop %d, %s %s; want %s, loop 3, violated NoHang", labels, got.Loop, got.Verdict, got.Property, want)
	}
}

func TestUnit_ReadFailures(t *testing.T) {
	for text, want := range map[string]error{
		"@!@!@STARTMSG 1001:1 @!@!@\nJava ran out of memory.\n@!@!@ENDMSG 1001 @!@!@\n":                                                  ErrMemory,
		"*** Errors: 1\nUnknown operator: x\n@!@!@STARTMSG 3002:1 @!@!@\nParsing or semantic analysis failed.\n@!@!@ENDMSG 3002 @!@!@\n": ErrSpec,
		"@!@!@STARTMSG 9999:1 @!@!@\nSomething else.\n@!@!@ENDMSG 9999 @!@!@\n":                                                          ErrTLC,
	} {
		var f findings
		if err := f.read(strings.NewReader(text), func(Progress) {}); err != nil || !errors.Is(f.failure, want) {
			t.Errorf("read(%q): %v, failure %v; want %v", text, err, f.failure, want)
		}
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
		strings.Replace(lasso(), `lock = -1`, `lock = `+strings.Repeat("{", 1<<16), 1),     // nested
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

// FuzzGraph reads graphs that TLC might dump: each is a graph or an error.
func FuzzGraph(f *testing.F) {
	first, second, edge := graphLines()
	f.Add(first + second + edge)
	f.Add(first + strings.Replace(second, "0 :>", "1 :>", -1) + edge)
	f.Add(strings.Replace(first, `(0 :> -2)`, `(0 :> -2 @@ 1 :> 0)`, 1) + second + edge)
	f.Fuzz(func(t *testing.T, dot string) {
		g, err := ReadGraph(strings.NewReader(dot))
		if err == nil && len(g.Edges) != len(g.States) {
			t.Errorf("a graph of %d states has the edges of %d", len(g.States), len(g.Edges))
		}
	})
}

// graphLines returns two nodes of a graph and an edge between them.
func graphLines() (first, second, edge string) {
	label := func(pc string) string {
		return strings.NewReplacer("Call", pc, "\\", "\\\\", "\"", "\\\"", "\n", "\\n").Replace(stateText)
	}
	return `1 [label="` + label("Call") + `",style = filled]` + "\n",
		`-2 [label="` + label("LockInit") + `"];` + "\n",
		`1 -> -2 [label="Call",color="black",fontcolor="black"];` + "\n"
}

// A graph has one initial state, and edges between states.
func TestUnit_ReadGraphRefuses(t *testing.T) {
	first, second, edge := graphLines()
	if g, err := ReadGraph(strings.NewReader(first + second + edge)); err != nil || len(g.Edges[0]) != 1 || g.Edges[0][0] != (Edge{0, "Call", 1}) {
		t.Fatalf("ReadGraph = %+v, %v; want two states and the edge p0:Call", g, err)
	}
	for name, text := range map[string]string{
		"no initial state":     second,
		"two initial states":   first + strings.Replace(second, `"];`, `",style = filled]`, 1),
		"an edge to no state":  first + edge,
		"a state that is none": strings.Replace(first, "Call", "Cull", 1),
	} {
		if g, err := ReadGraph(strings.NewReader(text)); err == nil {
			t.Errorf("ReadGraph with %s = %+v, want an error", name, g)
		}
	}
}
