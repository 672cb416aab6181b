package model

import (
	"math"
	"slices"
	"unsafe"

	"sharedbarrier/spec"
)

// A barrier is the protocol that a Config asks about, with the way back from
// its numbers to states. Its table is made by taking the steps of
// step.go in every local state under every shared state that it may meet, so the
// barrier is told there and nowhere else.
type barrier struct {
	*protocol
	cfg    Config
	local  numbering[local]
	shared numbering[shared]
	kind   numbering[kind]
}

// follows reports whether the table goes on where the words are w. Where callers
// keep the rules the words stay in range; where they do not, and the exploration
// goes on beyond that, every call of every round may have added one.
func (cfg Config) follows(w spec.Words) bool {
	n := int32(cfg.Procs)
	low, high := int32(-2), n+1
	if cfg.misuse() || cfg.Mutant != nil {
		low, high = -4, min(3*n, n+8)
	}
	return low <= w.Enter && w.Enter <= high && low <= w.Exit && w.Exit <= high
}

// misuse reports whether callers break the rules of PROTOCOL.md.
func (cfg Config) misuse() bool {
	return ControlOf(cfg.Scenario) != "" && !cfg.Control
}

// compile makes the table of the barrier that cfg asks about.
func compile(cfg Config) *barrier { return compileWithin(cfg, math.MaxInt64) }

// compileWithin is compile, or nil when the table, and what it is made from, take
// more than so many bytes.
func compileWithin(cfg Config, limit int64) *barrier {
	b := &barrier{cfg: cfg, protocol: &protocol{
		procs: cfg.Procs, relative: cfg.Rounds == 0, same: cfg.interchangeable(),
	}}
	b.kind.of(kind{}) // an edge of kind 0 is none
	s := Init(cfg)
	b.firstShared = b.shared.of(s.shared())
	for p := range cfg.Procs {
		b.firstLocals = append(b.firstLocals, b.local.of(s.local(cfg, p)))
	}
	rows := b.explore(limit)
	if rows == nil {
		return nil
	}
	b.lay(rows)
	b.judge = func() func(*view) uint8 {
		var s State
		return func(v *view) uint8 {
			b.fill(&s, v)
			return s.violations(cfg)
		}
	}
	b.rests = func(v *view) bool {
		var s State
		b.fill(&s, v)
		return s.allRest(cfg)
	}
	return b
}

// explore finds every local and every shared state, and fills in the rows of
// the table. It meets pairs that no run meets, so it finds more than is
// reachable; it ends because words that have gone too far are not followed. It
// returns nil when the rows, and the table beside them, take more than the limit.
func (b *barrier) explore(limit int64) (rows []row) {
	var taken, needed int64
	for l, s := 0, 0; l < len(b.local.list) || s < len(b.shared.list); {
		oldL, oldS := l, s
		l, s = len(b.local.list), len(b.shared.list)
		rows = append(rows, make([]row, l-oldL)...)
		for i := range rows {
			from := oldS
			if i >= oldL {
				from = 0
			}
			taken, needed = taken-rows[i].room(), needed-rows[i].size()
			for j := from; j < s; j++ {
				b.meet(&rows[i], i, j)
			}
			taken, needed = taken+rows[i].room(), needed+rows[i].size()
			if taken+needed > limit {
				return nil
			}
		}
		for j := oldS; j < s; j++ {
			b.alone = append(b.alone, b.environment(j))
		}
	}
	return rows
}

// A row is what the table says of one local state, by shared state.
type row struct {
	edges  []edge // of all shared states, one after the other
	ends   []uint32
	reacts []uint16
}

// size is what the row will take in the table, in bytes; room, what it takes now.
func (r *row) size() int64 { return rowBytes(len(r.edges), len(r.ends), len(r.reacts)) }
func (r *row) room() int64 { return rowBytes(cap(r.edges), cap(r.ends), cap(r.reacts)) }

func rowBytes(edges, ends, reacts int) int64 {
	return int64(edges)*int64(unsafe.Sizeof(edge{})) + 4*int64(ends) + 2*int64(reacts)
}

// meet adds to the row of local state l what it says for shared state s, the
// next one.
func (b *barrier) meet(r *row, l, s int) {
	r.edges = b.out(l, s, r.edges)
	r.ends = append(r.ends, uint32(len(r.edges)))
	if b.cfg.WeakReads {
		r.reacts = append(r.reacts, b.reaction(l, s))
	}
}

// out appends the edges of local state l under shared state s.
func (b *barrier) out(l, s int, list []edge) []edge {
	me, all := b.local.list[l], b.shared.list[s]
	for file := range all.taken {
		if me.holds[file] && !all.taken[file] {
			return list // cannot be
		}
	}
	p := b.seat(me)
	from := b.lone(me, all, p)
	for _, a := range from.actions(b.cfg, p, nil) {
		to := apply(b.cfg, from, a)
		e := edge{local: b.local.of(to.local(b.cfg, p))}
		a.Proc, a.Parties = 0, 0
		e.kind = b.kind.of(kind{a, to.Step(p)})
		if to.procs[p].rounds > from.procs[p].rounds {
			e.how |= completes
		}
		if a.Event != spec.NoEvent {
			e.how |= event
		}
		if b.cfg.follows(to.words) {
			e.shared = b.shared.of(to.shared())
		} else {
			e.how |= escapes
		}
		list = append(list, e)
	}
	return list
}

// environment returns what can happen under shared state s to no process.
func (b *barrier) environment(s int) edge {
	from := b.lone(local{}, b.shared.list[s], b.same[0])
	if !from.canRelink(b.cfg) {
		return edge{}
	}
	a := Action{Proc: -1, Event: spec.Relink}
	to := apply(b.cfg, from, a)
	return edge{
		shared: b.shared.of(to.shared()),
		kind:   b.kind.of(kind{action: Action{Event: spec.Relink}}),
		how:    event,
	}
}

// seat returns a process that could be in the local state.
func (b *barrier) seat(me local) int {
	if me.special {
		return b.cfg.special()
	}
	return b.same[0]
}

// lone returns a state in which process p is me, all is as it is, and the
// others do nothing but hold the locks that are taken and not p's.
func (b *barrier) lone(me local, all shared, p int) State {
	s := State{words: all.words, linked: all.linked, locks: [2]int8{free, free}}
	for q := range s.procs {
		s.procs[q].rounds = 1 // so that nobody is held back
	}
	s.procs[p] = me.proc
	for file := range all.taken {
		switch {
		case me.holds[file]:
			s.locks[file] = int8(p)
		case all.taken[file]:
			s.locks[file] = int8((p + 1) % MaxProcs)
		}
	}
	return s
}

// reaction returns the local state that l becomes when another process makes
// the shared state s.
func (b *barrier) reaction(l, s int) uint16 {
	me := b.local.list[l]
	p := b.seat(me)
	to := b.lone(me, b.shared.list[s], p)
	to.procs[p].notice(to.words)
	return b.local.of(to.local(b.cfg, p))
}

// lay writes the rows into the table.
func (b *barrier) lay(rows []row) {
	t := b.protocol
	t.locals, t.shareds, t.kinds = len(b.local.list), len(b.shared.list), len(b.kind.list)
	edges, reacts := 0, 0
	for _, r := range rows {
		edges, reacts = edges+len(r.edges), reacts+len(r.reacts)
	}
	t.edges, t.reacts = make([]edge, 0, edges), slices.Grow(t.reacts, reacts)
	t.first = make([]uint32, 1, t.locals*t.shareds+1)
	for _, r := range rows {
		before := uint32(len(t.edges))
		for _, end := range r.ends {
			t.first = append(t.first, before+end)
		}
		t.edges = append(t.edges, r.edges...)
		t.reacts = append(t.reacts, r.reacts...)
	}
	for _, me := range b.local.list {
		t.inside = append(t.inside, me.inside() && !me.dead)
	}
	if b.cfg.Control {
		for _, me := range b.local.list {
			t.waits = append(t.waits, me.heldBack(b.cfg))
			t.blocks = append(t.blocks, me.holdsBack(b.cfg))
		}
	}
}

// interchangeable returns the range of processes that are alike in cfg.
func (cfg Config) interchangeable() [2]int {
	switch special := cfg.special(); special {
	case -1:
		return [2]int{0, cfg.Procs}
	case 0:
		return [2]int{1, cfg.Procs}
	default:
		return [2]int{0, special}
	}
}
