//go:build linux

package lockstep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sharedbarrier/model"
	"sharedbarrier/model/cli"
	"sharedbarrier/model/timeline"
	"sharedbarrier/spec"
	"sharedbarrier/stress/port"
)

// A session is the model and the real parties, which take one step at a time.
type session struct {
	*testbed
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
	trace    model.Trace   // the moves, with the real words after each
	notes    []note        // by move
}

// A note is what a session records of a move besides its entry in the trace.
type note struct {
	answer string // of the party
	result string // blocked, corrupt, differs or empty
}

const (
	blocked = "blocked"
	corrupt = "finds the words corrupt"
	differs = "differs"
)

// newSession starts the parties of cfg, which must be valid. They open a
// barrier of their own and come to the initial state of the model. In
// LateConstruction party 0 must be one that constructs; the error is errUnable
// if it is not.
func newSession(cfg model.Config, start starter) (*session, error) {
	s := &session{
		cfg: cfg, state: model.Init(cfg),
		ahead: make([]bool, cfg.Procs), tried: make([]model.State, cfg.Procs), begun: make([]int, cfg.Procs), returned: make([]int, cfg.Procs),
	}
	for p := range cfg.Procs {
		s.begun[p], s.returned[p] = s.state.Rounds(p), s.state.Rounds(p)
	}
	var err error
	s.testbed, err = newTestbed(cfg.Procs, s.state.Step(0) == spec.MakeEnter, cfg.Scenario == spec.SplitLock, start)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the parties and removes the segment and the lock file. It asks
// parties that are outside to end, and fails if they do not, unless their
// context has ended.
func (s *session) Close() (err error) {
	orderly := s.refused == "" && !s.alone && !s.differs() // the parties are where the model says
	for p := range s.parties {
		if orderly && s.state.Alive(p) && s.state.Step(p) == spec.Call {
			if left := s.parties[p].Close(); !errors.Is(left, context.Canceled) {
				err = errors.Join(err, left)
			}
		}
	}
	return errors.Join(err, s.testbed.Close())
}

// differs reports whether the last move has shown a difference.
func (s *session) differs() bool {
	return len(s.notes) > 0 && s.notes[len(s.notes)-1].result == differs
}

// move makes one move on both sides and compares them. It makes no move that
// means nothing in the state, such as giving up while outside, and tries a
// blocked step only once in one state. The error is a *difference, or that of a
// party; the session is of no further use then.
func (s *session) move(m Move) error {
	if m.Proc < -1 || m.Proc >= s.cfg.Procs {
		return fmt.Errorf("there is no process %d of %d", m.Proc, s.cfg.Procs)
	}
	if s.refused != "" {
		return nil
	}
	a, enabled := actionOf(s.cfg, s.state, m)
	switch {
	case enabled:
		return s.take(a)
	case m.Event != spec.NoEvent || !Blocked(s.cfg, s.state, m.Proc) || s.tried[m.Proc] == s.state:
		return nil
	default:
		return s.try(m.Proc)
	}
}

// try has party p try its step, which is blocked: nothing may change.
func (s *session) try(p int) error {
	step := s.state.Step(p)
	s.tried[p] = s.state
	s.steps++
	s.blocked++
	answer, err := s.Ask(p, "go")
	return s.judge(model.Action{Proc: p, Step: step}, answer, "at "+step.String(), blocked, err)
}

// take makes a happen, which is enabled.
func (s *session) take(a model.Action) error {
	if err := s.able(a); err != nil {
		return err
	}
	before := s.state
	s.state = model.Apply(s.cfg, before, a)
	s.steps++
	answer, want, err := s.exchange(Exchanges(s.state, a))
	switch {
	case s.refuses(before, a, answer):
		text := cli.Printable(strings.TrimPrefix(answer, "error "))
		s.refused, s.state = strings.ReplaceAll(text, s.segment, "NAME"), before // the same for the same run
		return s.judge(a, answer, answer, corrupt, err)
	case s.leavesOut(before, a, answer):
		s.ahead[a.Proc], want = true, answer
	case answer == "returned":
		s.returned[a.Proc]++
	case answer == "withdrawn" || answer == "abandoned": // such a call counts as not begun
		s.begun[a.Proc]--
	case answer == "at "+spec.LockInit.String():
		s.begun[a.Proc]++
	}
	return s.judge(a, answer, want, "", err)
}

// exchange makes the exchanges, up to an answer that is not as it must be.
func (s *session) exchange(list []Exchange) (answer, want string, err error) {
	for _, x := range list {
		want = x.Answer
		if x.Proc >= 0 && s.ahead[x.Proc] {
			s.ahead[x.Proc] = false
			return want, want, nil
		}
		if answer, err = s.Ask(x.Proc, x.Request); err != nil || answer != want {
			break
		}
	}
	return answer, want, err
}

// split are the steps that are a read and a write.
var split = []spec.Step{spec.InitExit, spec.CountEnter, spec.CountExit}

// able returns errUnable if the party has not the capability for a.
func (s *session) able(a model.Action) error {
	if a.Proc < 0 {
		return nil
	}
	can, lacks := s.parties[a.Proc].Can(), ""
	switch {
	case a.Event == spec.GiveUp && !can.Withdraw:
		lacks = "withdraw"
	case a.Event == spec.Abandon && !can.Abandon:
		lacks = "abandon"
	case s.cfg.Scenario == spec.SplitLock && a.Event == spec.NoEvent && slices.Contains(split, a.Step) && !can.SplitRMW:
		lacks = "splitRMW"
	default:
		return nil
	}
	return fmt.Errorf("%w: %v in scenario %v needs %s", errUnable, a, s.cfg.Scenario, lacks)
}

// leavesOut reports whether the party has gone past the write of an InitExit
// that has nothing to write, as it may (spec/PORTS.md, section 1).
func (s *session) leavesOut(before model.State, a model.Action, answer string) bool {
	return a.Step == spec.InitExit && s.state.Step(a.Proc) == spec.InitExit && // in split-lock
		before.Words().Exit != spec.NotSet && answer == "at "+spec.UnlockInit.String()
}

// refuses reports whether the answer is the error that PROTOCOL.md, section 9,
// allows: the party has the lock, has not counted itself, and a word is out of
// range for its call. A port need not check; the original does not.
func (s *session) refuses(before model.State, a model.Action, answer string) bool {
	return strings.HasPrefix(answer, "error ") && (a.Step == spec.InitExit || a.Step == spec.TestFirst) &&
		outOfRange(before.Words(), int32(before.Parties(a.Proc)))
}

// outOfRange reports whether a word is out of range for a call of n parties.
func outOfRange(w spec.Words, n int32) bool {
	return w.Enter < 0 || w.Enter > n || w.Exit < spec.NotSet || w.Exit > n || w.Flag != spec.Down && w.Flag != spec.Up
}

// judge records the move that makes a happen or tries it, and compares the
// answer, the words and the lock with the model.
func (s *session) judge(a model.Action, answer, want, result string, err error) error {
	if err == nil && answer != want {
		what := s.answerOf(a.Proc)
		if result == blocked {
			what += ", which must be blocked"
		}
		err = &difference{what, quoted(answer), quoted(want)}
	}
	if err == nil {
		err = s.compare()
	}
	words, _ := s.eye.Words() // an error is that of compare too
	if err != nil {
		result = differs
	}
	s.trace = append(s.trace, model.Entry{Proc: a.Proc, Label: a.Label(), Parties: a.Parties, Words: words})
	s.notes = append(s.notes, note{cli.Printable(answer), result})
	return err
}

// explain returns err with the move that has shown it, and with what its party
// has written on its standard error. It kills the party, so as to have that
// whole. s is nil when the run has not begun.
func (s *session) explain(err error) string {
	if s == nil || !s.differs() {
		return err.Error()
	}
	last := s.trace[len(s.trace)-1]
	if last.Proc < 0 {
		return fmt.Sprintf("%s: %v", last.Label, err)
	}
	said := ""
	if p, is := s.parties[last.Proc].(process); is && !errors.As(err, new(*port.Error)) {
		p.Kill()
		said = port.Said(p.Stderr())
	}
	return fmt.Sprintf("p%d %s: %v%s", last.Proc, last.Label, err, said)
}

// compare holds the real words and the real lock against the model.
func (s *session) compare() error {
	holder := s.state.Holder()
	if s.refused != "" {
		holder = -1
	}
	old := false // a party holds a lock, and not the one that the path names
	for p := range s.parties {
		old = old || p != holder && s.state.Alive(p) && s.state.Step(p).Holds() && s.refused == ""
	}
	return errors.Join(s.check(s.state.Words(), holder), s.checkOld(old))
}

// stuck reports whether no process can move by the model and not all are done.
// Each party that is in a call tries then; err says which is not blocked.
func (s *session) stuck() (bool, error) {
	if s.refused != "" || !model.Stuck(s.cfg, s.state) {
		return false, nil
	}
	return true, s.tryAll()
}

// tryAll has every party try that is blocked.
func (s *session) tryAll() error {
	for p := range s.parties {
		if Blocked(s.cfg, s.state, p) {
			if err := s.try(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// timeline returns the moves as lanes, with what is special about an answer.
// Stuck says that no process can move after them.
func (s *session) timeline(stuck bool) timeline.Timeline {
	moves := make([]timeline.Move, len(s.trace))
	for i, e := range s.trace {
		n := s.notes[i]
		moves[i] = timeline.Move{Entry: e, Blocked: n.result == blocked, Note: n.result}
		if n.result == differs || n.result == corrupt {
			moves[i].Note += ": " + n.answer
		}
	}
	return timeline.OfMoves(s.cfg, moves, stuck)
}
