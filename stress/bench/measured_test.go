//go:build linux

package bench

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec/golden"
)

// The measurement that the pages show is recorded on a quiet machine, with all
// that it shows, by
//
//	go test ./stress/bench -run TestGolden_Measured -record -update -timeout 2h -v
//
// The parties then run on the first two processors.
var record = flag.Bool("record", false, "measure again for TestGolden_Measured: minutes to an hour")

const measured = "measured.json"

// measuredNames lists the contenders of the measurement, in the order of the
// table.
func (d Document) measuredNames() []string {
	return slices.DeleteFunc(Names(), func(name string) bool {
		return !slices.ContainsFunc(d.Contenders, func(c Contender) bool { return c.Name == name })
	})
}

// TestGolden_Measured: the tables and the picture are those of the measurement
// that is recorded, which lacks nothing but contenders that are newer. These are
// named.
func TestGolden_Measured(t *testing.T) {
	if *record {
		recordMeasurement(t)
	}
	text, err := os.ReadFile(measured)
	if err != nil {
		t.Fatal(err)
	}
	if err := golden.Schema(t, "document.schema.json").Validate(golden.JSON(t, string(text))); err != nil {
		t.Fatalf("%s: %v", measured, err)
	}
	var doc Document
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, problem := range incomplete(doc) {
		t.Errorf("%s: %s", measured, problem)
	}
	var svg bytes.Buffer
	if err := doc.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	golden.File(t, "measured.svg", svg.String())
	made := machine(doc)
	golden.Part(t, "../../README.md", "table", "speed", made+golden.Table(speed(doc)))
	golden.Part(t, "../README.md", "table", "measured", made+golden.Table(table(quiet(doc))))
	golden.Part(t, "../README.md", "table", "targets", golden.Table(targets(doc)))
}

// recordMeasurement measures all.
func recordMeasurement(t *testing.T) {
	c := Default()
	c.Stall = 10 * time.Minute // the machine may be busy for a while
	begun := time.Now()
	c.Progress = func(done, all int, next string) {
		if done%50 == 0 {
			t.Logf("%v: %d of %d, %s", time.Since(begun).Round(time.Second), done, all, next)
		}
	}
	doc, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var line bytes.Buffer
	if err := doc.JSON(&line); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(measured, line.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// incomplete says what the document lacks of the whole measurement.
func incomplete(doc Document) (problems []string) {
	whole := Default()
	whole.Processors = []int{1, 2}
	if doc.Command != "go run ./stress bench" || doc.Interrupted {
		problems = append(problems, fmt.Sprintf("it is of %q, interrupted: %v; want the whole measurement", doc.Command, doc.Interrupted))
	}
	if !slices.Contains(doc.measuredNames(), Base) {
		problems = append(problems, "it has no "+Base)
	}
	for _, c := range doc.Contenders {
		if !slices.Contains(Names(), c.Name) {
			problems = append(problems, fmt.Sprintf("it has %s, and there is no such contender", c.Name))
		}
	}
	for _, name := range doc.measuredNames() {
		i := slices.IndexFunc(doc.Contenders, func(c Contender) bool { return c.Name == name })
		if i < 0 || doc.Contenders[i].Absent != "" {
			problems = append(problems, "it has no "+name)
			continue
		}
		for _, s := range whole.Settings() {
			if p, found := at(doc.Points, s, name); !found || len(p.Samples) != whole.Repeat {
				problems = append(problems, fmt.Sprintf("%s with %d parties on %s: %d samples, want %d", name, s.Parties, s.Where(), len(p.Samples), whole.Repeat))
			}
		}
	}
	return problems
}

func at(points []Point, s Setting, contender string) (Point, bool) {
	i := slices.IndexFunc(points, func(p Point) bool { return p.Setting == s && p.Contender == contender })
	if i < 0 {
		return Point{}, false
	}
	return points[i], true
}

// quiet returns the points on two processors with nothing beside the parties.
func quiet(doc Document) (list []Point) {
	for _, p := range doc.Points {
		if p.Processors == 2 && !p.Busy {
			list = append(list, p)
		}
	}
	return list
}

// machine says where and when the document was measured, and what is newer.
func machine(doc Document) string {
	e := doc.Environment
	text := fmt.Sprintf("`%s`, %s, on 2 processors (%s, Linux %s, load %.1f before)", doc.Command, doc.Started.Format(time.DateOnly), e.CPU, e.Kernel, e.Load)
	newer := slices.DeleteFunc(Names(), func(name string) bool { return slices.Contains(doc.measuredNames(), name) })
	if len(newer) > 0 {
		text += ", without what is newer: `" + strings.Join(newer, "`, `") + "`"
	}
	return text + ":\n\n"
}

// speed is the table of the time of a round: that of the base, and how many
// times as long the others take.
func speed(doc Document) [][]string {
	names := slices.DeleteFunc(doc.measuredNames(), func(name string) bool { return name == Base })
	head := []string{"parties", "`" + Base + "`"}
	for _, name := range names {
		head = append(head, "`"+name+"`")
	}
	rows := [][]string{head}
	for _, n := range Default().Parties {
		s := Setting{Processors: 2, Parties: n}
		base, _ := at(doc.Points, s, Base)
		row := []string{fmt.Sprint(n), number(base.Latency.Median) + " µs"}
		for _, name := range names {
			p, _ := at(doc.Points, s, name)
			row = append(row, times(p.Ratio.Latency))
		}
		rows = append(rows, row)
	}
	return rows
}

// A target is a ratio that a contender is to keep to.
type target struct {
	contender, base string
	of              func(Sample) float64
	what            string
	most            func(parties int) float64
}

var allTargets = []target{
	{"group", Base, Sample.latency, "time", func(parties int) float64 {
		if parties == 2 {
			return 0.5
		}
		return 1.2
	}},
	{"group", Base, Sample.cpu, "CPU time", always(1.2)},
	{"plain", Base, Sample.latency, "time", always(2)},
	{"group+original", "original", Sample.latency, "time", always(1)},
	{"plain+original", "original", Sample.latency, "time", always(1)},
}

func always(ratio float64) func(int) float64 { return func(int) float64 { return ratio } }

// targets is the table of the targets on two processors. What misses one is
// bold.
func targets(doc Document) [][]string {
	parties := Default().Parties
	head := []string{"contender", "compared with", "of a round", "target"}
	for _, n := range parties {
		head = append(head, fmt.Sprintf("%d parties", n))
	}
	rows := [][]string{head}
	for _, g := range allTargets {
		if !slices.Contains(doc.measuredNames(), g.contender) {
			continue
		}
		limit := "×" + number(g.most(3))
		if g.most(2) != g.most(3) {
			limit = "×" + number(g.most(2)) + " for 2, else " + limit
		}
		row := []string{"`" + g.contender + "`", "`" + g.base + "`", g.what, limit}
		for _, n := range parties {
			s := Setting{Processors: 2, Parties: n}
			p, _ := at(doc.Points, s, g.contender)
			base, _ := at(doc.Points, s, g.base)
			row = append(row, g.cell(n, ratios(p.Samples, base.Samples, g.of)))
		}
		rows = append(rows, row)
	}
	return rows
}

func (g target) cell(parties int, ratio Spread) string {
	if ratio.Median > g.most(parties) {
		return "**" + times(ratio) + "**"
	}
	return times(ratio)
}

// TestHazard_Incomplete: a measurement that lacks a contender, a turn or a place,
// or that was interrupted, is not one to show. A target that is missed is bold.
func TestHazard_Incomplete(t *testing.T) {
	whole := func() Document {
		doc := newDocument(Default())
		doc.Command = "go run ./stress bench"
		for _, name := range Names() {
			doc.Contenders = append(doc.Contenders, Contender{Name: name})
		}
		c := Default()
		c.Processors = []int{1, 2}
		for _, s := range c.Settings() {
			var points []Point
			for i, name := range Names() {
				points = append(points, Point{Setting: s, Contender: name, Samples: slices.Repeat([]Sample{{1, float64(2 + i), 1, 1, 1}}, c.Repeat)})
			}
			doc.add(points)
		}
		return doc
	}
	if problems := incomplete(whole()); len(problems) > 0 {
		t.Errorf("the whole measurement: %q", problems)
	}
	for want, change := range map[string]func(*Document){
		"it has no group":                 func(d *Document) { d.Contenders[0].Absent = "gone" },
		"it has no glibc":                 func(d *Document) { d.Contenders = d.Contenders[:2] },
		"it has wood":                     func(d *Document) { d.Contenders[0].Name = "wood" },
		"want the whole measurement":      func(d *Document) { d.Interrupted = true },
		"on 1 processor: 4 samples":       func(d *Document) { d.Points[0].Samples = d.Points[0].Samples[1:] },
		"beside a busy loop: 0 samples":   func(d *Document) { d.Points = d.Points[:len(d.Points)-1] },
		`it is of "go run ./stress quick`: func(d *Document) { d.Command = "go run ./stress quick" },
	} {
		doc := whole()
		change(&doc)
		if problems := strings.Join(incomplete(doc), "\n"); !strings.Contains(problems, want) {
			t.Errorf("the problems are %q, want %q", problems, want)
		}
	}
	g := target{most: always(2)}
	doc := whole()
	if got := machine(doc); strings.Contains(got, "newer") {
		t.Errorf("all is measured: %q", got)
	}
	doc.Contenders = doc.Contenders[1:]
	if got := machine(doc); !strings.Contains(got, "without what is newer: `group`:") {
		t.Errorf("without the group: %q, want that it is named", got)
	}
	if got := g.cell(2, Spread{Median: 2}) + g.cell(2, Spread{Median: 2.1}); got != "×2.00**×2.10**" {
		t.Errorf("a target that is met, and one that is not: %s", got)
	}
}
