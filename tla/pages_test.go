package tla_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

// The tables of README.md are what the manifest says.
func TestGolden_README(t *testing.T) {
	golden.Parts(t, "README.md", "table", func(name string) string {
		switch name {
		case "verdicts":
			return verdictTable(t)
		case "questions":
			return questionTable(t)
		default:
			t.Fatalf("README.md wants a table %q, which nobody makes", name)
			return ""
		}
	})
}

// Every name of a question in README.md is one.
func TestPages_NameQuestions(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile("[a-z-]+-n[0-9](-r[0-9])?-[A-Za-z]+").FindAllString(string(text), -1) {
		if _, err := fs.Stat(tla.Files, name+".cfg"); err != nil {
			t.Errorf("README.md names the question %s, which does not exist", name)
		}
	}
}

// verdictTable has a row for each scenario and control, and says of each property
// whether TLC found it to hold.
func verdictTable(t *testing.T) string {
	columns := []string{"NoEarlyExit", "WordsInRange", "LockExclusive", "NoHang", "Quiescent", "RefinesBarrier"}
	verdicts := verdictsByRow(t)
	rows := slices.SortedFunc(maps.Keys(verdicts), func(a, b string) int { return rank(a) - rank(b) })
	var text strings.Builder
	fmt.Fprintf(&text, "| scenario | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, row := range rows {
		fmt.Fprintf(&text, "| %s |", row)
		for _, column := range columns {
			verdict := string(verdicts[row][column])
			if verdict == string(spec.Fails) {
				verdict = "**" + verdict + "**"
			}
			fmt.Fprintf(&text, " %s |", verdict)
		}
		text.WriteString("\n")
	}
	return text.String()
}

// verdictsByRow says by scenario or control, and by property, what TLC found.
func verdictsByRow(t *testing.T) map[string]map[string]spec.Expectation {
	t.Helper()
	verdicts := map[string]map[string]spec.Expectation{}
	for _, config := range configs(t) {
		if config.Specification == "FairSpec" {
			continue // not the scenario's own fairness
		}
		row := scenarioName(config)
		if verdicts[row] == nil {
			verdicts[row] = map[string]spec.Expectation{}
		}
		verdict := spec.Holds
		if manifest(t).Find(config.Name).Verdict != spec.Verified {
			verdict = spec.Fails
		}
		for _, property := range config.Asks() {
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
func scenarioName(config tlc.Config) string {
	if config.Kept && model.ControlOf(config.Scenario) != "" {
		return fmt.Sprintf("`%v`, guarantee kept", config.Scenario)
	}
	return fmt.Sprintf("`%v`", config.Scenario)
}

// rank orders rows of the verdict table as spec orders scenarios.
func rank(row string) int {
	name, _, _ := strings.Cut(strings.TrimPrefix(row, "`"), "`")
	scenario, _ := spec.ParseScenario(name)
	return 2*int(scenario) + strings.Count(row, "kept")
}

// questionTable is the manifest.
func questionTable(t *testing.T) string {
	var text strings.Builder
	text.WriteString("| question | asks for | answer | distinct states | depth | takes |\n|---|---|---|---:|---:|---|\n")
	for _, e := range manifest(t).Configs {
		config, err := tlc.ReadConfig(tla.Files, e.Config)
		if err != nil {
			t.Fatal(err)
		}
		takes := map[tlc.Class]string{tlc.Short: "seconds", tlc.Medium: "up to two minutes", tlc.Long: "longer"}[e.Class]
		fmt.Fprintf(&text, "| `%s` | %s | %s | %d | %d | %s |\n",
			e.Config, strings.Join(config.Asks(), ", "), e.Verdict, e.Distinct, e.Depth, takes)
	}
	return text.String()
}
