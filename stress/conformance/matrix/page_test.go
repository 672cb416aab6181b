//go:build linux

package matrix_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/stress/conformance"
	"sharedbarrier/stress/conformance/matrix"
)

// TestProc_Page opens the page of real checks, and of results of every kind, in
// Chromium.
func TestProc_Page(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	start := browsertest.Start(t, 1500, 1000)
	r := checked(t)
	r.Ports = append(r.Ports, row("exec:./<b>&\"x\" --all", map[string]conformance.Result{
		"sections": notAsked(conformance.NotHere), "prompt": notAsked(conformance.NotApplicable),
	}))
	address := browsertest.File(t, written(t, r.Page))
	p := start(address)
	text := func(selector string) string {
		t.Helper()
		return browsertest.Eval[string](p, fmt.Sprintf(`document.querySelector(%q).textContent`, selector))
	}
	want := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	cell := func(port, check string) string {
		return fmt.Sprintf(`#matrix td[data-port=%q][data-check=%q]`, port, check)
	}

	// What the table says, without a click.
	want("title", browsertest.Eval[string](p, `document.title`), "Conformance of ports – 0 of 4 ports pass")
	want("rows", browsertest.Eval[int](p, `document.querySelectorAll("#matrix tbody tr").length`), len(r.Ports))
	want("columns", browsertest.Eval[int](p, `document.querySelectorAll("#matrix th.check").length`), len(conformance.Checks))
	for _, c := range []struct{ port, check, mark, sign string }{
		{"go", "tour n=2", "passed", "✓"}, {"go", "alone", "left out", "○"}, {"python", "lock open", "known deviation", "≠"},
		{"python", "withdrawal", "not applicable", "–"}, {"c@pid-in-lock", "lock contents", "failed", "✗"},
		{"c@pid-in-lock", "withdrawal", "not made", "…"}, {r.Ports[3].Port, "sections", "not possible here", "!"},
	} {
		selector := cell(c.port, c.check)
		want(c.port+", "+c.check, text(selector), c.sign)
		label := browsertest.Eval[string](p, fmt.Sprintf(`document.querySelector(%q).ariaLabel`, selector))
		if !strings.HasPrefix(label, c.port+", "+c.check+": "+c.mark+", ") {
			t.Errorf("label of %s, %s: got %q, want %q", c.port, c.check, label, c.mark)
		}
	}
	red := fmt.Sprintf(`(() => { const [r, g, b] = getComputedStyle(document.querySelector(%q)).backgroundColor.match(/\d+/g).map(Number); return r > 2 * g && r > 2 * b })()`, cell("c@pid-in-lock", "lock contents"))
	want("a failed check is red", browsertest.Eval[bool](p, red), true)
	want("a passed check is red", browsertest.Eval[bool](p, strings.ReplaceAll(red, "lock contents", "tour n=2")), false)
	edges := func(row int) string {
		return strings.Join(strings.Fields(text(fmt.Sprintf("#matrix tbody tr:nth-child(%d) .edges", row))), " ")
	}
	want("edges of go", edges(1), "n = 2: 1040 of 1040")
	want("edges of python", edges(2), "n = 2: 350 of 350 without withdrawal")
	want("edges of no tour", edges(4), "none")
	want("commands", browsertest.Eval[string](p, `[...document.querySelectorAll("button[data-copy]")].map((b) => b.dataset.copy).join("\n")`),
		strings.Join([]string{r.Ports[0].Command, r.Ports[1].Command, r.Ports[2].Command, r.Ports[3].Command}, "\n"))

	// By mouse: cells, heads, links, clauses, copies.
	found := r.Ports[2].Results[len(r.Ports[2].Results)-1].Found
	p.Click(cell("c@pid-in-lock", "lock contents"))
	want("detail of a cell", text("#detail h2"), "c@pid-in-lock, lock contents: failed")
	want("message of a cell", text("#detail .found"), found)
	want("clause of a cell", text("#detail summary"), "PROTOCOL.md, section 2: Layout")
	want("text of the clause", browsertest.Eval[bool](p, `document.querySelector("#detail details").textContent.includes("No process reads or writes its contents.")`), true)
	p.Click("#detail summary")
	want("the clause opens", browsertest.Eval[bool](p, `document.querySelector("#detail details").open`), true)
	link := browsertest.Eval[string](p, `location.href`)
	p.Click(`#matrix th.check[data-check="pace"]`)
	want("detail of a check", text("#detail h2")+": "+text("#detail .doc"), "pace: The check asks: it looks at its word in each tick, though a peer wakes no process.")
	p.Click(`#matrix tbody tr:nth-child(2) th`)
	want("detail of a port", text("#detail h2")+": "+text("#detail .found"), "python: 2 passed, 2 known deviation, 1 not applicable, 23 left out. Check it again: "+r.Ports[1].Command)
	want("links to clauses", browsertest.Eval[int](p, `[...document.querySelectorAll("a")].filter((a) => !document.querySelector(a.hash)).length`), 0)
	p.Click(`a[href="#clause-3-2"]`)
	p.Await(`document.getElementById("clause-3-2").open`)
	for i := range r.Ports {
		browsertest.Eval[bool](p, `(document.getElementById("status").textContent = "", true)`)
		p.Click(fmt.Sprintf(`tr:nth-child(%d) button[data-copy]`, i+1))
		p.Await(`document.getElementById("status").textContent === "The command is copied."`)
	}
	p.Faultless()

	// The address of a cell.
	p = start(link)
	want("detail of a link", text("#detail h2"), "c@pid-in-lock, lock contents: failed")
	p = start(address + "#nothing/here")
	want("detail of a wrong link", browsertest.Eval[bool](p, `document.getElementById("detail").hidden`), true)

	keyboard(t, p, r)
	readable(t, p)
	p.Faultless()
}

// keyboard reaches every cell and every control without a mouse.
func keyboard(t *testing.T, p *browsertest.Page, r matrix.Report) {
	t.Helper()
	const controls = `[...document.querySelectorAll("a, button, summary, [tabindex='0']")].filter((e) => e.checkVisibility())`
	browsertest.Eval[bool](p, `(document.activeElement.blur(), window.reached = new Set(), document.addEventListener("focusin", (e) => reached.add(e.target)), true)`)
	p.Press(kb.Tab)
	if at := browsertest.Eval[string](p, `document.activeElement.textContent`); at != r.Ports[0].Port {
		t.Errorf("the first Tab leads to %q, want %q", at, r.Ports[0].Port)
	}
	for range r.Ports {
		p.Press(kb.Home)
		for range conformance.Checks {
			p.Press(kb.ArrowRight)
		}
		p.Press(kb.ArrowRight, kb.ArrowDown) // right of the last there is nothing
	}
	p.Press(kb.Home, kb.ArrowUp, kb.ArrowUp, kb.ArrowUp, kb.ArrowUp, kb.End)
	for range conformance.Checks {
		p.Press(kb.ArrowLeft)
	}
	if left := browsertest.Eval[[]string](p, `[...document.querySelectorAll("#matrix [tabindex]")].filter((e) => !reached.has(e)).map((e) => e.ariaLabel ?? e.textContent)`); len(left) > 0 {
		t.Errorf("the arrow keys do not reach %q", left)
	}
	for range browsertest.Eval[int](p, controls+`.length`) + 2 {
		p.Press(kb.Tab)
	}
	if left := browsertest.Eval[[]string](p, controls+`.filter((e) => !reached.has(e)).map((e) => e.outerHTML.slice(0, 80))`); len(left) > 0 {
		t.Errorf("Tab does not reach %q", left)
	}
	browsertest.Eval[bool](p, `(document.querySelector("#matrix [tabindex='0']").focus(), true)`)
	p.Press(kb.End)
	if at := browsertest.Eval[string](p, `document.getElementById("detail").querySelector("h2").textContent`); at == "" {
		t.Error("End shows nothing")
	}
}

// readable: names for screen readers, contrast in both themes, a print that says
// all without a choice, and a small window.
func readable(t *testing.T, p *browsertest.Page) {
	t.Helper()
	var backgrounds []string
	for _, scheme := range []string{"light", "dark"} {
		p.Theme(scheme)
		if faint := p.Faint(); len(faint) > 0 {
			t.Errorf("%s: texts with little contrast: %q", scheme, faint)
		}
		backgrounds = append(backgrounds, browsertest.Eval[string](p, `getComputedStyle(document.body).backgroundColor`))
	}
	if len(slices.Compact(backgrounds)) != 2 {
		t.Errorf("backgrounds of the two themes: got %q", backgrounds)
	}
	if nameless := p.Nameless(); len(nameless) > 0 {
		t.Errorf("controls without a name: %q", nameless)
	}
	p.Print()
	if browsertest.Eval[bool](p, `document.getElementById("detail").checkVisibility() || document.querySelector("button").checkVisibility()`) {
		t.Error("the print shows what is chosen, or a button")
	}
	if !browsertest.Eval[bool](p, `[...document.querySelectorAll(".why")].some((e) => e.checkVisibility() && e.textContent.includes("it makes the contents of the lock file"))`) {
		t.Error("the print does not say what is wrong with c@pid-in-lock")
	}
}

// TestProc_NarrowPage: on a small screen nothing is wider than the window. Only
// the matrix scrolls.
func TestProc_NarrowPage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	r := matrix.Report{Command: "go run ./stress conformance --port go", Ports: []matrix.Row{row("go", map[string]conformance.Result{"sections": notAsked(conformance.NotHere)})}}
	p := browsertest.Start(t, 500, 800)(browsertest.File(t, written(t, r.Page)))
	if got, want := browsertest.Eval[int](p, `document.documentElement.scrollWidth`), browsertest.Eval[int](p, `document.documentElement.clientWidth`); got > want {
		t.Errorf("the page is %d wide in a window of %d", got, want)
	}
}
