//go:build linux

package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model/accept"
	"sharedbarrier/spec"
	"sharedbarrier/stress/oracle"
	"sharedbarrier/stress/port/porttest"
	"sharedbarrier/stress/trace"
)

// mustTrace is mustRun with a trace, which must be a behaviour of the model and
// have as many ends of calls as the report, but for those that withdrew before
// their first step.
func mustTrace(t *testing.T, s setting, c Config) Report {
	t.Helper()
	c.Trace = filepath.Join(t.TempDir(), "trace")
	rep := mustRun(t, s, c)
	got, rejection := validate(t, rep)
	if rejection != nil {
		t.Errorf("the trace of %+v is rejected: line %d, %v: %s; %s", c, rejection.Line, rejection.Event, rejection.Part, rejection.Why)
	}
	numberedAs(t, got, rep)
	want := map[string]int64{"returned": rep.Calls, "withdrawn": rep.Ends.Withdrawn, "abandoned": rep.Ends.Abandoned}
	for label, want := range want {
		exact := rep.Verdict != spec.Violated && label != "withdrawn" // the workers go on until the end of a violated run
		if got := int64(len(got[label])); got > want || exact && got != want {
			t.Errorf("the trace of %+v, %v, has %d events %s, want %d", c, rep.Verdict, got, label, want)
		}
	}
	return rep
}

// numberedAs checks that the steps under the lock that the report shows are those
// of the trace with their numbers.
func numberedAs(t *testing.T, traced map[string][]accept.Event, rep Report) {
	t.Helper()
	end := int64(0)
	for _, list := range traced {
		for _, e := range list {
			end = max(end, e.Number)
		}
	}
	var shown []trace.Record
	if rep.Recording != nil {
		shown = rep.Recording.Records
	}
	for _, slow := range rep.Slowest {
		shown = append(shown, slow.Recording.Records...)
	}
	for _, r := range shown {
		if r.Words != nil && r.Number <= end && !slices.ContainsFunc(traced[r.Label], func(e accept.Event) bool {
			return e.Proc == r.Worker && e.Number == r.Number && e.Words == *r.Words
		}) {
			t.Errorf("the report shows %v of worker %d with the number %d, which the trace of %d steps has not", r, r.Worker, r.Number, end)
			return
		}
	}
	if rep.Verdict == spec.Hang && (len(shown) == 0 || shown[len(shown)-1].Number > end) {
		t.Errorf("the report of a hang shows %d steps, want some, with numbers up to %d", len(shown), end)
	}
}

// validate returns the events of the trace of the run, by label, and what the
// model says of them.
func validate(t *testing.T, rep Report) (map[string][]accept.Event, *accept.Rejection) {
	t.Helper()
	if rep.Trace == nil || rep.Trace.Failure != "" {
		t.Fatalf("the report has the trace %+v, want one without a failure", rep.Trace)
	}
	file, err := os.Open(rep.Trace.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	read, err := accept.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(read.Events)) != rep.Trace.Events || read.Procs != rep.Procs {
		t.Errorf("the file has %d events of %d processes, want %d, %d", len(read.Events), read.Procs, rep.Trace.Events, rep.Procs)
	}
	by := map[string][]accept.Event{}
	for _, e := range read.Events {
		by[e.Label] = append(by[e.Label], e)
	}
	return by, accept.Check(read).Rejection
}

// TestProc_TraceOfPorts: Go, C and the original Python at one barrier are traced
// together, with calls that give up, and until one of them is killed.
func TestProc_TraceOfPorts(t *testing.T) {
	t.Parallel()
	porttest.Need(t, "c", "python")
	c := Config{Procs: 3, Ports: []string{"", "c", "python"}, Rounds: 60, Pauses: true, Seed: 1}
	for _, text := range []string{"give-up:0@AwaitFlag:x5", "give-up:1@AwaitFlag:x5", "kill:1@CountEnter", "kill:2@AwaitFlag"} {
		c.Faults = faults(t, text)
		rep := mustTrace(t, quick(), c)
		if happened := rep.Faults[0].Happened; happened == 0 {
			t.Errorf("%s: %+v, want that it happened", text, rep.Faults)
		}
		events, _ := validate(t, rep)
		if got := int64(len(events[accept.Withdrawn])); got != rep.Ends.Withdrawn { // all at AwaitFlag
			t.Errorf("%s: the trace has %d withdrawals, want %d", text, got, rep.Ends.Withdrawn)
		}
		for worker := range c.Procs {
			if !slices.ContainsFunc(events["CountEnter"], func(e accept.Event) bool { return e.Proc == worker }) {
				t.Errorf("%s: the trace has no CountEnter of worker %d", text, worker)
			}
		}
		if died := events[accept.Died]; len(died) != rep.Deaths {
			t.Errorf("%s: the trace has the deaths %v, want %d", text, died, rep.Deaths)
		}
	}
}

// TestProc_TraceOfFailure: a worker whose call fails has that as its last event.
// See TestProc_PortLostWithLock for a call that fails since its port was killed.
func TestProc_TraceOfFailure(t *testing.T) {
	t.Parallel()
	rep := mustTrace(t, at("fails"), Config{Procs: 2, Rounds: 50})
	events, _ := validate(t, rep)
	if failed := events[accept.Failed]; rep.Verdict != spec.Hang || len(failed) == 0 || len(events[accept.Died]) > 0 {
		t.Errorf("%v, failures %v, deaths %v; want a hang, one or two, none", rep.Verdict, failed, events[accept.Died])
	}
}

// TestHazard_TraceOfMutants: a port with a mistake is found by its trace, at the
// event that shows it, and by what of the event contradicts. A run ends when a
// worker has come to a step after that: it may hang later. The control is the
// port without a mistake.
func TestHazard_TraceOfMutants(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		port  string
		part  accept.Part // empty: the trace is accepted
		label string
		until string // empty: the end of the run
	}{
		{"c", "", "", ""},
		{"c@no-lock-init", accept.Step, "InitExit", "UnlockInit"},
		{"c@never-first", accept.Step, "CountEnter", "UnlockEnter"},
		{"c@no-lower", accept.Step, "CountEnter", "UnlockEnter"},
		{"c@reset-exit-one", accept.Word, "RaiseFlag", "CountExit"},
		{"c@raise-two", accept.Word, "UnlockEnter", "CountExit"},
		{"c@no-await-flag", accept.Step, "LockExit", "CountExit"},
		{"c@no-clear-exit", accept.Step, "UnlockExit", ""}, // harmless, and no behaviour of the model all the same
	} {
		porttest.Need(t, c.port)
		config := Config{Procs: 2, Ports: []string{c.port, c.port}, Rounds: 20, Trace: filepath.Join(t.TempDir(), "trace")}
		config.Enough = func(ledger *oracle.Ledger) bool {
			return slices.ContainsFunc(trace.NewRecorder(ledger.Beside(), config.Procs).Read().Records, func(r trace.Record) bool { return r.Label == c.until })
		}
		rep := mustRun(t, at("real"), config)
		switch _, no := validate(t, rep); {
		case c.part == "" && no != nil:
			t.Errorf("%s: line %d, %v, is rejected: %s", c.port, no.Line, no.Event, no.Why)
		case c.part != "" && no == nil:
			t.Errorf("%s: the trace is accepted, want its %s rejected at %s", c.port, c.part, c.label)
		case c.part != "" && (no.Part != c.part || no.Event.Label != c.label):
			t.Errorf("%s: rejected at %v by its %s, want by its %s at %s", c.port, no.Event, no.Part, c.part, c.label)
		}
	}
}

func init() {
	barriers["records-late"] = spoilt(func(hook func(spec.Step)) func(spec.Step) {
		var taken []spec.Step // and not recorded
		return func(s spec.Step) {
			if taken = append(taken, s); len(taken) > 1 {
				hook(taken[0])
				taken = taken[1:]
			}
		}
	})
	barriers["records-before-the-lock"] = spoilt(func(hook func(spec.Step)) func(spec.Step) {
		early := spec.Call
		return func(s spec.Step) {
			if s == early {
				return
			}
			if hook(s); s.Lock() == spec.Acquire {
				early = s.Next()[0].To
				hook(early)
			}
		}
	})
	barriers["forgets-a-record"] = spoilt(func(hook func(spec.Step)) func(spec.Step) {
		calls := 0
		return func(s spec.Step) {
			if s == spec.Call {
				calls++
			}
			if s != spec.CountEnter || calls != 10 {
				hook(s)
			}
		}
	})
}

// spoilt is the real barrier with a spoilt recorder.
func spoilt(spoil func(hook func(spec.Step)) func(spec.Step)) opener {
	return func(ctx context.Context, a assignment, hook func(spec.Step)) (barrier, error) {
		return open(ctx, a, spoil(hook))
	}
}

// TestHazard_SpoiltRecorder: a trace is rejected if the workers record a step
// when they have taken it, number it before they have the lock, or leave one
// out. The control records as it should.
func TestHazard_SpoiltRecorder(t *testing.T) {
	t.Parallel()
	for barrier, wrong := range map[string]bool{"records-late": true, "records-before-the-lock": true, "forgets-a-record": true, "real": false} {
		rep := mustRun(t, at(barrier), Config{Procs: 3, Rounds: 200, Trace: filepath.Join(t.TempDir(), "trace")})
		if rep.Verdict != spec.Passed {
			t.Errorf("%s: %v, want passed: only the recorder is spoilt", barrier, rep.Verdict)
		}
		if _, no := validate(t, rep); (no != nil) != wrong {
			t.Errorf("%s: rejection %+v, want one: %v", barrier, no, wrong)
		}
	}
}

// TestUnit_TraceRefused: what no trace can have is refused before the first
// call, and no file is made.
func TestUnit_TraceRefused(t *testing.T) {
	black := "exec:echo port 1; while read request rest; do case $request in open) echo opened;; call) echo returned;; close) echo closed; exit;; esac; done"
	dir := t.TempDir()
	for _, c := range []struct{ port, fault, dir, want string }{
		{black, "", "", "has not the capability white: it does not announce its steps"},
		{"", "construct:late", "", "no trace can have it"},
		{"", "relink", "", "no trace can have it"},
		{"", "", "none", "no such file or directory"},
	} {
		config := Config{Procs: 2, Ports: []string{c.port, c.port}, Rounds: 3, Faults: faults(t, c.fault), Trace: filepath.Join(dir, c.dir, "trace")}
		if _, err := runIn(t, t.Context(), quick(), config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s at port %.20q: %v, want an error with %q", c.fault, c.port, err, c.want)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("the runs left %v (%v)", list, err)
	}
}

// TestProc_TraceReadAgain: what trace.Read returns of the rounds that are wanted
// is what the workers did in them.
func TestProc_TraceReadAgain(t *testing.T) {
	const procs, rounds, wanted = 3, 30, 17
	rep := mustTrace(t, at("real"), Config{Procs: procs, Rounds: rounds, Seed: 5})
	file, err := os.Open(rep.Trace.File)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := int64(0)
	head, rec, err := trace.Read(file, func(r trace.Record) bool { seen++; return r.Round == wanted })
	if err != nil || head.Procs != procs || head.Seed != 5 || seen != rep.Trace.Events {
		t.Fatalf("Read: %+v, %d records, %v; want %d processes, seed 5, %d records", head, seen, err, procs, rep.Trace.Events)
	}
	var ends []string
	for worker := range procs {
		records := rec.Of(worker)
		for i, r := range records {
			if !r.Taken || r.Parties != procs || i > 0 && (r.At < records[i-1].At || r.Number < records[i-1].Number) {
				t.Errorf("record %d of worker %d is %+v, want it taken, with %d parties, after the one before it", i, worker, r, procs)
			}
		}
		ends = append(ends, fmt.Sprint(records[0], records[len(records)-1]))
	}
	if want := slices.Repeat([]string{"Call returned"}, procs); !slices.Equal(ends, want) {
		t.Errorf("the first and last records of round %d are %q, want %q", wanted, ends, want)
	}
}
