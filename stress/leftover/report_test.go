//go:build linux

package leftover

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// report has each kind and each verdict once.
func report(now time.Time) *Report {
	return &Report{Version: version, Limits: []string{"x; run as root"}, Leftovers: []Leftover{
		{Kind: OfRun, Of: "stress, process 7", Paths: []string{"/a", "/b"}, Bytes: 12, Changed: now.Add(-50 * time.Hour), Words: &spec.Initial, Verdict: Dead, Why: "no process has it"},
		{Kind: WorkDir, Of: "tlc", Paths: []string{"/c"}, Changed: now.Add(-2 * time.Hour), Verdict: Live, Why: "in use", Processes: []Use{{7, "me", []string{"mapped", "open", "works in", "locked"}}}},
		{Kind: OfCreate, Of: "package impl", Paths: []string{"/d"}, Changed: now.Add(-3 * time.Minute), Verdict: Removed, Why: "no process had it"},
		{Kind: OfBarrier, Of: "MosaicML Streaming", Paths: []string{"/e"}, Verdict: Unproven, Why: "permission denied"},
		{Kind: OfGroup, Of: "package group", Paths: []string{"/g"}, Bytes: 768, Verdict: Live, Why: "in use"},
		{Kind: SegmentLike, Of: "unknown", Paths: []string{"/f"}, Changed: now, Verdict: Foreign, Why: "name it"},
	}}
}

func TestUnit_Text(t *testing.T) {
	const want = `what        of                  age  bytes  verdict   why
run         stress, process 7   2d   12     dead      no process has it
    /a
    /b
    enter=0 exit=-1 flag=1
directory   tlc                 2h   0      live      in use
    /c
creation    package impl        3m   0      removed   no process had it
    /d
barrier     MosaicML Streaming  -    0      unproven  permission denied
    /e
group       package group       -    768    live      in use
    /g
look-alike  unknown             0s   0      foreign   name it
    /f
`
	now := time.Now()
	var got strings.Builder
	if report(now).table(&got, now); got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	for end, leftovers := range map[string][]Leftover{
		"Nothing is left.\n": nil,
		"1 of 1 can be removed: repeat the command with --yes.\n":    report(now).Leftovers[:1],
		"None can be removed.\n":                                     report(now).Leftovers[1:2],
		"Removed 1 of 6.\nNot seen: x; run as root.\n":               report(now).Leftovers,
		"None can be removed.\nNot seen: it; run as someone else.\n": report(now).Leftovers[3:],
	} {
		r := Report{Leftovers: leftovers}
		if _, limit, ok := strings.Cut(strings.TrimSuffix(end, ".\n"), "Not seen: "); ok {
			r.Limits = []string{limit}
		}
		var text strings.Builder
		if err := r.Text(&text); err != nil || !strings.HasSuffix("\n"+text.String(), "\n"+end) {
			t.Errorf("%d leftovers: %v, %s; want the end %q", len(leftovers), err, text.String(), end)
		}
	}
}

func TestUnit_ExitCode(t *testing.T) {
	for _, l := range report(time.Now()).Leftovers {
		want := map[bool]int{false: spec.ExitOK, true: spec.ExitOK}
		switch l.Verdict {
		case Unproven:
			want[false], want[true] = spec.ExitUnfinished, spec.ExitUnfinished
		case Live, Foreign:
			want[true] = spec.ExitUnfinished
		}
		for named, code := range want {
			if got := (&Report{Leftovers: []Leftover{l}}).ExitCode(named); got != code {
				t.Errorf("%s, named: %v: exit code %d, want %d", l.Verdict, named, got, code)
			}
		}
	}
	if got := (&Report{Interrupted: true}).ExitCode(false); got != spec.ExitInterrupted {
		t.Errorf("interrupted: exit code %d, want %d", got, spec.ExitInterrupted)
	}
}

// TestUnit_Schema: each report fits the schema, and one that is spoilt does not.
func TestUnit_Schema(t *testing.T) {
	schema := golden.Schema(t, "report.schema.json")
	r := report(time.Now())
	r.Interrupted = true
	var line strings.Builder
	if err := r.JSON(&line); err != nil {
		t.Fatal(err)
	}
	validate := func(spoil func(o map[string]any)) error {
		o := golden.JSON(t, line.String())
		spoil(o.(map[string]any))
		return schema.Validate(o)
	}
	if err := validate(func(map[string]any) {}); err != nil {
		t.Errorf("%s does not fit its schema: %v", line.String(), err)
	}
	first := func(o map[string]any) map[string]any { return o["leftovers"].([]any)[0].(map[string]any) }
	for name, spoil := range map[string]func(o map[string]any){
		"another version": func(o map[string]any) { o["version"] = json.Number("2") },
		"another field":   func(o map[string]any) { o["x"] = true },
		"no limits":       func(o map[string]any) { delete(o, "limits") },
		"no path":         func(o map[string]any) { first(o)["paths"] = []any{} },
		"another verdict": func(o map[string]any) { first(o)["verdict"] = "x" },
		"no reason":       func(o map[string]any) { first(o)["why"] = "" },
		"another word":    func(o map[string]any) { first(o)["words"].(map[string]any)["x"] = json.Number("1") },
	} {
		if validate(spoil) == nil {
			t.Errorf("a report with %s fits the schema", name)
		}
	}
}
