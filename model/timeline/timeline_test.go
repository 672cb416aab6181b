package timeline_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/spec/golden"
)

// found returns the counterexample that the explorer finds to cfg.
func found(t *testing.T, cfg model.Config, check ...spec.Property) timeline.Timeline {
	t.Helper()
	r := explore.Explore(t.Context(), cfg, explore.Options{Check: check, Liveness: true})
	if len(r.Trace) == 0 {
		t.Fatalf("%v: verdict %v, want a counterexample", cfg, r.Verdict)
	}
	return timeline.Of(cfg, r.Result)
}

// walk returns a random behaviour of cfg, of at most so many actions.
func walk(cfg model.Config, seed uint64, most int) (trace model.Trace, states []model.State) {
	random := rand.New(rand.NewPCG(seed, 0))
	states = []model.State{model.Init(cfg)}
	var actions []model.Action
	for len(actions) < most {
		enabled := model.Enabled(cfg, states[len(actions)])
		if len(enabled) == 0 {
			break
		}
		a := enabled[random.IntN(len(enabled))]
		states = append(states, model.Apply(cfg, states[len(actions)], a))
		actions = append(actions, a)
	}
	return model.TraceOf(cfg, actions), states
}

// moves returns the trace with no try in vain.
func moves(trace model.Trace) (list []timeline.Move) {
	for _, e := range trace {
		list = append(list, timeline.Move{Entry: e})
	}
	return list
}

// TestGolden_Text: a violation, a deadlock, a lasso, and a long behaviour, which
// is folded and cut, as text.
func TestGolden_Text(t *testing.T) {
	eight := model.Config{Scenario: spec.Withdraw, Procs: 8}
	long, _ := walk(eight, 1, 400)
	for name, timeline := range map[string]timeline.Timeline{
		"violation": found(t, model.Config{Scenario: spec.SplitLock, Procs: 2}, spec.LockExclusive),
		"deadlock":  found(t, model.Config{Scenario: spec.Crash, Procs: 4}),
		"lasso":     found(t, model.Config{Scenario: spec.Reuse, Procs: 3, Mutant: model.MutantNamed("test-again")}),
		"long":      timeline.OfMoves(eight, moves(long), false),
	} {
		golden.File(t, filepath.Join("testdata", name+".txt"), timeline.Text())
	}
}

// TestUnit_TextFits: up to 8 processes, no line is wider than a terminal.
func TestUnit_TextFits(t *testing.T) {
	for procs := 1; procs <= 8; procs++ {
		cfg := model.Config{Scenario: spec.Withdraw, Procs: procs}
		trace, _ := walk(cfg, uint64(procs), 60*procs)
		for line := range strings.Lines(timeline.OfMoves(cfg, moves(trace), false).Text()) {
			if width := utf8.RuneCountInString(strings.TrimSpace(line)); width > 80 {
				t.Errorf("%v: a line has %d characters, want 80 at most:\n%s", cfg, width, line)
			}
		}
	}
}

// TestUnit_TriesInVain: a step that was tried in vain takes no lock and changes
// no state, and its note stands at the right.
func TestUnit_TriesInVain(t *testing.T) {
	cfg := model.Config{Scenario: spec.Reuse, Procs: 2}
	call := func(p int) model.Action { return model.Action{Proc: p, Step: spec.Call, Parties: 2} }
	list := moves(model.TraceOf(cfg, []model.Action{call(0), call(1), {Proc: 0, Step: spec.LockInit}, {Proc: 0, Step: spec.InitExit}}))
	vain := timeline.Move{Entry: model.Entry{Proc: 1, Label: "LockInit", Words: spec.Initial}, Blocked: true, Note: "blocked"}
	list = append(list[:3], vain, list[3])
	const want = `#  p0        p1        enter  exit  flag
                       0      -1    1
1  Call(2)
2            Call(2)
3  LockInit
4  |         LockInit                     blocked
5  InitExit  .                -1→2
| holds the lock  . waits
`
	if got := timeline.OfMoves(cfg, list, false).Text(); got != want {
		t.Errorf("Text: got\n%s\nwant\n%s", got, want)
	}
}

// TestConform_LanesFollowModel: in random behaviours of every scenario, a lane
// says at each place what the model says: the step or event, who holds a lock
// after it, who could not move before it, who is dead, and the words.
func TestConform_LanesFollowModel(t *testing.T) {
	seen := map[timeline.Kind]int{}
	for _, sc := range spec.AllScenarios {
		for seed := range uint64(20) {
			cfg := model.Config{Scenario: sc, Procs: 3, Rounds: 3}
			if sc == spec.Single {
				cfg.Procs = 1
			}
			if cfg.Validate() != nil {
				continue
			}
			trace, states := walk(cfg, seed, 120)
			line := timeline.OfMoves(cfg, moves(trace), false)
			for i, e := range trace {
				at := int64(i + 1)
				for p := range cfg.Procs {
					before, after := states[i], states[i+1]
					waits := before.Alive(p) && before.Inside(p) && model.Reason(cfg, before, p) != ""
					for kind, want := range map[timeline.Kind]bool{
						timeline.Step:  e.Proc == p && e.Label == before.Step(p).String(),
						timeline.Event: e.Proc == p && e.Label != before.Step(p).String(),
						timeline.Wait:  waits,
						timeline.Dead:  !before.Alive(p),
						timeline.Lock:  after.Alive(p) && after.Step(p).Holds() || before.Alive(p) && before.Step(p).Holds(),
					} {
						got := covered(line.Lanes[p], kind, at)
						if got != want {
							t.Fatalf("%v, seed %d, step %d (%v), p%d: %s %v, want %v\n%s", cfg, seed, at, e, p, kind, got, want, line.Text())
						}
						if got {
							seen[kind]++
						}
					}
				}
				if got := line.Words[at]; got != (timeline.Change{At: at, Words: e.Words}) {
					t.Fatalf("%v, seed %d: change %d of the words is %v, want %v", cfg, seed, at, got, e.Words)
				}
			}
		}
	}
	for _, kind := range []timeline.Kind{timeline.Step, timeline.Event, timeline.Wait, timeline.Dead, timeline.Lock} {
		if seen[kind] == 0 {
			t.Errorf("no walk has a %s: the test compares nothing", kind)
		}
	}
}

// covered reports whether the lane has an item of the kind at the place.
func covered(l timeline.Lane, kind timeline.Kind, at int64) bool {
	for _, item := range l.Items {
		if item.Kind == kind && item.From <= at && at <= item.To {
			return true
		}
	}
	return false
}

// TestUnit_Wrong: what is wrong is the last step of a violation, the waits that
// a deadlock ends in, or the loop of a lasso.
func TestUnit_Wrong(t *testing.T) {
	wrong := func(line timeline.Timeline) (list []string) {
		for _, l := range line.Lanes {
			for _, item := range l.Items {
				if item.Wrong {
					list = append(list, fmt.Sprintf("%s %s %s %d-%d", l.Name, item.Kind, item.Label, item.From, item.To))
				}
			}
		}
		return list
	}
	for _, c := range []struct {
		line timeline.Timeline
		want string
		loop int64
	}{
		{found(t, model.Config{Scenario: spec.SplitLock, Procs: 2}, spec.LockExclusive), "[p1 step LockInit 5-5]", 0},
		{found(t, model.Config{Scenario: spec.Crash, Procs: 2}), "[p1 wait AwaitFlag 14-14]", 0},
		{found(t, model.Config{Scenario: spec.Reuse, Procs: 3, Mutant: model.MutantNamed("test-again")}), "[]", 7},
	} {
		if got := fmt.Sprint(wrong(c.line)); got != c.want || c.line.Loop != c.loop {
			t.Errorf("%s: wrong is %s, loop %d; want %s, loop %d", c.line.Title, got, c.line.Loop, c.want, c.loop)
		}
	}
}
