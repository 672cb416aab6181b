package group

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/debug"

	"sharedbarrier/impl"
	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// Join makes this process a member of the group. It makes the barrier's segment,
// the lock file and the group's segment if they are missing. It blocks while
// another process holds the lock or constructs the barrier, until ctx ends.
//
// It takes over the rank of a dead member, and the whole group of a job that is
// over, which has no live member; then the party count may be another one.
//
// It fails with ErrRank if a live member has the rank, ErrParties if the group
// has another party count, ErrVersion, ErrStale, ErrLabel, and with the errors
// of impl.Attach and impl.Create.
func Join(ctx context.Context, cfg Config) (_ *Group, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	g := &Group{cfg: cfg, processors: affinity()}
	if g.lock, err = shm.OpenLock(cfg.LockPath, cfg.TrustOthers); err != nil {
		return nil, err
	}
	if g.guardian, err = startGuardian(); err != nil {
		return nil, errors.Join(err, g.lock.Close())
	}
	for {
		joined, err := g.join(ctx)
		if joined {
			g.guardian.guard(g)
			here.Add(1)
			g.meet(ctx)
			return g, nil
		}
		if err != nil {
			g.guardian.end()
			return nil, errors.Join(err, g.lock.Close())
		}
	}
}

// join makes one attempt with the files that have the names now. It reports
// false without an error if they lose them meanwhile.
func (g *Group) join(ctx context.Context) (joined bool, err error) {
	if g.barrier, err = openBarrier(ctx, g.cfg); err != nil {
		return false, err
	}
	defer func() {
		if !joined {
			g.barrier.Close()
		}
	}()
	if g.mapped, err = openOrMake(g.cfg, g.barrier); err != nil {
		return false, err
	}
	defer func() {
		if !joined {
			g.file.Close()
		}
	}()
	t := thread{Group: g, role: joiner}
	if err := t.untilTaken(ctx); err != nil {
		return false, err
	}
	return g.own != nil, nil
}

// openBarrier attaches to the segment of the barrier, or makes it.
func openBarrier(ctx context.Context, cfg Config) (*shm.Segment, error) {
	check := func(w spec.Words) error {
		if !shm.InRange(w, math.MaxInt32) {
			return &impl.CorruptError{Name: cfg.Name, Words: w}
		}
		if w == (spec.Words{}) && journalOpen(cfg) {
			return shm.ErrConstructed // a member died at CarryRaiseFlag
		}
		return nil
	}
	for {
		s, err := shm.AttachSegment(ctx, cfg.Name, cfg.TrustOthers, check)
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		s, err = shm.CreateSegment(cfg.Name)
		if !errors.Is(err, fs.ErrExist) { // else it was made meanwhile
			return s, err
		}
	}
}

// journalOpen reports whether there is a group whose journal is open.
func journalOpen(cfg Config) bool {
	m, err := openMapped(cfg.Name, cfg.TrustOthers)
	if err != nil {
		return false
	}
	defer m.file.Close()
	return m.head.phase.Load() != 0
}

// openOrMake opens the group's segment, or makes it.
func openOrMake(cfg Config, barrier *shm.Segment) (*mapped, error) {
	for {
		m, err := openMapped(cfg.Name, cfg.TrustOthers)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
		contents := make([]byte, sizeOf(cfg.Parties))
		head, _ := overlay(contents)
		head.magic.Store(spec.GroupMagic)
		head.version.Store(spec.GroupVersion)
		head.parties.Store(uint32(cfg.Parties))
		device, inode := barrier.ID()
		head.device.Store(device)
		head.inode.Store(inode)
		head.turn.Store(1 << 1)
		file, err := shm.CreateFile("create group segment", cfg.Name+spec.GroupSuffix, contents)
		if err == nil {
			head, slots := overlay(file.Mapping)
			return &mapped{file, head, slots}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
}

// openMapped maps the group's segment. It fails with ErrVersion if that is none.
func openMapped(name string, trust bool) (*mapped, error) {
	file, err := shm.MapFile("open group segment", name+spec.GroupSuffix, trust)
	if err != nil {
		return nil, err
	}
	refuse := func(what string, args ...any) (*mapped, error) {
		return nil, errors.Join(fmt.Errorf("group segment %q: %w: %s", shm.Dir+file.Name, ErrVersion, fmt.Sprintf(what, args...)), file.Close())
	}
	if len(file.Mapping) < spec.GroupHeaderSize {
		return refuse("it has %d bytes", len(file.Mapping))
	}
	head, slots := overlay(file.Mapping)
	switch parties := head.parties.Load(); {
	case head.magic.Load() != spec.GroupMagic:
		return refuse("its first bytes are others; remove it if it is not in use")
	case head.version.Load() != spec.GroupVersion:
		return refuse("it has version %d, and this is %d; use the same version in all members", head.version.Load(), spec.GroupVersion)
	case parties < 1 || parties > MaxParties || len(file.Mapping) != sizeOf(int(parties)):
		return refuse("it has %d bytes for %d parties", len(file.Mapping), parties)
	}
	return &mapped{file, head, slots}, nil
}

// strange reports whether the open files do not have their names any more, or
// do not belong together. Then no step is taken.
func (t *thread) strange() bool {
	device, inode := t.barrier.ID()
	return t.file.Removed() || t.barrier.Removed() || t.head.device.Load() != device || t.head.inode.Load() != inode
}

// refuse returns why the group does not take this member. It sets over if it is
// that of a job that is over, to be removed. The lock is held.
func (t *thread) refuse() error {
	if t.file.Removed() || t.barrier.Removed() {
		t.over = true // it has no name any more, or the next attempt removes it
		return nil
	}
	head, rank := t.head, t.cfg.Rank
	device, inode := t.barrier.ID()
	stale, other := head.device.Load() != device || head.inode.Load() != inode, int(head.parties.Load()) != t.cfg.Parties
	switch someone := t.living(); {
	case (stale || other) && someone < 0:
		t.over = true
		if err := shm.RemoveFile(t.file.Name); err != nil || stale {
			return err
		}
		for _, word := range spec.AllWords { // nobody is left
			t.barrier.Store(word, word.Initial())
		}
		return nil
	case stale:
		return fmt.Errorf("group %q: %w: %s is alive; end it first", t.cfg.Name, ErrStale, t.slots[someone].status(someone, 0))
	case other:
		return fmt.Errorf("group %q: %w: %d, but that of %s is %d", t.cfg.Name, ErrParties, t.cfg.Parties, t.slots[someone].status(someone, 0), head.parties.Load())
	}
	if o := &t.slots[rank]; alive(o.owner.Load()) {
		return fmt.Errorf("group %q: %w: rank %d of %s (pid %d) is that of a live member: %s", t.cfg.Name, ErrRank, rank, t.cfg.Label, os.Getpid(), o.status(rank, head.turn.Load()>>1))
	}
	return nil
}

// living returns a rank with a live member, or -1.
func (m *mapped) living() int {
	for i := range m.slots {
		if alive(m.slots[i].owner.Load()) {
			return i
		}
	}
	return -1
}

// claimRank is Claim.
func (t *thread) claimRank(r uint64) {
	o := &t.slots[t.cfg.Rank]
	t.guardian.list.link(o)
	o.owner.Store(t.guardian.thread | futexWaiters)
	o.broken.Store(0)
	o.arrival.Store(outside) // in no round yet
	o.asleep.Store(0)
	o.watches.Store(uint32(t.cfg.Rank))
	o.step.Store(uint32(spec.Begin))
	o.pid.Store(int32(os.Getpid()))
	o.since.Store(now())
	o.label.set(t.cfg.Label)
	t.own, t.mine = o, r
}

// vacate is Vacate.
func (t *thread) vacate() error {
	list := &t.guardian.list
	list.unlinking(t.own)
	t.own.owner.Store(vacant)
	list.unlink()
	t.vacated = true
	var err error
	if t.living() < 0 && t.head.owed.Load() == 0 && !t.file.Removed() {
		err = shm.RemoveFile(t.file.Name)
	}
	t.own.wakeOwner()
	list.unlinked()
	return err
}

// abandon marks the member as dead, as the kernel does: the guardian ends, and
// its death is that of no member then.
func (g *Group) abandon() {
	var ignored error // a peer has truncated the segment: Leave says so
	defer g.catch(debug.SetPanicOnFault(true), &ignored)
	list := &g.guardian.list
	list.unlinking(g.own)
	list.unlink()
	g.own.owner.Store(g.guardian.thread | futexWaiters | futexOwnerDied)
	g.own.wakeOwner()
	list.unlinked()
}
