//go:build linux

package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/run"
	"sharedbarrier/stress/trace"
)

// killedUnderLock is a hang of two workers. Worker 0 has released the lock, was
// slow to record what followed, and polls. Worker 1 was killed at CountEnter.
func killedUnderLock() run.Report {
	words := func(enter, flag int32) *spec.Words { return &spec.Words{Enter: enter, Exit: 2, Flag: flag} }
	return run.Report{
		Verdict: spec.Hang, Procs: 2, Ports: []string{"go", "exec:./a-port --long"},
		Hang: &run.Hang{Why: "worker 1 died", Workers: []run.Worker{{Worker: 0, Begun: 3, State: "running"}, {Worker: 1, Begun: 3, State: "signal: killed"}}},
		Recording: &trace.Recording{Version: 1, Now: 9e9, Records: []trace.Record{
			{Worker: 0, Round: 2, Label: "returned", Taken: true, Attempts: 1, Number: 16, At: 1000, Last: 1000},
			{Worker: 0, Round: 3, Label: "Call", Taken: true, Attempts: 1, Number: 16, At: 2000, Last: 2000},
			{Worker: 0, Round: 3, Label: "LockFirst", Taken: true, Attempts: 3, Number: 16, At: 3000, Last: 3000},
			{Worker: 0, Round: 3, Label: "LowerFlag", Taken: true, Attempts: 1, Number: 32, At: 4000, Last: 4000, Words: words(0, 1)},
			{Worker: 0, Round: 3, Label: "UnlockEnter", Taken: true, Attempts: 1, Number: 33, At: 5000, Last: 5000, Words: words(0, 0)},
			{Worker: 1, Round: 3, Label: "LowerFlag", Taken: true, Attempts: 1, Number: 48, At: 6000, Last: 6000, Words: words(1, 0)},
			{Worker: 0, Round: 3, Label: "AwaitFlag", Attempts: 240, Number: 48, At: 7000, Last: 8e9},
			{Worker: 1, Round: 3, Label: "CountEnter", Attempts: 1, Number: 49, At: 9000, Last: 9000, Words: words(1, 0)},
		}},
	}
}

// items lists what a timeline has, one string each.
func items(t timeline.Timeline) (list []string) {
	for _, lane := range t.Lanes {
		for _, i := range lane.Items {
			text := fmt.Sprintf("%s: %s %s %d-%d", lane.Name, i.Kind, i.Label, i.From, i.To)
			if i.Open {
				text += " open"
			}
			if i.Wrong {
				text += " wrong"
			}
			list = append(list, text)
		}
	}
	for _, c := range t.Words {
		list = append(list, fmt.Sprintf("%d: %v", c.At, c.Words))
	}
	return list
}

// TestUnit_Timeline: each call, step, wait, holder of the lock, death and change
// of the words has its place. A worker holds the lock no longer than another one
// is known not to, or than it lives.
func TestUnit_Timeline(t *testing.T) {
	rep := killedUnderLock()
	got := items(drawn(rep, *rep.Recording, stateAt(rep), "", "", wrongIn(rep)))
	want := []string{
		"worker 0 go: call  0-0", "worker 0 go: call  1000-10000 open", "worker 0 go: lock  3000-5000",
		"worker 0 go: step returned 0-0", "worker 0 go: step Call 1000-2000", "worker 0 go: wait LockFirst 2000-3000", "worker 0 go: step LockFirst 3000-3000",
		"worker 0 go: step LowerFlag 3000-4000", "worker 0 go: step UnlockEnter 4000-6000", "worker 0 go: wait AwaitFlag 6000-10000 open",
		"worker 1 exec: call  5000-8000 open", "worker 1 exec: lock  5000-8000",
		"worker 1 exec: step LowerFlag 5000-8000", "worker 1 exec: step CountEnter 8000-8000 wrong", "worker 1 exec: dead signal: killed 8000-10000 open",
		"3000: enter=0 exit=2 flag=1", "4000: enter=0 exit=2 flag=0", "5000: enter=1 exit=2 flag=0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the timeline has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	both := *rep.Recording // the workers are under the lock at once
	both.Records = slices.Clone(both.Records)
	both.Records[4].At, both.Records[4].Last = 6500, 6500
	if list := items(drawn(rep, both, rep.Hang, "", "", none)); !slices.Contains(list, "worker 0 go: lock  3000-5500") || !slices.Contains(list, "worker 1 exec: lock  5000-8000") {
		t.Errorf("two workers hold the lock at once, and the timeline has\n%s", strings.Join(list, "\n"))
	}
}

// TestUnit_TimelinesOfARun: what has failed comes first and is marked, and then
// the slow rounds; of many workers those are shown that matter.
func TestUnit_TimelinesOfARun(t *testing.T) {
	rep := killedUnderLock()
	rep.Slowest = []run.SlowRound{{Round: 3, Latency: 51.4, Recording: *rep.Recording}, {Round: 2, Latency: 40}}
	var titles []string
	for i, line := range timelines(rep) {
		titles = append(titles, line.Title)
		if dead := strings.Contains(strings.Join(items(line), "\n"), "signal: killed"); dead != (i == 0) {
			t.Errorf("%s: worker 1, which has died in the end, is dead: %v", line.Title, dead)
		}
	}
	if want := []string{"The hang", "The slowest round: 3, 51 µs", "Slow round: 2, 40 µs"}; !slices.Equal(titles, want) {
		t.Errorf("timelines: got %q, want %q", titles, want)
	}

	rep.Verdict, rep.Early = spec.Violated, &oracle.Violation{Worker: 0, Round: 2, Party: 150, Begun: 1}
	rep.Procs, rep.Ports = 200, nil
	if list := items(timelines(rep)[0]); strings.Contains(strings.Join(list, "\n"), "signal: killed") {
		t.Errorf("the run went on after the early exit, and worker 1 is dead at once:\n%s", strings.Join(list, "\n"))
	}
	large := drawn(rep, *rep.Recording, stateAt(rep), "", "", wrongIn(rep))
	list := items(large)
	if !slices.Contains(list, "worker 0: step returned 0-0 wrong") || strings.Contains(strings.Join(list, ""), "CountEnter 8000-8000 wrong") {
		t.Errorf("the early exit is not what is wrong:\n%s", strings.Join(list, "\n"))
	}
	shown := func(name string) bool {
		return slices.ContainsFunc(large.Lanes, func(l timeline.Lane) bool { return l.Name == name })
	}
	if len(large.Lanes) != mostLanes || !shown("worker 0") || !shown("worker 1") || !shown("worker 150") || !strings.Contains(large.Doc, "64 of 200 workers are shown") {
		t.Errorf("%d lanes are shown, %q, want %d, with those of workers 0, 1 and 150", len(large.Lanes), large.Doc, mostLanes)
	}

	rep.Early, rep.Refuted = nil, []oracle.Refutation{{Property: "WordsInRange", Worker: 1, Round: 3, Why: "at CountEnter"}}
	if list := items(drawn(rep, *rep.Recording, stateAt(rep), "", "", wrongIn(rep))); !slices.Contains(list, "worker 1: step CountEnter 8000-8000 wrong") {
		t.Errorf("what refutes the property is not what is wrong:\n%s", strings.Join(list, "\n"))
	}
}
