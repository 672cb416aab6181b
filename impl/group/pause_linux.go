package group

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"sharedbarrier/impl/internal/shm"
	"sharedbarrier/spec"
)

// How a call waits at Gather. A yield returns at once if no other process waits
// for this processor: it is a spin that is polite.
const (
	spins    = 200 // reads of turn, while each member that runs can have a processor
	yields   = 10  // then; each is followed by a read of turn
	crowded  = 4   // yields while more members run
	firstNap = spec.Tick
	longHold = 2 * time.Millisecond   // of a first nap that keeps the last processor of the Go runtime
	longNap  = 300 * time.Millisecond // BenchmarkAsleep: 0.07 % of a processor
	pollMin  = 50 * time.Microsecond  // between looks for a foreign party: each nap is longer by this
	pollMax  = spec.Tick
	brisk    = 150              // looks while members are owed: longer than a tick
	briskNap = time.Microsecond // and 50 more, the slack of the kernel's timers
)

// A yield that takes longer than this gave the processor to a process that keeps
// it: another than a member, or one of few members that does not wait yet. The
// next calls then sleep at once, since a wake-up comes sooner than the
// processor: backoffMin of them, and twice as many each time.
const (
	longFew    = 50 * time.Microsecond
	longMany   = time.Millisecond
	backoffMin = 1 << 6
	backoffMax = 1 << 15
)

// A pause is the waiting of one call.
type pause struct {
	*thread
	ctx    context.Context
	from   int // the rank at which to look first
	naps   int // before the next attempt at the lock
	failed int // attempts at the lock in a row
	spun   bool
	dozed  int
	slept  bool          // at all
	waking func() bool   // ends the wake-up by ctx
	woken  chan struct{} // closed when it has woken the call
}

// What gather sees.
type sight struct {
	complete bool // each rank has arrived
	arrived  int32
	dead     bool // a death has broken no round yet
	vacant   bool // a rank is
	first    bool // no lower rank has arrived
}

// gather returns the step after Gather. It stays for as long as its first look
// and its sleep take.
func (p *pause) gather() spec.MemberStep {
	turn := p.head.turn.Load()
	if turn>>1 != p.round {
		return spec.Return
	}
	if p.ctx.Err() != nil {
		return spec.Retract
	}
	if p.failed > 0 { // another process has the lock
		return p.contend()
	}
	if p.missing() < 0 {
		return spec.LockRound
	}
	if !p.spun {
		p.spun = true
		if p.spin() {
			return spec.Return
		}
	}
	if p.full && p.dozed == 0 { // one who leaves meanwhile is noticed after the nap
		p.dozed++
		p.doze(turn, firstNap)
		return spec.Gather
	}
	s := p.look()
	switch {
	case s.complete || s.dead:
		return spec.LockRound
	case s.vacant && p.due(s) && p.worth(s.arrived):
		return spec.LockRound
	case s.vacant && s.first:
		p.dozed++
		p.doze(turn, p.pollNap())
	case p.dozed == 0:
		p.dozed++
		p.doze(turn, firstNap)
	default:
		p.dozed++
		p.wakeAtEnd()
		p.processors = affinity()
		p.doze(turn, longNap)
	}
	p.naps++
	return spec.Gather
}

// due reports whether this call looks for a foreign party now: after each nap.
func (p *pause) due(s sight) bool { return p.naps > 0 || p.dozed == 0 && s.first }

// worth reports whether a section would find what a foreign party has done, or
// words to refuse. A foreign party that finds the lock taken naps for long, so a
// call that looks for it reads the words first. What it reads has no other
// effect: the section reads them again, and a look that comes too early is
// followed by one after the next nap. Where a hook looks, it sees an attempt at
// each look.
func (p *pause) worth(arrived int32) bool {
	w, n, owed := p.barrier.Snapshot(), int32(len(p.slots)), int32(p.head.owed.Load()) // any stores
	switch {
	case p.hook != nil || p.cfg.Hook != nil, p.head.phase.Load() != 0, corrupt(w, arrived, n):
		return true
	case owed != 0: // Settle
		foreign := n - owed
		return w.Exit == spec.NotSet || w.Exit+owed > foreign
	default: // Judge, Take
		return w.Exit == spec.NotSet || w.Exit == n && w.Enter+arrived == n
	}
}

// pollNap is the time before the next look for a foreign party. While members
// are owed, that is to return, and soon to call again: if the exit of the members
// is counted before, it need not wait a tick for it.
func (p *pause) pollNap() time.Duration {
	if p.head.owed.Load() != 0 && p.dozed <= brisk {
		return briskNap
	}
	return min(time.Duration(p.dozed)*pollMin, pollMax)
}

// attempted notes whether the attempt at the lock succeeded.
func (p *pause) attempted(took bool) {
	p.naps = 0
	if took {
		p.failed = 0
	} else {
		p.failed++
	}
}

// contend waits before the next attempt at the lock.
func (p *pause) contend() spec.MemberStep {
	turn := p.head.turn.Load()
	switch {
	case p.failed <= 4:
		for range 50 {
			if p.head.turn.Load() != turn {
				return spec.Return
			}
		}
	case p.failed <= 8:
		shm.Yield()
	default:
		p.wakeAtEnd()
		p.doze(turn, min(time.Duration(p.failed-8)*pollMin, pollMax))
	}
	if p.head.turn.Load() != turn {
		return spec.Return
	}
	if s := p.look(); s.complete || s.dead || s.vacant {
		return spec.LockRound
	}
	p.failed = 0
	return spec.Gather
}

// missing returns a rank that has not arrived, or -1. It begins with the one
// that it found the last time.
func (p *pause) missing() int {
	n := len(p.slots)
	if p.from == 0 {
		p.from = p.cfg.Rank + 1
	}
	for i := range n {
		rank := (p.from + i) % n
		if !p.slots[rank].arrivedIn(p.round) { // the stores of Arrive, Return, Retract, Take
			p.from = rank + n
			return rank
		}
	}
	return -1
}

// look reads all slots.
func (p *pause) look() (s sight) {
	s.complete, s.first = true, true
	for i := range p.slots {
		o := &p.slots[i]
		owner, in := o.owner.Load(), o.arrivedIn(p.round)
		if s.complete = s.complete && in; in {
			s.arrived++
		}
		s.vacant = s.vacant || owner == vacant
		s.dead = s.dead || died(owner) && o.broken.Load() == 0
		s.first = s.first && (i >= p.cfg.Rank || !in || !alive(owner))
	}
	p.full = !s.vacant
	return s
}

// tooMany reports whether more members run than there are processors.
func (p *pause) tooMany() bool {
	awake := 0
	for i := range p.slots {
		if o := &p.slots[i]; o.asleep.Load() == 0 && alive(o.owner.Load()) {
			if awake++; awake > p.processors {
				return true
			}
		}
	}
	return false
}

// spin reads turn for a while and reports whether it has changed. A process
// that waits for this processor gets it.
func (p *pause) spin() bool {
	turn, polite, long, b := p.round<<1, yields, longFew, &p.few
	crowd := p.tooMany()
	if crowd {
		polite, long, b = crowded, longMany, &p.many
	}
	if b.skip() {
		return false
	}
	for i := 0; !crowd && i < spins; i++ {
		if p.head.turn.Load() != turn {
			return true
		}
	}
	longest, last := time.Duration(0), time.Now()
	for i := 0; i < polite && p.head.turn.Load() == turn; i++ {
		shm.Yield()
		now := time.Now()
		longest, last = max(longest, now.Sub(last)), now
	}
	b.note(longest > long)
	return p.head.turn.Load() != turn
}

// A backoff counts calls that are not to yield.
type backoff struct{ left, last int }

// skip reports whether this call is one of them.
func (b *backoff) skip() bool {
	if b.left == 0 {
		return false
	}
	b.left--
	return true
}

// note says whether the yields of this call took long.
func (b *backoff) note(long bool) {
	if b.left = 0; long {
		b.left = min(max(2*b.last, backoffMin), backoffMax)
	}
	b.last = b.left
}

// here counts the members of this process.
var here atomic.Int32

// doze sleeps while turn holds v, for at most d. Whoever changes turn looks at
// asleep after that, and the kernel compares turn after the store of asleep, so
// no wake is lost. The first sleep of a call is a short one, in which each
// member of this process keeps a processor of the Go runtime, if there are
// enough. If none is left, other goroutines run before it, and it ends soon.
func (p *pause) doze(v uint64, d time.Duration) {
	spare := runtime.GOMAXPROCS(0) - int(here.Load())
	keep := !p.slept && spare >= 0
	if keep && spare == 0 {
		d = min(d, longHold)
		runtime.Gosched()
	}
	p.slept = true
	p.own.asleep.Store(1) // for Wake
	if keep {
		p.head.napTurn(v, d)
	} else {
		p.head.sleepTurn(v, d)
	}
	p.own.asleep.Store(0)
}

// wakeAtEnd has the end of ctx wake the call.
func (p *pause) wakeAtEnd() {
	if p.waking != nil || p.ctx.Done() == nil {
		return
	}
	p.woken = make(chan struct{})
	p.waking = context.AfterFunc(p.ctx, func() {
		defer close(p.woken)
		var ignored error // a peer has truncated the segment: the call says so
		defer p.catch(debug.SetPanicOnFault(true), &ignored)
		p.head.wakeTurn()
	})
}

// stop ends the wake-up by ctx. It waits for one that has begun: after the call
// the member may leave, and the segment is unmapped.
func (p *pause) stop() {
	if p.waking != nil && !p.waking() {
		<-p.woken
	}
}
