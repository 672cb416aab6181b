//go:build linux

package report

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"sharedbarrier/model/browse/theme"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/run"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"command": command, "join": join, "printable": cli.Printable, "prose": prose, "rows": rows, "scenario": scenarioName, "sentence": sentence,
	"code":    code,
	"verdict": func(v spec.Verdict) template.HTML { return markOf(v).html(string(v)) },
	"graded":  graded,
}).Parse(pageHTML))

// HTML writes the document as a page for a browser. It is one file with no need
// of a network. Each figure on it is one of the JSON form.
func (d Document) HTML(out io.Writer) error {
	p := page{Document: d, CSS: template.CSS(theme.CSS + pageCSS), JS: template.JS(pageJS)}
	if err := p.load(d); err != nil {
		return err
	}
	for i, rep := range d.Runs {
		s := section{Report: rep, ID: i, figures: p.figures.in("runs", i)}
		if len(d.Scenarios) > 0 {
			s.Name, s.Of = scenarioName(rep.Scenario, rep.Control), d.scenario(rep)
		}
		s.Timelines = timelines(rep)
		p.Sections = append(p.Sections, s)
		p.Charts = append(p.Charts, chartsOf(rep))
		p.Recorded = p.Recorded || rep.Recording != nil
		if len(s.Timelines) > 0 || rep.Histogram != nil || rep.Samples != nil {
			p.Head = timeline.Head()
		}
	}
	return pageTemplate.Execute(out, p)
}

// page is what page.html shows.
type page struct {
	Document
	figures
	Sections []section
	Charts   []charts      // of each section
	Recorded bool          // there is a recorderFile
	Head     template.HTML // what draws; empty: there is nothing to draw
	CSS      template.CSS
	JS       template.JS
}

// section is one run on the page.
type section struct {
	run.Report
	figures
	ID        int
	Name      string    // empty: it is the only one
	Of        *Scenario // of whose trials it is one; nil: it is none
	Timelines []timeline.Timeline
}

// Title is that of the page.
func (p page) Title() string { return fmt.Sprintf("stress: %s (seed %d)", p.Verdict, p.Seed) }

// Mark is that of the verdict.
func (p page) Mark() mark { return markOf(p.Verdict) }

// Link is the name of the scenario, with a link to its run.
func (p page) Link(sc Scenario) template.HTML {
	name := template.HTMLEscapeString(scenarioName(sc.Scenario, sc.Control))
	for _, s := range p.Sections {
		if s.Of != nil && s.Of.Scenario == sc.Scenario && s.Of.Control == sc.Control {
			return template.HTML(fmt.Sprintf(`<a href="#run-%d">%s</a>`, s.ID, name))
		}
	}
	return template.HTML(name)
}

// mark is how a verdict is shown: in color, and to those who see none.
type mark struct{ Class, Symbol string }

func markOf(v spec.Verdict) mark {
	switch v {
	case spec.Passed:
		return mark{"good", "✓"}
	case spec.Unfinished:
		return mark{"undecided", "…"}
	}
	return mark{"bad", "✗"}
}

func (m mark) html(text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<span class="%s">%s %s</span>`, m.Class, m.Symbol, template.HTMLEscapeString(text)))
}

// graded returns the verdict of a scenario, which may have failed as the model
// says it can.
func graded(v spec.Verdict) template.HTML {
	if v == spec.Passed {
		return markOf(v).html("as expected")
	}
	return markOf(v).html(string(v))
}

// charts is what page.js draws of a run.
type charts struct {
	Bars    []run.Bar    `json:"bars"`
	Marks   run.Latency  `json:"marks"` // in the histogram
	Samples *run.Samples `json:"samples"`
	Slowest []slowRound  `json:"slowest"`
}

// slowRound is when a slow round was over.
type slowRound struct {
	Round int64 `json:"round"`
	At    int64 `json:"at"` // on the clock of Samples.Start
}

func chartsOf(rep run.Report) charts {
	c := charts{Marks: rep.Latency, Samples: rep.Samples}
	if rep.Histogram != nil {
		c.Bars = rep.Histogram.Bars
	}
	for _, s := range rep.Slowest {
		c.Slowest = append(c.Slowest, slowRound{s.Round, s.Recording.Now})
	}
	return c
}

// figures are the numbers of a part of the JSON form.
type figures struct {
	path []string
	root any
}

// load takes the JSON form of the document.
func (f *figures) load(d Document) error {
	var line bytes.Buffer
	if err := d.JSON(&line); err != nil {
		return err
	}
	from := json.NewDecoder(&line)
	from.UseNumber()
	return from.Decode(&f.root)
}

// in returns the figures of a part.
func (f figures) in(path ...any) figures {
	for _, name := range path {
		switch part := f.root.(type) {
		case map[string]any:
			f.root = part[name.(string)]
		case []any:
			f.root = part[name.(int)]
		}
		f.path = append(f.path[:len(f.path):len(f.path)], fmt.Sprint(name))
	}
	return f
}

// Fig returns the number at the path, with four digits or all before the point.
// The element has it as the JSON form has it, and where it is there.
func (f figures) Fig(path ...any) template.HTML {
	at := f.in(path...)
	number, ok := at.root.(json.Number)
	if !ok {
		panic(fmt.Sprintf("report: no number at %v", at.path)) // a mistake in page.html
	}
	return template.HTML(fmt.Sprintf(`<data value="%s" data-path="%s">%s</data>`, number, strings.Join(at.path, "."), rounded(number)))
}

func rounded(n json.Number) string {
	v, err := n.Float64()
	switch {
	case err != nil || !strings.ContainsAny(n.String(), ".eE"):
		return n.String()
	case v >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// sentence returns text as one, for a page.
func sentence(text string) string { return cli.Sentence(cli.Printable(text)) }

// prose returns text whose parts in backticks are commands or paths.
func prose(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(cli.Printable(text), "`") {
		switch {
		case i%2 == 0:
			b.WriteString(template.HTMLEscapeString(part))
		case strings.Contains(part, " "):
			b.WriteString(string(code(part)))
		default:
			fmt.Fprintf(&b, `<code>%s</code>`, template.HTMLEscapeString(part))
		}
	}
	return template.HTML(b.String())
}

// command returns a command on a line of its own.
func command(text string) template.HTML { return `<p class="command">` + code(text) + `</p>` }

// code returns a command with a button that copies it.
func code(text string) template.HTML {
	return template.HTML(fmt.Sprintf(`<code>%s</code> <button class="copy">Copy</button>`, template.HTMLEscapeString(text)))
}

// rows returns the rows of a table of two columns that a text/tabwriter gets.
func rows(of interface{ Rows(io.Writer) }) (list [][]string) {
	var b strings.Builder
	of.Rows(&b)
	for line := range strings.Lines(b.String()) {
		name, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		list = append(list, []string{name, text})
	}
	return list
}

func join(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return cli.Printable(strings.Join(list, ", "))
}

func scenarioName(name string, control bool) string {
	switch {
	case control:
		return name + ", control"
	case name == "":
		return "no scenario"
	}
	return name
}
