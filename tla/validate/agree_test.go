package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sharedbarrier/model/accept"
	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/model/cli/toolcache"
	"sharedbarrier/tla"
	"sharedbarrier/tla/tlc"
)

var each = flag.Int("each", 6, "traces with each corruption that TLC and model/accept must agree on")

// A sample is a small trace of a walk of the model.
type sample struct {
	*accept.Trace
	name      string // what was done to it
	rejection *accept.Rejection
}

// kinds are the ways to spoil a trace, and to leave it. Those that are named here
// show the mutants below.
var kinds = append(accepttest.Corruptions,
	accepttest.Corruption{Name: "none", Spoil: func(*rand.Rand, *accept.Trace, int) bool { return true }},
	accepttest.Corruption{Name: "a death", Spoil: func(_ *rand.Rand, t *accept.Trace, _ int) bool {
		for i, e := range t.Events[:len(t.Events)/2] {
			if e.Label == accept.Died && i > 0 && t.Events[i-1].Proc == e.Proc && t.Events[i-1].Locked() && !strings.HasPrefix(t.Events[i-1].Label, "Unlock") {
				return slices.ContainsFunc(t.Events[i:], func(e accept.Event) bool { return e.Locked() })
			}
		}
		return false
	}},
	accepttest.Corruption{Name: "a lost step", Spoil: func(_ *rand.Rand, t *accept.Trace, _ int) bool { return matters(t, true) }},
	accepttest.Corruption{Name: "a lost acquire", Spoil: func(_ *rand.Rand, t *accept.Trace, _ int) bool { return matters(t, false) }},
	accepttest.Corruption{Name: "an abandoned call", Spoil: func(_ *rand.Rand, t *accept.Trace, _ int) bool {
		return slices.ContainsFunc(t.Events, func(e accept.Event) bool { return e.Label == accept.Abandoned })
	}},
	accepttest.Corruption{Name: "a poll let go by a later line", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		return i+1 < len(t.Events) && t.Events[i].Label == "LockExit" && t.Events[i+1].Label == "RaiseFlag"
	}},
	accepttest.Corruption{Name: "a poll too late", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		if i+1 == len(t.Events) || !strings.HasPrefix(t.Events[i].Label, "Await") || t.Events[i].Number != t.Events[i+1].Number {
			return false
		}
		t.Events[i], t.Events[i+1] = t.Events[i+1], t.Events[i]
		return t.Events[i].Locked()
	}},
	accepttest.Corruption{Name: "a poll never let go", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		t.Events[i].Parties++
		why := accept.Check(t).Rejection
		return t.Events[i].Parties > 1 && why != nil && strings.Contains(why.Why, "never let it")
	}},
	accepttest.Corruption{Name: "a lock of two", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		j := i + 1 + slices.IndexFunc(t.Events[i+1:], func(e accept.Event) bool { return e.Locked() })
		if j == i || !t.Events[i].Locked() {
			return false
		}
		a, b := &t.Events[i], &t.Events[j]
		*a, *b = *b, *a
		a.Number, b.Number = b.Number, a.Number
		for k := range i {
			if e := &t.Events[k]; e.Proc == a.Proc && e.Until == b.Number {
				e.Until = a.Number
			}
		}
		why := accept.Check(t).Rejection
		return why != nil && why.Part == accept.Lock
	}},
	accepttest.Corruption{Name: "an event moved", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		e := &t.Events[i]
		for k := range i {
			if before := &t.Events[k]; before.Proc == e.Proc && before.Until == e.Number {
				before.Until -= 2
			}
		}
		e.Number -= 2
		if e.Number < 0 || e.Locked() {
			return false
		}
		why := accept.Check(t).Rejection
		return why != nil && strings.HasPrefix(why.Why, "it stands after the step under the lock with number")
	}},
	accepttest.Corruption{Name: "an event after death", Spoil: func(_ *rand.Rand, t *accept.Trace, i int) bool {
		e := t.Events[i]
		t.Events = slices.Insert(t.Events, i, e)
		t.Events[i].Until = e.Number
		return e.Label == accept.Died || e.Label == accept.Failed
	}})

// matters reports whether the trace is a behaviour only if a process may have died
// after a step that is lost: one under the lock, or an acquire.
func matters(t *accept.Trace, locked bool) bool {
	known := &accept.Trace{Procs: t.Procs, Events: slices.Clone(t.Events)}
	for i := range known.Events {
		e := &known.Events[i]
		e.Lost = e.Lost && e.Locked() != locked
	}
	return accept.Check(t).Rejection == nil && accept.Check(known).Rejection != nil
}

// samples makes so many traces of the kind.
func samples(kind, count, procs, events int) (list []sample) {
	k := kinds[kind]
	for seed := uint64(1_000_000); len(list) < count; seed++ {
		random := rand.New(rand.NewPCG(seed, uint64(kind)))
		w := accepttest.Walk{Procs: 1 + random.IntN(procs), Events: 5 + random.IntN(events), GiveUps: 0.1, Deaths: 0.01 * float64(random.IntN(2))}
		if kind < len(accepttest.Corruptions) && seed%3 == 0 || strings.Contains(k.Name, "lost") {
			w.Losses = 0.1
		}
		if seed%5 == 0 { // a misuse
			w.Parties = max(1, w.Procs-1)
		}
		trace := accepttest.Record(random, w)
		if k.Spoil(random, trace, random.IntN(len(trace.Events))) {
			list = append(list, sample{trace, fmt.Sprintf("%s, seed %d", k.Name, seed), accept.Check(trace).Rejection})
		}
	}
	return list
}

// allSamples makes so many traces of each kind.
func allSamples(each, procs, events int) (list []sample) {
	for kind := range kinds {
		list = append(list, samples(kind, each, procs, events)...)
	}
	return list
}

// explained is how many events of the trace model/accept explains.
func (s sample) explained() int {
	if s.rejection == nil {
		return len(s.Events)
	}
	return s.rejection.Line - 2
}

// read has one TLC read all of the samples.
func read(t *testing.T, files fs.FS, list []sample, everyOrder bool) []tlc.Reading {
	t.Helper()
	tools, err := tlc.Find(t.Context(), nil)
	toolcache.Require(t, err)
	var traces []*accept.Trace
	for _, s := range list {
		traces = append(traces, s.Trace)
	}
	run := tlc.Run{Tools: tools, Files: files, Small: true}
	readings, out, err := run.Validate(context.Background(), traces, everyOrder, func(int64) {})
	if err != nil {
		t.Fatalf("Validate: %v\n%s", err, out.Log[:min(len(out.Log), 4000)])
	}
	return readings
}

// TestConform_Model: TLC and model/accept find the same first event that cannot
// be explained, and the same part of it that contradicts, or that all events are
// explained: of good traces, and of traces that are spoilt in each way. With -short
// it is a third of them.
func TestConform_Model(t *testing.T) {
	t.Parallel()
	count := *each
	if testing.Short() {
		count = (count + 2) / 3
	}
	list := allSamples(count, 3, 40)
	rejected, otherPart := 0, 0
	for i, r := range read(t, tla.Files, list, false) {
		s := list[i]
		if r.Explained != s.explained() {
			t.Errorf("%s: TLC explains %d of %d events, and model/accept %d (%+v): TLC ends in %+v\n%s",
				s.name, r.Explained, len(s.Events), s.explained(), s.rejection, r.States, accepttest.Text(s.Trace))
			continue
		}
		if s.rejection == nil {
			continue
		}
		rejected++
		got := r.Rejection(s.Trace)
		if got.Line != s.rejection.Line || got.Event != s.rejection.Event || len(got.States) == 0 || len(got.Could) != s.Procs {
			t.Errorf("%s: Rejection: got %+v, want line %d, %v, and states", s.name, got, s.rejection.Line, s.rejection.Event)
		}
		switch {
		case got.Part == s.rejection.Part:
		case got.Part == accept.Order && s.rejection.Part == accept.Step: // both are wrong
			otherPart++
		default:
			t.Errorf("%s: the part is %s (%s), and by model/accept %s (%s)\n%s", s.name, got.Part, got.Why, s.rejection.Part, s.rejection.Why, accepttest.Text(s.Trace))
		}
	}
	if rejected < len(list)/2 || len(list)-rejected < count {
		t.Errorf("%d of %d traces are rejected: want many of each", rejected, len(list))
	}
	t.Logf("%d traces, %d rejected, %d of them for an order that is also another step", len(list), rejected, otherPart)
}

// TestConform_EveryOrder: when TLC tries every order it finds the same, so one
// order is as good as any. It would find too much if a step could be taken
// before those under the lock with lower numbers: so are the last samples.
func TestConform_EveryOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TestConform_Model runs TLC")
	}
	t.Parallel()
	early := earlyReads(5)
	list := slices.Concat(allSamples((*each+1)/2, 3, 30), early)
	right := len(list)
	files := module(t, func(text string) string {
		return replaced(t, text, `«Number(Coming(q)) >= Number(Coming(p))»`, fmt.Sprintf("which > %d", right), "TRUE")
	})
	for i, r := range read(t, files, append(list, early...), true) {
		switch s := append(list, early...)[i]; {
		case i < right && r.Explained != s.explained():
			t.Errorf("%s: TLC explains %d of %d events in any order, and model/accept %d (%+v)\n%s",
				s.name, r.Explained, len(s.Events), s.explained(), s.rejection, accepttest.Text(s.Trace))
		case i >= right && r.Explained <= s.explained():
			t.Errorf("%s: TLC explains %d events without the time of a step, want more than %d", s.name, r.Explained, s.explained())
		}
	}
}

// earlyReads makes so many traces in which a poll goes on by what its word was
// before the step under the lock with the number below that of the poll.
func earlyReads(count int) (list []sample) {
	for seed := uint64(0); len(list) < count; seed++ {
		trace := accepttest.Record(rand.New(rand.NewPCG(seed, 77)), accepttest.Walk{Procs: 3, Parties: 2, Events: 70, GiveUps: 0.02})
		for i := range len(trace.Events) - 1 {
			poll, step := trace.Events[i], trace.Events[i+1]
			if !strings.HasPrefix(poll.Label, "Await") || !step.Locked() || poll.Number != step.Number || poll.Until <= step.Number {
				continue
			}
			poll.Number++
			late := &accept.Trace{Procs: trace.Procs, Events: slices.Clone(trace.Events)}
			late.Events[i], late.Events[i+1] = step, poll
			if why := accept.Check(late).Rejection; why != nil && strings.Contains(why.Why, "never let it") {
				list = append(list, sample{late, fmt.Sprintf("early read, seed %d", seed), why})
				break
			}
		}
	}
	return list
}

// mutants are mistakes in TraceSharedBarrier.tla. Each is a text of it in which
// the expression between « and » is replaced, and the kind of trace that shows
// it. Most take away a comparison of the trace with the state, or a way in which
// a process can go on.
var mutants = []struct{ name, text, by, kind string }{
	{"no words", `Locked(e) => «words = Seen(e)»`, `TRUE`, "value"},
	{"no lock", `ELSE «Step(p)»`, `Step(p) \/ (Label(Coming(p)) \in Acquires /\ Goto(p, Then(p)) /\ lock' = p /\ UNCHANGED <<words, rounds, env>>)`, "a lock of two"},
	{"no labels", `OTHER                          -> /\ «pc[p] = Label(e)»`, `TRUE`, "step"},
	{"no ends of calls", `«Last(p) \in CallsAfter[Label(e)]»`, `TRUE`, "end"},
	{"no ends of intervals", `«Until(prev) = Number(e)»`, `TRUE`, "interval"},
	{"no begins of intervals", `«Number(e) \in {numbered, numbered + 1}»`, `Number(e) <= numbered + 1`, "an event moved"},
	{"no numbers under the lock", `«lost + Number(e) - numbered - 1 <= Deaths[which]»`, `TRUE`, "gap"},
	{"no number is lost", `«Cardinality({i \in DOMAIN Traces[t] : Label(Traces[t][i]) = "Die"})»`, `0`, "gap"},
	{"no place for polls", `«Locked(prev) /\ Number(prev) = numbered»`, `TRUE`, "a poll too late"},
	{"no end of a process", `«Label(prev) \notin LastWords»`, `TRUE`, "an event after death"},
	{"no party counts", `«Passed(Coming(p))»`, `Cardinality(Procs)`, "parties"},
	{"no polls", `AllExplained == \A p \in Procs : «Explained(p)»`, `Explained(p) \/ (Left(p) > 0 /\ Label(Coming(p)) \in Polls)`, "a poll never let go"},
	{"no waiting", `«Number(Event(p, at[p] + 2)) > numbered»`, `FALSE`, "a poll let go by a later line"},
	{"no giving up", `IF «GivesUp(p)» THEN`, `FALSE`, "none"},
	{"no leaving", `IF «Leaves(p)» THEN`, `FALSE`, "an abandoned call"},
	{"no death before a step", `ELSE IF «MayStay(p)» THEN ~Locked`, `FALSE`, "a death"},
	{"no death after a lost step", `Vanish(p) ==
    /\ «MayBeGone(p) /\ p \notin env»`, `FALSE`, "a lost step"},
	{"no step of the lost", `\/ «Left(p) > 0 /\ IsLost(Coming(p))» /\ Take(p)`, `FALSE`, "a lost acquire"},
	{"no death before a step that is recorded", `THEN «Skip(p)»`, `FALSE`, "a lost step"},
	{"no end of the lost", `/\ «seen[p] > 1 /\ IsLost(Event(p, seen[p] - 1)) => Label(e) \in LastWords»`, `TRUE`, "lost"},
	{"no lock of the dead", `/\ «Release(p)»`, `UNCHANGED lock`, "a death"},
}

// TestHazard_Mutants: each mistake makes TLC disagree with model/accept on some
// traces. One TLC reads the traces of all: the mistake depends on the trace.
func TestHazard_Mutants(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: TestConform_Model runs TLC")
	}
	t.Parallel()
	const each = 10
	var list []sample
	for _, m := range mutants {
		kind := slices.IndexFunc(kinds, func(k accepttest.Corruption) bool { return k.Name == m.kind })
		list = append(list, samples(kind, each, 3, 40)...)
	}
	files := module(t, func(text string) string {
		for i, m := range mutants {
			trace := "which"
			if strings.Contains(m.text, "[t]") {
				trace = "t"
			}
			text = replaced(t, text, m.text, fmt.Sprintf(`(%s - 1) \div %d = %d`, trace, each, i), m.by)
		}
		return text
	})
	readings := read(t, files, list, false)
	for i, m := range mutants {
		differ := 0
		for j := i * each; j < (i+1)*each; j++ {
			if readings[j].Explained != list[j].explained() {
				differ++
			}
		}
		if differ == 0 {
			t.Errorf("%s: TLC agrees with model/accept on all of %d traces (%s), want the mistake found", m.name, each, m.kind)
		}
		t.Logf("%s: found by %d of %d traces (%s)", m.name, differ, each, m.kind)
	}
}

// replaced returns the text of a module in which the expression of old between «
// and » has the value of another one where the condition holds.
func replaced(t *testing.T, text, old, condition, by string) string {
	t.Helper()
	before, rest, _ := strings.Cut(old, "«")
	expression, after, _ := strings.Cut(rest, "»")
	old = before + expression + after
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("the module has %d times %q, want 1", n, old)
	}
	return strings.Replace(text, old, fmt.Sprintf("%s(IF %s THEN %s ELSE %s)%s", before, condition, by, expression, after), 1)
}

// module returns the modules, with TraceSharedBarrier changed.
func module(t *testing.T, change func(string) string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"Barrier.tla", "SharedBarrier.tla", "TraceSharedBarrier.tla"} {
		text, err := fs.ReadFile(tla.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "TraceSharedBarrier.tla" {
			text = []byte(change(string(text)))
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}
