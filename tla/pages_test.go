package tla_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
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

// The counterexamples of the hazard pages are those that TLC finds.
func TestGolden_Hazards(t *testing.T) {
	findTools(t)
	pages, err := filepath.Glob("hazards/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range pages {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".md"))
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			golden.Parts(t, path, "trace", func(question string) string {
				config, err := tlc.ReadConfig(tla.Files, question)
				if err != nil {
					t.Fatal(err)
				}
				outcome := ask(t, config)
				if len(outcome.Trace) == 0 {
					t.Fatalf("Check(%s): %s, want a counterexample", question, outcome.Verdict)
				}
				return traceTable(outcome.Result)
			})
		})
	}
	for _, config := range configs(t) {
		if !config.Kept && !slices.Contains(names, config.Scenario.String()) {
			t.Errorf("scenario %v fails and has no page in hazards/", config.Scenario)
		}
	}
}

// Whatever a page calls a question is one.
func TestPages_NameQuestions(t *testing.T) {
	pages, err := filepath.Glob("hazards/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(pages, "README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("[a-z-]+-n[0-9](-r[0-9])?-[A-Za-z]+").FindAllString(string(text), -1) {
			if _, err := fs.Stat(tla.Files, name+".cfg"); err != nil {
				t.Errorf("%s names the question %s, which does not exist", path, name)
			}
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

// traceTable has a row for each step; words stand where they change.
func traceTable(result model.Result) string {
	var text strings.Builder
	text.WriteString("\n| # | who | step | enter | exit | flag |\n|---:|---|---|---|---|---|\n")
	before := spec.Initial
	for i, e := range result.Trace {
		who, label := fmt.Sprintf("p%d", e.Proc), e.Label
		if e.Proc < 0 {
			who = ""
		}
		if e.Parties > 0 {
			label = fmt.Sprintf("%s(%d)", label, e.Parties)
		}
		fmt.Fprintf(&text, "| %d | %s | %s | %s | %s | %s |\n", i+1, who, label,
			change(before.Enter, e.Words.Enter), change(before.Exit, e.Words.Exit), change(before.Flag, e.Words.Flag))
		before = e.Words
	}
	fmt.Fprintf(&text, "\nFinally enter = %d, exit = %d, flag = %d.\n\n", before.Enter, before.Exit, before.Flag)
	return text.String()
}

func change(before, after int32) string {
	if before == after {
		return ""
	}
	return fmt.Sprintf("%d → %d", before, after)
}
