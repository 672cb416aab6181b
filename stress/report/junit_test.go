//go:build linux

package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// A rule is what the schema of Jenkins and Surefire (junit-10.xsd of the xUnit
// plugin) says of an element.
type rule struct {
	children           []string
	text               bool
	required, optional []string
}

var junitRules = map[string]rule{
	"testsuites": {[]string{"testsuite"}, false, nil, []string{"name", "time", "tests", "failures", "errors"}},
	"testsuite": {[]string{"testsuite", "properties", "testcase", "system-out", "system-err"}, false, []string{"name", "tests", "failures", "errors"},
		[]string{"group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"}},
	"properties": {[]string{"property"}, false, nil, nil},
	"property":   {nil, false, []string{"name", "value"}, nil},
	"testcase": {[]string{"skipped", "error", "failure", "system-out", "system-err"}, false, []string{"name"},
		[]string{"time", "classname", "group"}},
	"skipped":    {nil, true, nil, []string{"type", "message"}},
	"error":      {nil, true, nil, []string{"type", "message"}},
	"failure":    {nil, true, nil, []string{"type", "message"}},
	"system-out": {nil, true, nil, nil},
	"system-err": {nil, true, nil, nil},
}

var surefireTime = regexp.MustCompile(`^(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?$`)

// checkJUnit returns what is wrong with the file, and how many test cases have
// passed (and were not skipped), have failed and have an error.
func checkJUnit(text string) (passed, failed, broken int, err error) {
	var open []string
	skipped, ended := 0, false
	for from := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := from.Token()
		switch {
		case errors.Is(err, io.EOF) && ended:
			return passed - failed - broken - skipped, failed, broken, nil
		case err != nil:
			return 0, 0, 0, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			switch {
			case len(open) == 0 && name != "testsuites" && name != "testsuite":
				return 0, 0, 0, fmt.Errorf("the root is %s", name)
			case len(open) > 0 && !slices.Contains(junitRules[open[len(open)-1]].children, name):
				return 0, 0, 0, fmt.Errorf("%s in %s", name, open[len(open)-1])
			}
			if err := checkAttributes(token); err != nil {
				return 0, 0, 0, err
			}
			open = append(open, name)
			switch name {
			case "testcase":
				passed++
			case "failure":
				failed++
			case "error":
				broken++
			case "skipped":
				skipped++
			}
		case xml.EndElement:
			open = open[:len(open)-1]
			ended = len(open) == 0
		case xml.CharData:
			if len(open) > 0 && !junitRules[open[len(open)-1]].text && strings.TrimSpace(string(token)) != "" {
				return 0, 0, 0, fmt.Errorf("text in %s: %q", open[len(open)-1], token)
			}
		}
	}
}

func checkAttributes(e xml.StartElement) error {
	r := junitRules[e.Name.Local]
	has := map[string]bool{}
	for _, a := range e.Attr {
		has[a.Name.Local] = true
		if !slices.Contains(slices.Concat(r.required, r.optional), a.Name.Local) {
			return fmt.Errorf("%s has %s", e.Name.Local, a.Name.Local)
		}
		if a.Name.Local == "time" && !surefireTime.MatchString(a.Value) {
			return fmt.Errorf("%s has the time %q", e.Name.Local, a.Value)
		}
	}
	for _, name := range r.required {
		if !has[name] {
			return fmt.Errorf("%s has no %s", e.Name.Local, name)
		}
	}
	return nil
}

func junitOf(t *testing.T, doc report.Document) string {
	t.Helper()
	var b strings.Builder
	if err := doc.JUnit(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The file of a document with all kinds of runs is as the readers want it. To
// have another program judge it, set SHAREDBARRIER_JUNIT to a path that gets
// it.
func TestUnit_JUnit(t *testing.T) {
	doc := sample(t)
	odd := "the port said \x1b[31m\x00\x07 ]]> \xff \ufffe <&\"'> and\nmore"
	doc.Command += " --port '" + odd + "'"
	doc.Runs[1].Cause, doc.Runs[1].Hang.Workers[0].Stderr = odd, odd
	doc.Outcomes = append(doc.Outcomes, report.Outcome{Scenario: "crash", Control: true, Outcome: odd, Grade: "forbidden", Seen: 2, Rounds: 9})
	doc.Scenarios = append(doc.Scenarios, report.Scenario{Scenario: "crash", Control: true, Verdict: spec.Violated, Cause: odd})
	text := junitOf(t, doc)
	passed, failed, broken, err := checkJUnit(text)
	// One of the two outcomes of the control of crash has failed, and its
	// verdict; then five cases for each of the other four runs. In that of
	// ports two were skipped, and one has failed; in the violated one two have.
	if err != nil || passed != 1+5+2+3 || failed != 2+1+2 || broken != 5 {
		t.Errorf("%d passed, %d failed, %d errors, %v; want 11, 5, 5:\n%s", passed, failed, broken, err, text)
	}
	for _, want := range []string{`message="the port said \u001b[31m\u0000\u0007 ]]&gt; \xff \ufffe &lt;&amp;&#34;&#39;&gt; and&#xA;more"`, `tests="23" errors="5" failures="5"`, `skipped="2"`, `classname="stress.crash.control"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %s:\n%s", want, text)
		}
	}
	if path := os.Getenv("SHAREDBARRIER_JUNIT"); path != "" {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// What a scenario has not shown in its time is an error, and no failure.
func TestUnit_JUnitOfAnUnfinishedScenario(t *testing.T) {
	doc := report.Document{
		Runs:      []run.Report{{Scenario: "crash", Verdict: spec.Passed}},
		Scenarios: []report.Scenario{{Scenario: "crash", Verdict: spec.Unfinished, Cause: "not seen: hang"}},
		Outcomes:  []report.Outcome{{Scenario: "crash", Outcome: "hang", Grade: "expected"}, {Scenario: "crash", Outcome: "NoEarlyExit", Grade: "forbidden", Passed: true}},
	}
	text := junitOf(t, doc)
	if passed, failed, broken, err := checkJUnit(text); err != nil || passed != 1 || failed != 0 || broken != 2 || !strings.Contains(text, `<testcase name="verdict" classname="stress.crash">`) {
		t.Errorf("%d passed, %d failed, %d errors, %v; want 1, 0, 2, and a case for the verdict:\n%s", passed, failed, broken, err, text)
	}
}

// TestHazard_JUnitRules: the rules refuse files that are not as they should be.
func TestHazard_JUnitRules(t *testing.T) {
	text := junitOf(t, report.Of(run.Report{Verdict: spec.Hang, Hang: &run.Hang{Why: "it hangs"}, Seconds: 1.5}, "go run ./stress --procs 1"))
	if _, failed, _, err := checkJUnit(text); err != nil || failed != 1 {
		t.Fatalf("%d failed, %v; want 1:\n%s", failed, err, text)
	}
	for old, wrong := range map[string]string{
		"<testcase name": "<testcase title", "</testsuites>": "", "<property ": "<setting ", `time="1.500"`: `time="1.5 s"`, ` failures="1"`: "", "<failure": "it failed<failure",
		"it hangs": "it \x01 hangs", `<testsuites name="stress"`: `<testsuites name="stress" skipped="1"`,
	} {
		spoiled := strings.ReplaceAll(text, old, wrong)
		if _, _, _, err := checkJUnit(spoiled); err == nil || spoiled == text {
			t.Errorf("with %q in place of %q the file passes:\n%s", wrong, old, spoiled)
		}
	}
}
