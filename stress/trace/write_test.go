//go:build linux

package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sharedbarrier/spec"
)

// newJournals returns files for the workers.
func newJournals(t testing.TB, workers int) (list []*os.File) {
	t.Helper()
	dir := t.TempDir()
	for range workers {
		journal, err := NewJournal(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { journal.Close() })
		list = append(list, journal)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("journals have the names %v (%v), want none", left, err)
	}
	return list
}

// written returns the lines of the trace without the times, and the head.
func written(t *testing.T, r *Recorder, sources []Source, last int64) (head string, lines []string) {
	t.Helper()
	var file bytes.Buffer
	events, err := r.Write(&file, Head{Procs: len(sources), Recorder: "test"}, sources, last, nil)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(file.String(), "\n")
	_, rec, err := Read(strings.NewReader(file.String()), func(Record) bool { return true })
	if err != nil || len(rec.Records) != int(events) || strings.Count(rest, "\n") != int(events) {
		t.Fatalf("Read: %d records, %v; want the %d that were written", len(rec.Records), err, events)
	}
	for _, record := range rec.Records {
		line := fmt.Sprintf("%d-%d w%d r%d/%d %v", record.Number, record.Until, record.Worker, record.Round, record.Parties, record)
		if record.Words != nil {
			line += " " + record.Words.String()
		}
		lines = append(lines, line)
	}
	return head, lines
}

// TestUnit_Write: the records of two workers, one of which has died, in the
// order of the numbers, which have no gap. What a port does before its first
// call is left out, and a call that withdraws before its first step. A poll has the number of its last attempt, and an
// acquisition that of its first one.
func TestUnit_Write(t *testing.T) {
	r, journals := NewRecorder(memory(t, 2), 2), newJournals(t, 2)
	a, b := r.Track(0, false), r.Track(1, false)
	b.started, b.timeThen = a.started, a.timeThen
	a.Keep(journals[0])
	b.Keep(journals[1])
	a.Step(spec.MakeEnter, spec.Words{})
	a.Begin(1, 1, 2)
	b.Begin(1, 2, 2)
	a.Step(spec.Call, spec.Words{})
	b.Step(spec.Call, spec.Words{})
	a.Step(spec.LockInit, spec.Words{})
	b.Step(spec.LockInit, spec.Words{})
	a.Step(spec.InitExit, spec.Words{Enter: 0, Exit: -1, Flag: 1})
	a.Step(spec.UnlockInit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	b.Step(spec.LockInit, spec.Words{})
	b.Step(spec.InitExit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	a.Step(spec.AwaitDrain, spec.Words{}) // this worker leaves steps out
	b.Step(spec.UnlockInit, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	a.Step(spec.AwaitDrain, spec.Words{})
	b.End(Withdrawn, Now())
	a.Step(spec.LockFirst, spec.Words{})
	b.Begin(1, 3, 2)
	b.End(Withdrawn, Now())
	b.Begin(1, 4, 2)
	b.Step(spec.Call, spec.Words{})
	a.Step(spec.LowerFlag, spec.Words{Enter: 0, Exit: 2, Flag: 1})
	head, got := written(t, r, []Source{{Journal: journals[0], Died: 5}, {Journal: journals[1]}}, r.Count())
	want := []string{
		"0-0 w0 r1/2 Call",
		"0-0 w1 r1/2 Call",
		"0-1 w0 r1/2 LockInit",
		"0-3 w1 r1/2 LockInit ×2",
		"1-0 w0 r1/2 InitExit enter=0 exit=-1 flag=1",
		"2-0 w0 r1/2 UnlockInit enter=0 exit=2 flag=1",
		"3-0 w1 r1/2 InitExit enter=0 exit=2 flag=1",
		"4-4 w0 r1/2 AwaitDrain ×2",
		"4-5 w0 r1/2 LockFirst",
		"4-0 w1 r1/2 UnlockInit enter=0 exit=2 flag=1",
		"4-4 w1 r1/2 withdrawn",
		"4-0 w1 r1/2 Call ?",
		"5-0 w0 r1/2 LowerFlag ? enter=0 exit=2 flag=1",
		"5-0 w0 r1/2 Die",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := `{"trace":1,"procs":2,"words":{"enter":0,"exit":-1,"flag":1},"recorder":"test"`; !strings.HasPrefix(head, want) {
		t.Errorf("head %s, want %s", head, want)
	}
	if _, got := written(t, r, []Source{{Journal: journals[0], Died: 5}, {Journal: journals[1]}}, 3); len(got) != 7 || !slices.Equal(got[:5], want[:5]) {
		t.Errorf("up to number 3:\n%s\nwant the first 7 events", strings.Join(got, "\n"))
	}
}

// TestUnit_WriteOfLostPort: the step before the last one of a port that is gone is
// lost if the port has the lock then: after an acquire and between two steps under
// the lock, whether the call failed or the worker died. Nothing is lost of a port
// that lives, of a worker that takes its steps itself, and before another step.
// The call has failed when it has taken no further step.
func TestUnit_WriteOfLostPort(t *testing.T) {
	enter := []spec.Step{spec.Call, spec.LockEnter, spec.TestFirst, spec.CountEnter, spec.UnlockEnter, spec.AwaitFlag}
	for _, c := range []struct {
		steps       int
		fails, dies bool
		own         bool // it takes its steps itself
		want        string
	}{
		{3, true, false, false, "LockEnter"},
		{3, false, true, false, "LockEnter"},
		{4, true, false, false, "TestFirst"},
		{5, false, true, false, "CountEnter"},
		{5, false, false, false, ""},
		{5, true, false, true, ""},
		{5, false, true, true, ""},
		{2, true, false, false, ""},
		{6, true, false, false, ""},
	} {
		r, journals := NewRecorder(memory(t, 2), 2), newJournals(t, 2)
		a, b := r.Track(0, false), r.Track(1, false)
		a.Keep(journals[0])
		b.Keep(journals[1])
		a.Begin(1, 1, 2)
		b.Begin(1, 2, 2)
		for _, s := range enter[:c.steps] {
			a.Step(s, spec.Words{})
		}
		number := r.Count()
		b.Step(spec.InitExit, spec.Words{})
		b.Step(spec.UnlockInit, spec.Words{})
		if c.fails {
			a.End(Failed, Now())
		}
		source := Source{Journal: journals[0], Port: !c.own}
		if c.dies {
			source.Died = Now()
		}
		var file bytes.Buffer
		if _, err := r.Write(&file, Head{Procs: 2}, []Source{source, {Journal: journals[1], Port: true}}, r.Count(), nil); err != nil {
			t.Fatal(err)
		}
		lost, end := "", int64(-1)
		for line := range strings.Lines(file.String()) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Lost {
				lost += e.Label
			}
			if e.Label == Failed.String() || e.Label == died {
				end = e.Number
			}
		}
		if lost != c.want || (c.fails || c.dies) && end != number {
			t.Errorf("%+v: lost %q, and its end has the number %d; want %q, %d", c, lost, end, c.want, number)
		}
	}
}

// TestUnit_LongJournal: a journal grows, and its reader has every record.
func TestUnit_LongJournal(t *testing.T) {
	const rounds = 3 * chunk / int64(3*64)
	r, journals := NewRecorder(memory(t, 1), 1), newJournals(t, 1)
	track := r.Track(0, false)
	track.Keep(journals[0])
	for round := int64(1); round <= rounds; round++ {
		track.Begin(round, 0, 1)
		track.Step(spec.Call, spec.Words{})
		track.Step(spec.InitExit, spec.Words{Enter: int32(round)})
		track.End(Returned, 0)
	}
	_, got := written(t, r, []Source{{Journal: journals[0]}}, r.Count())
	for i, line := range got {
		round := int64(i/3 + 1)
		want := fmt.Sprintf("%d-0 w0 r%d/1 InitExit enter=%d exit=0 flag=0", round, round, round)
		switch {
		case i%3 == 0:
			want = fmt.Sprintf("%d-%d w0 r%d/1 Call", round-1, round, round)
		case i%3 == 2 && round == rounds:
			want = fmt.Sprintf("%d-0 w0 r%d/1 returned", round, round)
		case i%3 == 2:
			want = fmt.Sprintf("%d-%d w0 r%d/1 returned", round, round, round)
		}
		if line != want {
			t.Fatalf("event %d is %q, want %q", i, line, want)
		}
	}
	if len(got) != int(3*rounds) {
		t.Errorf("got %d events, want %d", len(got), 3*rounds)
	}
}

// TestHazard_NoRoom: the trace ends before the first record for which a journal
// had no room, and the recorder says why. The worker goes on.
func TestHazard_NoRoom(t *testing.T) {
	r, journals := NewRecorder(memory(t, 2), 2), newJournals(t, 2)
	full, err := os.Open("/dev/zero") // not to be written
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	a, b := r.Track(0, false), r.Track(1, false)
	a.Keep(journals[0])
	for _, track := range []*Track{a, b} {
		track.Begin(1, 0, 2)
	}
	a.Step(spec.Call, spec.Words{})
	a.Step(spec.InitExit, spec.Words{})
	if err := r.Lost(); err != nil {
		t.Errorf("Lost() = %v, want nothing", err)
	}
	b.Keep(full)
	b.Step(spec.InitExit, spec.Words{})
	b.Step(spec.UnlockInit, spec.Words{})
	a.Step(spec.UnlockInit, spec.Words{})
	if err := r.Lost(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Lost() = %v, want %v", err, syscall.EBADF)
	}
	_, got := written(t, r, []Source{{Journal: journals[0]}, {Journal: journals[1]}}, r.Count())
	if want := []string{"0-1 w0 r1/2 Call", "1-0 w0 r1/2 InitExit ? enter=0 exit=0 flag=0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if records := r.Read().Of(1); len(records) != 2 {
		t.Errorf("the flight recorder has %v of the worker without a journal, want 2 records", records)
	}
}

// TestUnit_ReadRefuses: what Recorder.Write has not written is refused, with the
// line.
func TestUnit_ReadRefuses(t *testing.T) {
	head := `{"trace":1,"procs":2}` + "\n"
	for text, want := range map[string]string{
		"":                        "line 1",
		`{"trace":2,"procs":2}`:   "line 1",
		head + "{":                "line 2",
		head + `{"proc":2}`:       "line 2: process 2 of 2",
		head + "{\"proc\":1}\n[]": "line 3",
	} {
		if _, _, err := Read(strings.NewReader(text), func(Record) bool { return true }); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q): %v, want %v with %q", text, err, ErrFormat, want)
		}
	}
}
