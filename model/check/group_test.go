package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sharedbarrier/model/group"
	"sharedbarrier/spec/golden"
)

// TestUnit_GroupJSON: what --group prints has the form of the schema, with each
// verdict.
func TestUnit_GroupJSON(t *testing.T) {
	schema := golden.Schema(t, "group.schema.json")
	for args, want := range map[string]string{
		"--group 2+1 --deaths 1 --coverage":                   `"verdict":"verified"`,
		"--group 2 --deaths 1 --mutant no-wake":               `"verdict":"hang","property":"NoHang"`,
		"--group 2 --deaths 1 --mutant no-undo":               `"verdict":"violated","property":"Quiescent"`,
		"--group 2 --max-states 10 --property LockExclusive":  `"verdict":"unfinished"`,
		"--group 2 --rounds 1 --may leave,join,reset,give-up": `"may":["give-up","join","reset","leave"]`,
	} {
		out, _ := check(t, t.Context(), append(strings.Fields(args), "--json")...)
		if err := schema.Validate(golden.JSON(t, out)); err != nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("check %s --json: %v, %s\nwant one line with %s", args, err, out, want)
		}
	}
	if schema.Validate(golden.JSON(t, `{"version":1,"members":2,"foreign":0,"rounds":1,"deaths":0,"may":[],"verdict":"hang","generated":1,"distinct":1,"depth":1,"seconds":0}`)) == nil {
		t.Error("the schema takes a hang without its trace")
	}
}

// TestUnit_GroupReproduces runs the command that a failure prints and finds the
// same counterexample, which names threads, their steps and what they wait for.
func TestUnit_GroupReproduces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "timeline.html")
	out, stderr, _ := checkBoth(t.Context(), "--group", "2", "--deaths", "1", "--mutant", "no-wake", "--timeline", path)
	_, line, ok := strings.Cut(stderr, "reproduce: go run ./model/check ")
	if !ok {
		t.Fatalf("check printed no way to reproduce: %q", stderr)
	}
	if again, _ := check(t, t.Context(), strings.Fields(line)...); table(again) != table(out) {
		t.Errorf("reproduced:\n%s\nwant:\n%s", again, out)
	}
	for _, want := range []string{"m0 stays at Gather: it sleeps until a member wakes it", "TurnBroken", "turn 2 broken", "x dead"} {
		if !strings.Contains(out, want) {
			t.Errorf("check printed\n%s\nwant %q in it", out, want)
		}
	}
	if html, err := os.ReadFile(path); err != nil || !strings.Contains(string(html), "NoHang fails") {
		t.Errorf("--timeline: %v, want a page of the counterexample", err)
	}
}

// TestUnit_GroupCompletes: verified where no call returns says nothing.
func TestUnit_GroupCompletes(t *testing.T) {
	out, err := check(t, t.Context(), "--group", "2", "--mutant", "no-init-exit", "--property", "WordsInRange")
	if err == nil || !strings.Contains(err.Error(), "the question is empty") {
		t.Errorf("check, where all hang before a call returns: error %v, output %q; want a usage error", err, out)
	}
	if completes([]group.Transition{{At: "Return", Event: "Die"}}) {
		t.Error("a member that dies at Return has not returned")
	}
}
