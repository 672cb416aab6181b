package timeline_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"sharedbarrier/model"
	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
)

// page returns the address of a page of the timelines.
func page(t testing.TB, list ...timeline.Timeline) string {
	t.Helper()
	var b bytes.Buffer
	if err := timeline.Write(&b, "Timelines", list...); err != nil {
		t.Fatal(err)
	}
	if most := 1_000_000; b.Len() > most {
		t.Errorf("the page has %d bytes, want %d at most", b.Len(), most)
	}
	return browsertest.File(t, b.String())
}

// open opens the page and waits until all its timelines are drawn.
func open(t testing.TB, start func(string) *browsertest.Page, address string) *browsertest.Page {
	t.Helper()
	p := start(address)
	p.Await(`document.querySelectorAll(".timeline:not([data-ready])").length === 0`)
	return p
}

const status = `document.querySelector(".timeline-status").textContent`

// TestConform_PageFollowsModel: from step to step, the page says what the trace
// and the model say: who does what, the words after it, and who holds the lock.
func TestConform_PageFollowsModel(t *testing.T) {
	browsertest.Short(t)
	start := browsertest.Start(t, 1000, 800)
	for _, cfg := range []model.Config{{Scenario: spec.Surplus, Procs: 2}, {Scenario: spec.Crash, Procs: 3}, {Scenario: spec.SplitLock, Procs: 2}} {
		r := explore.Explore(t.Context(), cfg, explore.Options{})
		states, err := r.Trace.Replay(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := open(t, start, page(t, timeline.Of(cfg, r.Result)))
		p.Click(".timeline-view")
		p.Press(kb.Home)
		for i, e := range r.Trace {
			want := fmt.Sprintf("Step %d: ", i+1)
			for tries := 0; !strings.HasPrefix(browsertest.Eval[string](p, status), want) && tries < 2*cfg.Procs; tries++ {
				p.Press(kb.ArrowRight) // past what lasts
			}
			got := browsertest.Eval[string](p, status)
			var holders []string
			for q := range cfg.Procs {
				if s := states[i+1]; s.Alive(q) && s.Step(q).Holds() {
					holders = append(holders, fmt.Sprintf("p%d", q))
				}
			}
			lock := "No process holds"
			switch len(holders) {
			case 1:
				lock = holders[0] + " holds"
			case 2:
				lock = strings.Join(holders, " and ") + " hold"
			}
			w := e.Words
			after := strings.ReplaceAll(fmt.Sprintf(" Then enter is %d, exit is %d, flag is %d. %s the lock.", w.Enter, w.Exit, w.Flag, lock), "-", "−")
			if !strings.HasPrefix(got, want) || !strings.Contains(got, e.Label) || !strings.HasSuffix(got, after) {
				t.Fatalf("%v, after %d presses of →: got %q, want %q, %s, and%q", cfg, i, got, want, e.Label, after)
			}
		}
		p.Faultless()
	}
}

// deadlock has every part of a timeline by Order but a loop.
func deadlock(t *testing.T) timeline.Timeline {
	return found(t, model.Config{Scenario: spec.Crash, Procs: 4})
}

func lasso(t *testing.T) timeline.Timeline {
	return found(t, model.Config{Scenario: spec.Reuse, Procs: 3, Mutant: model.MutantNamed("test-again")})
}

// real returns a timeline by Time, with each kind of item, as a run may have it.
func real(rounds int) timeline.Timeline {
	line := timeline.Timeline{Title: "Slowest round", Doc: "The round took 4 ms.", Axis: timeline.Time}
	for p := range int64(4) {
		lane := timeline.Lane{Name: fmt.Sprintf("p%d (python)", p)}
		add := func(kind timeline.Kind, from, to int64, label string) {
			lane.Items = append(lane.Items, timeline.Item{Kind: kind, From: from, To: to, Label: label})
		}
		at := 40_000 * p
		for round := range rounds {
			begin := at
			for _, s := range spec.CallSteps {
				add(timeline.Step, at, at, s.String())
				switch {
				case s == spec.AwaitFlag:
					add(timeline.Wait, at, at+500_000, s.String())
					at += 500_000
				case s.Lock() == spec.Acquire:
					add(timeline.Lock, at, at+6_000, "")
				}
				at += 3_000
			}
			add(timeline.Call, begin, at, fmt.Sprintf("call %d", round))
		}
		line.Lanes = append(line.Lanes, lane)
	}
	line.Lanes[0].Items[1].Wrong = true // the first LockInit
	line.Lanes[1].Items = append(line.Lanes[1].Items, timeline.Item{Kind: timeline.Fault, From: 300_000, To: 300_000, Label: "SIGSTOP"})
	line.Lanes[2].Items = append(line.Lanes[2].Items, timeline.Item{Kind: timeline.Event, From: 400_000, To: 400_000, Label: "Die"},
		timeline.Item{Kind: timeline.Dead, From: 400_000, To: 600_000, Open: true})
	for at := range int64(5) {
		line.Words = append(line.Words, timeline.Change{At: at * 90_000, Words: spec.Words{Enter: int32(at), Exit: spec.NotSet, Flag: int32(at % 2)}})
	}
	return line
}

// domain is what is in view of the first timeline, as its axis says.
const ticks = `[...document.querySelectorAll(".timeline-view [aria-label='x-axis tick label'] text")].map((e) => e.textContent).join(" ")`

// TestProc_Controls uses each button and the mouse, and looks at what changes.
func TestProc_Controls(t *testing.T) {
	browsertest.Short(t)
	start := browsertest.Start(t, 1000, 900)
	for _, line := range []timeline.Timeline{deadlock(t), lasso(t), real(3)} {
		p := open(t, start, page(t, line))
		view := func() string { return browsertest.Eval[string](p, ticks) }
		changed := func(what string, before string, want bool) {
			t.Helper()
			if after := view(); (after != before) != want || after == "" {
				t.Errorf("%s, %s: the axis has %q and had %q; want it changed: %v", line.Title, what, after, before, want)
			}
		}
		press := func(hint string) {
			t.Helper()
			p.Click(fmt.Sprintf(`.timeline-tools [title=%q]`, hint))
		}
		whole := view()
		for _, step := range []struct{ button, name string }{{"Zoom in", "in"}, {"Later", "later"}, {"Earlier", "earlier"}, {"Zoom out", "out"}} {
			before := view()
			press(step.button)
			changed(step.name, before, true)
		}
		press("Zoom in")
		press("Show everything")
		changed("everything", whole, false)
		press("Go to what is wrong")
		if got := browsertest.Eval[string](p, status); !strings.Contains(got, "This is what is wrong.") {
			t.Errorf("%s, after Go to what is wrong: the status is %q", line.Title, got)
		}
		before := browsertest.Eval[string](p, status)
		press("Previous item")
		press("Next item")
		if got := browsertest.Eval[string](p, status); got != before {
			t.Errorf("%s, after Previous and Next: the status is %q, want %q", line.Title, got, before)
		}
		before = view()
		browsertest.Eval[bool](p, `document.querySelector(".timeline-view").dispatchEvent(new WheelEvent("wheel", { deltaY: -300, ctrlKey: true, clientX: 500, clientY: 300, bubbles: true, cancelable: true, view: window }))`)
		changed("the wheel with Ctrl", before, true)
		before = view()
		browsertest.Eval[bool](p, `document.querySelector(".timeline-view").dispatchEvent(new WheelEvent("wheel", { deltaY: -300, clientX: 500, clientY: 300, bubbles: true, cancelable: true, view: window }))`)
		changed("the wheel alone, which scrolls the page", before, false)
		p.Drag(".timeline-view", 200, 0)
		changed("a drag", before, true)
		press("Show everything")
		p.Click(".timeline-view") // its middle
		if got := browsertest.Eval[string](p, status); got == "" {
			t.Errorf("%s, after a click on an item: the status is empty", line.Title)
		}
		p.Faultless()
	}
}

// TestProc_KeyboardAlone reaches each control with Tab, and each item with the
// arrows.
func TestProc_KeyboardAlone(t *testing.T) {
	browsertest.Short(t)
	p := open(t, browsertest.Start(t, 1000, 900), page(t, deadlock(t)))
	const controls = `button, [tabindex='0'], summary`
	all := browsertest.Eval[int](p, fmt.Sprintf(`document.querySelectorAll("%s").length`, controls)) - 1 // the text is folded
	browsertest.Eval[int](p, `(window.reached = new Set(), document.addEventListener("focusin", (e) => reached.add(e.target)), 0)`)
	for range all {
		p.Press(kb.Tab)
	}
	if reached := browsertest.Eval[int](p, `reached.size`); reached != all {
		t.Errorf("Tab reaches %d controls, want %d", reached, all)
	}
	browsertest.Eval[bool](p, `(document.querySelector(".timeline-view").focus(), true)`)
	for _, c := range []struct{ key, want string }{
		{kb.Home, "Step 1: p0 Die"}, {kb.ArrowRight, "From step 2 on: p0 is dead"}, {kb.ArrowRight, "Step 2: p1 Call(4)"}, {kb.ArrowLeft, "From step 2 on: p0 is dead"},
		{kb.End, "From step 30 on: p3 at AwaitFlag waits until flag ≠ 0"}, {kb.ArrowUp, "From step 22 on: p2"}, {kb.ArrowDown, "Step 22: p3 Call(4)"},
	} {
		p.Press(c.key)
		if got := browsertest.Eval[string](p, status); !strings.HasPrefix(got, c.want) {
			t.Errorf("after %q: the status is %q, want %q", c.key, got, c.want)
		}
	}
	for _, key := range []string{"+", "-", "+", "0"} {
		before := browsertest.Eval[string](p, ticks)
		p.Press(key)
		if got := browsertest.Eval[string](p, ticks); got == before {
			t.Errorf("after %q: the axis has %q as before", key, got)
		}
	}
	p.Faultless()
}

// TestProc_EveryoneCanRead: names for screen readers, contrast in both themes,
// and a print without buttons.
func TestProc_EveryoneCanRead(t *testing.T) {
	browsertest.Short(t)
	p := open(t, browsertest.Start(t, 1200, 900), page(t, deadlock(t), lasso(t), real(1)))
	looks := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		p.Theme(scheme)
		if faint := p.Faint(); len(faint) > 0 {
			t.Errorf("%s: texts with little contrast: %q", scheme, faint)
		}
		looks[browsertest.Eval[string](p, `getComputedStyle(document.querySelector(".timeline")).backgroundColor`)] = true
	}
	if len(looks) != 2 {
		t.Errorf("backgrounds of the two themes: got %v, want two", looks)
	}
	if nameless := p.Nameless(); len(nameless) > 0 {
		t.Errorf("controls without a name: %q", nameless)
	}
	p.Print()
	if browsertest.Eval[bool](p, `document.querySelector(".timeline-tools").checkVisibility() || !document.querySelector(".timeline-view").checkVisibility()`) {
		t.Error("the print shows the buttons, or not the lanes")
	}
	p.Faultless()
}

// TestProc_Narrow: on a small screen nothing is wider than the window, and what
// is wrong is in view.
func TestProc_Narrow(t *testing.T) {
	browsertest.Short(t)
	p := open(t, browsertest.Start(t, 420, 800), page(t, deadlock(t), real(3)))
	if got, want := browsertest.Eval[int](p, `document.documentElement.scrollWidth`), browsertest.Eval[int](p, `document.documentElement.clientWidth`); got > want {
		t.Errorf("the page is %d wide in a window of %d", got, want)
	}
	if got := browsertest.Eval[string](p, ticks); strings.Contains(got, "start") || got == "" {
		t.Errorf("a long timeline in a small window: the axis has %q, want a part whose labels can be read", got)
	}
}

// TestProc_ManyItems: of ten thousands of items the browser draws no more than
// there are pixels for.
func TestProc_ManyItems(t *testing.T) {
	browsertest.Short(t)
	line := real(60)
	items := 0
	for _, l := range line.Lanes {
		items += len(l.Items)
	}
	p := open(t, browsertest.Start(t, 1000, 900), page(t, line))
	drawn := `document.querySelectorAll(".timeline-view svg rect, .timeline-view svg line").length`
	if got := browsertest.Eval[int](p, drawn); got > items || got > 4*1000*4 || got < 100 {
		t.Errorf("of %d items the browser draws %d", items, got)
	}
	p.Faultless()
}

// BenchmarkOpen opens a page with thousands of items.
func BenchmarkOpen(b *testing.B) {
	start, address := browsertest.Start(b, 1200, 900), page(b, real(60))
	for b.Loop() {
		open(b, start, address)
	}
}

// TestUnit_Libraries: the d3 here is the one that the Plot here is made for.
func TestUnit_Libraries(t *testing.T) {
	text := map[string]string{}
	for _, name := range []string{"d3.min.js", "plot.min.js"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text[name] = string(b)
	}
	wanted := regexp.MustCompile(`require\("d3@([\d.]+)/`).FindStringSubmatch(text["plot.min.js"])
	if wanted == nil || !strings.HasPrefix(text["d3.min.js"], "// https://d3js.org v"+wanted[1]+" ") {
		t.Errorf("plot.min.js asks for d3 %q, and d3.min.js begins %.40q", wanted, text["d3.min.js"])
	}
}
