package group

import (
	"sharedbarrier/spec"
)

// words is how many words a packed state takes.
const words = 5

// A codec packs a state into words, or unpacks it, field after field: one
// method lists the fields for both.
type codec struct {
	to      []uint64
	at      uint // in bits
	unpacks bool
	lost    bool // a value does not fit
}

// number is the next field: v, which is low or more, in so many bits. A field
// does not lie in two words.
func number[T ~int8 | ~uint8 | ~int32](c *codec, v *T, low int, bits uint) {
	if c.at%64+bits > 64 {
		c.at += 64 - c.at%64
	}
	word, shift := &c.to[c.at/64], c.at%64
	c.at += bits
	if c.unpacks {
		*v = T(int(*word>>shift&(1<<bits-1)) + low)
		return
	}
	field := uint64(int(*v) - low)
	c.lost = c.lost || field>>bits != 0
	*word |= field << shift
}

func (c *codec) bool(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	number(c, &n, 0, 1)
	*v = n != 0
}

func (c *codec) words(w *spec.Words) {
	number(c, &w.Enter, -2, 4)
	number(c, &w.Exit, -2, 4)
	number(c, &w.Flag, 0, 1)
}

// round packs a round, of which there are at most Rounds + Deaths, and one more
// for turn.
func (c *codec) round(r *uint8) { number(c, r, 0, 3) }

// state is all fields of s.
func (c *codec) state(cfg *Config, s *State) {
	c.words(&s.words)
	number(c, &s.lock, -1, 4)
	c.round(&s.turn)
	c.bool(&s.broken)
	c.round(&s.completed)
	number(c, &s.owed, 0, 3)
	number(c, &s.phase, 0, 2)
	number(c, &s.taken, 0, 3)
	c.round(&s.round)
	c.words(&s.old)
	number(c, &s.deaths, 0, 2)
	number(c, &s.done, 0, 3)
	number(c, &s.committed, 0, 8)
	number(c, &s.told, 0, 8)
	c.bool(&s.early)
	c.bool(&s.torn)
	for p := range cfg.Members {
		o := &s.slots[p]
		number(c, &o.owner, 0, 2)
		c.round(&o.round)
		number(c, &o.arrival, 0, 2)
		c.round(&o.broken)
		c.thread(&s.calls[p])
		c.thread(&s.guards[p])
	}
	for p := range cfg.Foreign {
		number(c, &s.foreign[p].at, 0, 5)
		number(c, &s.foreign[p].rounds, 0, 3)
	}
}

func (c *codec) thread(t *thread) {
	number(c, &t.role, 0, 3)
	number(c, &t.at, 0, 6)
	c.bool(&t.ended)
	c.round(&t.mine)
	if t.role == guardian {
		return // it has no call
	}
	c.round(&t.round)
	c.bool(&t.asleep)
	c.bool(&t.final)
}

// Words returns how many words a packed state takes.
func (m *Machine) Words() int { return words }

// Pack makes to the packed state s. It returns false if a field does not fit.
func (m *Machine) Pack(s *State, to []uint64) bool {
	clear(to)
	c, copied := codec{to: to}, *s
	c.state(&m.cfg, &copied)
	return !c.lost
}

// Repack makes to, the packed state before a, the packed state s after it.
func (m *Machine) Repack(_ Action, s *State, to []uint64) bool {
	return m.Pack(s, to)
}

// Unpack makes s the packed state.
func (m *Machine) Unpack(from []uint64, s *State) {
	*s = State{}
	c := codec{to: from, unpacks: true}
	c.state(&m.cfg, s)
}
