//go:build linux

package lockstep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sharedbarrier/impl"
	"sharedbarrier/model"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockfile"
)

// A Lockstep is one run: the model and the real parties, which have a segment
// and a lock file of their own.
type Lockstep struct {
	cfg      model.Config
	state    model.State
	parties  []Party
	eye      *impl.Barrier   // looks at the words
	probe    *lockfile.Probe // of the lock file that the path names
	old      *lockfile.Probe // of the one before Relink; nil: there is none
	segment  string
	dir      string
	lockPath string

	refused  string // the error of a party that found the words corrupt; the model has no such end
	steps    int    // requests to go on that were made of parties
	blocked  int    // of these, those that were blocked
	begun    []int  // calls that the parties have really begun
	returned []int  // calls that have really returned
	ahead    []bool // the party has left out the write of an InitExit that writes nothing; the model has it to do
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

// New starts the parties of cfg, which must be valid, has them open a barrier
// of their own, and takes them to the initial state of the model. In
// LateConstruction party 0 must be one that constructs.
func New(cfg model.Config, start Starter) (_ *Lockstep, err error) {
	dir, err := os.MkdirTemp("", "sharedbarrier-lockstep-")
	if err != nil {
		return nil, fmt.Errorf("lockstep: make a folder for the lock file: %w", err)
	}
	l := &Lockstep{
		cfg: cfg, state: model.Init(cfg), dir: dir,
		segment: filepath.Base(dir), lockPath: filepath.Join(dir, "lock"),
		parties: make([]Party, cfg.Procs), begun: make([]int, cfg.Procs), returned: make([]int, cfg.Procs),
		ahead: make([]bool, cfg.Procs),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.eye, err = impl.Create(l.segment, l.lockPath); err != nil {
		return nil, err
	}
	if l.probe, err = lockfile.NewProbe(l.lockPath); err != nil {
		return nil, err
	}
	for p := cfg.Procs - 1; p >= 0; p-- { // 0, which may stay in its construction, is the last
		l.begun[p], l.returned[p] = l.state.Rounds(p), l.state.Rounds(p)
		if l.parties[p], err = start(p, cfg.Scenario == spec.SplitLock); err != nil {
			return nil, err
		}
		if err = l.open(p); err != nil {
			return nil, err
		}
	}
	return l, l.compare()
}

// open has party p open the barrier. One that constructs does so to the end,
// unless the model has it begin there.
func (l *Lockstep) open(p int) error {
	answer, err := l.parties[p].Ask("open " + l.segment + " " + l.lockPath)
	begins := l.state.Step(p) == spec.MakeEnter
	for _, step := range spec.ConstructionSteps {
		if err != nil || answer == "opened" && step == spec.MakeEnter && !begins {
			break
		}
		if answer == "opened" && begins {
			return &Unable{fmt.Sprintf("scenario %v needs a port for p%d that constructs, and this one attaches", l.cfg.Scenario, p)}
		}
		if want := "at " + step.String(); answer != want {
			return &Difference{fmt.Sprintf("answer of p%d while it opens the barrier", p), answer, want}
		}
		if begins {
			return nil
		}
		answer, err = l.parties[p].Ask("go")
	}
	if err == nil && answer != "opened" {
		err = &Difference{fmt.Sprintf("answer of p%d to open", p), answer, "opened"}
	}
	return err
}

// Close ends the parties and removes the segment and the lock file.
func (l *Lockstep) Close() error {
	for p, party := range l.parties {
		if party == nil {
			continue
		}
		if outside := l.state.Step(p) == spec.Call && l.state.Alive(p); !outside || l.failed() || party.Close() != nil {
			party.Kill()
		}
	}
	for _, probe := range []*lockfile.Probe{l.probe, l.old} {
		if probe != nil {
			probe.Close()
		}
	}
	if l.eye != nil {
		l.eye.Close()
	}
	return errors.Join(impl.Remove(l.segment, l.lockPath), os.RemoveAll(l.dir))
}

// failed reports whether the last move has shown a difference or a refusal, so
// that the parties are not where the model says.
func (l *Lockstep) failed() bool {
	return l.refused != "" || len(l.record) > 0 && l.record[len(l.record)-1].note == differs
}

// A Difference is one between the model and the real thing. Want is the
// model's.
type Difference struct{ What, Got, Want string }

// Error says what differs.
func (d *Difference) Error() string { return fmt.Sprintf("%s: got %s, want %s", d.What, d.Got, d.Want) }

// Unable is the error of a move that a party has not the capability for.
type Unable struct{ Why string }

// Error says which capability is missing.
func (u *Unable) Error() string { return u.Why }

// Notes of entries.
const (
	blocked = "blocked"
	corrupt = "finds the words corrupt"
	differs = "differs"
)

// Move makes one move on both sides and compares them. What means nothing in
// the state, such as giving up while outside, is left out, and made is false.
// After a *Difference, or another error, which is a party's, the run is of no
// further use.
func (l *Lockstep) Move(m Move) (made bool, err error) {
	if m.Proc < -1 || m.Proc >= l.cfg.Procs {
		return false, fmt.Errorf("there is no process %d of %d", m.Proc, l.cfg.Procs)
	}
	if l.refused != "" {
		return false, nil
	}
	a, enabled := l.enabled(m)
	switch {
	case enabled:
		return true, l.take(a)
	case m.Event != spec.NoEvent || !l.waits(m.Proc):
		return false, nil
	default:
		return true, l.try(m.Proc)
	}
}

// enabled returns the action that m makes happen, if it can.
func (l *Lockstep) enabled(m Move) (model.Action, bool) {
	for _, a := range model.Enabled(l.cfg, l.state) {
		if a.Proc == m.Proc && a.Event == m.Event {
			if m.Parties > 0 && a.Parties > 0 {
				a.Parties = m.Parties
			}
			return a, true
		}
	}
	return model.Action{}, false
}

// waits reports whether party p is at a step that blocks now.
func (l *Lockstep) waits(p int) bool {
	if !l.state.Alive(p) || !l.state.Inside(p) {
		return false
	}
	_, enabled := l.enabled(Move{Proc: p})
	return !enabled
}

// try has party p, which is blocked, try its step: nothing may change.
func (l *Lockstep) try(p int) error {
	step := l.state.Step(p)
	l.steps++
	l.blocked++
	answer, err := l.parties[p].Ask("go")
	return l.judge(Move{Proc: p}, step.String(), answer, "at "+step.String(), blocked, err)
}

// take makes a happen, which is enabled.
func (l *Lockstep) take(a model.Action) error {
	if err := l.able(a); err != nil {
		return err
	}
	before := l.state
	l.state = model.Apply(l.cfg, before, a)
	l.steps++
	answer, err := l.happen(a)
	if l.refuses(before, a, answer) {
		l.refused, l.state = strings.TrimPrefix(answer, "error "), before
		return l.judge(moveOf(a), a.Label(), answer, answer, corrupt, err)
	}
	switch answer {
	case "returned":
		l.returned[a.Proc]++
	case "withdrawn", "abandoned": // such a call was not begun
		l.begun[a.Proc]--
	}
	want := expected(l.state, a)
	if l.leavesOut(before, a, answer) {
		l.ahead[a.Proc], want = true, answer
	}
	return l.judge(moveOf(a), a.Label(), answer, want, "", err)
}

// able returns an error if the party has not the capability for a.
func (l *Lockstep) able(a model.Action) error {
	if a.Proc < 0 {
		return nil
	}
	can, lacks := l.parties[a.Proc].Can(), ""
	switch {
	case a.Event == spec.GiveUp && !can.Withdraw:
		lacks = "withdraw"
	case a.Event == spec.Abandon && !can.Abandon:
		lacks = "abandon"
	case l.cfg.Scenario == spec.SplitLock && a.Event == spec.NoEvent && splits(a.Step) && !can.Fine:
		lacks = "fine"
	default:
		return nil
	}
	return &Unable{fmt.Sprintf("%v in scenario %v needs a port with the capability %s, which p%d's has not", a, l.cfg.Scenario, lacks, a.Proc)}
}

// splits reports whether the step is a read and a write.
func splits(s spec.Step) bool {
	return s == spec.InitExit || s == spec.CountEnter || s == spec.CountExit
}

// leavesOut reports whether the party has gone past the write of an InitExit
// that has nothing to write, as it may (PROTOCOL.md, section 14).
func (l *Lockstep) leavesOut(before model.State, a model.Action, answer string) bool {
	return l.cfg.Scenario == spec.SplitLock && a.Step == spec.InitExit && l.state.Step(a.Proc) == spec.InitExit &&
		before.Words().Exit != spec.NotSet && answer == "at "+spec.UnlockInit.String()
}

// happen makes a happen for real and returns what the party says, if anyone
// says anything.
func (l *Lockstep) happen(a model.Action) (answer string, err error) {
	switch {
	case a.Proc >= 0 && l.ahead[a.Proc]:
		l.ahead[a.Proc] = false
		return expected(l.state, a), nil
	case a.Event == spec.Relink:
		return "", l.relink()
	case a.Event == spec.Die:
		l.parties[a.Proc].Kill()
		return "", nil
	case a.Event == spec.GiveUp:
		return l.parties[a.Proc].Ask("giveup")
	case a.Event == spec.Abandon:
		return l.parties[a.Proc].Ask("abandon")
	case a.Step == spec.Call:
		answer, err = l.parties[a.Proc].Ask(fmt.Sprintf("call %d", a.Parties))
		if err != nil || answer != "at Call" {
			return answer, err
		}
		l.begun[a.Proc]++
	}
	return l.parties[a.Proc].Ask("go")
}

// relink unlinks the lock file and makes it anew.
func (l *Lockstep) relink() error {
	if err := os.Remove(l.lockPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(l.lockPath, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()
	l.old = l.probe
	l.probe, err = lockfile.NewProbe(l.lockPath)
	return err
}

// expected is what the party says after a, which has led the model to the
// state (PROTOCOL.md, section 14).
func expected(after model.State, a model.Action) string {
	at := func() string { return "at " + after.Step(a.Proc).String() }
	switch a.Event {
	case spec.Relink, spec.Die:
		return ""
	case spec.Abandon:
		return "abandoned"
	case spec.GiveUp:
		if a.Step == spec.AwaitFlag {
			return at()
		}
		return "withdrawn"
	}
	switch a.Step {
	case spec.UnlockExit:
		return "returned"
	case spec.UnlockWithdraw:
		return "withdrawn"
	case spec.MakeFlag:
		return "opened"
	default:
		return at()
	}
}

// refuses reports whether the answer is the error that PROTOCOL.md, section 9,
// asks for: the step has read a word that is out of range for the call. A port
// need not check, as the original does not.
func (l *Lockstep) refuses(before model.State, a model.Action, answer string) bool {
	if !strings.HasPrefix(answer, "error ") || a.Event != spec.NoEvent {
		return false
	}
	n, words := int32(before.Parties(a.Proc)), before.Words()
	switch a.Step {
	case spec.InitExit:
		return words.Exit < spec.NotSet || words.Exit > n
	case spec.TestFirst:
		return words.Enter < 0 || words.Enter > n
	default:
		return false
	}
}

// judge records the move, and compares what the party said and the rest of the
// real thing with the model.
func (l *Lockstep) judge(m Move, label, answer, want, note string, err error) error {
	if err == nil && answer != want {
		who := fmt.Sprintf("p%d", m.Proc)
		if note == blocked {
			who += ", which must be blocked"
		}
		err = &Difference{"answer of " + who, quoted(answer), quoted(want)}
	}
	if err == nil {
		err = l.compare()
	}
	if err != nil {
		note = differs
	}
	words, readErr := l.eye.Words()
	l.record = append(l.record, entry{m, label, words, l.state.Holder(), answer, note})
	return errors.Join(err, readErr)
}

func quoted(answer string) string {
	if answer == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", answer)
}

// compare holds the real words and the real lock against the model.
func (l *Lockstep) compare() error {
	words, err := l.eye.Words()
	if err != nil {
		return err
	}
	if want := l.state.Words(); words != want {
		return &Difference{"words", words.String(), want.String()}
	}
	holder := l.state.Holder()
	if l.refused != "" {
		holder = -1
	}
	return errors.Join(l.compareLock(holder), l.compareOldLock(holder))
}

// compareOldLock asks whether the lock file that Relink has unlinked is still
// locked: by somebody who holds a lock, and not the one that the path names.
func (l *Lockstep) compareOldLock(holder int) error {
	if l.old == nil {
		return nil
	}
	want := false
	for p := range l.parties {
		want = want || p != holder && l.state.Alive(p) && l.state.Step(p).Holds()
	}
	free, err := l.old.Free()
	if err == nil && free == want {
		err = &Difference{"the unlinked lock file is locked", fmt.Sprint(!free), fmt.Sprint(want)}
	}
	return err
}

// compareLock tries the lock, and if it is taken asks the kernel whether it is
// taken by the party that should hold it.
func (l *Lockstep) compareLock(holder int) error {
	free, err := l.probe.Free()
	if err != nil {
		return err
	}
	const what = "holder of the lock"
	switch {
	case free && holder >= 0:
		return &Difference{what, "nobody", fmt.Sprintf("p%d", holder)}
	case free:
		return nil
	case holder < 0:
		return &Difference{what, l.whoHolds(), "nobody"}
	}
	holds, err := l.parties[holder].Holds(l.lockPath)
	if err == nil && !holds {
		return &Difference{what, l.whoHolds(), fmt.Sprintf("p%d", holder)}
	}
	return err
}

func (l *Lockstep) whoHolds() string {
	for p, party := range l.parties {
		if holds, err := party.Holds(l.lockPath); err == nil && holds {
			return fmt.Sprintf("p%d", p)
		}
	}
	return "somebody else"
}

// Stuck has every party try that is in a call, when nobody can move by the
// model, and reports whether that is so and not everyone is done: each of them
// is really blocked then, or err says which is not.
func (l *Lockstep) Stuck() (bool, error) {
	if l.refused != "" || !model.Stuck(l.cfg, l.state) {
		return false, nil
	}
	for p := range l.parties {
		if l.waits(p) {
			if err := l.try(p); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// Schedule returns the moves that were made.
func (l *Lockstep) Schedule() Schedule {
	var s Schedule
	for _, e := range l.record {
		s = append(s, e.move)
	}
	return s
}
