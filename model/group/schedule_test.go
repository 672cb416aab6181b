package group

import (
	"testing"

	"sharedbarrier/model"
	"sharedbarrier/model/explore"
	"sharedbarrier/spec"
)

// A base is a run of PROTOCOL.md that a group makes: members are its first
// processes, foreign parties the others.
type base struct {
	cfg     Config
	machine *model.Machine
}

func newBase(cfg Config) base {
	return base{cfg, model.NewMachine(model.Config{Scenario: spec.Withdraw, Procs: cfg.parties(), Rounds: cfg.Rounds})}
}

// take makes b the state after the next step of process p, or after it gives
// up. It reports false if that is not enabled.
func (r base) take(b *model.State, p int, e spec.Event) bool {
	for _, a := range r.machine.Actions(b, nil) {
		if a.Proc == p && a.Event == e {
			var to model.State
			r.machine.Next(b, a, &to)
			*b = to
			return true
		}
	}
	return false
}

// until takes steps of process p up to the given one. It reports false if one
// of them is not enabled.
func (r base) until(b *model.State, p int, step spec.Step) bool {
	for {
		if !r.take(b, p, spec.NoEvent) {
			return false
		}
		if b.Step(p) == step {
			return true
		}
	}
}

// follow makes b, the state of PROTOCOL.md in s, the one after a: GROUP.md,
// section 8.
func (r base) follow(b *model.State, s *State, a Action) bool {
	p := int(a.Thread) / 2
	if a.Event != NoEvent {
		return true
	}
	if p >= r.cfg.Members {
		return r.take(b, int(a.Thread)-2*r.cfg.Members+r.cfg.Members, spec.NoEvent)
	}
	at := s.calls[p].at
	if a.Thread%2 == 1 {
		at = s.guards[p].at
	}
	switch at {
	case spec.CarryInitExit:
		return r.until(b, p, spec.LockEnter) && r.take(b, p, spec.GiveUp)
	case spec.CarryRaiseFlag:
		for q := range r.cfg.Members {
			if o := s.slots[q]; o.arrival == taken && o.round == s.round && !r.until(b, q, spec.AwaitFlag) {
				return false
			}
		}
	case spec.CarryCountExit:
		for q := range r.cfg.Members {
			if b.Step(q) == spec.AwaitFlag && !r.until(b, q, spec.Call) {
				return false
			}
		}
	}
	return true
}

// agrees reports whether words and lock of the group are those of b. While the
// journal is open and not committed, its words count.
func (r base) agrees(b *model.State, s *State) bool {
	words := s.words
	if s.phase == 1 || s.phase == 2 && words.Flag == spec.Down {
		words = s.old
	}
	holder := -1
	if s.lock >= int8(2*r.cfg.Members) {
		holder = int(s.lock) - r.cfg.Members
	}
	return b.Words() == words && b.Holder() == holder
}

// firstMismatch returns a path to the first edge that is no schedule of
// PROTOCOL.md; nil: each is one.
func firstMismatch(cfg Config) []Action {
	m, r := NewMachine(cfg), newBase(cfg)
	g := &explore.Graph[State, Action]{}
	packed := make([][]uint64, 1, 1024)
	pack := func(b *model.State) []uint64 {
		to := make([]uint64, r.machine.Words())
		if !r.machine.Pack(b, to) {
			panic("a state of PROTOCOL.md out of range")
		}
		return to
	}
	first := r.machine.Init()
	packed[0] = pack(&first)
	for i := range g.Grow(m) {
		packed = append(packed, make([][]uint64, len(g.States)-len(packed))...)
		for _, e := range g.Edges[i] {
			var b model.State
			r.machine.Unpack(packed[i], &b)
			if !r.follow(&b, &g.States[i], e.Action) || !r.agrees(&b, &g.States[e.To]) {
				return append(g.Path(i), e.Action)
			}
			switch after := pack(&b); {
			case packed[e.To] == nil:
				packed[e.To] = after
			case !equal(packed[e.To], after):
				return append(g.Path(i), e.Action)
			}
		}
	}
	return nil
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestConform_Schedule: on words and lock, each edge of a group is a schedule of
// PROTOCOL.md (GROUP.md, section 8).
func TestConform_Schedule(t *testing.T) {
	for _, cfg := range small() {
		if path := firstMismatch(cfg); path != nil {
			t.Errorf("%+v: the last step is no schedule of PROTOCOL.md:\n%s", cfg, trace(cfg, path))
		}
	}
}
