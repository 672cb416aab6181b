package accept_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/accept"
	"sharedbarrier/model/accept/accepttest"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// search decides by trying every order whether the trace is a behaviour. It
// shares no code with the checker but the model's steps.
func search(t *accept.Trace) bool {
	s := searcher{t: t, cfg: model.Config{Scenario: spec.Withdraw, Procs: t.Procs}, seen: map[any]bool{}}
	for i, e := range t.Events {
		s.of[e.Proc] = append(s.of[e.Proc], i)
	}
	return s.from(node{state: model.Init(s.cfg)})
}

type searcher struct {
	t    *accept.Trace
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
		for _, next := range s.deaths(n, p) {
			if s.from(next) {
				return true
			}
		}
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

// deaths returns what is possible if process p dies after a lost step.
func (s *searcher) deaths(n node, p int) []node {
	if n.at[p] == 0 || !s.t.Events[s.of[p][n.at[p]-1]].Lost || !n.state.Alive(p) {
		return nil
	}
	n.state, _ = model.Happen(s.cfg, n.state, p, spec.Die)
	return []node{n}
}

// locked returns the next number of a step under the lock.
func (s *searcher) locked(after int64) int64 {
	next := int64(math.MaxInt64)
	for _, e := range s.t.Events {
		if e.Locked() && e.Number > after {
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
	var then accept.Event
	if !last {
		then = s.t.Events[own[n.at[p]+1]]
	}
	if coming := s.locked(n.last); e.Locked() && e.Number != coming || !e.Locked() && (coming < e.Number || !last && n.last > e.Until) {
		return nil
	}
	after := n
	after.at[p]++
	if e.Locked() {
		after.last = e.Number
	}
	if !n.state.Alive(p) { // the step was not taken
		return []node{after}
	}
	if died(e) {
		after.state, _ = model.Happen(s.cfg, n.state, p, spec.Die)
		return []node{after}
	}
	if e.Label == accept.Returned || e.Label == accept.Withdrawn || e.Label == accept.Abandoned {
		if !last && then.Label != "Call" && !died(then) {
			return nil
		}
		return []node{after}
	}
	if n.state.Step(p).String() != e.Label || e.Locked() && (n.state.Words() != e.Words || n.state.Holder() != p) {
		return nil
	}
	if (last || died(then)) && !(e.Lost && e.Locked()) {
		list = append(list, after) // not taken
	}
	event := spec.NoEvent
	if then.Label == accept.Withdrawn && e.Label != "UnlockWithdraw" || then.Label == "LockWithdraw" && e.Label == "AwaitFlag" {
		event = spec.GiveUp
	}
	if then.Label == accept.Abandoned {
		event = spec.Abandon
	}
	var ok bool
	if event == spec.NoEvent {
		after.state, ok = model.Advance(s.cfg, n.state, p, e.Parties)
	} else {
		after.state, ok = model.Happen(s.cfg, n.state, p, event)
	}
	if ok && (last || died(then) || s.leads(after.state, p, e, then)) {
		list = append(list, after)
	}
	return list
}

func died(e accept.Event) bool { return e.Label == accept.Died || e.Label == accept.Failed }

func (s *searcher) leads(state model.State, p int, e, then accept.Event) bool {
	want := then.Label
	if want == accept.Returned && e.Label != "UnlockExit" {
		return false
	}
	if want == accept.Returned || want == accept.Withdrawn || want == accept.Abandoned {
		want = "Call"
	}
	return state.Step(p).String() == want
}

// TestConform_Behaviours: what the model does is accepted, with calls that give
// up and processes that die, and each prefix of it.
func TestConform_Behaviours(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		trace := accepttest.Record(random, accepttest.Walk{Procs: 1 + random.IntN(5), Events: 20 + random.IntN(300), GiveUps: 0.1 * random.Float64(), Deaths: 0.002 * float64(random.IntN(2)), Losses: 0.01 * float64(seed%2)})
		read, err := accept.Read(strings.NewReader(accepttest.Text(trace)))
		if err != nil {
			t.Fatalf("seed %d: Read: %v", seed, err)
		}
		if !slices.Equal(read.Events, trace.Events) {
			t.Fatalf("seed %d: what was read is not what was written", seed)
		}
		if r := accept.Check(read); r.Rejection != nil {
			t.Fatalf("seed %d: Check: rejected: %+v\n%s", seed, r.Rejection, accepttest.Text(&accept.Trace{Procs: trace.Procs, Events: trace.Events[:r.Rejection.Line-1]}))
		}
		if seed < 60 {
			for length := range trace.Events {
				if r := accept.Check(&accept.Trace{Procs: trace.Procs, Events: trace.Events[:length]}).Rejection; r != nil {
					t.Fatalf("seed %d: Check of the first %d events: rejected: %+v\n%s", seed, length, r, accepttest.Text(trace))
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
		good + `{"proc":0,"label":"AwaitFlag","lost":true}`:                                     "AwaitFlag is lost",
		good + `{"proc":0,"label":"Call","parties":2}` + "\n" + `{"proc":0,"label":"nonsense"}`: "line 3",
	} {
		if _, err := accept.Read(strings.NewReader(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q): got %v, want an error with %q", file, err, want)
		}
	}
	if tr, err := accept.Read(bytes.NewReader([]byte(good))); err != nil || accept.Check(tr).Rejection != nil {
		t.Errorf("a trace without events: got %v, want it accepted", err)
	}
}

// TestGolden_Example: the example of TRACES.md is a trace that Check accepts.
func TestGolden_Example(t *testing.T) {
	golden.Part(t, "../../spec/TRACES.md", "example", "trace", "```json\n"+accepttest.Example+"```\n")
	read, err := accept.Read(strings.NewReader(accepttest.Example))
	if err != nil || accept.Check(read).Rejection != nil || len(read.Events) != 11 {
		t.Errorf("the example of TRACES.md: got %v, want 11 events that are accepted", err)
	}
}
