package browse_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"sharedbarrier/model"
	"sharedbarrier/model/browse"
	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// view returns the view of cfg, with its counterexample.
func view(t testing.TB, cfg model.Config) browse.View {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	return browse.View{
		Config: cfg, Graph: explore.NewGraph(model.NewMachine(cfg)), Command: "the command",
		Result: explore.Explore(t.Context(), cfg, explore.Options{Liveness: true}).Result,
	}
}

// write returns the page of the question and its control.
func write(t testing.TB, cfg model.Config) string {
	t.Helper()
	views := []browse.View{view(t, cfg)}
	if control, ok := browse.Beside(cfg); ok {
		views = append(views, view(t, control))
	}
	var page bytes.Buffer
	if err := browse.Write(&page, views...); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// open opens the page and waits until it shows a state.
func open(t testing.TB, start func(string) *browsertest.Page, address string) *browsertest.Page {
	t.Helper()
	p := start(address)
	p.Await(`document.body.dataset.ready === "true"`)
	return p
}

// surplus is small, and has a counterexample and a control.
var surplus = model.Config{Scenario: spec.Surplus, Procs: 2, Rounds: 2}

// TestConform_PageFollowsModel: in each state of some walks, the page shows what
// the model says of the state: words, lock, steps, what can happen, and which
// properties it refutes; and a reason for each process that cannot move.
func TestConform_PageFollowsModel(t *testing.T) {
	start := browsertest.Start(t, 1400, 900)
	for _, cfg := range []model.Config{
		surplus,
		{Scenario: spec.Withdraw, Procs: 3},
		{Scenario: spec.Crash, Procs: 2, Rounds: 2},
		{Scenario: spec.SplitLock, Procs: 2, Rounds: 1},
		{Scenario: spec.Shrinking, Procs: 3, Rounds: 2},
		{Scenario: spec.Reuse, Procs: 2, Rounds: 2, Mutant: model.MutantNamed("no-lower")},
	} {
		t.Run(cfg.String(), func(t *testing.T) {
			if cfg != surplus {
				browsertest.Short(t)
			}
			p := open(t, start, browsertest.File(t, write(t, cfg)))
			p.Click("#first")
			s := model.Init(cfg)
			for i := range 60 {
				want := described(cfg, s)
				if got := browsertest.Eval[[]string](p, shown); !slices.Equal(got, want) {
					t.Fatalf("move %d, the page shows %q, want %q", i, got, want)
				}
				enabled := model.Enabled(cfg, s)
				if len(enabled) == 0 {
					break
				}
				a := enabled[(i*7+i/3)%len(enabled)]
				browsertest.Eval[bool](p, fmt.Sprintf(`document.querySelector('.pane button[data-move="%s"]').click() ?? true`, a.Move()))
				s = model.Apply(cfg, s, a)
			}
			if lines := browsertest.Eval[[]string](p, cut); len(lines) > 0 {
				t.Errorf("lines that leave their pictures: %q", lines)
			}
			p.Faultless()
		})
	}
}

// cut lists the lines and nodes that the frame of their picture cuts.
const cut = `[...document.querySelectorAll("svg .edge path, svg .node rect")].filter((e) => {
  const box = e.getBBox(), frame = e.ownerSVGElement.viewBox.baseVal;
  return box.x < frame.x || box.y < frame.y || box.x + box.width > frame.x + frame.width || box.y + box.height > frame.y + frame.height;
}).map((e) => e.outerHTML)`

// shown is what the first pane shows, in the form of described.
const shown = `(() => {
  const pane = document.querySelector(".pane");
  const list = [...pane.querySelectorAll(".words dd")].map((e) => e.textContent);
  list.push([...pane.querySelectorAll(".badges .bad")].map((e) => e.textContent.split(" ")[1]).filter((name) => name !== "NoHang:").join(" "));
  list.push(pane.querySelector(".badges").textContent.includes("no process can move") ? "stuck" : "");
  for (const row of pane.querySelectorAll(".processes tbody tr")) {
    const [place, rounds, can] = row.querySelectorAll("td");
    const buttons = [...can.querySelectorAll("button")].map((b) => b.dataset.move);
    const reason = [...can.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.textContent).join("");
    list.push([place.textContent.split(/[ ,]/)[0], rounds.textContent, buttons.join(" "), reason ? "waits" : ""].join("|"));
  }
  list.push([...pane.querySelectorAll(".environment button")].map((b) => b.dataset.move).join(" "));
  return list;
})()`

func described(cfg model.Config, s model.State) (list []string) {
	minus := func(v int32) string { return strings.ReplaceAll(fmt.Sprint(v), "-", "−") }
	w, lock := s.Words(), "free"
	if s.Holder() >= 0 {
		lock = fmt.Sprintf("p%d", s.Holder())
	}
	if old := s.Snapshot(cfg).OldLock; old != nil && *old >= 0 {
		lock += fmt.Sprintf("; the old file: p%d", *old)
	}
	list = append(list, minus(w.Enter), minus(w.Exit), minus(w.Flag), lock)
	var violated []string
	for _, p := range spec.AllProperties {
		if model.Violates(cfg, s, p) {
			violated = append(violated, p.String()+":")
		}
	}
	stuck := ""
	if model.Stuck(cfg, s) {
		stuck = "stuck"
	}
	list = append(list, strings.Join(violated, " "), stuck)
	var environment []string
	for q := range cfg.Procs {
		var moves []string
		waits := "waits"
		for _, a := range model.Enabled(cfg, s) {
			if a.Proc == q {
				moves = append(moves, a.Move())
				if a.Event == spec.NoEvent {
					waits = ""
				}
			}
		}
		list = append(list, strings.Join([]string{s.Step(q).String(), fmt.Sprint(s.Rounds(q)), strings.Join(moves, " "), waits}, "|"))
	}
	for _, a := range model.Enabled(cfg, s) {
		if a.Proc < 0 {
			environment = append(environment, a.Move())
		}
	}
	return append(list, strings.Join(environment, " "))
}

// TestProc_Controls uses each control with the mouse.
func TestProc_Controls(t *testing.T) {
	browsertest.Short(t)
	start := browsertest.Start(t, 1400, 900)
	address := browsertest.File(t, write(t, surplus))
	p := open(t, start, address)
	moves := func() int { return browsertest.Eval[int](p, `at`) }
	length := browsertest.Eval[int](p, `path.length`)
	want := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	status := func() string { return browsertest.Eval[string](p, `document.getElementById("status").textContent`) }

	want("status", status(), fmt.Sprintf("A shortest counterexample: NoEarlyExit fails after %d moves.", length))
	want("moves at first", moves(), length)
	want("the leading pane refutes", browsertest.Eval[string](p, `document.querySelector(".badges .bad").textContent`), "✗ NoEarlyExit: violated here")
	want("faults of the control", browsertest.Eval[int](p, `document.querySelectorAll(".pane")[1].querySelectorAll(".badges .bad").length`), 0)
	want("the control says where it parts", browsertest.Eval[bool](p, `/cannot happen here: p\d waits/.test(document.querySelectorAll(".apart")[1].textContent)`), true)
	want("command", browsertest.Eval[string](p, `document.getElementById("command").textContent.split(" --moves ")[0]`), "go run ./stress lockstep --scenario surplus --procs 2 --rounds 2")

	p.Click("#back")
	want("after Back", moves(), length-1)
	p.Click("#forward")
	want("after Forward", moves(), length)
	p.Click("#first")
	want("after Start", moves(), 0)
	want("no command without moves", browsertest.Eval[bool](p, `document.getElementById("real").checkVisibility()`), false)
	want("Back is off at the start", browsertest.Eval[bool](p, `document.getElementById("back").disabled`), true)
	p.Click("#last")
	want("after End", moves(), length)
	p.Click("#moves tr:nth-child(3) button")
	want("after a click on move 3", moves(), 3)
	link := browsertest.Eval[string](p, `location.href`)

	p.Click("#last")
	p.Click("#back")
	p.Click("#back")
	p.Click("#play")
	p.Await(`at === path.length`)
	p.Await(`document.getElementById("play").getAttribute("aria-pressed") === "false"`)

	for i := range browsertest.Eval[int](p, `document.getElementById("goal").options.length`) {
		p.Click("#first")
		browsertest.Eval[bool](p, fmt.Sprintf(`(document.getElementById("goal").selectedIndex = %d) >= 0`, i))
		p.Click("#go")
		name := browsertest.Eval[string](p, `document.getElementById("goal").selectedOptions[0].textContent`)
		if got := status(); !strings.HasSuffix(got, " from here to "+name+".") {
			t.Errorf("after Go to %s: the status is %q", name, got)
		}
	}
	for _, fold := range []string{"phase", "words", "counters"} {
		browsertest.Eval[bool](p, fmt.Sprintf(`(() => { const s = document.querySelector(".fold"); s.value = %q; s.onchange(); return true })()`, fold))
		p.Click("#first")
		want("nodes of the state in fold "+fold, browsertest.Eval[int](p, `document.querySelectorAll(".pane:first-child .folded .here").length`), 1)
		p.Click("#v0-" + fold + "-1")
		want("after a click on a node of "+fold, browsertest.Eval[bool](p, `/moves? from here to/.test(document.getElementById("status").textContent)`), true)
	}
	for button, what := range map[string]string{"#share": "link", "#copy": "command"} {
		p.Click(button)
		p.Await(fmt.Sprintf(`document.getElementById("status").textContent === "The %s is copied."`, what))
	}
	p.Faultless()

	p = open(t, start, link)
	want("moves of the link", moves(), 3)
	want("moves of the link after these", browsertest.Eval[int](p, `path.length`), length)
	p = open(t, start, address+"#0:1,0,7")
	want("status for a wrong move", status(), "The address has the move 7 after move 2, which cannot happen there.")
	p.Faultless()
}

// TestProc_KeyboardAlone reaches each control with Tab, and works without a
// mouse.
func TestProc_KeyboardAlone(t *testing.T) {
	browsertest.Short(t)
	start := browsertest.Start(t, 1400, 900)
	p := open(t, start, browsertest.File(t, write(t, surplus)))
	all := browsertest.Eval[int](p, `document.querySelectorAll("button:enabled, select, [tabindex='0'], summary").length`)
	browsertest.Eval[int](p, `(window.reached = new Set(), document.addEventListener("focusin", (e) => reached.add(e.target)), 0)`)
	for range all + 2 {
		p.Press(kb.Tab)
	}
	if reached := browsertest.Eval[int](p, `reached.size`); reached != all {
		t.Errorf("Tab reaches %d controls, want %d: not %v", reached, all, browsertest.Eval[[]string](p,
			`[...document.querySelectorAll("button:enabled, select, [tabindex='0'], summary")].filter((e) => !reached.has(e)).map((e) => e.outerHTML.slice(0, 80))`))
	}
	// Who makes moves with a button, or goes to one of them, can do so again.
	p.Press(kb.Home)
	for _, c := range []struct {
		button string
		at     int
	}{{".processes button", 3}, {"#moves tr:nth-child(2) button", 2}} {
		browsertest.Eval[bool](p, fmt.Sprintf(`(document.querySelector(%q).focus(), true)`, c.button))
		p.Press(kb.Enter, kb.Enter, kb.Enter)
		if got := browsertest.Eval[int](p, `at`); got != c.at {
			t.Errorf("after Enter three times on %s: at move %d, want %d", c.button, got, c.at)
		}
	}
	if got, want := browsertest.Eval[string](p, `document.getElementById("digits").textContent`), "0, 1"; got != want {
		t.Errorf("keys of the steps: got %q, want %q", got, want)
	}
	browsertest.Eval[bool](p, `(document.activeElement.blur(), true)`)
	for _, step := range []struct {
		keys []string
		at   int
	}{
		{[]string{kb.Home}, 0}, {[]string{"0"}, 1}, {[]string{"1", "1"}, 3}, {[]string{kb.ArrowLeft}, 2}, {[]string{kb.ArrowRight}, 3},
		{[]string{kb.Home, kb.End}, 3}, {[]string{"9"}, 3},
	} {
		p.Press(step.keys...)
		if got := browsertest.Eval[int](p, `at`); got != step.at {
			t.Errorf("after %q: at move %d, want %d", step.keys, got, step.at)
		}
	}
	p.Press(" ")
	p.Await(`document.getElementById("play").getAttribute("aria-pressed") === "true" || at === path.length`)
	p.Await(`at === path.length && document.getElementById("play").getAttribute("aria-pressed") === "false"`)
	browsertest.Eval[bool](p, `(document.querySelector("#v0-phase-1").focus(), true)`)
	p.Press(kb.Enter)
	if got := browsertest.Eval[string](p, `document.getElementById("status").textContent`); !strings.Contains(got, " from ") {
		t.Errorf("after Enter on a node: the status is %q", got)
	}
	p.Faultless()
}

// TestProc_EveryoneCanRead: names for screen readers, contrast in both themes,
// and a print without controls.
func TestProc_EveryoneCanRead(t *testing.T) {
	browsertest.Short(t)
	start := browsertest.Start(t, 1400, 900)
	p := open(t, start, browsertest.File(t, write(t, surplus)))
	background := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		p.Theme(scheme)
		if faint := p.Faint(); len(faint) > 0 {
			t.Errorf("%s: texts with little contrast: %q", scheme, faint)
		}
		background[browsertest.Eval[string](p, `getComputedStyle(document.body).backgroundColor`)] = true
	}
	if len(background) != 2 {
		t.Errorf("backgrounds of the two themes: got %v, want two", background)
	}
	if nameless := p.Nameless(); len(nameless) > 0 {
		t.Errorf("controls without a name: %q", nameless)
	}
	p.Print()
	if browsertest.Eval[bool](p, `document.getElementById("play").checkVisibility()`) {
		t.Error("the print shows the button Play")
	}
	if whole := browsertest.Eval[[]string](p, `[...document.querySelectorAll("main *")].filter((e) => e.offsetHeight > 1000 && getComputedStyle(e).breakInside !== "auto").map((e) => e.outerHTML.slice(0, 80))`); len(whole) > 0 {
		t.Errorf("larger than a sheet, and not to be broken: %q", whole)
	}
	p.Faultless()
}

// TestProc_Narrow: on a small screen nothing is wider than the window.
func TestProc_Narrow(t *testing.T) {
	browsertest.Short(t)
	p := open(t, browsertest.Start(t, 420, 800), browsertest.File(t, write(t, surplus)))
	if got, want := browsertest.Eval[int](p, `document.documentElement.scrollWidth`), browsertest.Eval[int](p, `document.documentElement.clientWidth`); got > want {
		t.Errorf("the page is %d wide in a window of %d", got, want)
	}
}

// TestUnit_PageSize: the page of each scenario with 3 processes has less than
// 10 MB.
func TestUnit_PageSize(t *testing.T) {
	browsertest.Short(t)
	for _, sc := range spec.AllScenarios {
		cfg := model.Config{Scenario: sc, Procs: 3, Rounds: 2}
		if cfg.Validate() != nil {
			continue
		}
		if size := len(write(t, cfg)); size > 10_000_000 {
			t.Errorf("%v: the page has %d bytes, want 10 MB at most", cfg, size)
		}
	}
}

// BenchmarkOpen opens the largest pages of 3 and of 4 processes.
func BenchmarkOpen(b *testing.B) {
	for _, cfg := range []model.Config{{Scenario: spec.SplitLock, Procs: 3, Rounds: 2}, {Scenario: spec.AbandonWait, Procs: 4, Rounds: 2}} {
		b.Run(fmt.Sprintf("procs=%d", cfg.Procs), func(b *testing.B) {
			html := write(b, cfg)
			start, address := browsertest.Start(b, 1400, 900), browsertest.File(b, html)
			for b.Loop() {
				open(b, start, address)
			}
			b.ReportMetric(float64(len(html))/1e6, "MB")
		})
	}
}
