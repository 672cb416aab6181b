package tlc

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A table is refused if it is missing, or has what is unknown or makes no sense,
// or if a question is not explained, or not known by its name.
func TestUnit_ReadQuestionsRefuses(t *testing.T) {
	good := `{"version": 2, "procs": {"2": "enough", "0": "none"}, "rounds": {"unbounded": "no end", "fails": "until then"}, "kinds": {"safety": "Is it safe?"},
"scenarios": {"reuse": {"doc": "All call."}}, "questions": [{"scenario": "reuse", "procs": 2, "kind": "safety"}]}`
	if list, err := readTable(good); err != nil || len(list) != 1 || list[0].Name() != "reuse-n2-safety" {
		t.Fatalf("ReadQuestions = %+v, %v; want reuse-n2-safety", list, err)
	}
	for old, new := range map[string]string{
		`"version": 2`:            `"version": 1`,
		`"2": "enough", `:         ``,
		`"unbounded": "no end", `: ``,
		`"safety": "Is it safe?"`: ``,
		`{"doc": "All call."}`:    `{}`,
		`"scenario": "reuse"`:     `"scenario": "refuse"`,
		`"kind": "safety"}`:       `"kind": "safety"}, {"scenario": "reuse", "procs": 2, "kind": "safety"}`,
		`"procs": 2`:              `"prosc": 2`,
		`"procs": 2,`:             `"procs": 0,`,
		`"procs": 2, `:            `"procs": 2, "rounds": -3, `,
		`"kind": "safety"`:        `"kind": "a b", "invariants": ["a b"]`,
		`"version": 2,`:           `"version": 2, "more": 1,`,
		`"questions": [`:          `"questions": {`,
	} {
		if !strings.Contains(good, old) {
			t.Fatalf("the table has no %s", old)
		}
		if list, err := readTable(strings.Replace(good, old, new, 1)); err == nil {
			t.Errorf("ReadQuestions with %q for %q = %+v, want an error", new, old, list)
		}
	}
	if list, err := ReadQuestions(fstest.MapFS{}); err == nil {
		t.Errorf("ReadQuestions without a table: got %+v, want an error", list)
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
	list, err := readTable(text)
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
}

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

// FuzzQuestions: what is read as the table of questions has questions that can
// be asked, each with a name of its own.
func FuzzQuestions(f *testing.F) {
	table, err := os.ReadFile("../questions.json")
	if err != nil {
		f.Fatal(err)
	}
	if list, err := readTable(string(table)); err != nil || len(list) == 0 {
		f.Fatalf("the table itself: %d questions, %v", len(list), err)
	}
	// One question, with what explains it.
	const one = `{"version":VERSION,"kinds":{"safety":"k"},"scenarios":{"reuse":{"doc":"d","procs":"p","rounds":"r"}},"questions":[{"scenario":"reuse","kind":"safety","procs":2,"verdict":"verified","invariants":["TypeOK"]}]}`
	small := strings.Replace(one, "VERSION", versionOf(string(table)), 1)
	f.Add(small)
	for _, change := range [][2]string{
		{`"procs":2`, `"procs":-1`}, {`"procs":2`, `"procs":1000000000000`}, {`"procs":2`, `"procs":null`}, {`"questions":[`, `"questions":[null,`}, {`"reuse","kind"`, `"nonsense","kind"`},
		{`"kind":"safety"`, `"kind":"../../x"`}, {`"TypeOK"`, `"\nINVARIANT x"`}, {`"verdict":"verified"`, `"verdict":"what"`}, {`{"scenario"`, `[{"scenario"`}, {`]}`, `]}}`}, {`"kinds":{`, `"kinds":null,"x":{`},
	} {
		f.Add(strings.Replace(small, change[0], change[1], 1))
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := readTable(text)
		if err != nil && list != nil {
			t.Errorf("%q: got %v and %v", text, list, err)
		}
		names := map[string]bool{}
		for _, q := range list {
			_, err := spec.ParseScenario(q.Scenario)
			if err != nil || names[q.Name()] || q.Procs < 1 || q.Rounds < 0 || strings.ContainsAny(q.Name(), "/\\ \n\x00") {
				t.Errorf("%q: got the question %+v, %v", text, q, err)
			}
			names[q.Name()] = true
		}
	})
}

func readTable(text string) ([]Question, error) {
	return ReadQuestions(fstest.MapFS{TableFile: &fstest.MapFile{Data: []byte(text)}})
}

// versionOf returns the version that a table states.
func versionOf(table string) string {
	_, after, _ := strings.Cut(table, `"version"`)
	after = strings.TrimLeft(after, ": ")
	return after[:strings.IndexAny(after, ",\n ")]
}
