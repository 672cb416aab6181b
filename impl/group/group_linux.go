package group

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// MaxParties and MaxLabel are the most parties of a group and the longest label
// in bytes.
const (
	MaxParties = 4096
	MaxLabel   = 63
)

// A Config says which member of which group to be.
type Config struct {
	Name     string // of the barrier's segment, as in package impl
	LockPath string // of its lock file, the same for all: a difference is not noticed
	Parties  int    // of a round, members and foreign ones
	Rank     int    // of this member: 0 to Parties-1
	Label    string // for people, of at most MaxLabel bytes; may be empty

	// TrustOthers accepts files that third users may write; see package impl.
	TrustOthers bool

	// Hook, unless it is nil, is called before each step: in Join, where
	// SetHook says, and by the guardian, which is at Watch when it has found a
	// death. The two threads may call it at once.
	Hook func(guardian bool, step spec.MemberStep) `json:"-"`
}

// check fails with ErrName, ErrParties, ErrRank or ErrLabel.
func (c *Config) check() error {
	if err := shm.CheckName(c.Name); err != nil {
		return err
	}
	switch {
	case len(c.Name+spec.GroupSuffix) > 255:
		return fmt.Errorf("%w %.20q…: it has %d bytes, and a group needs %d more, of 255", impl.ErrName, c.Name, len(c.Name), len(spec.GroupSuffix))
	case c.Parties < 1 || c.Parties > MaxParties:
		return fmt.Errorf("%w: %d, want 1 to %d", ErrParties, c.Parties, MaxParties)
	case c.Rank < 0 || c.Rank >= c.Parties:
		return fmt.Errorf("%w: %d, want 0 to %d for %d parties", ErrRank, c.Rank, c.Parties-1, c.Parties)
	case len(c.Label) > MaxLabel || strings.Contains(c.Label, "\x00"):
		return fmt.Errorf("%w %.20q: it must have no NUL and no more than %d bytes", ErrLabel, c.Label, MaxLabel)
	}
	return nil
}

// A Group is one member of a group. Join makes one.
type Group struct {
	cfg  Config
	hook func(spec.MemberStep)

	barrier *shm.Segment // the words
	lock    *shm.Lock
	*mapped
	own      *slot
	guardian *guardian

	mine       uint64  // the round that this member calls in next
	processors int     // on which this process may run
	few, many  backoff // from yields, while few members run, or more than there are processors
	full       bool    // no rank was vacant when this member last looked

	section sync.Mutex // held during a section: the guardian has the same lock file
	mu      sync.Mutex // guards use
	use     use
}

// mapped is the segment of a group.
type mapped struct {
	file  *shm.File
	head  *header
	slots []slot
}

// use is the state of a Group.
type use uint8

const (
	idle use = iota
	busy     // in Wait, Reset or Leave
	closed
)

// SetHook makes the member call hook before each step that it takes in Wait,
// Reset and Leave, and before each further attempt at Gather and LockRound. A
// nil hook, as at first, is not called. The guardian does not call it; see
// Config.Hook. SetHook must not run at the same time as Wait, Reset or Leave.
//
// The hook runs under the lock if the step is, and may block. If it panics the
// lock is released; the next section finishes or undoes what this one began.
func (g *Group) SetHook(hook func(spec.MemberStep)) { g.hook = hook }

// Wait blocks until all parties have come to the round, and then returns nil.
//
// If a member died it returns a *BrokenError: for the round that it waits in, or
// at once, for one that was broken while this member was not in a call, and
// while the group is broken. If ctx ends first it returns a *MissingError that
// wraps the error of ctx; then the call is not one of the round. It notices the
// end of ctx within spec.Tick, unless the round is just being carried out.
//
// It also fails with ErrBusy and ErrClosed, with an *impl.CorruptError if a word
// is out of range or more than Parties take part, and with impl.ErrSize,
// impl.ErrNoSpace and the errors of the lock file.
func (g *Group) Wait(ctx context.Context) error {
	if err := g.claim(busy); err != nil {
		return err
	}
	defer g.release(idle)
	if ctx.Err() != nil {
		return g.missing(ctx, g.head.turn.Load()>>1)
	}
	return g.call(ctx)
}

// Reset makes the ranks of dead members vacant. The group is then no longer
// broken, and rounds go on with members or foreign parties that take the ranks.
// It blocks while another process holds the lock. It fails with ErrBusy,
// ErrClosed, and as Wait does.
func (g *Group) Reset() error {
	if err := g.claim(busy); err != nil {
		return err
	}
	defer g.release(idle)
	t := thread{Group: g, role: resetter}
	return t.untilTaken(context.Background())
}

// Leave makes the rank vacant and closes the member. The last one to leave
// removes the group's segment; that of the barrier and the lock file stay, for
// foreign parties and later groups (see Remove). Leave blocks while another
// process holds the lock. It waits up to half a second for foreign parties to
// leave the last round: otherwise they wait until somebody joins, and the
// group's segment stays.
//
// It fails with ErrBusy during a call: end its context first. Another Leave
// fails with ErrClosed. If it fails otherwise, as Wait does, the member is
// closed and, for the others, dead.
func (g *Group) Leave() error {
	if err := g.claim(busy); err != nil {
		return err
	}
	return g.close(g.leave())
}

// leave is Leave before the files are closed.
func (g *Group) leave() (err error) {
	defer g.release(closed) // Status reads the files until then
	t := thread{Group: g, role: leaver}
	for end := time.Now().Add(leaveTime); ; shm.Nap(time.Millisecond) {
		t.patient = time.Now().Before(end)
		if err = t.untilTaken(context.Background()); err != nil || t.vacated {
			break
		}
	}
	if !t.vacated {
		g.abandon()
	}
	return err
}

// leaveTime is how long Leave waits for foreign parties.
const leaveTime = 500 * time.Millisecond

// Status says what each rank is doing. It does not block, and may run at the
// same time as Wait. It fails with ErrClosed and impl.ErrSize.
func (g *Group) Status() (Status, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.use == closed {
		return Status{}, ErrClosed
	}
	return g.status()
}

// Inspect is Status for those who are not members. It fails with fs.ErrNotExist
// if there is no group, and with ErrVersion. It trusts the owner of the file.
func Inspect(name string) (Status, error) {
	if err := shm.CheckName(name); err != nil {
		return Status{}, err
	}
	m, err := openMapped(name, true)
	if err != nil {
		return Status{}, err
	}
	defer m.file.Close()
	return m.status()
}

// Remove unlinks the segments of the group and the barrier, and the lock file,
// or those of them that exist. It is for a job that is over.
func Remove(name, lockPath string) error {
	if err := shm.CheckName(name); err != nil {
		return err
	}
	if err := shm.RemoveFile(name + spec.GroupSuffix); err != nil {
		return err
	}
	return impl.Remove(name, lockPath)
}

// claim puts an idle member to a use, until release.
func (g *Group) claim(use use) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.use {
	case busy:
		return ErrBusy
	case closed:
		return ErrClosed
	}
	g.use = use
	return nil
}

func (g *Group) release(use use) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.use = use
}

// catch is deferred around every access to the words and the group's segment.
func (g *Group) catch(setting bool, err *error) {
	defer g.barrier.CatchFault(setting, err)
	defer g.file.CatchFault(setting, err)
	if p := recover(); p != nil {
		panic(p)
	}
}

// status reads the group.
func (m *mapped) status() (s Status, err error) {
	defer m.file.CatchFault(debug.SetPanicOnFault(true), &err)
	turn := m.head.turn.Load()
	s = Status{Name: strings.TrimSuffix(m.file.Name, spec.GroupSuffix), Parties: len(m.slots), Round: turn >> 1, Broken: turn&1 != 0}
	for i := range m.slots {
		s.Ranks = append(s.Ranks, m.slots[i].status(i, s.Round))
	}
	return s, m.file.CheckSize()
}

func (o *slot) status(rank int, round uint64) Rank {
	owner, arrival := o.owner.Load(), o.arrival.Load()
	r := Rank{Rank: rank, State: Outside, Round: arrival >> 2, Pid: int(o.pid.Load()), Label: o.label.String(), Asleep: o.asleep.Load() != 0}
	if owner == vacant && r.Pid == 0 {
		return Rank{Rank: rank, State: NeverJoined}
	}
	r.Arrived = arrival>>2 == round && arrival&3 != outside
	r.Since = time.Unix(0, o.since.Load())
	r.Step = spec.MemberStep(o.step.Load()).String()
	switch {
	case owner == vacant:
		r.State, r.Arrived = Left, false
	case died(owner):
		r.State, r.Arrived = Dead, false
	case stopped(r.Pid, owner&futexThread):
		r.State = Stopped
	case r.Arrived:
		r.State = Arrived
	}
	return r
}

// stopped reports whether a signal or a debugger has stopped the process. A
// process of another namespace has other numbers here: it is not found, except
// by chance, if no thread with the number belongs to it.
func stopped(pid int, thread uint32) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", pid, thread))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ") // after the name, which may have one, too
	if i := strings.LastIndex(string(text), ") "); i >= 0 {
		state = string(text)[i+2:]
	}
	return strings.HasPrefix(state, "T") || strings.HasPrefix(state, "t")
}

// missing returns the error of a call of the round whose context has ended.
func (g *Group) missing(ctx context.Context, round uint64) error {
	e := &MissingError{Name: g.cfg.Name, Round: round, Err: ctx.Err()}
	s, err := g.status()
	if err != nil {
		return err
	}
	for i, r := range s.Ranks {
		if arrival := g.slots[i].arrival.Load(); i != g.cfg.Rank && (!r.Arrived || arrival>>2 != round) {
			e.Missing = append(e.Missing, r)
		}
	}
	return e
}

// brokenError returns the error of a call of a round that was broken.
func (g *Group) brokenError(round uint64) error {
	h := g.head
	e := &BrokenError{Name: g.cfg.Name, Round: round}
	// Until no section writes it meanwhile. One that died while it did so leaves 0
	// until the next section: the note may then be of two deaths.
	for range 100 {
		of := h.brokenRound.Load() // the stores of Mark
		e.Rank, e.Label, e.Pid = int(h.brokenRank.Load()), h.brokenLabel.String(), int(h.brokenPid.Load())
		e.Step, e.Since = spec.MemberStep(h.brokenStep.Load()), time.Unix(0, h.brokenSince.Load())
		if of != 0 && h.brokenRound.Load() == of {
			break
		}
		shm.Yield()
	}
	return e
}

// close ends the guardian and closes the files.
func (g *Group) close(err error) error {
	here.Add(-1)
	g.guardian.end()
	for _, c := range []func() error{g.file.Close, g.barrier.Close, g.lock.Close} {
		if e := c(); err == nil {
			err = e
		}
	}
	return err
}

// Owners and arrivals.
const (
	vacant = 0

	outside = 0
	arrived = 1
	taken   = 2
)

func died(owner uint32) bool { return owner&futexOwnerDied != 0 }

func alive(owner uint32) bool { return owner != vacant && !died(owner) }

// arrivedIn reports whether the slot's member has arrived in the round, or is
// taken.
func (o *slot) arrivedIn(round uint64) bool {
	a := o.arrival.Load()
	return a>>2 == round && a&3 != outside
}

// affinity returns the number of processors of this process.
func affinity() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return 1
	}
	return max(1, set.Count())
}

func now() int64 { return time.Now().UnixNano() }
