package accept

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// A recorder makes a trace of a walk of the model, as the workers of a real run
// do: a process records each step before it takes it.
type recorder struct {
	random   *rand.Rand
	cfg      model.Config
	state    model.State
	counter  int64
	events   []Event
	recorded []bool // by process: the step that it is at
	over     []bool // by process: it has died
}

// record returns the trace of about so many events.
func record(random *rand.Rand, procs, events int, giveUps, deaths float64) *Trace {
	cfg := model.Config{Scenario: spec.Withdraw, Procs: procs}
	r := &recorder{random: random, cfg: cfg, state: model.Init(cfg), recorded: make([]bool, procs), over: make([]bool, procs)}
	for idle := 0; len(r.events) < events && idle < 100*procs; idle++ {
		p := random.IntN(procs)
		before := len(r.events)
		switch {
		case r.over[p]:
		case !r.recorded[p]:
			r.note(p, r.state.Step(p).String())
			r.recorded[p] = true
		case random.Float64() < deaths:
			r.state, _ = model.Happen(cfg, r.state, p, spec.Die)
			r.note(p, Died)
			r.over[p] = true
		case random.Float64() < giveUps:
			if state, ok := model.Happen(cfg, r.state, p, spec.GiveUp); ok {
				r.enter(p, state, Withdrawn)
			}
		default:
			if state, ok := model.Advance(cfg, r.state, p, procs); ok {
				end := Returned
				if r.state.Step(p) == spec.UnlockWithdraw {
					end = Withdrawn
				}
				r.enter(p, state, end)
				idle = 0
			}
		}
		if len(r.events) > before {
			idle = 0
		}
	}
	return &Trace{procs, inFileOrder(r.events)}
}

// enter makes the state the present one, and records the end of a call.
func (r *recorder) enter(p int, state model.State, end string) {
	was := r.state.Inside(p)
	r.state, r.recorded[p] = state, false
	if was && !state.Inside(p) {
		r.note(p, end)
	}
}

func (r *recorder) note(p int, label string) {
	e := Event{Proc: p, Label: label}
	if e.locked() {
		r.counter++
		e.Words = r.state.Words()
	}
	if label == spec.Call.String() {
		e.Parties = r.cfg.Procs
	}
	e.Number = r.counter
	for i := len(r.events) - 1; i >= 0; i-- {
		if last := &r.events[i]; last.Proc == p {
			if !last.locked() {
				last.Until = e.Number
			}
			break
		}
	}
	r.events = append(r.events, e)
}

// inFileOrder sorts events as TRACES.md wants them.
func inFileOrder(events []Event) []Event {
	type placed struct {
		Event
		class int
	}
	own := map[int]int64{} // by process: the number of its last step under the lock
	list := make([]placed, len(events))
	for i, e := range events {
		switch {
		case e.locked():
			own[e.Proc] = e.Number
			list[i] = placed{e, 1}
		case own[e.Proc] == e.Number && e.Number > 0:
			list[i] = placed{e, 2}
		default:
			list[i] = placed{e, 0}
		}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return cmp.Or(cmp.Compare(a.Number, b.Number), a.class-b.class) })
	sorted := make([]Event, len(list))
	for i, e := range list {
		sorted[i] = e.Event
	}
	return sorted
}

// text returns the trace as a file.
func text(t *Trace) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"trace":1,"procs":%d,"words":{"enter":0,"exit":-1,"flag":1}}`+"\n", t.Procs)
	lines := json.NewEncoder(&b)
	for _, e := range t.Events {
		var words *spec.Words
		if e.locked() {
			words = &e.Words
		}
		lines.Encode(struct {
			Event
			Words *spec.Words `json:"words,omitempty"`
		}{e, words})
	}
	return b.String()
}

// search decides by trying every order whether the trace is a behaviour. It
// shares no code with the checker but the model's steps.
func search(t *Trace) bool {
	s := searcher{t: t, cfg: model.Config{Scenario: spec.Withdraw, Procs: t.Procs}, seen: map[any]bool{}}
	for i, e := range t.Events {
		s.of[e.Proc] = append(s.of[e.Proc], i)
	}
	return s.from(node{state: model.Init(s.cfg)})
}

type searcher struct {
	t    *Trace
	cfg  model.Config
	of   [model.MaxProcs][]int
	seen map[any]bool
}

// A node is how far the search is: what each process has taken, and the number
// of the last step under the lock that was taken or left out.
type node struct {
	state model.State
	at    [model.MaxProcs]int
	last  int64
}

func (s *searcher) from(n node) bool {
	if s.seen[n] {
		return false
	}
	s.seen[n] = true
	done := true
	for p := range s.t.Procs {
		if n.at[p] == len(s.of[p]) || s.undecided(n, p) {
			continue
		}
		done = false
		for _, next := range s.successors(n, p) {
			if s.from(next) {
				return true
			}
		}
	}
	return done
}

// undecided reports whether process p waits at a poll that does not let it go
// on, and its next event has a number above those of all steps under the lock.
func (s *searcher) undecided(n node, p int) bool {
	own := s.of[p][n.at[p]:]
	if len(own) < 2 || s.locked(s.t.Events[own[1]].Number-1) != math.MaxInt64 {
		return false
	}
	at, goesOn := s.t.Events[own[0]].Label, s.t.Events[own[1]].Label
	_, now := model.Advance(s.cfg, n.state, p, 0)
	return !now && n.state.Step(p).String() == at && (at == "AwaitDrain" && goesOn == "LockFirst" || at == "AwaitFlag" && goesOn == "LockExit")
}

// locked returns the next number of a step under the lock.
func (s *searcher) locked(after int64) int64 {
	next := int64(math.MaxInt64)
	for _, e := range s.t.Events {
		if e.locked() && e.Number > after {
			next = min(next, e.Number)
		}
	}
	return next
}

// successors returns what the next event of process p can lead to.
func (s *searcher) successors(n node, p int) (list []node) {
	own := s.of[p]
	e := s.t.Events[own[n.at[p]]]
	last := n.at[p]+1 == len(own)
	var then Event
	if !last {
		then = s.t.Events[own[n.at[p]+1]]
	}
	if coming := s.locked(n.last); e.locked() && e.Number != coming || !e.locked() && (coming < e.Number || !last && n.last > e.Until) {
		return nil
	}
	after := n
	after.at[p]++
	if e.locked() {
		after.last = e.Number
	}
	if e.Label == Died {
		after.state, _ = model.Happen(s.cfg, n.state, p, spec.Die)
		return []node{after}
	}
	if e.Label == Returned || e.Label == Withdrawn {
		if !last && then.Label != "Call" && then.Label != Died {
			return nil
		}
		return []node{after}
	}
	if n.state.Step(p).String() != e.Label || e.locked() && (n.state.Words() != e.Words || n.state.Holder() != p) {
		return nil
	}
	if last || then.Label == Died {
		list = append(list, after) // not taken
	}
	event := spec.NoEvent
	if then.Label == Withdrawn && e.Label != "UnlockWithdraw" || then.Label == "LockWithdraw" && e.Label == "AwaitFlag" {
		event = spec.GiveUp
	}
	var ok bool
	if event == spec.NoEvent {
		after.state, ok = model.Advance(s.cfg, n.state, p, e.Parties)
	} else {
		after.state, ok = model.Happen(s.cfg, n.state, p, event)
	}
	if ok && (last || then.Label == Died || s.leads(after.state, p, e, then)) {
		list = append(list, after)
	}
	return list
}

func (s *searcher) leads(state model.State, p int, e, then Event) bool {
	want := then.Label
	if want == Returned && e.Label != "UnlockExit" {
		return false
	}
	if want == Returned || want == Withdrawn {
		want = "Call"
	}
	return state.Step(p).String() == want
}

// TestConform_Behaviours: what the model does is accepted, with calls that give
// up and processes that die, and each prefix of it.
func TestConform_Behaviours(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		trace := record(random, 1+random.IntN(5), 20+random.IntN(300), 0.1*random.Float64(), 0.002*float64(random.IntN(2)))
		read, err := Read(strings.NewReader(text(trace)))
		if err != nil {
			t.Fatalf("seed %d: Read: %v", seed, err)
		}
		if !slices.Equal(read.Events, trace.Events) {
			t.Fatalf("seed %d: what was read is not what was written", seed)
		}
		if r := Check(read); r.Rejection != nil {
			t.Fatalf("seed %d: Check: rejected: %+v\n%s", seed, r.Rejection, text(&Trace{trace.Procs, trace.Events[:r.Rejection.Line-1]}))
		}
		if seed < 60 {
			for length := range trace.Events {
				if r := Check(&Trace{trace.Procs, trace.Events[:length]}).Rejection; r != nil {
					t.Fatalf("seed %d: Check of the first %d events: rejected: %+v\n%s", seed, length, r, text(trace))
				}
			}
		}
	}
}

// TestUnit_ReadRefuses: what is no trace is refused with the line and what would
// be right.
func TestUnit_ReadRefuses(t *testing.T) {
	good := `{"trace":1,"procs":2,"words":{"enter":0,"exit":-1,"flag":1}}` + "\n"
	for file, want := range map[string]string{
		"":                                 "line 1",
		"{":                                "line 1",
		`{"trace":2,"procs":2}`:            `"trace" is 2, want 1`,
		`{"trace":1,"procs":17}`:           "the model has from 1 to 16",
		`{"trace":1,"procs":2}`:            "the words before the first event",
		good + `{"proc":2,"label":"Call"}`: "line 2: process 2 of 2",
		good + `{"proc":0,"label":"Wait"}`: `line 2: label "Wait"`,
		good + `{"proc":0,"label":"Call"}`: "Call with 0 parties",
		good + `{"proc":0,"label":"InitExit","number":1}`:                                       "has words",
		good + `{"proc":0,"label":"Call","parties":2,"number":-1}`:                              "want 0 or more",
		good + `{"proc":0,"label":"LockInit","words":{"enter":0,"exit":0,"flag":0}}`:            "no other event has",
		good + `{"proc":0,"label":"Call","parties":2}` + "\n" + `{"proc":0,"label":"nonsense"}`: "line 3",
	} {
		if _, err := Read(strings.NewReader(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q): got %v, want an error with %q", file, err, want)
		}
	}
	if tr, err := Read(bytes.NewReader([]byte(good))); err != nil || Check(tr).Rejection != nil {
		t.Errorf("a trace without events: got %v, want it accepted", err)
	}
}

// TestGolden_Example: the example of TRACES.md is a trace that Check accepts.
func TestGolden_Example(t *testing.T) {
	lines := strings.SplitAfter(text(record(rand.New(rand.NewPCG(4, 4)), 2, 200, 0, 0)), "\n")
	example := strings.Join(lines[:12], "")
	golden.Part(t, "../../spec/TRACES.md", "example", "trace", "```json\n"+example+"```\n")
	read, err := Read(strings.NewReader(example))
	if err != nil || Check(read).Rejection != nil || len(read.Events) != 11 {
		t.Errorf("the example of TRACES.md: got %v, want 11 events that are accepted", err)
	}
}
