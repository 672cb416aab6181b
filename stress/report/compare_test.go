//go:build linux

package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
)

// pairs compares the document with one that has other outcomes and lacks a run.
func pairs(doc report.Document) report.Comparison {
	other := doc
	other.Outcomes = append(slices.Clone(doc.Outcomes[:1]), report.Outcome{Scenario: "surplus", Outcome: "hang", Grade: "allowed", Seen: 3, Rounds: 9, Passed: true})
	other.Runs = slices.Clone(doc.Runs[:len(doc.Runs)-1])
	other.Environment.CPUs = 64
	return report.Compare("a.json", doc, "b", other)
}

// measured returns the document of a run with the samples: rounds in each slice
// of 0.1 s, and their latencies, in microseconds.
func measured(rounds, latencies []float64) report.Document {
	rep := run.Report{Verdict: spec.Passed, Procs: 4, Samples: &run.Samples{Seconds: 0.1, Rounds: slices.Clone(rounds), P50: slices.Clone(latencies), P99: slices.Clone(latencies)}}
	return report.Of(rep, "go run ./stress --procs 4")
}

// says returns what a comparison of two documents says of their only run, for
// each measure.
func says(a, b report.Document) (list []report.Change) {
	for _, m := range report.Compare("a", a, "b", b).Runs[0].Measures {
		list = append(list, m.Says)
	}
	return list
}

// steady returns so many values about the mean, most of them within spread.
func steady(random *rand.Rand, n int, mean, spread float64) (list []float64) {
	for range n {
		list = append(list, mean*math.Exp(spread*random.NormFloat64()/2))
	}
	return list
}

func TestUnit_Changes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	base := func(rate, latency float64) report.Document {
		return measured(steady(random, 60, rate, 0.1), steady(random, 60, latency, 0.1))
	}
	few := measured([]float64{100, 101, 102, 103}, []float64{50, 51, 52, 53})
	slow := measured([]float64{1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1}, slices.Repeat([]float64{50, 0}, 10))
	long := base(800, 50) // as many rounds a second as 100 in 0.1 s
	long.Runs[0].Samples.Seconds = 0.8
	const same, faster, slower, unclear = report.Same, report.Faster, report.Slower, report.Unclear
	for _, c := range []struct {
		name string
		a, b report.Document
		want []report.Change // rounds/s, p50, p99, max
	}{
		{"the same", base(100, 50), base(100, 50), []report.Change{same, same, same, unclear}},
		{"less than the noise", base(100, 50), base(96, 52), []report.Change{same, same, same, unclear}},
		{"half as fast", base(100, 50), base(50, 100), []report.Change{slower, slower, slower, unclear}},
		{"twice as fast", base(50, 100), base(100, 50), []report.Change{faster, faster, faster, unclear}},
		{"more rounds, but later", base(50, 50), base(100, 100), []report.Change{faster, slower, slower, unclear}},
		{"longer slices", base(100, 50), long, []report.Change{same, same, same, unclear}},
		{"longer slices, half as fast", long, base(50, 100), []report.Change{slower, slower, slower, unclear}},
		{"too few slices", few, base(1000, 500), []report.Change{unclear, unclear, unclear, unclear}},
		{"less than one round a slice", slow, base(100, 5000), []report.Change{unclear, unclear, unclear, unclear}}, // 3 slices of 6 rounds
		{"no samples", report.Of(run.Report{Verdict: spec.Passed}, ""), base(100, 50), []report.Change{unclear, unclear, unclear, unclear}},
	} {
		if got := says(c.a, c.b); !slices.Equal(got, c.want) {
			var text strings.Builder
			report.Compare("a", c.a, "b", c.b).Text(&text)
			t.Errorf("%s: %v, want %v\n%s", c.name, got, c.want, text.String())
		}
	}
}

// The slices of one run are alike, since what goes on beside it lasts longer
// than a slice. Their mean drifts here. Of many pairs of runs that are the
// same, few may be said to differ; pairs that differ by a factor of two, all.
func TestUnit_DriftIsNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	drifting := func(mean float64) report.Document {
		var list []float64
		drift := 0.08 * random.NormFloat64()
		for range 60 {
			drift = 0.9*drift + 0.08*math.Sqrt(1-0.81)*random.NormFloat64()
			list = append(list, mean*math.Exp(drift+0.05*random.NormFloat64()))
		}
		return measured(list, list)
	}
	const pairs = 300
	wrong, found := 0, 0
	for range pairs {
		if says(drifting(100), drifting(100))[0] != report.Same {
			wrong++
		}
		if says(drifting(100), drifting(50))[0] == report.Slower {
			found++
		}
	}
	if wrong > pairs/50 || found < pairs {
		t.Errorf("of %d pairs that are the same, %d differ, want %d at most; of %[1]d with half the rate, %d are slower, want all", pairs, wrong, pairs/50, found)
	}
}

// TestGolden_Compare compares reports of real runs: two of the same
// configuration, and one on a machine that was kept busy.
func TestGolden_Compare(t *testing.T) {
	for _, c := range []struct{ a, b, rate string }{
		{"first", "second", "~"},
		{"first", "busy", "slower"},
		{"busy", "first", "faster"},
	} {
		pathA, pathB := filepath.Join("testdata", c.a+".json"), filepath.Join("testdata", c.b+".json")
		a, err := report.Read(pathA)
		if err != nil {
			t.Fatal(err)
		}
		b, err := report.Read(pathB)
		if err != nil {
			t.Fatal(err)
		}
		var text, line strings.Builder
		comparison := report.Compare(c.a+".json", a, c.b+".json", b)
		if err := comparison.Text(&text); err != nil {
			t.Fatal(err)
		}
		golden.File(t, fmt.Sprintf("testdata/%s-%s.txt", c.a, c.b), text.String())
		if c.b == "busy" {
			golden.Part(t, "../README.md", "output", "compare", "```console\n$ go run ./stress compare first.json busy.json\n"+text.String()+"```\n")
		}
		if got := row(text.String(), "rounds/s"); !strings.Contains(got, " "+c.rate+" ") {
			t.Errorf("%s and %s: %q, want %q in it", c.a, c.b, got, c.rate)
		}
		if err := comparison.JSON(&line); err != nil {
			t.Fatal(err)
		}
		if err := golden.Schema(t, "compare.schema.json").Validate(golden.JSON(t, line.String())); err != nil {
			t.Error(err)
		}
	}
}

// row returns the line of the text that begins with the name.
func row(text, name string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, name) {
			return line
		}
	}
	return ""
}

// A comparison has each run and each outcome of both sides, and says what is
// not comparable.
func TestUnit_ComparePairs(t *testing.T) {
	doc := sample(t)
	c := pairs(doc)
	last := c.Runs[len(c.Runs)-1]
	if len(c.Runs) != len(doc.Runs) || c.Runs[0].Run != "crash (control)" || c.Runs[0].A != "hang" || len(c.Runs[0].Measures) == 0 || last.Run != "run 5" || last.A == "" || last.B != "" || len(last.Measures) != 0 {
		t.Errorf("the runs are %+v; want those of A, measures of the first, the control of crash, and that B lacks the last", c.Runs)
	}
	var rows []string
	for _, o := range c.Outcomes {
		rows = append(rows, fmt.Sprint(o.Scenario, " ", o.Control, " ", o.A != nil, " ", o.B != nil, " ", o.Differs))
	}
	if want := []string{"crash false true true false", "crash true true false true", "surplus false false true true"}; !slices.Equal(rows, want) {
		t.Errorf("the outcomes are %q, want %q", rows, want)
	}
	for _, change := range []struct {
		what   string
		change func(*report.Document)
	}{
		{"", func(d *report.Document) { d.Seed, d.Runs[0].Seed, d.Runs[0].Asked.For = 7, 7, 3 }},
		{"other CPU count", func(d *report.Document) { d.Environment.CPUs++ }},
		{"other CPU", func(d *report.Document) { d.Environment.CPU = "another" }},
		{"other kernel", func(d *report.Document) { d.Environment.Kernel = "7" }},
		{"other architecture", func(d *report.Document) { d.Environment.Arch = "arm64" }},
		{"other system", func(d *report.Document) { d.Environment.OS = "other" }},
		{"other Go version", func(d *report.Document) { d.Environment.Go = "go2" }},
		{"busy before B", func(d *report.Document) { d.Environment.Load = 9 }},
		{"other process count", func(d *report.Document) { d.Runs[0].Procs++ }},
		{"other ports", func(d *report.Document) { d.Runs[0].Ports = []string{"c"} }},
		{"other faults", func(d *report.Document) { d.Runs[0].Faults = []run.Injected{{Fault: "busy:4"}} }},
		{"other pauses", func(d *report.Document) { d.Runs[0].Asked.Pauses = true }},
		{"B has not ended", func(d *report.Document) { d.Runs[0].End = "under-way" }},
	} {
		a, b := doc, doc
		a.Runs = []run.Report{{Verdict: spec.Passed, Procs: 4}}
		b.Runs = slices.Clone(a.Runs)
		change.change(&b)
		warnings := report.Compare("a", a, "b", b).Warnings
		if change.what == "" && len(warnings) != 0 || change.what != "" && (len(warnings) != 1 || !strings.Contains(warnings[0], change.what)) {
			t.Errorf("with %q the warnings are %q", change.what, warnings)
		}
	}
}

// TestHazard_NoReport: what is no report, or one of another version, is refused
// with what to do.
func TestHazard_NoReport(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                                 "is no report of stress; name a report.json",
		"{}":                               "is no report of stress; name a report.json",
		`{"version":3,"verdict":"passed"}`: "has version 3, and this program compares version 4; make both with one program",
		`{"version":5,"command":"go run ./stress --procs 2"}`:                      "one program: go run ./stress --procs 2 --json",
		`{"version":4,"command":"go run ./stress --procs 2"}`:                      "is no whole report",
		`{"version":4,"command":"go run ./stress --procs 2","runs":[{"procs":"`:    "is no report",
		`{"version":4,"command":"go run ./stress --procs 2","runs":["a"]}`:         "is no whole report",
		`{"version":4,"command":"go run ./stress --procs 2","runs":[]}` + "\nmore": "is no report",
	} {
		path := filepath.Join(dir, "report.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, dir} {
			if _, err := report.Read(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Read of %q: %v, want %q in the error", text, err, want)
			}
		}
	}
	if _, err := report.Read(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "name a report.json") {
		t.Errorf("Read of nothing: %v, want what to name", err)
	}
}
