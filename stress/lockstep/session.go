//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A Session is one run: the model and the real parties.
type Session struct {
	*Testbed
	cfg   model.Config
	state model.State

	refused  string        // the error of a party that found the words corrupt; the model has no such end
	alone    bool          // the parties have gone where the model cannot follow
	ahead    []bool        // the party has left out the write of an InitExit that writes nothing; the model has it to do
	tried    []model.State // by party: where it last tried a step that is blocked
	steps    int           // steps and events that have happened, or were tried
	blocked  int           // of these, steps that were blocked
	begun    []int         // calls that the parties have really begun
	returned []int         // calls that have really returned
	record   []entry
}

// An entry is one line of the table that a failure prints.
type entry struct {
	move   Move
	label  string
	words  spec.Words // after it, really
	holder int        // after it, by the model
	answer string     // what the party said
	note   string
}

// Notes of entries.
const (
	blocked = "blocked"
	corrupt = "finds the words corrupt"
	differs = "differs"
)

// New starts the parties of cfg, which must be valid, has them open a barrier
// of their own, and takes them to the initial state of the model. In
// LateConstruction party 0 must be one that constructs.
func New(cfg model.Config, start Starter) (*Session, error) {
	l := &Session{
		cfg: cfg, state: model.Init(cfg),
		ahead: make([]bool, cfg.Procs), tried: make([]model.State, cfg.Procs), begun: make([]int, cfg.Procs), returned: make([]int, cfg.Procs),
	}
	for p := range cfg.Procs {
		l.begun[p], l.returned[p] = l.state.Rounds(p), l.state.Rounds(p)
	}
	var err error
	l.Testbed, err = NewTestbed(cfg.Procs, l.state.Step(0) == spec.MakeEnter, func(p int) (Party, error) {
		return start(p, cfg.Scenario == spec.SplitLock)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Close ends the parties and removes the segment and the lock file. Parties
// that are outside are asked to end, and it is an error if they do not, unless
// their context has ended.
func (l *Session) Close() (err error) {
	for p := range l.parties {
		orderly := l.refused == "" && !l.alone && !l.differs() // the parties are where the model says
		if orderly && l.state.Alive(p) && l.state.Step(p) == spec.Call {
			if left := l.Leave(p); !errors.Is(left, context.Canceled) {
				err = errors.Join(err, left)
			}
		}
	}
	return errors.Join(err, l.Testbed.Close())
}

// differs reports whether the last move has shown a difference.
func (l *Session) differs() bool {
	return len(l.record) > 0 && l.record[len(l.record)-1].note == differs
}

// Move makes one move on both sides and compares them. What means nothing in
// the state, such as giving up while outside, is left out, and made is false;
// and so is a step that is blocked where it has just been tried.
// After a *Difference, or another error, which is a party's, the run is of no
// further use.
func (l *Session) Move(m Move) (made bool, err error) {
	if m.Proc < -1 || m.Proc >= l.cfg.Procs {
		return false, fmt.Errorf("there is no process %d of %d", m.Proc, l.cfg.Procs)
	}
	if l.refused != "" {
		return false, nil
	}
	a, enabled := enabled(l.cfg, l.state, m)
	switch {
	case enabled:
		return true, l.take(a)
	case m.Event != spec.NoEvent || !Waits(l.cfg, l.state, m.Proc) || l.tried[m.Proc] == l.state:
		return false, nil
	default:
		return true, l.try(m.Proc)
	}
}

// enabled returns the action that m makes happen, if it can.
func enabled(cfg model.Config, s model.State, m Move) (model.Action, bool) {
	for _, a := range model.Enabled(cfg, s) {
		if a.Proc == m.Proc && a.Event == m.Event {
			if m.Parties > 0 && a.Parties > 0 {
				a.Parties = m.Parties
			}
			return a, true
		}
	}
	return model.Action{}, false
}

// Waits reports whether process p is in a call, at a step that blocks in s.
func Waits(cfg model.Config, s model.State, p int) bool {
	if p < 0 || !s.Alive(p) || !s.Inside(p) {
		return false
	}
	_, goes := enabled(cfg, s, Move{Proc: p})
	return !goes
}

// try has party p, which is blocked, try its step: nothing may change.
func (l *Session) try(p int) error {
	step := l.state.Step(p)
	l.tried[p] = l.state
	l.steps++
	l.blocked++
	answer, err := l.Ask(p, "go")
	return l.judge(Move{Proc: p}, step.String(), answer, "at "+step.String(), blocked, err)
}

// take makes a happen, which is enabled.
func (l *Session) take(a model.Action) error {
	if err := l.able(a); err != nil {
		return err
	}
	before := l.state
	l.state = model.Apply(l.cfg, before, a)
	l.steps++
	answer, want, err := l.happen(Dialogue(l.state, a))
	switch {
	case l.refuses(before, a, answer):
		text := strings.TrimPrefix(answer, "error ")
		l.refused, l.state = strings.ReplaceAll(text, l.segment, "NAME"), before // the same for the same run
		return l.judge(moveOf(a), a.Label(), answer, answer, corrupt, err)
	case l.leavesOut(before, a, answer):
		l.ahead[a.Proc], want = true, answer
	case answer == "returned":
		l.returned[a.Proc]++
	case answer == "withdrawn" || answer == "abandoned": // such a call was not begun
		l.begun[a.Proc]--
	case answer == "at "+spec.LockInit.String():
		l.begun[a.Proc]++
	}
	return l.judge(moveOf(a), a.Label(), answer, want, "", err)
}

// happen holds the dialogue, up to an answer that is not as it should be.
func (l *Session) happen(lines []Line) (answer, want string, err error) {
	for _, line := range lines {
		want = line.Answer
		if line.Proc >= 0 && l.ahead[line.Proc] {
			l.ahead[line.Proc] = false
			return want, want, nil
		}
		if answer, err = l.Ask(line.Proc, line.Request); err != nil || answer != want {
			break
		}
	}
	return answer, want, err
}

// able returns an error if the party has not the capability for a.
func (l *Session) able(a model.Action) error {
	if a.Proc < 0 {
		return nil
	}
	can, lacks := l.parties[a.Proc].Can(), ""
	switch {
	case a.Event == spec.GiveUp && !can.Withdraw:
		lacks = "withdraw"
	case a.Event == spec.Abandon && !can.Abandon:
		lacks = "abandon"
	case l.cfg.Scenario == spec.SplitLock && splits(a) && !can.SplitRMW:
		lacks = "splitRMW"
	default:
		return nil
	}
	return &Unable{fmt.Sprintf("%v in scenario %v needs a port with the capability %s, which p%d's has not", a, l.cfg.Scenario, lacks, a.Proc)}
}

// splits reports whether a is a step that is a read and a write.
func splits(a model.Action) bool {
	return a.Event == spec.NoEvent && (a.Step == spec.InitExit || a.Step == spec.CountEnter || a.Step == spec.CountExit)
}

// leavesOut reports whether the party has gone past the write of an InitExit
// that has nothing to write, as it may (spec/PORTS.md, section 1).
func (l *Session) leavesOut(before model.State, a model.Action, answer string) bool {
	return l.cfg.Scenario == spec.SplitLock && a.Step == spec.InitExit && l.state.Step(a.Proc) == spec.InitExit &&
		before.Words().Exit != spec.NotSet && answer == "at "+spec.UnlockInit.String()
}

// refuses reports whether the answer is the error that PROTOCOL.md, section 9,
// allows: the party has the lock, has not counted itself, and a word is out of
// range for its call. A port need not check, as the original does not.
func (l *Session) refuses(before model.State, a model.Action, answer string) bool {
	if !strings.HasPrefix(answer, "error ") || a.Event != spec.NoEvent {
		return false
	}
	return MayRefuse(a.Step, before.Words(), int32(before.Parties(a.Proc)))
}

// MayRefuse reports whether a call with party count n may end with an error at the
// step because a word is out of range (PROTOCOL.md, section 9).
func MayRefuse(at spec.Step, w spec.Words, n int32) bool {
	return (at == spec.InitExit || at == spec.TestFirst) &&
		(w.Enter < 0 || w.Enter > n || w.Exit < spec.NotSet || w.Exit > n || w.Flag != spec.Down && w.Flag != spec.Up)
}

// judge records the move, and compares what the party said and the rest of the
// real thing with the model.
func (l *Session) judge(m Move, label, answer, want, note string, err error) error {
	if err == nil && answer != want {
		what := l.answerOf(m.Proc)
		if note == blocked {
			what += ", which must be blocked"
		}
		err = &Difference{what, quoted(answer), quoted(want)}
	}
	if err == nil {
		err = l.compare()
	}
	words, unreadable := l.eye.Words()
	if err == nil {
		err = unreadable
	}
	if err != nil {
		note = differs
	}
	l.record = append(l.record, entry{m, label, words, l.state.Holder(), answer, note})
	return err
}

// compare holds the real words and the real lock against the model.
func (l *Session) compare() error {
	holder := l.state.Holder()
	if l.refused != "" {
		holder = -1
	}
	old := false // somebody holds a lock, and not the one that the path names
	for p := range l.parties {
		old = old || p != holder && l.state.Alive(p) && l.state.Step(p).Holds() && l.refused == ""
	}
	return errors.Join(l.Check(l.state.Words(), holder), l.CheckOld(old))
}

// Stuck has every party try that is in a call, when nobody can move by the
// model, and reports whether that is so and not everyone is done: each of them
// is really blocked then, or err says which is not.
func (l *Session) Stuck() (bool, error) {
	if l.refused != "" || !model.Stuck(l.cfg, l.state) {
		return false, nil
	}
	return true, l.tryAll()
}

// tryAll has every party try that is blocked.
func (l *Session) tryAll() error {
	for p := range l.parties {
		if Waits(l.cfg, l.state, p) {
			if err := l.try(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Schedule returns the moves that were made.
func (l *Session) Schedule() Schedule {
	var s Schedule
	for _, e := range l.record {
		s = append(s, e.move)
	}
	return s
}
