//go:build linux

package matrix

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"sharedbarrier/model/browse/theme"
	"sharedbarrier/spec"
	"sharedbarrier/stress/conformance"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

var page = template.Must(template.New("page").Funcs(template.FuncMap{"id": id}).Parse(pageHTML))

// Page writes the report as a page for a browser: one file with no need of a
// server, a network or, but for the choice of a cell, of scripts. It fails with
// the error of out.
func (r Report) Page(out io.Writer) error {
	view := view{
		Report: r, Badge: r.Badge(), Checks: conformance.Checks, Marks: marks,
		CSS: template.CSS(theme.CSS + pageCSS), JS: template.JS(pageJS),
	}
	for _, port := range r.Ports {
		view.Rows = append(view.Rows, shown(port))
	}
	for _, check := range conformance.Checks {
		for _, c := range check.Clauses {
			if !slices.ContainsFunc(view.Clauses, func(known clause) bool { return known.Clause == c }) {
				view.Clauses = append(view.Clauses, clause{c, markdown(c.Text())})
			}
		}
	}
	slices.SortFunc(view.Clauses, func(a, b clause) int { return a.compare(b.Clause) })
	return page.Execute(out, view)
}

// A view is what page.html shows.
type view struct {
	Report
	Badge   Badge
	Checks  []conformance.Check
	Marks   []legend
	Rows    []row
	Clauses []clause
	CSS     template.CSS
	JS      template.JS
}

// A legend says what a mark means, and how a cell shows it.
type legend struct {
	Mark        Mark
	Sign, Means string
}

var marks = []legend{
	{Passed, "✓", "the port does what the clause says"},
	{Deviation, "≠", "a port of this project that is known not to pass; it is not asked"},
	{Failed, "✗", "the port does something else; it is not asked for later checks"},
	{NotApplicable, "–", "the check is about what the port does not offer"},
	{LeftOut, "○", "by --without"},
	{NotHere, "!", "the system does not let the runner look"},
	{NotMade, "…", "an earlier check has failed, or the run has ended"},
}

// Class is the mark as a class of a style sheet.
func (m Mark) Class() string { return strings.ReplaceAll(string(m), " ", "-") }

// A row is one port in the table.
type row struct {
	Row
	Badge Badge
	Cells []cell
	Edges []conformance.Edges // by tour
}

// A cell is one check of a port.
type cell struct {
	legend
	Check conformance.Check
	Found string
}

func shown(r Row) row {
	shown := row{Row: r, Badge: r.Badge()}
	for _, check := range conformance.Checks {
		mark, result := r.of(check.Name)
		i := slices.IndexFunc(marks, func(l legend) bool { return l.Mark == mark })
		shown.Cells = append(shown.Cells, cell{marks[i], check, result.Found})
		if result.Edges != nil {
			shown.Edges = append(shown.Edges, *result.Edges)
		}
	}
	return shown
}

// Summary says how many checks have each mark.
func (r row) Summary() string {
	var list []string
	count := r.count()
	for _, l := range marks {
		if n := count[l.Mark]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, l.Mark))
		}
	}
	return strings.Join(list, ", ")
}

// Withdraws reports whether a tour was one with withdrawal.
func (r row) Withdraws() bool {
	return slices.ContainsFunc(r.Edges, func(e conformance.Edges) bool { return e.Scenario == spec.Withdraw.String() })
}

// Rest are the cells that have not passed and say why.
func (r row) Rest() (list []cell) {
	for _, c := range r.Cells {
		if c.Mark != Passed && c.Mark != NotMade {
			list = append(list, c)
		}
	}
	return list
}

// A clause is the text of a clause, for the page.
type clause struct {
	conformance.Clause
	HTML template.HTML
}

// id is the identifier of the clause in the page.
func id(c conformance.Clause) string {
	return strings.NewReplacer("§", "", " ", "-", ".", "-").Replace("clause-" + c.Short())
}

func (c clause) compare(d conformance.Clause) int {
	key := func(c conformance.Clause) string {
		return fmt.Sprint(c.Page == "HAZARDS.md", c.Page != "PROTOCOL.md", c.Section, c.Number)
	}
	return strings.Compare(key(c.Clause), key(d))
}

// links are those of Markdown. The page has no other page that they could lead
// to.
var links = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

var renderer = goldmark.New(goldmark.WithExtensions(extension.Table))

// markdown renders a text of spec. Raw HTML in it is left out.
func markdown(text string) template.HTML {
	var b bytes.Buffer
	if err := renderer.Convert([]byte(links.ReplaceAllString(text, "$1")), &b); err != nil {
		panic(err) // a buffer takes all
	}
	return template.HTML(b.String())
}
