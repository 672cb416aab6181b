//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/browse/browsertest"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/trace"
)

// timelineData is the script of a timeline on a page.
var timelineData = regexp.MustCompile(`<script type="text/plain">([A-Za-z0-9+/=]+)</script>`)

// timelinesOf returns the timelines of a page.
func timelinesOf(t *testing.T, page string) (list []timeline.Timeline) {
	t.Helper()
	for _, m := range timelineData.FindAllStringSubmatch(page, -1) {
		packed, err := base64.StdEncoding.DecodeString(m[1])
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		var one timeline.Timeline
		if err := json.NewDecoder(z).Decode(&one); err != nil {
			t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// TestProc_TracedRunIsShown: the page of a run of a Go, a C and a Python party
// shows each step that they took in the slowest round, and names the trace.
func TestProc_TracedRunIsShown(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	ports := []string{"go", "c", "python"}
	porttest.Need(t, ports...)
	start := browsertest.Start(t, 1400, 1000)
	dir := filepath.Join(t.TempDir(), "out")
	file := filepath.Join(t.TempDir(), "run.trace")
	p := newCommand(t, "--port", "go", "--port", "c", "--port", "python", "--rounds", "60", "--stall", "5m", "--seed", "13", "--trace", file, "--out", dir)
	p.run(t)
	doc, _ := kept(t, dir)
	if code := p.ProcessState.ExitCode(); code != spec.ExitOK || doc.Runs[0].Trace == nil || len(doc.Runs[0].Slowest) == 0 {
		t.Fatalf("exit code %d, trace %+v, %d slowest rounds; want 0, and some:\n%s%s", code, doc.Runs[0].Trace, len(doc.Runs[0].Slowest), p.out.String(), p.err.String())
	}

	page := content(t, dir, "report.html")
	list := timelinesOf(t, page)
	if len(list) != len(doc.Runs[0].Slowest) {
		t.Fatalf("the page has %d timelines, want %d", len(list), len(doc.Runs[0].Slowest))
	}
	returned := false
	for worker, lane := range list[0].Lanes {
		if name := "worker " + string('0'+rune(worker)) + " " + ports[worker]; lane.Name != name {
			t.Errorf("lane %d is %q, want %q", worker, lane.Name, name)
		}
		shown := map[string]bool{}
		for _, i := range lane.Items {
			shown[i.Label] = true
		}
		for _, record := range doc.Runs[0].Slowest[0].Recording.Of(worker) {
			if !shown[record.Label] {
				t.Errorf("%s does not show its step %s", lane.Name, record.Label)
			}
		}
		for _, s := range []spec.Step{spec.Call, spec.CountEnter, spec.CountExit} {
			if !shown[s.String()] {
				t.Errorf("%s has no step %v", lane.Name, s)
			}
		}
		returned = returned || shown[trace.Returned.String()]
		if !slices.ContainsFunc(lane.Items, func(i timeline.Item) bool { return i.Kind == timeline.Lock }) {
			t.Errorf("%s never holds the lock", lane.Name)
		}
	}
	if !returned { // the worker has that has read the steps; another one may be about to record it
		t.Error("no worker returns")
	}

	b := start("file://" + filepath.Join(dir, "report.html"))
	b.Await(`document.body.dataset.ready === "true" && document.querySelector(".timeline-view svg")`)
	if text := browsertest.Eval[string](b, `document.querySelector(".timeline-view").textContent + document.getElementById("verdict").textContent`); !strings.Contains(text, "worker 1 c") || !strings.Contains(text, "go run ./model/validate "+file) {
		t.Errorf("the page does not show worker 1, or how to check the trace: %s", text)
	}
	if faults := b.Faults(); len(faults) > 0 {
		t.Errorf("faults of the page: got %q, want none", faults)
	}
}
