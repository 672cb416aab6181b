//go:build linux

package group

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	implgroup "sharedbarrier/impl/group"
	"sharedbarrier/model/group"
	"sharedbarrier/spec"
	"sharedbarrier/stress/lockprobe"
	"sharedbarrier/stress/scratch"
)

const shm = "/dev/shm/"

// A note is what the header says of a death, as Mark writes it.
type note struct {
	round, rank int
	at          spec.MemberStep
}

// A session is the machine and the real members, which take one step at a time.
type session struct {
	t     testing.TB
	cfg   group.Config
	steps *steps
	state group.State
	snap  group.Snapshot // of state

	files    *scratch.Scratch
	lockPath string
	probe    *lockprobe.Probe
	procs    []*process        // nil: absent
	diedAt   []spec.MemberStep // of the dead: the step of the call
	noted    note              // of the header

	trace  []string       // since the run began
	taken  map[string]int // steps and events, by label
	asleep int            // members that were seen asleep when they should be
}

func newSession(t testing.TB, cfg group.Config) *session {
	t.Helper()
	files, err := scratch.Make("", "grouplockstep")
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, cfg: cfg, steps: newSteps(cfg), files: files, lockPath: filepath.Join(files.Dir, "lock"),
		procs: make([]*process, cfg.Members), diedAt: make([]spec.MemberStep, cfg.Members), taken: map[string]int{}}
	s.probe = lockprobe.NewProbe(s.lockPath)
	t.Cleanup(func() {
		for _, p := range s.procs {
			if p != nil {
				p.kill()
			}
		}
		if err := errors.Join(s.probe.Close(), implgroup.Remove(files.Segment, s.lockPath), files.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *session) groupPath() string { return shm + s.files.Segment + spec.GroupSuffix }

// begin makes a new group, and comes to the initial state.
func (s *session) begin() error {
	for rank, p := range s.procs {
		if p != nil {
			if err := p.leave(s.snap.Threads[2*rank].At != spec.Begin); err != nil {
				return err
			}
		}
	}
	if err := implgroup.Remove(s.files.Segment, s.lockPath); err != nil {
		return err
	}
	s.state, s.trace, s.noted = s.steps.Init(), nil, note{}
	s.snap = s.state.Snapshot(s.cfg)
	for rank := range s.procs {
		if s.procs[rank] == nil {
			s.procs[rank] = startProcess(s.t)
			s.procs[rank].ask("free")
		}
		s.diedAt[rank] = spec.Begin
		p := s.procs[rank]
		s.join(rank)
		if err := p.reach(caller, "= nil"); err != nil {
			return fmt.Errorf("Join of rank %d: %w", rank, err)
		}
	}
	for _, p := range s.procs {
		p.ask("hold")
		if err := p.reach(caller, "= held"); err != nil {
			return err
		}
	}
	return s.compare()
}

func (s *session) join(rank int) {
	s.procs[rank].ask("join %s %s %d %d", s.files.Segment, s.lockPath, s.cfg.Members, rank)
}

// take makes a happen on both sides, and compares them.
func (s *session) take(a group.Action) error {
	if a.Event == again {
		s.taken["again"]++
		return s.begin()
	}
	before, from := s.snap, s.state
	label := fmt.Sprintf("m%d.%d %s", a.Thread/2, a.Thread%2, from.Label(s.cfg, a))
	s.trace = append(s.trace, label)
	s.taken[from.Label(s.cfg, a)]++
	s.steps.Next(&from, a, &s.state)
	s.snap = s.state.Snapshot(s.cfg)
	if a.Event == group.NoEvent && before.Threads[a.Thread].At == spec.Mark {
		s.mark(before)
	}
	err := s.real(a, before.Threads[a.Thread], s.snap.Threads[a.Thread])
	if err == nil {
		err = s.compare()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", label, err)
	}
	return err
}

// mark notes the first member that is dead and has not broken a round, unless
// the round has a note.
func (s *session) mark(before group.Snapshot) {
	rank := slices.IndexFunc(before.Slots, func(o group.Slot) bool { return o.Owner == "died" && o.Broken == 0 })
	if s.noted.round < before.Turn {
		s.noted = note{before.Turn, rank, s.diedAt[rank]}
	}
}

// compare holds the real side against the machine.
func (s *session) compare() error {
	got, err := s.realFacts()
	if err != nil {
		return err
	}
	return compare(got, s.modelFacts())
}

// real has the real thread do what leads from one state of it to another.
func (s *session) real(a group.Action, from, to group.Thread) error {
	rank, thread := int(a.Thread)/2, int(a.Thread)%2
	p := s.procs[rank]
	switch a.Event {
	case group.Die:
		if from.Role != "joiner" {
			s.diedAt[rank] = from.At
		}
		p.kill()
		s.procs[rank] = nil
		return nil
	case group.Join:
		s.procs[rank] = startProcess(s.t)
		s.join(rank)
		return s.procs[rank].reach(caller, to.At.String())
	case group.GiveUp:
		return s.giveUp(p, from)
	}
	switch a.Event {
	case group.Reset:
		p.ask("reset")
		return p.reach(caller, to.At.String())
	case group.Leave:
		p.ask("leave")
		return p.reach(caller, to.At.String())
	}
	if from.Role == "leaver" && from.At == spec.Wake {
		return s.left(rank)
	}
	if from.Role == "joiner" && from.At == spec.Wake {
		return s.joined(rank)
	}
	if from.Role == "caller" && from.At == spec.Begin {
		p.ask("wait")
	}
	if err := p.letGo(thread, from.At.String()); err != nil {
		return err
	}
	switch {
	case from.At == spec.Gather && to.At == spec.LockRound:
		return s.looks(p)
	case from.At == spec.Gather && to.At == spec.Gather:
		return s.sleeps(p, rank, to)
	case to.Role == "caller" && to.At == spec.Begin:
		return p.reach(caller, "= "+s.resultOf(from))
	case to.Role == "guardian" && to.At == spec.Watch:
		return nil // it says so when it has found a death
	default:
		return p.reach(thread, to.At.String())
	}
}

// giveUp ends the context. A call that is about to try the lock, which another
// process holds, does so first.
func (s *session) giveUp(p *process, from group.Thread) error {
	p.ask("cancel")
	var err error
	if from.At == spec.LockRound {
		err = p.letGo(caller, spec.LockRound.String())
	}
	return errors.Join(err, p.letGo(caller, spec.Gather.String()), p.reach(caller, spec.Retract.String()))
}

// looks waits until a call finds that a section is due. It may nap before it
// looks at all slots.
func (s *session) looks(p *process) error {
	for range 100 {
		line, err := p.next(caller)
		if err != nil {
			return err
		}
		p.held[caller] = line
		if line != spec.Gather.String() {
			break
		}
		if err := p.letGo(caller, line); err != nil {
			return err
		}
	}
	return p.reach(caller, spec.LockRound.String())
}

// sleeps waits until the call sleeps, or comes back to Gather from that. A member
// that is taken may try the lock instead, which another process holds, and if
// its context has ended it tries to retract. While a rank is vacant it may try
// the lock, too, and take a section in which nothing changes.
func (s *session) sleeps(p *process, rank int, to group.Thread) error {
	if to.Final {
		return errors.Join(p.reach(caller, spec.Retract.String()), p.letGo(caller, spec.Retract.String()), p.reach(caller, spec.Gather.String()))
	}
	for {
		data, err := s.readGroup()
		if err != nil {
			return err
		}
		if read(data, spec.GroupHeaderSize+rank*spec.GroupSlotSize, spec.GroupSlot, "asleep") == 1 {
			s.asleep++
			return nil
		}
		select {
		case line := <-p.lines[caller]:
			p.held[caller] = line
			switch {
			case line != spec.LockRound.String():
			case s.snap.Slots[rank].Arrival == "taken", vacant(s.snap) && s.snap.Lock >= 0: // another process has the lock
				return errors.Join(p.letGo(caller, line), p.reach(caller, spec.Gather.String()))
			case vacant(s.snap):
				return p.idle()
			}
			return p.reach(caller, spec.Gather.String())
		default:
		}
	}
}

// idle has a call take a section in which nothing changes.
func (p *process) idle() error {
	for _, step := range []spec.MemberStep{spec.LockRound, spec.Repair, spec.Settle, spec.Break, spec.Judge, spec.Take, spec.UnlockRound} {
		if err := p.letGo(caller, step.String()); err != nil {
			return err
		}
	}
	return p.reach(caller, spec.Gather.String())
}

// left ends a Leave, and the process.
func (s *session) left(rank int) error {
	p := s.procs[rank]
	p.ask("free") // the guardian may be at Watch for a death that is past
	p.held[caller] = ""
	line, err := p.next(caller)
	if err == nil && line != "= nil" {
		err = fmt.Errorf("Leave: got %s, want = nil", line)
	}
	p.kill()
	s.procs[rank] = nil
	return err
}

// joined ends a Join. Until that returns it waits for the guardian of another
// member to watch it, and that is held if it is not at Watch.
func (s *session) joined(rank int) error {
	p := s.procs[rank]
	for q := range s.procs {
		if q != rank && s.procs[q] != nil && s.snap.Threads[2*q+1].At != spec.Watch {
			p.ask("cancel")
		}
	}
	if err := p.letGo(caller, spec.Wake.String()); err != nil {
		return err
	}
	enabled := s.steps.Actions(&s.state, nil)
	for {
		for q, other := range s.procs {
			if other == nil || q == rank || s.snap.Threads[2*q+1].At != spec.Watch || slices.ContainsFunc(enabled, func(a group.Action) bool { return int(a.Thread) == 2*q+1 }) {
				continue
			}
			if other.held[guardian] != "" || len(other.lines[guardian]) > 0 { // it has found a death that is past
				if err := other.letGo(guardian, spec.Watch.String()); err != nil {
					return err
				}
			}
		}
		select {
		case line, more := <-p.lines[caller]:
			if !more {
				return errors.New("the process that joins has ended")
			}
			p.held[caller] = line
			return p.reach(caller, "= nil")
		case <-time.After(time.Millisecond): // only how soon the loop looks again
		}
	}
}

// resultOf is how the call that takes its last step must end.
func (s *session) resultOf(from group.Thread) string {
	switch {
	case from.At == spec.Retract:
		return "withdrawn"
	case from.At == spec.Return && s.snap.Completed >= from.Round:
		return "nil"
	case from.At == spec.Return || from.At == spec.Begin:
		return fmt.Sprintf("broken: rank %d died at %v", s.noted.rank, s.noted.at)
	}
	return "nil"
}

// failure is err with the way to it.
func (s *session) failure(err error) string {
	return fmt.Sprintf("%v\nafter %s\nthe machine is at %v", err, strings.Join(s.trace, ", "), s.state)
}
