package impl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/gofrs/flock"

	"sharedbarrier/model"
	"sharedbarrier/spec"
)

// A move is what the controller lets happen next.
type move struct {
	proc    int
	event   spec.Event // NoEvent: take one step; GiveUp: the context of the call ends; Abandon
	parties int        // for a step that is Call; 0: as the scenario has it
}

// A schedule is a list of moves. As text it has one word for each: the process,
// then :n for a call with n parties, ! for giving up, ~ for abandoning.
type schedule []move

func (m move) String() string {
	text := strconv.Itoa(m.proc)
	switch {
	case m.event == spec.GiveUp:
		text += "!"
	case m.event == spec.Abandon:
		text += "~"
	case m.parties > 0:
		text += ":" + strconv.Itoa(m.parties)
	}
	return text
}

func (s schedule) String() string {
	words := make([]string, len(s))
	for i, m := range s {
		words[i] = m.String()
	}
	return strings.Join(words, " ")
}

func parseSchedule(text string) (s schedule, err error) {
	for _, word := range strings.Fields(text) {
		var m move
		proc, parties, counted := strings.Cut(word, ":")
		if before, ok := strings.CutSuffix(proc, "!"); ok {
			proc, m.event = before, spec.GiveUp
		} else if before, ok := strings.CutSuffix(proc, "~"); ok {
			proc, m.event = before, spec.Abandon
		}
		if m.proc, err = strconv.Atoi(proc); err == nil && counted {
			m.parties, err = strconv.Atoi(parties)
		}
		if err != nil {
			return nil, fmt.Errorf("schedule: %q is no move, want like 0, 0:2, 0! or 0~", word)
		}
		s = append(s, m)
	}
	return s, nil
}

// A lockstep runs the model and the real barrier side by side, one step at a
// time, and compares them after each. The real one has a segment and a lock
// file of its own, and an actor with a handle of its own for each process.
type lockstep struct {
	cfg    model.Config
	mutant *mutant // nil: the barrier as it is

	state  model.State
	actors []*actor
	eye    *Barrier     // looks at the words
	probe  *flock.Flock // tries the lock, from a descriptor of its own
	name   string
	dir    string

	over  bool // a call has found the words corrupt; the model has no such end
	moves int
	trace []entry
}

// An entry is one line of the table that a failure prints.
type entry struct {
	move   move
	label  string
	words  spec.Words // after it, really
	holder int        // after it, by the model
	at     spec.Step  // after it, really
	note   string
}

func newLockstep(cfg model.Config, mutant *mutant) (*lockstep, error) {
	dir, err := os.MkdirTemp("", "lockstep")
	if err != nil {
		return nil, err
	}
	l := &lockstep{cfg: cfg, mutant: mutant, state: model.Init(cfg), dir: dir}
	l.name = filepath.Base(dir)
	lockPath := filepath.Join(dir, "lock")
	l.probe = flock.New(lockPath)
	if l.eye, err = Create(l.name, lockPath); err != nil {
		return nil, errors.Join(err, l.close())
	}
	for p := range cfg.Procs {
		b, err := Attach(context.Background(), l.name, lockPath)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.actors = append(l.actors, newActor(b, l.state.Step(p) == spec.MakeEnter, mutant))
	}
	return l, nil
}

func (l *lockstep) close() error {
	for _, a := range l.actors {
		a.close()
	}
	if l.eye != nil {
		l.eye.Close()
	}
	return errors.Join(removeSegment(l.name), os.RemoveAll(l.dir))
}

// run makes the moves and returns the first difference.
func (l *lockstep) run(s schedule) error {
	for _, m := range s {
		if err := l.move(m); err != nil {
			return err
		}
	}
	return nil
}

// A mismatch is a difference between the model and the real barrier.
type mismatch struct {
	what      string
	got, want any
}

func (m *mismatch) Error() string { return fmt.Sprintf("%s: got %v, want %v", m.what, m.got, m.want) }

// move makes one move on both sides and compares them. A move that means
// nothing, such as giving up while outside, is left out.
func (l *lockstep) move(m move) error {
	if m.proc < 0 || m.proc >= len(l.actors) {
		return fmt.Errorf("schedule: there is no process %d of %d", m.proc, len(l.actors))
	}
	if l.over {
		return nil
	}
	a := l.actors[m.proc]
	if m.event == spec.GiveUp {
		if l.state.Inside(m.proc) && a.cancel() {
			l.record(m, spec.GiveUp.String(), "the context ends")
		}
		return nil
	}
	w, ok := l.expect(&m)
	if !ok {
		return nil
	}
	a.proceed(m)
	l.state, l.over = w.state, errors.Is(w.err, ErrCorrupt)
	l.record(m, w.label, w.note)
	return l.compare(m.proc, w)
}

// stuck reports whether nobody can move any more, after every process that is
// in a call has tried.
func (l *lockstep) stuck() (bool, error) {
	if l.over || len(model.Enabled(l.cfg, l.state)) > 0 {
		return false, nil
	}
	for p := range l.actors {
		if err := l.move(move{proc: p}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// A want is what the model says a move must lead to.
type want struct {
	label   string
	state   model.State
	returns bool  // the call returns,
	err     error // with this
	note    string
}

// expect asks the model. Of a process that is blocked it says that nothing
// changes; the actor tries, and must find it so. It completes the party count
// of a Call.
func (l *lockstep) expect(m *move) (w want, ok bool) {
	p, step := m.proc, l.state.Step(m.proc)
	w = want{label: step.String(), state: l.state}
	if l.state.Inside(p) && l.corrupt(p, step) {
		w.returns, w.err, w.note = true, ErrCorrupt, "finds the words corrupt"
		return w, true
	}
	event := m.event
	if l.actors[p].ended && heeds(step) {
		event = spec.GiveUp
	}
	action, enabled := l.enabled(p, event)
	switch {
	case event == spec.GiveUp:
		w.label, w.returns, w.err = event.String(), step != spec.AwaitFlag, context.Canceled
	case event == spec.Abandon:
		w.label, w.returns, w.err = event.String(), true, errAbandoned
	case step == spec.UnlockExit:
		w.returns = true
	case step == spec.UnlockWithdraw:
		w.returns, w.err = true, context.Canceled
	}
	switch {
	case enabled && step == spec.Call:
		if m.parties == 0 {
			m.parties = action.Parties
		}
		action.Parties = m.parties
	case enabled:
		m.parties = 0
	case event != spec.NoEvent || step == spec.Call: // not in this scenario, or not now
		return w, false
	default:
		// What was blocked stays so until something changes: once is enough.
		again := l.actors[p].blockedIn == l.state
		l.actors[p].blockedIn = l.state
		w.note, m.parties = "blocked", 0
		return w, !again
	}
	w.state = model.Apply(l.cfg, l.state, action)
	return w, true
}

func (l *lockstep) enabled(p int, event spec.Event) (model.Action, bool) {
	for _, a := range model.Enabled(l.cfg, l.state) {
		if a.Proc == p && a.Event == event {
			return a, true
		}
	}
	return model.Action{}, false
}

// heeds reports whether a call that is at step minds that its context has
// ended (PROTOCOL.md, Withdrawal).
func heeds(step spec.Step) bool {
	return slices.Contains([]spec.Step{spec.LockInit, spec.LockEnter, spec.AwaitDrain, spec.LockFirst, spec.AwaitFlag}, step)
}

// corrupt reports whether the step reads a word that is out of range for the
// call, before the call has counted itself (PROTOCOL.md, Checks and errors).
func (l *lockstep) corrupt(p int, step spec.Step) bool {
	n, words := int32(l.state.Parties(p)), l.state.Words()
	switch step {
	case spec.InitExit:
		return words.Exit < -1 || words.Exit > n
	case spec.TestFirst:
		return words.Enter < 0 || words.Enter > n
	default:
		return false
	}
}

// compare holds the real thing against the model: what p's call returned, each
// actor's next step, the words, and who holds the lock.
func (l *lockstep) compare(p int, w want) error {
	a := l.actors[p]
	if a.returned != w.returns {
		return &mismatch{fmt.Sprintf("p%d's call returned", p), a.returned, w.returns}
	}
	if w.returns && !errors.Is(a.err, w.err) {
		return &mismatch{fmt.Sprintf("error of p%d's call", p), a.err, w.err}
	}
	if l.over {
		return l.compareLock(-1)
	}
	for q, a := range l.actors {
		if want := l.state.Step(q); a.at != want {
			return &mismatch{fmt.Sprintf("next step of p%d", q), a.at, want}
		}
	}
	words, err := l.eye.Words()
	if err != nil {
		return err
	}
	if want := l.state.Words(); words != want {
		return &mismatch{"words", words, want}
	}
	return l.compareLock(l.state.Holder())
}

// compareLock tries the lock, and if it is taken asks the kernel whether it is
// taken through the descriptor of the actor that should hold it.
func (l *lockstep) compareLock(holder int) error {
	free, err := l.probe.TryLock()
	if err != nil {
		return err
	}
	if free {
		if err := l.probe.Unlock(); err != nil {
			return err
		}
		if holder >= 0 {
			return &mismatch{"holder of the lock", "nobody", fmt.Sprintf("p%d", holder)}
		}
		return nil
	}
	if holder < 0 {
		return &mismatch{"holder of the lock", "somebody", "nobody"}
	}
	if holds, err := l.actors[holder].holdsLock(); err != nil || !holds {
		return errors.Join(err, &mismatch{"holder of the lock", "another", fmt.Sprintf("p%d", holder)})
	}
	return nil
}

func (l *lockstep) record(m move, label, note string) {
	l.moves++
	words, _ := l.eye.Words()
	l.trace = append(l.trace, entry{m, label, words, l.state.Holder(), l.actors[m.proc].at, note})
}

// schedule returns the moves that were made.
func (l *lockstep) schedule() schedule {
	var s schedule
	for _, e := range l.trace {
		s = append(s, e.move)
	}
	return s
}

// report says what happened up to the difference, and how to see it again.
func (l *lockstep) report(err error) string {
	var text strings.Builder
	fmt.Fprintf(&text, "scenario %v, %d processes: %v\n", l.cfg.Scenario, l.cfg.Procs, err)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "#\twho\tdoes\tenter\texit\tflag\tholder\tthen is at\t")
	fmt.Fprintf(table, "0\t\t\t%d\t%d\t%d\t\t\t\n", spec.Initial.Enter, spec.Initial.Exit, spec.Initial.Flag)
	for i, e := range l.trace {
		holder := ""
		if e.holder >= 0 {
			holder = fmt.Sprintf("p%d", e.holder)
		}
		if e.move.parties > 0 {
			e.label += fmt.Sprintf("(%d)", e.move.parties)
		}
		fmt.Fprintf(table, "%d\tp%d\t%s\t%d\t%d\t%d\t%s\t%v\t%s\n", i+1, e.move.proc, e.label,
			e.words.Enter, e.words.Exit, e.words.Flag, holder, e.at, e.note)
	}
	table.Flush()
	fmt.Fprintf(&text, "replay: go test ./impl -run '^TestConform_Replay$' -scenario %v -procs %d", l.cfg.Scenario, l.cfg.Procs)
	if l.cfg.Rounds > 0 {
		fmt.Fprintf(&text, " -rounds %d", l.cfg.Rounds)
	}
	if l.mutant != nil {
		fmt.Fprintf(&text, " -mutant %s", l.mutant.name)
	}
	fmt.Fprintf(&text, " -schedule '%v'", l.schedule())
	return text.String()
}
