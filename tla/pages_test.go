package tla_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/tla/tlc"
)

// The tables of README.md are what questions.json says.
func TestGolden_README(t *testing.T) {
	golden.Parts(t, "README.md", "table", func(name string) string {
		switch name {
		case "verdicts":
			return golden.Table(verdictTable(t))
		case "questions":
			return golden.Table(questionTable(t))
		default:
			t.Fatalf("README.md wants a table %q, and this test makes none", name)
			return ""
		}
	})
}

// The .cfg files beside the modules are what TLC is given.
func TestGolden_Configurations(t *testing.T) {
	paths, err := filepath.Glob("*.cfg")
	if err != nil || len(paths) == 0 {
		t.Fatalf("Glob(*.cfg) = %v, %v; want some", paths, err)
	}
	for _, path := range paths {
		golden.File(t, path, question(t, strings.TrimSuffix(path, ".cfg")).Configuration())
	}
}

// Every name of a question in README.md is one.
func TestUnit_PageNamesQuestions(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("[a-z-]+-n[0-9](-r[0-9])?-[A-Za-z]+").FindAllString(string(text), -1) {
		if !slices.ContainsFunc(questions(t), func(q tlc.Question) bool { return q.Name() == name }) {
			t.Errorf("README.md names the question %s, which does not exist", name)
		}
	}
}

// verdictTable has a row for each scenario and control, and says of each
// property whether TLC found it to hold.
func verdictTable(t *testing.T) [][]string {
	head := []string{"scenario", "NoEarlyExit", "WordsInRange", "LockExclusive", "NoHang", "Quiescent", "RefinesBarrier"}
	rows, verdicts := [][]string{head}, verdictsByRow(t)
	for _, scenario := range spec.AllScenarios {
		for _, control := range []bool{false, true} {
			title := scenarioName(tlc.Question{Scenario: scenario.String(), Control: control})
			if verdicts[title] == nil {
				continue
			}
			row := []string{title}
			for _, property := range head[1:] {
				verdict := string(verdicts[title][property])
				if verdict == string(spec.Fails) {
					verdict = "**" + verdict + "**"
				}
				row = append(row, verdict)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// verdictsByRow says by scenario or control, and by property, what TLC found.
func verdictsByRow(t *testing.T) map[string]map[string]spec.Expectation {
	t.Helper()
	verdicts := map[string]map[string]spec.Expectation{}
	for _, q := range questions(t) {
		if q.Spec == "MCFairSpec" {
			continue // not the scenario's own fairness
		}
		row := scenarioName(q)
		if verdicts[row] == nil {
			verdicts[row] = map[string]spec.Expectation{}
		}
		verdict := spec.Holds
		if q.Verdict != spec.Verified {
			verdict = spec.Fails
		}
		for _, property := range q.Formulas() {
			if property == "NoDeadlock" {
				if verdict == spec.Holds {
					continue // weaker than NoHang
				}
				property = spec.NoHang.String()
			}
			if old := verdicts[row][property]; old != "" && old != verdict {
				t.Errorf("scenario %s, %s: %s and %s", row, property, old, verdict)
			}
			verdicts[row][property] = verdict
		}
	}
	return verdicts
}

// scenarioName names the scenario, or its control.
func scenarioName(q tlc.Question) string {
	if q.Control {
		return fmt.Sprintf("`%s`, control", q.Scenario)
	}
	return fmt.Sprintf("`%s`", q.Scenario)
}

// questionTable is questions.json.
func questionTable(t *testing.T) [][]string {
	takes := map[tlc.Class]string{tlc.Short: "seconds", tlc.Medium: "up to two minutes", tlc.Long: "longer"}
	rows := [][]string{{"question", "asks for", "answer", "distinct states", "depth", "takes"}}
	for _, q := range questions(t) {
		rows = append(rows, []string{"`" + q.Name() + "`", strings.Join(q.Formulas(), ", "), string(q.Verdict),
			fmt.Sprint(q.Distinct), fmt.Sprint(q.Depth), takes[q.Class]})
	}
	return rows
}
