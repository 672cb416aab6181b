// Package browse writes a page in which a browser steps through the states of
// the model. The page is one file with no need of a server or a network.
//
// The page holds the state graph of a question and, beside it, that of the
// question's control. It has no rule of the protocol in it: what can happen in
// a state, what is violated there, and why a process has to wait, all comes
// from package model.
package browse

import (
	_ "embed"
	"html/template"
	"io"
	"slices"

	"sharedbarrier/model"
	"sharedbarrier/model/browse/theme"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
)

// MostProcs is the largest number of processes that a page shows.
const MostProcs = 4

// A View is one question of a page.
type View struct {
	Config  model.Config
	Graph   *explore.Graph[model.State, model.Action] // of Config
	Result  model.Result                              // its counterexample is what the page opens with
	Command string                                    // explores Config again
}

// Bounded returns cfg with a bound on rounds that the trace does not reach.
func Bounded(cfg model.Config, t model.Trace) model.Config {
	calls := make([]int, cfg.Procs)
	for _, e := range t {
		if e.Label == spec.Call.String() {
			calls[e.Proc]++
		}
	}
	cfg.Rounds = max(2, slices.Max(calls)+1)
	return cfg
}

// Beside returns the question that stands beside cfg: the one without its
// mistake, or else the control of its scenario. It returns false if there is
// none.
func Beside(cfg model.Config) (model.Config, bool) {
	if cfg.Mutant != nil {
		cfg.Mutant = nil
		return cfg, true
	}
	if cfg.Control || model.ControlOf(cfg.Scenario) == "" {
		return cfg, false
	}
	cfg.Control = true
	if model.NeedsBound(cfg) {
		cfg.Rounds = max(cfg.Rounds, 2)
	}
	return cfg, true
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed graph.js
	graphJS string
	//go:embed page.js
	pageJS string
	// dagre lays graphs out: @dagrejs/dagre 3.1.3 of npm, as published.
	//
	//go:embed dagre.min.js
	dagre string
)

var page = template.Must(template.New("page").Parse(pageHTML))

// Write writes the page of the views, the first of which leads: a move is made
// in it, and in each other view as far as it can happen there. It fails with the
// error of out.
func Write(out io.Writer, views ...View) error {
	content := content{Steps: steps(), Properties: properties()}
	for _, v := range views {
		content.Panes = append(content.Panes, newPane(v))
	}
	return page.Execute(out, map[string]any{
		"Title": views[0].Config.Title(), "Data": template.HTML(timeline.Compress(content)),
		"CSS": template.CSS(theme.CSS + pageCSS), "Dagre": template.JS(dagre), "Graph": template.JS(graphJS), "Page": template.JS(pageJS),
	})
}

// content is what page.js shows.
type content struct {
	Steps      []term `json:"steps"`      // by spec.Step
	Properties []term `json:"properties"` // by spec.Property
	Panes      []pane `json:"panes"`
}

// A term is a name of package spec and what it says.
type term struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

func steps() (list []term) {
	for _, s := range spec.AllSteps {
		list = append(list, term{s.String(), s.Doc()})
	}
	return list
}

func properties() (list []term) {
	for _, p := range spec.AllProperties {
		list = append(list, term{p.String(), p.Doc()})
	}
	return list
}
