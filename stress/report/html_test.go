//go:build linux

package report_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"sharedbarrier/model"
	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/report"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/trace"
)

// documents returns a document of each verdict, and one of scenarios.
func documents(t *testing.T) map[string]report.Document {
	t.Helper()
	all := sample(t)
	all.Scenarios = append(all.Scenarios, report.Scenario{Scenario: "crash", Control: true, Procs: 2, Trials: 1, Rounds: 1000, Verdict: spec.Hang, Cause: "NoHang, which the model does not reach here"})
	docs := map[string]report.Document{"scenarios": all}
	of := func(name string, change func(*run.Report)) {
		i := slices.IndexFunc(all.Runs, func(r run.Report) bool { return name == string(r.Verdict) && r.Ports == nil })
		rep := all.Runs[i]
		rep.Scenario, rep.Control = "", false
		if change != nil {
			change(&rep)
		}
		doc := all
		doc.Scenarios, doc.Outcomes = nil, nil
		doc.Runs = []run.Report{report.Explain(rep, "go run ./stress --procs 4 --seed 42")}
		doc.Command, doc.Verdict, doc.Interrupted = "go run ./stress --procs 4 --seed 42", rep.Verdict, rep.Interrupted
		docs[strings.TrimSpace(fmt.Sprint(doc.ExitCode(), " ", doc.Runs[0].End))] = doc
	}
	of("passed", measure)
	of("hang", func(r *run.Report) { r.Hang.Causes[0].Do = "look for why: `dmesg`" })
	of("violated", func(r *run.Report) {
		measure(r)
		r.Histogram.Bars = r.Histogram.Bars[:1]
	})
	of("unfinished", nil)
	of("unfinished", func(r *run.Report) { r.Interrupted, r.Hang, r.Samples = false, nil, nil })
	of("unfinished", func(r *run.Report) { r.Interrupted, r.Hang, r.End = false, nil, "under-way" })
	return docs
}

// measure gives the run the measurements of many calls, and slow rounds with
// steps.
func measure(r *run.Report) {
	r.Histogram = &run.Histogram{Percentiles: []run.Percentile{{Percent: 50, Latency: 99.25}, {Percent: 99.99, Latency: 81920.5}, {Percent: 100, Latency: 81920.5}}}
	for i := range 40 {
		from := 10 * math.Pow(2, float64(i)/4)
		r.Histogram.Bars = append(r.Histogram.Bars, run.Bar{From: from, To: 10 * math.Pow(2, float64(i+1)/4), Calls: int64(1 + 37*i%11*i)})
	}
	r.Samples = &run.Samples{Start: 1e9, Seconds: 0.2}
	for i := range 60 {
		r.Samples.Rounds = append(r.Samples.Rounds, float64(200+i%7*10))
		r.Samples.P50 = append(r.Samples.P50, 90+float64(i%5))
		r.Samples.P99 = append(r.Samples.P99, 3000+float64(100*(i%9)))
	}
	r.Slowest = nil
	for i := range trace.Slowest {
		r.Slowest = append(r.Slowest, run.SlowRound{Round: int64(10 + i), Latency: float64(9000 - 1000*i), Recording: steps(r.Procs, int64(10+i), 2e9+int64(i)*1e9)})
	}
}

// steps returns the steps of a round in which the workers come one after the
// other, from the time on.
func steps(workers int, round, at int64) trace.Recording {
	rec := trace.Recording{Version: 1, Now: at + 9e6}
	walk := spec.CallSteps
	number := int64(0)
	for i, step := range walk {
		for w := range workers {
			r := trace.Record{Worker: w, Round: round, Parties: workers, Label: step.String(), Taken: true, Attempts: 1, Number: number}
			r.At = at + int64(i*workers+w)*8e6/int64(len(walk)*workers)
			r.Last = r.At
			if step.Holds() {
				number++
				r.Number, r.Words = number, &spec.Words{Enter: int32(w), Exit: int32(workers - w), Flag: int32(i % 2)}
			}
			if step == spec.AwaitFlag {
				r.Attempts = 32
			}
			rec.Records = append(rec.Records, r)
		}
	}
	for w := range workers {
		rec.Records = append(rec.Records, trace.Record{Worker: w, Round: round, Parties: workers, Label: "returned", At: at + 8e6, Last: at + 8e6, Number: number})
	}
	return rec
}

func pageOf(t *testing.T, doc report.Document) string {
	t.Helper()
	var page strings.Builder
	if err := doc.HTML(&page); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// opened opens the page and waits until its script has run.
func opened(t *testing.T, start func(string) *browsertest.Page, html string) *browsertest.Page {
	t.Helper()
	p := start(browsertest.File(t, html))
	p.Await(`document.body.dataset.ready === "true"`)
	return p
}

// A figure is a number on the page.
type figure struct{ Path, Value, Text string }

const allFigures = `[...document.querySelectorAll("data")].map((e) => ({ Path: e.dataset.path, Value: e.getAttribute("value"), Text: e.textContent }))`

var pageFigure = regexp.MustCompile(`<data value="([^"]*)" data-path="([^"]*)">([^<]*)</data>`)

// figuresOf returns the figures of the page, without a browser.
func figuresOf(html string) (list []figure) {
	for _, m := range pageFigure.FindAllStringSubmatch(html, -1) {
		list = append(list, figure{Path: m[2], Value: m[1], Text: m[3]})
	}
	return list
}

// elsewhere are the numbers that a page has in a text or a timeline.
var elsewhere = regexp.MustCompile(`\.(asked|early|other_ends|recording|slowest|words|causes|lock_holder|lock_holder_pid|lock_waiters|since_seconds|round|worker|start|begun|deaths|ports)\b`)

// wrongFigures says which figures are not those of the document, and which
// numbers of it the page lacks.
func wrongFigures(t *testing.T, doc report.Document, list []figure) (wrong []string) {
	t.Helper()
	var line strings.Builder
	if err := doc.JSON(&line); err != nil {
		t.Fatal(err)
	}
	from := json.NewDecoder(strings.NewReader(line.String()))
	from.UseNumber()
	var root any
	if err := from.Decode(&root); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]string{}
	flatten("", root, numbers)
	shown := map[string]bool{}
	for _, f := range list {
		shown[f.Path] = true
		text, err := strconv.ParseFloat(f.Text, 64)
		value, _ := strconv.ParseFloat(f.Value, 64)
		exact := !strings.ContainsAny(f.Value, ".e") && f.Text != f.Value
		if want := numbers[f.Path]; f.Value != want || err != nil || math.Abs(text-value) > 0.0006*value || exact {
			wrong = append(wrong, fmt.Sprintf("%s is %s, shown as %s, want %s", f.Path, f.Value, f.Text, want))
		}
	}
	for path := range numbers {
		if !shown[path] && !elsewhere.MatchString("."+path) {
			wrong = append(wrong, "the page lacks "+path)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// flatten lists the numbers of a JSON value by their paths.
func flatten(path string, value any, numbers map[string]string) {
	switch value := value.(type) {
	case json.Number:
		numbers[path] = value.String()
	case map[string]any:
		for name, part := range value {
			flatten(strings.TrimPrefix(path+"."+name, "."), part, numbers)
		}
	case []any:
		for i, part := range value {
			flatten(fmt.Sprintf("%s.%d", path, i), part, numbers)
		}
	}
}

// TestUnit_PageFigures: each page has each number of its document, and no other
// one.
func TestUnit_PageFigures(t *testing.T) {
	for name, doc := range documents(t) {
		list := figuresOf(pageOf(t, doc))
		if wrong := wrongFigures(t, doc, list); len(wrong) > 0 || len(list) < 10 {
			t.Errorf("%s: of %d figures are wrong:\n%s", name, len(list), strings.Join(wrong, "\n"))
		}
	}
}

// TestUnit_PageTrace: a page of a traced run has both commands that check the
// trace, and none if nothing can.
func TestUnit_PageTrace(t *testing.T) {
	doc, err := report.Read("testdata/traced.json")
	if err != nil {
		t.Fatal(err)
	}
	checks := doc.Runs[0].Trace.Checks(3)
	if len(checks) != 2 {
		t.Fatalf("Checks(3): got %q, want two commands", checks)
	}
	doc.Runs[0].Ports = nil
	for procs, want := range map[int]bool{3: true, model.MaxProcs + 1: false} {
		doc.Runs[0].Procs = procs
		page := pageOf(t, doc)
		for _, check := range checks {
			if strings.Contains(page, "<code>"+check+"</code>") != want {
				t.Errorf("%d processes: want that the page has %q: %v", procs, check, want)
			}
		}
	}
}

// TestUnit_PageOfARefutation: a run that refutes a property without an early exit
// says so, and does not count its violations as none.
func TestUnit_PageOfARefutation(t *testing.T) {
	doc := documents(t)["12 early-exit"]
	rep := doc.Runs[0]
	rep.Early, rep.Violations = nil, 0
	rep.Refuted = []oracle.Refutation{{Property: "WordsInRange", Worker: 1, Round: 3, Why: "at CountEnter"}}
	doc.Runs = []run.Report{rep}
	var text strings.Builder
	if err := rep.Text(&text); err != nil {
		t.Fatal(err)
	}
	for form, got := range map[string]string{"page": pageOf(t, doc), "text": text.String()} {
		if zero := regexp.MustCompile(`(?m)violations(</th><td>.*>|\s+)0\b.*$`).FindString(got); zero != "" || !strings.Contains(got, "early exits") || !strings.Contains(got, "WordsInRange fails: worker 1") {
			t.Errorf("%s: got %q, want no count of violations that is 0, one of early exits, and what fails:\n%.3000s", form, zero, got)
		}
	}
}

// TestHazard_WrongFigures: the comparison finds a figure that was changed, one
// that is badly rounded, and one that is not there.
func TestHazard_WrongFigures(t *testing.T) {
	doc := documents(t)["0 completed"]
	page := pageOf(t, doc)
	for old, wrong := range map[string]string{
		`<data value="307.2" data-path="runs.0.latency_us.p50">307.2</data>`: "",
		`<data value="307.2"`: `<data value="307.3"`,
		`>307.2</data>`:       `>308.2</data>`,
		`>1000</data>`:        `>1e3</data>`,
	} {
		if spoiled := strings.ReplaceAll(page, old, wrong); spoiled == page || len(wrongFigures(t, doc, figuresOf(spoiled))) == 0 {
			t.Errorf("with %q in place of %q the figures are right", wrong, old)
		}
	}
}

// TestProc_Pages opens the page of each verdict: no script error, all charts and
// timelines drawn, the same figures as without a browser, readable in both
// themes.
func TestProc_Pages(t *testing.T) {
	browsertest.Short(t)
	t.Parallel()
	start := browsertest.Start(t, 1400, 1000)
	titles := map[string]string{
		"0 completed": "✓ passed", "11 hang": "✗ hang", "12 early-exit": "✗ violated", "75 unfinished": "… unfinished", "75 under-way": "… unfinished",
		"130 stuck-interrupted": "… unfinished, interrupted", "scenarios": "✗ hang",
	}
	docs := documents(t)
	if len(docs) != len(titles) {
		t.Errorf("there are %d documents, want %d", len(docs), len(titles))
	}
	for name, doc := range docs {
		t.Run(name, func(t *testing.T) {
			html := pageOf(t, doc)
			p := opened(t, start, html)
			if got, want := browsertest.Eval[string](p, `document.querySelector("h1").textContent`), "stress: "+titles[name]; got != want || titles[name] == "" {
				t.Errorf("the title is %q, want %q", got, want)
			}
			if got, want := browsertest.Eval[[]figure](p, allFigures), figuresOf(html); !slices.Equal(got, want) {
				t.Errorf("the browser has %d figures, the file %d, or other ones", len(got), len(want))
			}
			browsertest.Eval[bool](p, `(document.querySelectorAll("main details").forEach((d) => (d.open = true)), true)`)
			p.Await(`[...document.querySelectorAll(".chart, .timeline-view")].every((box) => box.querySelector("svg"))`)
			if got, want := browsertest.Eval[int](p, `document.querySelectorAll(".chart svg").length`), chartsIn(doc); got != want {
				t.Errorf("the page has %d charts, want %d", got, want)
			}
			if got, want := browsertest.Eval[int](p, `document.querySelectorAll(".timeline-view svg").length`), timelinesIn(doc); got != want {
				t.Errorf("the page has %d timelines, want %d", got, want)
			}
			if labels := browsertest.Eval[[]string](p, `[...document.querySelectorAll(".chart [aria-label$='tick label'] text")].map((e) => e.textContent)`); len(labels) < 4*chartsIn(doc) || slices.Contains(labels, "") {
				t.Errorf("the ticks of the charts have the texts %q, want some of each chart, and none empty", labels)
			}
			for _, scheme := range []string{"light", "dark"} {
				p.Theme(scheme)
				if faint := p.Faint(); len(faint) > 0 {
					t.Errorf("%s: texts with little contrast: %q", scheme, faint)
				}
			}
			if nameless := p.Nameless(); len(nameless) > 0 {
				t.Errorf("controls without a name: %q", nameless)
			}
			p.Faultless()
		})
	}
}

func chartsIn(doc report.Document) (n int) {
	for _, r := range doc.Runs {
		if r.Histogram != nil {
			n++
		}
		if r.Samples != nil {
			n += 2
		}
	}
	return n
}

func timelinesIn(doc report.Document) (n int) {
	for _, r := range doc.Runs {
		n += len(r.Slowest)
		if r.Recording != nil {
			n++
		}
	}
	return n
}

// TestProc_PageCharts: bars and lines are as high as the figures are, and the
// box makes the scale of the bars linear.
func TestProc_PageCharts(t *testing.T) {
	browsertest.Short(t)
	t.Parallel()
	doc := documents(t)["0 completed"]
	p := opened(t, browsertest.Start(t, 1400, 1000), pageOf(t, doc))
	heights := func() []float64 {
		p.Await(`document.querySelector("[data-chart=histogram] svg")`)
		return browsertest.Eval[[]float64](p, `[...document.querySelectorAll("[data-chart=histogram] g[aria-label=rect] rect")].map((r) => Number(r.getAttribute("height")))`)
	}
	bars := doc.Runs[0].Histogram.Bars
	highest := slices.MaxFunc(bars, func(a, b run.Bar) int { return int(a.Calls - b.Calls) })
	for _, c := range []struct {
		scale  string
		height func(calls int64) float64
	}{
		{"logarithmic", func(calls int64) float64 { return math.Log(float64(calls) / 0.7) }},
		{"linear", func(calls int64) float64 { return float64(calls) }},
	} {
		if c.scale == "linear" {
			p.Click(".linear")
		}
		got := heights()
		if len(got) != len(bars) {
			t.Fatalf("%s: there are %d bars, want %d", c.scale, len(got), len(bars))
		}
		most := slices.Max(got)
		for i, b := range bars {
			if want := most * c.height(b.Calls) / c.height(highest.Calls); math.Abs(got[i]-want) > 1 {
				t.Errorf("%s: the bar of %d calls is %.1f high, want %.1f", c.scale, b.Calls, got[i], want)
			}
		}
	}
	rounds := doc.Runs[0].Samples.Rounds
	drops := browsertest.Eval[[]float64](p, `(() => {
		const svg = document.querySelector("[data-chart=rate] svg"), bottom = Number(svg.getAttribute("height")) - 30;
		const path = svg.querySelector("g[aria-label=line] path");
		return path.getAttribute("d").match(/[ML][^MLZ]*/g).filter((s, i) => i % 2 === 0).map((s) => bottom - Number(s.slice(1).split(",").at(-1)));
	})()`)
	if len(drops) != len(rounds) {
		t.Fatalf("the line of rounds a second has %d places, want %d", len(drops), len(rounds))
	}
	for i, got := range drops {
		if want := slices.Max(drops) * rounds[i] / slices.Max(rounds); math.Abs(got-want) > 1 {
			t.Errorf("slice %d: the line is %.1f high, want %.1f", i, got, want)
		}
	}
	p.Faultless()
}

// TestProc_PageByKeyboard uses each control of a page of scenarios, and reaches
// each with Tab.
func TestProc_PageByKeyboard(t *testing.T) {
	browsertest.Short(t)
	t.Parallel()
	doc := documents(t)["scenarios"]
	p := opened(t, browsertest.Start(t, 1400, 1000), pageOf(t, doc))
	status := func() string { return browsertest.Eval[string](p, `document.getElementById("status").textContent`) }
	focus := func(selector string) {
		browsertest.Eval[bool](p, fmt.Sprintf(`(document.querySelector(%q).focus(), true)`, selector))
	}

	focus("#repeat .copy")
	p.Press(kb.Enter)
	p.Await(`document.getElementById("status").textContent !== ""`)
	if got := status(); got != "The command is copied." {
		t.Errorf("after Copy: the status is %q", got)
	}
	focus("#run")
	p.Press("n") // the first one that begins with it: no scenario
	p.Await(`document.getElementById("run").value === "run-1"`)
	p.Press(kb.Tab, kb.Enter)
	p.Await(`document.getElementById("run-1").open && location.hash === "#run-1"`)
	focus("#run-0 > summary")
	p.Press(kb.Enter)
	p.Await(`document.getElementById("run-0").open`)
	p.Press(kb.Enter)
	p.Await(`!document.getElementById("run-0").open`)
	focus("#verdict tbody a")
	p.Press(kb.Enter)
	p.Await(`document.getElementById("run-0").open`)

	browsertest.Eval[bool](p, `(document.querySelectorAll("main details").forEach((d) => (d.open = true)), document.activeElement.blur(), window.reached = new Set(),
		document.addEventListener("focusin", (e) => reached.add(e.target)), document.querySelector("h1").scrollIntoView(), true)`)
	p.Await(`[...document.querySelectorAll(".timeline-view")].every((box) => box.querySelector("svg"))`)
	const controls = `[...document.querySelectorAll("a, button:enabled, select, input, summary, [tabindex='0']")]`
	all := browsertest.Eval[int](p, controls+`.length`)
	for range all + 2 {
		p.Press(kb.Tab)
	}
	if missing := browsertest.Eval[[]string](p, controls+`.filter((e) => !reached.has(e)).map((e) => e.outerHTML.slice(0, 90))`); len(missing) > 0 {
		t.Errorf("Tab reaches all of %d controls but %q", all, missing)
	}
	p.Faultless()
}

// TestProc_PagePrintAndNarrow: a print has each run and timeline and no buttons;
// on a small screen nothing is wider than the window.
func TestProc_PagePrintAndNarrow(t *testing.T) {
	browsertest.Short(t)
	t.Parallel()
	html := pageOf(t, documents(t)["scenarios"])
	start := browsertest.Start(t, 420, 800)
	p := opened(t, start, html)
	browsertest.Eval[bool](p, `(document.querySelectorAll("main details").forEach((d) => (d.open = true)), true)`)
	p.Await(`[...document.querySelectorAll(".chart, .timeline-view")].every((box) => box.querySelector("svg"))`)
	if got, want := browsertest.Eval[int](p, `document.documentElement.scrollWidth`), browsertest.Eval[int](p, `document.documentElement.clientWidth`); got > want {
		t.Errorf("the page is %d wide in a window of %d", got, want)
	}
	p = opened(t, start, html)
	p.Await(`document.querySelectorAll(".timeline:not([data-ready])").length === 0`)
	if left := browsertest.Eval[[]string](p, `(() => {
		dispatchEvent(new Event("beforeprint"));
		const boxes = [...document.querySelectorAll(".chart, .timeline-view")].filter((box) => !(parseFloat(box.style.minHeight) >= box.querySelector("svg")?.getAttribute("height")));
		dispatchEvent(new Event("afterprint"));
		return boxes.concat(...document.querySelectorAll("details.run[open]")).map((e) => e.outerHTML.slice(0, 80));
	})()`); len(left) > 0 {
		t.Errorf("without a picture and room for it when the print begins, or open after it: %q", left)
	}
	p.Print()
	p.Await(`[...document.querySelectorAll("details.run, details.timeline-of")].every((d) => d.open)`)
	p.Await(`[...document.querySelectorAll(".chart, .timeline-view")].every((box) => box.querySelector("svg"))`)
	if shown := browsertest.Eval[int](p, `[...document.querySelectorAll("button, select, input")].filter((e) => e.checkVisibility()).length`); shown > 0 {
		t.Errorf("the print shows %d controls, want none", shown)
	}
	p.Faultless()
}

// TestUnit_PageSize: the page of a hang of 64 workers, with all that their
// recorders can hold, and that of one of 1024.
func TestUnit_PageSize(t *testing.T) {
	doc := documents(t)["11 hang"]
	for _, c := range []struct{ procs, most int }{{64, 1_500_000}, {1024, 2_500_000}} {
		if testing.Short() && c.procs > 64 {
			continue
		}
		rep := doc.Runs[0]
		rep.Procs = c.procs
		measure(&rep)
		hang := *rep.Hang
		hang.Workers = slices.Repeat(hang.Workers, c.procs/len(hang.Workers))
		for i := range hang.Workers {
			hang.Workers[i].Worker = i
		}
		rep.Hang = &hang
		full := func(at int64) trace.Recording {
			rec := steps(c.procs, 1, at)
			for len(rec.Records) < trace.Last*c.procs {
				rec.Records = append(rec.Records, rec.Records[:min(len(rec.Records), trace.Last*c.procs-len(rec.Records))]...)
			}
			return rec
		}
		rep.Recording = new(full(2e9))
		for i := range rep.Slowest {
			rep.Slowest[i].Recording = full(2e9)
		}
		large := doc
		large.Runs = []run.Report{rep}
		if size := len(pageOf(t, large)); size > c.most {
			t.Errorf("%d workers: the page has %d bytes, want %d at most", c.procs, size, c.most)
		}
	}
}

// TestGolden_PagePicture says when the picture of stress/README.md is not of the
// page of testdata/traced.json, a real run. With -update it takes a new one, in
// Chromium. What package timeline draws with is left out of the comparison.
func TestGolden_PagePicture(t *testing.T) {
	doc, err := report.Read("testdata/traced.json")
	if err != nil {
		t.Fatal(err)
	}
	html := pageOf(t, doc)
	if golden.Updating() {
		p := opened(t, browsertest.Start(t, 1300, 2000), html)
		p.Await(`document.querySelectorAll(".chart svg").length === 3 && document.querySelector(".timeline-view svg")`)
		p.Faultless()
		if err := os.WriteFile("page.png", p.Picture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	png, err := os.ReadFile("page.png")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(html, string(timeline.Head())) {
		t.Fatal("the page has no timeline.Head")
	}
	own := strings.Replace(html, string(timeline.Head()), "", 1)
	golden.Part(t, "../README.md", "picture", "page", fmt.Sprintf(
		"![The page of a run of a Go, a C and a Python party: verdict, histogram and percentiles of the latency, rounds a second and latency over time, and what each party did in the slowest round](report/page.png)\n<!-- %.8x of page %.8x -->\n",
		sha256.Sum256(png), sha256.Sum256([]byte(own))))
}
