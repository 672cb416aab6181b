package timeline

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"

	"sharedbarrier/model/browse/theme"
	"sharedbarrier/model/cli"
	"sharedbarrier/spec"
)

var (
	//go:embed timeline.html
	templates string
	//go:embed timeline.css
	css string
	//go:embed timeline.js
	script string
	// Observable Plot draws, on top of d3, which also zooms: npm's
	// @observablehq/plot 0.6.17 and d3 7.9.0, as published.
	//
	//go:embed plot.min.js
	plot string
	//go:embed d3.min.js
	d3 string
)

var parsed = template.Must(template.New("").Parse(templates))

// Head returns style, libraries and script, which a page has once, before or
// after its timelines. A page may use the libraries too: they are the globals
// Plot and d3. All classes of the style begin with timeline, and its colors are
// those of package theme, which the page must have.
func Head() template.HTML {
	return execute("head", map[string]any{
		"CSS": template.CSS(css), "D3": template.JS(d3), "Plot": template.JS(plot), "Docs": docs(), "Script": template.JS(script),
	})
}

// HTML returns the timeline as a section of a page that has Head.
func (t Timeline) HTML() template.HTML {
	text := ""
	if t.Axis == Order {
		text = t.Text()
	}
	return execute("timeline", map[string]any{"Timeline": t, "Data": template.HTML(Compress(t)), "Text": text})
}

// Write writes a page of the timelines, one file that needs no network. It fails
// with the error of out.
func Write(out io.Writer, title string, list ...Timeline) error {
	var sections []template.HTML
	for _, t := range list {
		sections = append(sections, t.HTML())
	}
	return parsed.ExecuteTemplate(out, "page", map[string]any{"Title": title, "Theme": template.CSS(theme.CSS), "Head": Head(), "Sections": sections})
}

// WriteFile writes the page to the file that --timeline names. Without a
// timeline it writes none, and says so on stderr.
func WriteFile(path string, stderr io.Writer, title string, list ...Timeline) error {
	if len(list) == 0 {
		fmt.Fprintf(stderr, "--timeline: nothing wrong was found, so %s is not written\n", path)
		return nil
	}
	return cli.WriteFile(path, func(w io.Writer) error { return Write(w, title, list...) })
}

// docs returns what each step and event does, by its label.
func docs() map[string]string {
	docs := map[string]string{}
	for _, s := range spec.AllSteps {
		docs[s.String()] = s.Doc()
	}
	for _, e := range spec.AllEvents {
		docs[e.String()] = strings.ReplaceAll(e.Doc(), "`", "")
	}
	return docs
}

// Compress returns v as gzipped JSON in base 64, for the script of a page. It
// panics if v cannot be marshalled.
func Compress(v any) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(v), z.Close()); err != nil {
		panic("timeline: " + err.Error()) // a programmer's mistake: a buffer takes all
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func execute(name string, data any) template.HTML {
	var b strings.Builder
	if err := parsed.ExecuteTemplate(&b, name, data); err != nil {
		panic("timeline: " + err.Error()) // a programmer's mistake: a template and its data do not fit
	}
	return template.HTML(b.String())
}
