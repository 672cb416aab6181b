package tlc

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

func TestParseValue(t *testing.T) {
	for text, want := range map[string]value{
		`-1`:                        -1,
		`"Call"`:                    "Call",
		`{}`:                        []value{},
		`{"Die", "Relink"}`:         []value{"Die", "Relink"},
		`(0 :> "Call")`:             map[value]value{0: "Call"},
		"(0 :> -2 @@\n  1 :> 7)":    map[value]value{0: -2, 1: 7},
		`(0 :> (0 :> 1) @@ 1 :> 2)`: map[value]value{0: map[value]value{0: 1}, 1: 2},
	} {
		got, rest, err := parseValue(text)
		if err != nil || rest != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("parseValue(%q) = %v, %q, %v; want %v", text, got, rest, err, want)
		}
	}
	for _, text := range []string{``, `x`, `"Call`, `{1`, `(0 :> 1`, `(0 1)`, `(0 :> 1 1 :> 2)`} {
		if got, _, err := parseValue(text); err == nil {
			t.Errorf("parseValue(%q) = %v, want an error", text, got)
		}
	}
}

func TestParseState_Refuses(t *testing.T) {
	good := `/\ flag = 1 /\ exit = -1 /\ enter = 0 /\ happened = {} /\ pc = (0 :> "Call") /\ orphan = -1 /\ lock = -1 /\ rounds = (0 :> 0) /\ seen = (0 :> -2)`
	if s, err := parseState(good); err != nil || s.Words != spec.Initial {
		t.Fatalf("parseState(%s) = %v, %v", good, s, err)
	}
	for old, new := range map[string]string{
		`"Call"`:     `"Cull"`,
		`lock = -1`:  `lock = {}`,
		`flag = 1`:   `banner = 1`,
		`seen = (0 `: `seen = (`,
	} {
		if s, err := parseState(strings.Replace(good, old, new, 1)); err == nil {
			t.Errorf("parseState with %s for %s = %v, want an error", new, old, s)
		}
	}
}

func TestParseConfig_Refuses(t *testing.T) {
	good := "CONSTANTS\n N = 2\n Rounds = 0\n Scenario = \"reuse\"\n Kept = TRUE\nSPECIFICATION Spec\nCHECK_DEADLOCK FALSE\n"
	if c, err := ParseConfig("good", good); err != nil || c.Procs != 2 || !c.Kept {
		t.Fatalf("ParseConfig = %+v, %v", c, err)
	}
	for old, new := range map[string]string{
		"N = 2":                "M = 2",
		"N = 2\n":              "",
		"= 0":                  "= none",
		`"reuse"`:              `"refuse"`,
		"SPECIFICATION Spec\n": "",
		"DEADLOCK FALSE":       "DEADLOCK TRUE",
		"CONSTANTS\n":          "",
	} {
		if c, err := ParseConfig("bad", strings.Replace(good, old, new, 1)); err == nil {
			t.Errorf("ParseConfig with %q for %q = %+v, want an error", new, old, c)
		}
	}
}

// A lasso: after the last step comes step Loop again.
func TestRead_Lasso(t *testing.T) {
	state := func(n, action, pc string) string {
		return "@!@!@STARTMSG 2217:4 @!@!@\n" + n + ": <" + action + " line 1 of module SharedBarrier>\n" +
			`/\ flag = 1` + "\n" + `/\ exit = -1` + "\n" + `/\ enter = 0` + "\n" + `/\ happened = {}` + "\n" +
			`/\ pc = (0 :> "` + pc + `")` + "\n" + `/\ orphan = -1` + "\n" + `/\ lock = -1` + "\n" +
			`/\ rounds = (0 :> 0)` + "\n" + `/\ seen = (0 :> -2)` + "\n@!@!@ENDMSG 2217 @!@!@\n"
	}
	output := "@!@!@STARTMSG 2116:1 @!@!@\nTemporal properties were violated.\n@!@!@ENDMSG 2116 @!@!@\n" +
		state("1", "Initial predicate", "Call") + state("2", "Call", "LockInit") + state("3", "GiveUp", "Call") +
		state("4", "Call", "LockInit") +
		"@!@!@STARTMSG 2122:4 @!@!@\n3: Back to state: <GiveUp line 1 of module SharedBarrier>\n@!@!@ENDMSG 2122 @!@!@\n"
	var f findings
	if err := f.read(strings.NewReader(output), func(Progress) {}); err != nil {
		t.Fatal(err)
	}
	var got model.Result
	f.fill(&got, Config{Procs: 1, Properties: []string{"NoHang"}})
	var labels []string
	for _, e := range got.Trace {
		labels = append(labels, e.Label)
	}
	if want := "Call GiveUp Call GiveUp"; strings.Join(labels, " ") != want || got.Loop != 3 || got.Property != "NoHang" || got.Verdict != spec.Violated {
		t.Errorf("read: %v, loop %d, %s %s; want %s, loop 3, violated NoHang", labels, got.Loop, got.Verdict, got.Property, want)
	}
}

func TestRead_Failures(t *testing.T) {
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

// A graph has one initial state, and edges between states.
func TestReadGraph_Refuses(t *testing.T) {
	label := func(pc string) string {
		return `/\\ flag = 1\n/\\ exit = -1\n/\\ enter = 0\n/\\ happened = {}\n/\\ pc = (0 :> \"` + pc + `\")\n` +
			`/\\ orphan = -1\n/\\ lock = -1\n/\\ rounds = (0 :> 0)\n/\\ seen = (0 :> -2)`
	}
	first := `1 [label="` + label("Call") + `",style = filled]` + "\n"
	second := `-2 [label="` + label("LockInit") + `"];` + "\n"
	edge := `1 -> -2 [label="Call",color="black",fontcolor="black"];` + "\n"
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
