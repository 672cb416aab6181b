package browse_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/browse"
	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

const pages = "../../spec/states/" // where HAZARDS.md links to

// hazardCommand is the command of a counterexample in HAZARDS.md.
var hazardCommand = regexp.MustCompile("`go run ./model/check --scenario (\\S+) --procs (\\d+)(?: --rounds (\\d+))? --property (\\w+)`")

// hazardViews returns, by scenario, the question of each counterexample in
// HAZARDS.md and its control, with more rounds than the counterexample.
func hazardViews(t *testing.T) map[string][]browse.View {
	t.Helper()
	text, err := os.ReadFile("../../spec/HAZARDS.md")
	if err != nil {
		t.Fatal(err)
	}
	views := map[string][]browse.View{}
	for _, m := range hazardCommand.FindAllStringSubmatch(string(text), -1) {
		sc, err := spec.ParseScenario(m[1])
		if err != nil {
			t.Fatal(err)
		}
		p, err := spec.ParseProperty(m[4])
		if err != nil {
			t.Fatal(err)
		}
		cfg := model.Config{Scenario: sc}
		cfg.Procs, _ = strconv.Atoi(m[2])
		cfg.Rounds, _ = strconv.Atoi(m[3])
		r := explore.Explore(t.Context(), cfg, explore.Options{Check: []spec.Property{p}, Liveness: true})
		if r.Property != m[4] {
			t.Fatalf("%v: got a counterexample to %q, want one to %s", cfg, r.Property, m[4])
		}
		cfg = browse.Bounded(cfg, r.Trace)
		control, _ := browse.Beside(cfg)
		command := fmt.Sprintf("go run ./model/check --scenario %v --procs %d --rounds %d", sc, cfg.Procs, cfg.Rounds)
		views[m[1]] = []browse.View{
			{Config: cfg, Graph: explore.NewGraph(model.NewMachine(cfg)), Result: r.Result, Command: command + " --property " + m[4]},
			{Config: control, Graph: explore.NewGraph(model.NewMachine(control)), Command: command + " --control"},
		}
	}
	return views
}

// TestGolden_HazardPages compares the pages that HAZARDS.md links to with those
// of its counterexamples.
func TestGolden_HazardPages(t *testing.T) {
	views := hazardViews(t)
	if len(views) < 8 {
		t.Fatalf("counterexamples in HAZARDS.md: found %d, want at least 8", len(views))
	}
	var made int
	for name, list := range views {
		var page bytes.Buffer
		if err := browse.Write(&page, list...); err != nil {
			t.Fatal(err)
		}
		golden.File(t, filepath.Join(pages, name+".html"), page.String())
		made++
	}
	if entries, err := os.ReadDir(pages); err != nil || len(entries) != made+1 { // and the picture
		t.Errorf("files in %s: got %d (%v), want %d pages and a picture", pages, len(entries), err, made)
	}
}

// TestGolden_Picture says when the picture of README.md is not of the page that
// HAZARDS.md links to. With -update it takes a new one, in Chromium.
func TestGolden_Picture(t *testing.T) {
	const page = pages + "surplus.html"
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if golden.Updating() {
		p := open(t, browsertest.Start(t, 1800, 1420), browsertest.File(t, string(html)))
		p.Faultless()
		if err := os.WriteFile(pages+"surplus.png", p.Picture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	png, err := os.ReadFile(pages + "surplus.png")
	if err != nil {
		t.Fatal(err)
	}
	golden.Part(t, "../../README.md", "picture", "states", fmt.Sprintf(
		"[![Two processes at the hazard surplus, and its control beside it: words, steps, properties, and the folded state graph](spec/states/surplus.png)](spec/states/surplus.html)\n<!-- %.8x of page %.8x -->\n",
		sha256.Sum256(png), sha256.Sum256(html)))
}
