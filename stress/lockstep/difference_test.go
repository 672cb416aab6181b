//go:build linux

package lockstep

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// tampered is a right party whose answers pass through a fault, which can
// change the words and the lock before lockstep looks at them.
type tampered struct {
	*coroutine
	fault func(request, answer string) string // nil: none
	end   error                               // of Close
}

func (p *tampered) Ask(request string) (string, error) {
	answer, err := p.coroutine.Ask(request)
	if p.fault != nil {
		answer = p.fault(request, answer)
	}
	return answer, err
}

func (p *tampered) Can() port.Capabilities {
	can := p.coroutine.Can()
	can.SplitRMW = true // for the moves of split-lock before a read and a write
	return can
}

func (p *tampered) Close() error { return errors.Join(p.end, p.coroutine.Close()) }

// A bench is two tampered parties with a lock of a process that is none of
// them.
type bench struct {
	parties [2]*tampered
	foreign *os.File
}

func (b *bench) start(p int, _ bool) (party, error) {
	b.parties[p] = &tampered{coroutine: newCoroutine(false, nil)}
	return b.parties[p], nil
}

// session starts a session that has made the moves.
func (b *bench) session(t *testing.T, sc spec.Scenario, moves string) *session {
	t.Helper()
	cfg := model.Config{Scenario: sc, Procs: 2}
	if model.NeedsBound(cfg) {
		cfg.Rounds = 2
	}
	s, err := newSession(cfg, b.start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if b.foreign, err = os.Open(s.lockPath); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.foreign.Close() })
	for _, m := range schedule(t, moves) {
		if err := s.move(m); err != nil {
			t.Fatalf("move %v of %q: %v", m, moves, err)
		}
	}
	return s
}

// alone leads p1 to AwaitFlag after p0 has died in its call.
const alone = "0:2 0x 1:2 1 1 1 1 1 1 1 1 1 1 1 1"

func schedule(t *testing.T, moves string) Schedule {
	t.Helper()
	s, err := ParseSchedule(moves)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The faults.
func store(w spec.Word, v int32) func(*bench) {
	return func(b *bench) { b.parties[0].words.store(w, v) }
}

func take(b *bench, by int)    { unix.Flock(b.parties[by].lock, unix.LOCK_EX|unix.LOCK_NB) }
func release(b *bench, by int) { unix.Flock(b.parties[by].lock, unix.LOCK_UN) }
func takeForeign(b *bench)     { unix.Flock(int(b.foreign.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
func all(list ...func(*bench)) func(*bench) {
	return func(b *bench) {
		for _, f := range list {
			f(b)
		}
	}
}

// TestHazard_Comparisons plants one fault in the last of the moves, which is
// all that is wrong. It must be the difference. Without it the same moves pass.
func TestHazard_Comparisons(t *testing.T) {
	holds, freed := "0:2 0", "0:2 0 0 0" // p0 is at InitExit, and past UnlockInit
	takes := func(by int) func(*bench) { return func(b *bench) { take(b, by) } }
	releases := func(by int) func(*bench) { return func(b *bench) { release(b, by) } }
	for _, c := range []struct {
		name, scenario, moves string
		fault                 func(*bench)
		answer                string // of the last move; empty: as it is
		want                  string
	}{
		{"enter", "withdraw", holds, store(spec.Enter, 1), "", "words: got enter=1 exit=-1 flag=1, want enter=0"},
		{"exit", "withdraw", holds, store(spec.Exit, 0), "", "words: got enter=0 exit=0 flag=1, want enter=0 exit=-1"},
		{"flag", "withdraw", holds, store(spec.Flag, 0), "", "words: got enter=0 exit=-1 flag=0, want enter=0 exit=-1 flag=1"},
		{"lock is free", "withdraw", holds, releases(0), "", "holder of the lock: got none, want p0"},
		{"lock of the peer", "withdraw", holds, all(releases(0), takes(1)), "", "holder of the lock: got p1, want p0"},
		{"lock of another", "withdraw", holds, all(releases(0), takeForeign), "", "holder of the lock: got another process, want p0"},
		{"lock is held", "withdraw", freed, takes(0), "", "holder of the lock: got p0, want none"},
		{"lock is held by the peer", "withdraw", freed, takes(1), "", "holder of the lock: got p1, want none"},
		{"lock is held by another", "withdraw", freed, takeForeign, "", "holder of the lock: got another process, want none"},
		{"answer", "withdraw", holds, all(), "at UnlockInit", `answer of p0 (its line 4): got "at UnlockInit", want "at InitExit"`},
		{"error where it takes the lock", "withdraw", holds, all(), "error no", `got "error no", want "at InitExit"`},
		{"error of words in range", "withdraw", freed, all(), "error no", `got "error no", want "at LockEnter"`},
		{"goes on where blocked", "withdraw", "1:2 1 0:2 0", all(), "at InitExit", `which must be blocked: got "at InitExit", want "at LockInit"`},
		{"writes where blocked", "withdraw", "1:2 1 0:2 0", store(spec.Enter, 1), "", "words: got enter=1"},
		{"releases where blocked", "withdraw", "1:2 1 0:2 0", releases(1), "", "holder of the lock: got none, want p1"},
		{"old lock is free", "split-lock", "1:2 1 * 0:2", releases(1), "", "the unlinked lock file is locked: got false, want true"},
		{"old lock of p0 is free", "split-lock", "0:2 0 * 1:2", releases(0), "", "the unlinked lock file is locked: got false, want true"},
		{"old lock is held", "split-lock", "* 0:2", takeForeign, "", "the unlinked lock file is locked: got true, want false"},
	} {
		sc, err := spec.ParseScenario(c.scenario)
		if err != nil {
			t.Fatal(err)
		}
		before, last := c.moves[:strings.LastIndexByte(c.moves, ' ')], schedule(t, c.moves[strings.LastIndexByte(c.moves, ' '):])[0]
		var b bench
		s := b.session(t, sc, before)
		b.parties[last.Proc].fault = func(request, answer string) string {
			if request != "go" {
				return answer
			}
			if c.fault(&b); c.answer != "" {
				return c.answer
			}
			return answer
		}
		err = s.move(last)
		var diff *difference
		if !errors.As(err, &diff) || !strings.Contains(err.Error(), c.want) || !s.differs() {
			t.Errorf("%s: after %q got %v, want the difference %s", c.name, c.moves, err, c.want)
		}
		var right bench
		if err := right.session(t, sc, before).move(last); err != nil {
			t.Errorf("%s: without the fault: got %v, want no difference", c.name, err)
		}
	}
}

// TestHazard_Opening: the words and the lock are compared once all have opened
// the barrier, and so is what each answers.
func TestHazard_Opening(t *testing.T) {
	for _, c := range []struct {
		name   string
		opened func(b *bench, p *tampered) string // the answer of p1, the first to open
		want   string                             // empty: no difference
	}{
		{"right", func(*bench, *tampered) string { return "opened" }, ""},
		{"words", func(_ *bench, p *tampered) string { p.words.store(spec.Enter, 1); return "opened" }, "words: got enter=1"},
		{"lock", func(b *bench, _ *tampered) string { take(b, 1); return "opened" }, "holder of the lock: got p1, want none"},
		{"answer", func(*bench, *tampered) string { return "closed" }, `got "closed", want "at MakeEnter"`},
		{"end of construction", func(_ *bench, p *tampered) string {
			answers := []string{"at MakeExit", "at MakeFlag", "closed"}
			p.fault = func(string, string) string {
				defer func() { answers = answers[1:] }()
				return answers[0]
			}
			return "at MakeEnter"
		}, `to open: got "closed", want "opened"`},
		{"order of construction", func(*bench, *tampered) string { return "at MakeExit" }, `got "at MakeExit", want "at MakeEnter"`},
	} {
		var b bench
		s, err := newSession(withdrawTwo, func(i int, splitRMW bool) (party, error) {
			started, err := b.start(i, splitRMW)
			if p := b.parties[i]; i == 1 {
				p.fault = func(request, answer string) string {
					if strings.HasPrefix(request, "open ") {
						return c.opened(&b, p)
					}
					return answer
				}
			}
			return started, err
		})
		if err == nil {
			s.Close()
		}
		if got := errors.Join(err); (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: newSession: got %v, want %q", c.name, got, c.want)
		}
	}
}

// TestHazard_WhereNoneCanMove: in a deadlock, and in each state of a tour, each
// party tries. One that goes on then is a difference that no other move shows.
func TestHazard_WhereNoneCanMove(t *testing.T) {
	var b bench
	s := b.session(t, spec.Crash, alone)
	if stuck, err := s.stuck(); !stuck || err != nil {
		t.Errorf("a right party: stuck: got %v, %v, want true, and no difference\n%s", stuck, err, s.timeline(false).Text())
	}
	b.parties[1].fault = func(string, string) string { return "at LockExit" }
	if _, err := s.stuck(); err == nil {
		t.Errorf("a party that goes on: stuck: got no difference")
	}

	// In crash only p0 dies, so of a deadlock with p0 in it p1 is a part, too.
	s = b.session(t, spec.Withdraw, "1:2 1 0:2")
	if err := s.tryAll(); err != nil {
		t.Errorf("p0, which is right and blocked: got %v, want no difference", err)
	}
	s = b.session(t, spec.Withdraw, "1:2 1 0:2")
	b.parties[0].fault = func(string, string) string { return "at InitExit" }
	if err := s.tryAll(); err == nil {
		t.Errorf("p0, which is blocked, goes on: got no difference")
	}

	last := map[*tampered]string{}
	d := driver{cfg: withdrawTwo, start: func(i int, splitRMW bool) (party, error) {
		started, err := b.start(i, splitRMW)
		p := b.parties[i]
		p.fault = func(_, answer string) string {
			if answer == last[p] { // it is blocked
				return "at RaiseFlag"
			}
			last[p] = answer
			return answer
		}
		return started, err
	}}
	if rep := tourOf(t, d); rep.Verdict != spec.Violated || !strings.Contains(rep.Why, "must be blocked") {
		t.Errorf("tour of parties that go on only where they are blocked: got %v, %s; want violated", rep.Verdict, rep.Why)
	}
}

// TestHazard_IncompleteTour: a tour that leaves out an edge has not passed.
func TestHazard_IncompleteTour(t *testing.T) {
	cfg := model.Config{Scenario: spec.Single, Procs: 1}
	g := explore.NewGraph(model.NewMachine(cfg))
	tour, err := CoveringTour(g)
	if err != nil {
		t.Fatal(err)
	}
	d := driver{cfg: cfg, start: coroutines(cfg.Scenario, nil)}
	rep, err := d.tour(t.Context(), g, tour[:len(tour)-1])
	if err == nil || rep.Covered != rep.Edges-1 {
		t.Errorf("tour without its last edge: got %v, %d of %d edges, %v; want an error", rep.Verdict, rep.Covered, rep.Edges, err)
	}
}

// TestHazard_Refutation: a schedule that does not show its property is a
// difference. What refutes no property of the model is only replayed.
func TestHazard_Refutation(t *testing.T) {
	for _, c := range []struct {
		cfg             model.Config
		property, moves string
		lasso           bool
		want            spec.Verdict
	}{
		{model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}, "NoHang", alone, false, spec.Passed},
		{model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}, "NoHang", "0:2 0x 1:2 1 1 1", false, spec.Violated},
		{model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}, "NoEarlyExit", alone, false, spec.Violated},
		{model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}, "NoHang", "0:2", true, spec.Passed},
		{model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}, "TypeOK", "0:2", false, spec.Passed},
	} {
		d := driver{cfg: c.cfg, start: coroutines(c.cfg.Scenario, nil)}
		rep, err := d.refute(t.Context(), "schedule", Counterexample{c.cfg, c.property, schedule(t, c.moves), c.lasso})
		if err != nil || rep.Verdict != c.want || c.want == spec.Violated && !strings.Contains(rep.Why, "does not lead to a violation of "+c.property) {
			t.Errorf("refute %s by %q, lasso %v: got %v, %s, %v; want %v", c.property, c.moves, c.lasso, rep.Verdict, rep.Why, err, c.want)
		}
	}
}

// TestHazard_NotRefuted: a replay that ends otherwise is no refutation: by a
// difference of its own, or by an interrupt.
func TestHazard_NotRefuted(t *testing.T) {
	cfg := model.Config{Scenario: spec.Crash, Procs: 2, Rounds: 1}
	c := Counterexample{cfg, "NoHang", schedule(t, "0:2 0"), false}
	var b bench
	d := driver{cfg: cfg, start: func(i int, splitRMW bool) (party, error) {
		started, err := b.start(i, splitRMW)
		b.parties[i].fault = func(request, answer string) string { return strings.Replace(answer, "at InitExit", "at RaiseFlag", 1) }
		return started, err
	}}
	if rep, err := d.refute(t.Context(), "schedule", c); err != nil || rep.Verdict != spec.Violated || !strings.Contains(rep.Why, "at RaiseFlag") {
		t.Errorf("refute with a wrong party: got %v, %s, %v; want its difference", rep.Verdict, rep.Why, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if rep, err := d.refute(ctx, "schedule", c); err != nil || rep.Verdict != spec.Unfinished {
		t.Errorf("refute, interrupted: got %v, %s, %v; want unfinished", rep.Verdict, rep.Why, err)
	}
}

// TestHazard_Refusal: an error is right only of a party that takes a step at
// which PROTOCOL.md, section 9, allows it, with a word out of range for its
// call.
func TestHazard_Refusal(t *testing.T) {
	cfg := model.Config{Scenario: spec.Surplus, Procs: 3}
	s := session{cfg: cfg}
	out, in := 0, 0
	eachEdge(cfg, func(before model.State, a model.Action) {
		checks := a.Step == spec.InitExit || a.Step == spec.TestFirst
		wrong := outOfRange(before.Words(), int32(before.Parties(a.Proc)))
		switch {
		case checks && wrong:
			out++
		case checks:
			in++
		}
		if got := s.refuses(before, a, "error out of range"); got != (checks && wrong) || s.refuses(before, a, "at LockInit") {
			t.Fatalf("refuses(%v, %v, error): got %v, want %v, and no refusal by another answer", before, a, got, checks && wrong)
		}
	})
	if out == 0 || in == 0 {
		t.Errorf("got %d edges with a word out of range and %d with none, want some of both", out, in)
	}
	for _, c := range []struct {
		words spec.Words
		want  bool
	}{
		{spec.Initial, false},
		{spec.Words{Enter: 2, Exit: 2, Flag: spec.Down}, false},
		{spec.Words{Enter: -1, Exit: 0, Flag: spec.Up}, true},
		{spec.Words{Enter: 3, Exit: 0, Flag: spec.Up}, true},
		{spec.Words{Enter: 0, Exit: -2, Flag: spec.Up}, true},
		{spec.Words{Enter: 0, Exit: 3, Flag: spec.Up}, true},
		{spec.Words{Enter: 0, Exit: 0, Flag: 2}, true},
		{spec.Words{Enter: 0, Exit: 0, Flag: -1}, true},
	} {
		if got := outOfRange(c.words, 2); got != c.want {
			t.Errorf("outOfRange(%v, 2): got %v, want %v", c.words, got, c.want)
		}
	}
}

// eachEdge calls do for the first edges of the state graph that processes take.
func eachEdge(cfg model.Config, do func(before model.State, a model.Action)) {
	const most = 20_000 // states: the first with a word out of range come before
	var g explore.Graph[model.State, model.Action]
	for i := range g.Grow(model.NewMachine(cfg)) {
		for _, a := range model.Enabled(cfg, g.States[i]) {
			if a.Proc >= 0 {
				do(g.States[i], a)
			}
		}
		if i == most {
			return
		}
	}
}

// TestHazard_LeftOut: a party may go past the write of an InitExit, in
// split-lock only, and only if that has nothing to write.
func TestHazard_LeftOut(t *testing.T) {
	for _, sc := range []spec.Scenario{spec.SplitLock, spec.Withdraw} {
		cfg := model.Config{Scenario: sc, Procs: 2}
		s := session{cfg: cfg}
		may := 0
		eachEdge(cfg, func(before model.State, a model.Action) {
			s.state = model.Apply(cfg, before, a)
			reads := a.Step == spec.InitExit && s.state.Step(a.Proc) == spec.InitExit
			right := sc == spec.SplitLock && reads && before.Words().Exit != spec.NotSet
			if right {
				may++
			}
			if got := s.leavesOut(before, a, "at UnlockInit"); got != right || s.leavesOut(before, a, "at InitExit") {
				t.Fatalf("leavesOut(%v, %v, at UnlockInit): got %v, want %v, and not of another answer", before, a, got, right)
			}
		})
		if (may > 0) != (sc == spec.SplitLock) {
			t.Errorf("scenario %v: %d edges at which a party may leave out the write", sc, may)
		}
	}
}

// TestHazard_UnmodelledDeath: where the model does not know the death, the
// words must stay, the lock be free, and no call return early.
func TestHazard_UnmodelledDeath(t *testing.T) {
	cfg, moves, ok := CrashSchedule(2, spec.UncountEnter) // p0 holds the lock
	if !ok {
		t.Fatal("no schedule leads to UncountEnter")
	}
	for _, c := range []struct {
		name string
		die  func(b *bench)
		asks string // the request of p1, after the death, that it answers with says
		says string
		want string
	}{
		{"right", func(*bench) {}, "", "", ""},
		{"words", func(b *bench) { b.parties[1].words.store(spec.Enter, 7) }, "", "", "words: got enter=7"},
		{"lock", func(b *bench) { take(b, 1) }, "", "", "holder of the lock: got p1, want none"},
		{"return", func(*bench) {}, "go", "returned", "calls begun"},
		{"error", func(*bench) {}, "go", "error no", `got "error no", want a step`},
		{"no end", func(*bench) {}, "go", "at", "after 1000 steps of each"},
		{"return at once", func(*bench) {}, "call 2", "returned", `got "returned", want "at Call"`},
	} {
		var b bench
		asked := 0
		d := driver{cfg: cfg, start: func(i int, splitRMW bool) (party, error) {
			started, err := b.start(i, splitRMW)
			if i == 0 {
				started = &mortal{started, func() {
					c.die(&b)
					b.parties[1].fault = func(request, answer string) string {
						switch asked++; {
						case request == c.asks && c.says == "at": // another step each time
							return "at " + spec.CallSteps[asked%len(spec.CallSteps)].String()
						case request == c.asks:
							return c.says
						case c.asks != "" && strings.HasPrefix(request, "call "):
							return "at Call"
						default:
							return answer
						}
					}
				}}
			}
			return started, err
		}}
		rep, err := d.crash(t.Context(), spec.UncountEnter, moves)
		want := spec.Violated
		if c.want == "" {
			want = spec.Passed
		}
		if err != nil || rep.Verdict != want || !strings.Contains(rep.Why, c.want) {
			t.Errorf("%s: crash: got %v, %s, %v; want %v, %q", c.name, rep.Verdict, rep.Why, err, want, c.want)
		}
	}
}

// mortal is a party that does something more when it is killed first.
type mortal struct {
	party
	die func()
}

func (m *mortal) Kill() {
	m.party.Kill()
	if die := m.die; die != nil {
		m.die = nil
		die()
	}
}

// TestHazard_End: a party that is outside and does not end in order is an
// error, unless its context has ended.
func TestHazard_End(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		moves string
		end   error
		want  error
	}{
		{"1:2", nil, nil},
		{"1:2", broken, broken},
		{"1:2", context.Canceled, nil},
		{"0:2", broken, nil}, // it is in a call
	} {
		var b bench
		s := b.session(t, spec.Withdraw, c.moves)
		b.parties[0].end = c.end
		if err := s.Close(); !errors.Is(err, c.want) {
			t.Errorf("Close after %q of a party that ends with %v: got %v, want %v", c.moves, c.end, err, c.want)
		}
	}
}

// TestHazard_EndOfADifference: after a difference the parties are nowhere in
// particular, and are not asked to end in order.
func TestHazard_EndOfADifference(t *testing.T) {
	var b bench
	s := b.session(t, spec.Withdraw, "1:2")
	b.parties[0].end = errors.New("broken")
	b.parties[1].fault = func(string, string) string { return "at RaiseFlag" }
	if err := s.move(Move{Proc: 1}); err == nil {
		t.Error("a wrong answer: got no difference")
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close after a difference: got %v, want nil", err)
	}
}

// unable is a party with some capabilities only.
type unable struct {
	party
	can port.Capabilities
}

func (u unable) Can() port.Capabilities { return u.can }

// TestUnit_Able: which capability each action needs.
func TestUnit_Able(t *testing.T) {
	all := port.Capabilities{White: true, Withdraw: true, Abandon: true, SplitRMW: true}
	for _, c := range []struct {
		scenario spec.Scenario
		action   model.Action
		lacks    func(*port.Capabilities) // nil: needs none
	}{
		{spec.Withdraw, model.Action{Event: spec.GiveUp}, func(c *port.Capabilities) { c.Withdraw = false }},
		{spec.AbandonWait, model.Action{Event: spec.Abandon}, func(c *port.Capabilities) { c.Abandon = false }},
		{spec.SplitLock, model.Action{Step: spec.InitExit}, func(c *port.Capabilities) { c.SplitRMW = false }},
		{spec.SplitLock, model.Action{Step: spec.CountEnter}, func(c *port.Capabilities) { c.SplitRMW = false }},
		{spec.SplitLock, model.Action{Step: spec.CountExit}, func(c *port.Capabilities) { c.SplitRMW = false }},
		{spec.SplitLock, model.Action{Step: spec.LockInit}, nil},
		{spec.SplitLock, model.Action{Proc: -1, Event: spec.Relink}, nil},
		{spec.Crash, model.Action{Event: spec.Die, Step: spec.CountExit}, nil},
		{spec.Withdraw, model.Action{Step: spec.CountExit}, nil},
	} {
		able := func(can port.Capabilities) bool {
			s := session{cfg: model.Config{Scenario: c.scenario}, testbed: &testbed{parties: []party{unable{can: can}}}}
			return s.able(c.action) == nil
		}
		if c.lacks == nil {
			if !able(port.Capabilities{}) {
				t.Errorf("%v in scenario %v, with no capability: got an error", c.action, c.scenario)
			}
			continue
		}
		without, only := all, port.Capabilities{}
		c.lacks(&without)
		if !able(all) || able(without) || able(only) {
			t.Errorf("%v in scenario %v: able with all, without one, with none: got %v, %v, %v; want true, false, false",
				c.action, c.scenario, able(all), able(without), able(only))
		}
	}
}
